//! TYPO3 12 and later: the webhook "Page modification".
//!
//! The message says title, description and address of a page, and no content: TYPO3 has no API for that in its core. So there is no
//! list either; a feed of the site, as a second source of the same actor, finds what was missed.
//!
//! At the other side: System → Webhooks → new: trigger "when a page is added, updated or removed", the address of the source, and the
//! secret that TYPO3 makes. The identifier that it shows belongs to the signature (`signature.identifier`).

#[cfg(test)]
mod tests;

use serde_json::Value;
use url::Url;

use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Told};
use crate::draft::text::{self, Text};
use crate::draft::{Draft, Warnings};
use crate::error::ConnectorError;
use crate::item::{Category, Item};
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "delivery of TYPO3";

/// Kinds of page (`doktype`) that are no page for a reader: links, shortcuts, mount points, backend sections, folders, bins.
const NO_PAGES: &[i64] = &[3, 4, 6, 7, 199, 254, 255];
/// Most languages that can be named.
const LANGUAGES_MAX: usize = 100;
/// Longest name of a site, in bytes.
const SITE_BYTES_MAX: usize = 200;

/// The kind `typo3`.
pub struct Typo3;

impl Kind for Typo3 {
    fn name(&self) -> &'static str {
        "typo3"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("typo3")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let source = Source {
            base: settings.base("site")?,
            sites: settings.texts("sites")?.unwrap_or_default(),
            languages: languages(settings.value("languages"))?,
        };
        settings.finish()?;
        Ok(Box::new(source))
    }
}

struct Source {
    base: Url,
    /// Identifiers of sites that are taken; all, when empty.
    sites: Vec<String>,
    /// Language tags by `sys_language_uid`; other languages are left out, when it is not empty.
    languages: Vec<(i64, String)>,
}

fn languages(value: Option<Value>) -> Result<Vec<(i64, String)>, ConnectorError> {
    let problem = || refused("languages", "must be a table such as { \"0\" = \"nl\", \"1\" = \"en\" }");
    let Some(value) = value else { return Ok(Vec::new()) };
    let table = value.as_object().filter(|table| table.len() <= LANGUAGES_MAX).ok_or_else(problem)?;
    let language = |(uid, tag): (&String, &Value)| {
        let tag = tag.as_str().and_then(text::language).ok_or_else(problem)?;
        Ok((uid.parse().map_err(|_| problem())?, tag))
    };
    table.iter().map(language).collect()
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        None
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        json::parse(&response.body, "answer of TYPO3")?;
        Err(json::lacks("answer of TYPO3", "nothing is read from TYPO3; it only sends"))
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let body = json::object(&delivery.body, WHAT)?;
        let action = json::text(&body, "/action").ok_or_else(|| json::lacks(WHAT, "it names no `action`"))?;
        let number = json::integer(&body, "/identifier");
        let number = number.ok_or_else(|| json::lacks(WHAT, "it names no page: `identifier` is no number"))?;
        let site = json::text(&body, "/site").unwrap_or_default();
        if site.len() > SITE_BYTES_MAX {
            return Err(json::lacks(WHAT, format!("`site` is longer than {SITE_BYTES_MAX} bytes")));
        }
        if !self.sites.is_empty() && !self.sites.contains(&site) {
            return Ok(Told::ignored(format!("its site `{site}` is not among `sites`")));
        }
        let uid = json::integer(&body, "/record/sys_language_uid").unwrap_or_default();
        let language = self.languages.iter().find(|(known, _)| *known == uid).map(|(_, tag)| tag.clone());
        if language.is_none() && !self.languages.is_empty() {
            return Ok(Told::ignored(format!("its language {uid} is not among `languages`")));
        }
        let id = format!("{site}:{number}");
        Ok(match meaning(&action, &body) {
            Meaning::Publish => self.published(id, language, &body)?,
            Meaning::Retract => Told::items(vec![self.retracted(id, &body)]),
            Meaning::Nothing(why) => Told::ignored(why),
        })
    }
}

