//! One message, from a CAP document (CAP 1.2 §3.2) or from an Atom entry that carries its fields.

use crate::draft::dates;
use crate::draft::tree::Element;
use crate::item::EpochMs;

/// Most `info` blocks of one message, areas of one block, and messages that one refers to: real ones stay under 30. What is beyond is
/// not read.
pub(super) const PARTS_MAX: usize = 200;

/// One message.
#[derive(Debug, Clone, Default)]
pub(super) struct Alert {
    pub identifier: String,
    pub sent: Option<EpochMs>,
    pub status: String,
    pub message: String,
    pub scope: Option<String>,
    /// Earlier messages, by identifier and time.
    pub references: Vec<(String, Option<EpochMs>)>,
    pub infos: Vec<Info>,
    /// Where the whole document is, when this is only an entry of a list.
    pub document: Option<String>,
}

/// What it says, in one language, about one event.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Info {
    pub language: Option<String>,
    pub event: Option<String>,
    pub headline: Option<String>,
    pub description: Option<String>,
    pub instruction: Option<String>,
    pub severity: Option<String>,
    pub urgency: Option<String>,
    pub certainty: Option<String>,
    pub categories: Vec<String>,
    pub expires: Option<EpochMs>,
    pub web: Option<String>,
    pub areas: Vec<String>,
    pub geocodes: Vec<String>,
    /// Address, type and description of files.
    pub resources: Vec<(String, Option<String>, Option<String>)>,
}

fn texts(of: &Element<'_>, name: &str) -> Vec<String> {
    let texts = of.all(name).take(PARTS_MAX).map(|child| child.text().trim().to_owned());
    texts.filter(|text| !text.is_empty()).collect()
}

fn date(of: &Element<'_>, name: &str) -> Option<EpochMs> {
    of.text_of(name).as_deref().and_then(dates::parse)
}

/// `sender,identifier,sent` (CAP 1.2 §3.2.1), parted by white space; a sender may not have a comma in it, an identifier neither.
fn references(text: &str) -> Vec<(String, Option<EpochMs>)> {
    let one = |triple: &str| {
        let mut parts = triple.split(',');
        let (_, identifier, sent) = (parts.next()?, parts.next()?.trim(), parts.next());
        Some((identifier.to_owned(), sent.and_then(dates::parse))).filter(|(identifier, _)| !identifier.is_empty())
    };
    text.split_whitespace().filter_map(one).take(PARTS_MAX).collect()
}

/// From `<alert>`; `None` without an identifier, because then nothing can refer to it.
pub(super) fn of_document(alert: &Element<'_>) -> Option<Alert> {
    let text = |name: &str| alert.text_of(name).unwrap_or_default();
    Some(Alert {
        identifier: alert.text_of("identifier")?,
        sent: date(alert, "sent"),
        status: text("status"),
        message: text("msgType"),
        scope: alert.text_of("scope"),
        references: references(&text("references")),
        infos: alert.all("info").take(PARTS_MAX).map(info).collect(),
        document: None,
    })
}

fn info(info: &Element<'_>) -> Info {
    let areas: Vec<&Element<'_>> = info.all("area").take(PARTS_MAX).collect();
    let resource = |resource: &Element<'_>| {
        let uri = resource.text_of("uri")?;
        Some((uri, resource.text_of("mimeType"), resource.text_of("resourceDesc")))
    };
    Info {
        // §3.2.2: without one it is en-US.
        language: info.text_of("language").or_else(|| Some("en-US".to_owned())),
        event: info.text_of("event"),
        headline: info.text_of("headline"),
        description: info.text_of("description"),
        instruction: info.text_of("instruction"),
        severity: info.text_of("severity"),
        urgency: info.text_of("urgency"),
        certainty: info.text_of("certainty"),
        categories: texts(info, "category"),
        expires: date(info, "expires"),
        web: info.text_of("web"),
        areas: areas.iter().filter_map(|area| area.text_of("areaDesc")).collect(),
        geocodes: areas.iter().flat_map(|area| geocodes(area)).take(PARTS_MAX).collect(),
        resources: info.all("resource").take(PARTS_MAX).filter_map(resource).collect(),
    }
}

fn geocodes(of: &Element<'_>) -> Vec<String> {
    of.all("geocode").take(PARTS_MAX).filter_map(|code| code.text_of("value")).collect()
}

/// From an Atom `<entry>`; `None` when it carries no CAP.
pub(super) fn of_entry(entry: &Element<'_>, feed_language: Option<&str>) -> Option<Alert> {
    let field = |name: &str| {
        let mut found = entry.all(name).filter(|child| child.vocabulary == "cap");
        found.next().map(|child| child.text().trim().to_owned()).filter(|text| !text.is_empty())
    };
    let moment = |name: &str| field(name).as_deref().and_then(dates::parse);
    let is_document = |link: &&Element<'_>| link.attribute("type").is_some_and(|kind| kind.contains("cap+xml"));
    let is_page = |link: &&Element<'_>| link.attribute("type").is_none_or(|kind| kind.contains("html"));
    let address = |link: &Element<'_>| link.attribute("href");
    let info = Info {
        language: entry.attribute("xml:lang").or_else(|| feed_language.map(str::to_owned)),
        event: field("event"),
        headline: field("headline").or_else(|| entry.text_of("title")),
        description: field("description"),
        instruction: field("instruction"),
        severity: field("severity"),
        urgency: field("urgency"),
        certainty: field("certainty"),
        categories: field("category").into_iter().collect(),
        expires: moment("expires"),
        web: field("web").or_else(|| entry.all("link").find(is_page).and_then(address)),
        areas: field("areaDesc").into_iter().collect(),
        geocodes: geocodes(entry),
        resources: Vec::new(),
    };
    Some(Alert {
        identifier: field("identifier")?,
        sent: moment("sent"),
        status: field("status").unwrap_or_default(),
        message: field("msgType").or_else(|| field("message_type")).unwrap_or_default(),
        scope: field("scope"),
        references: references(&field("references").unwrap_or_default()),
        infos: vec![info],
        document: entry.all("link").find(is_document).and_then(address),
    })
}

/// Puts entries of one message together: lists write one for each area.
pub(super) fn gathered(alerts: Vec<Alert>) -> Vec<Alert> {
    let mut places = std::collections::HashMap::new();
    let mut whole: Vec<Alert> = Vec::new();
    for alert in alerts {
        let place = *places.entry((alert.identifier.clone(), alert.sent)).or_insert(whole.len());
        match whole.get_mut(place) {
            None => whole.push(alert),
            Some(known) => {
                for info in alert.infos {
                    if known.infos.len() < PARTS_MAX && !known.infos.contains(&info) {
                        known.infos.push(info);
                    }
                }
            }
        }
    }
    whole
}