/// What a message means (`reference/connectors.md` B3).
#[derive(Debug, PartialEq)]
enum Meaning {
    Publish,
    Retract,
    Nothing(String),
}

fn meaning(action: &str, body: &Value) -> Meaning {
    let nothing = |why: &str| Meaning::Nothing(why.to_owned());
    let field = |name: &str| json::integer(body, &format!("/record/{name}"));
    if json::integer(body, "/workspace").is_some_and(|workspace| workspace != 0) {
        return nothing("it was changed in a workspace, not on the site");
    }
    if action == "unpublished" || field("deleted") == Some(1) {
        return Meaning::Retract;
    }
    if field("doktype").is_some_and(|kind| NO_PAGES.contains(&kind)) {
        return nothing("it is a folder, a link or a shortcut, not a page");
    }
    let changed = |name: &str| match body.get("changedFields") {
        Some(Value::Array(names)) => names.iter().any(|found| found.as_str() == Some(name)),
        Some(Value::Object(fields)) => fields.contains_key(name),
        _ => false,
    };
    let group = json::text(body, "/record/fe_group").unwrap_or_default();
    // `-1` hides a page from those who are logged in.
    let is_restricted = !matches!(group.trim(), "" | "0" | "-1");
    let hidden = field("hidden");
    match action {
        "modified" if hidden == Some(1) && changed("hidden") => Meaning::Retract,
        "modified" if is_restricted => Meaning::Retract,
        "new" if hidden != Some(0) => nothing("the new page is hidden"),
        "published" | "new" | "modified" if hidden == Some(1) => nothing("the page is hidden"),
        "published" | "new" if is_restricted => nothing("the page is only for those who log in"),
        "published" | "new" | "modified" => Meaning::Publish,
        other => Meaning::Nothing(format!("`{}` changes nothing that is public", text::cut(other.to_owned(), 100))),
    }
}

impl Source {
    fn published(&self, id: String, language: Option<String>, body: &Value) -> Result<Told, ConnectorError> {
        let record = |name: &str| json::text(body, &format!("/record/{name}"));
        let date = |name: &str| json::date(body, &format!("/record/{name}"));
        let title = record("title").and_then(|title| text::title(&Text::Plain(title)));
        let title = title.ok_or_else(|| json::lacks(WHAT, "its `record` has no `title`"))?;
        let keywords = record("keywords").unwrap_or_default();
        let changed_at = date("tstamp");
        let is_first = json::text(body, "/action").is_some_and(|action| action != "modified");
        let draft = Draft {
            id: Some(id),
            link: json::text(body, "/url").or_else(|| record("slug")),
            title: Some(title),
            summary: record("abstract").or_else(|| record("description")).map(Text::Plain),
            language,
            // A start that lies ahead is an embargo. When an edited page was first published, TYPO3 does not say.
            published_at: date("starttime").or(changed_at.filter(|_| is_first)),
            updated_at: changed_at,
            authors: record("author").into_iter().collect(),
            categories: keywords.split(',').map(|term| Category { term: term.to_owned(), scheme: None }).collect(),
            ..Draft::default()
        };
        let mut warnings = Warnings::default();
        if date("endtime").is_some() {
            warnings.add("the page has an end, which is not followed; TYPO3 tells when it is unpublished by hand");
        }
        let items = vec![draft.finish(&self.base, &mut warnings)];
        Ok(Told::Page(Page { items, warnings: warnings.into_sentences(), ..Page::default() }))
    }

    fn retracted(&self, id: String, body: &Value) -> Item {
        let updated_at = json::date(body, "/record/tstamp");
        let draft = Draft { id: Some(id), is_deleted: true, updated_at, ..Draft::default() };
        draft.finish(&self.base, &mut Warnings::default())
    }
}
