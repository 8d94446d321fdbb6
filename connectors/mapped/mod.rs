//! Mapped JSON: whatever JSON a system sends or lists, read as the settings say.
//!
//! Each field of an item is a JSONPath (RFC 9535) from the item, such as `$.post.title`, or a template, such as
//! `{{ item.slug }}`. Nothing is configured at the other side but the address, and a secret in the way that the signature profile
//! of the source wants (`signature`; a password in a header by default).

mod mapping;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use url::Url;

use self::mapping::{Field, Mapping, Part, Whole, within};
use crate::contract::{
    Connector, Delivery, ITEMS_PER_PAGE_MAX, Kind, Page, REQUESTS_PER_DELIVERY_MAX, Request, Response, Secret, Told,
};
use crate::draft::{Draft, Warnings, identity, text};
use crate::error::ConnectorError;
use crate::item::{Action, Item};
use crate::json;
use crate::settings::{Settings, refused};
use crate::template::{Budget, Makes};

const WHAT: &str = "JSON";

/// What `action` may find, by what it means, when the settings do not say.
const PUBLISH: &[&str] = &["publish", "published", "create", "created", "gepubliceerd"];
const UPDATE: &[&str] = &["update", "updated", "modified", "gewijzigd"];
const RETRACT: &[&str] =
    &["retract", "unpublish", "unpublished", "delete", "deleted", "archived", "ingetrokken", "verwijderd"];

/// The kind `mapped`.
pub struct Mapped;

impl Kind for Mapped {
    fn name(&self) -> &'static str {
        "mapped"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("static-header")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let map =
            settings.value("map").ok_or_else(|| refused("map", "is missing; give a table, such as [source.map]"))?;
        let answer = settings.value("answer");
        let (mut base, list) = (settings.base("site")?, settings.url("list")?);
        let site = Some(base.clone()).filter(Url::has_host);
        if let (None, Some(list)) = (&site, &list) {
            base = list.clone();
        }
        let source = Source {
            base,
            site,
            list,
            token: settings.token()?,
            token_header: settings.text("token_header")?,
            next: settings.text("next")?.map(|path| crate::template::path("next", &path)).transpose()?,
            action: Field::take(&mut settings, "", "action", Makes::Text)?,
            words: words(settings.value("actions"))?,
            retracts: retracts(settings.text("otherwise")?)?,
            fetch: Field::take(&mut settings, "", "fetch", Makes::Text)?,
            map: Mapping::new("map", &map)?,
            answer: answer.map(|answer| Mapping::new("answer", &answer)).transpose()?,
        };
        settings.finish()?;
        if source.fetch.is_some() && source.site.is_none() && source.list.is_none() {
            return Err(refused("site", "is missing; `fetch` reads only from the host of `site` or `list`"));
        }
        Ok(Box::new(source))
    }
}

struct Source {
    /// The base of relative addresses.
    base: Url,
    site: Option<Url>,
    list: Option<Url>,
    token: Option<Secret>,
    /// Header in which the token goes by itself; `Authorization: Bearer` when not set.
    token_header: Option<String>,
    next: Option<serde_json_path::JsonPath>,
    action: Option<Field>,
    words: [Vec<String>; 2],
    /// What `when` does not hold for is withdrawn, not left out.
    retracts: bool,
    fetch: Option<Field>,
    map: Mapping,
    answer: Option<Mapping>,
}

/// The words that publish, and those that retract.
fn words(value: Option<Value>) -> Result<[Vec<String>; 2], ConnectorError> {
    let table = value.unwrap_or_else(|| Value::Object(Map::new()));
    let mut table = Settings::new(&table).map_err(|_| refused("actions", "must be a table"))?;
    let mut take = |key, usual: &[&str]| {
        let usual = || usual.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        table.texts(key).map_err(|problem| within("actions", problem)).map(|words| words.unwrap_or_else(usual))
    };
    let mut publish = take("publish", PUBLISH)?;
    publish.extend(take("update", UPDATE)?);
    let retract = take("retract", RETRACT)?;
    table.finish().map_err(|problem| within("actions", problem))?;
    Ok([publish, retract])
}

fn retracts(otherwise: Option<String>) -> Result<bool, ConnectorError> {
    match otherwise.as_deref() {
        None | Some("ignore") => Ok(false),
        Some("retract") => Ok(true),
        Some(_) => Err(refused("otherwise", "must be `ignore` or `retract`")),
    }
}

/// What came of one item of what came.
enum One {
    Item(Box<Item>),
    Fetch(Request),
    Ignored(String),
}

/// What all items of one page share.
#[derive(Default)]
struct Sum {
    items: Vec<Item>,
    requests: Vec<Request>,
    ignored: Option<String>,
    failed: Option<String>,
    warnings: Warnings,
    budget: Budget,
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        self.list.clone().map(|url| self.get(url))
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let payload = json::parse(&response.body, WHAT)?;
        let mapping = self.answer.as_ref().unwrap_or(&self.map);
        let found = mapping.items(&payload);
        let found =
            found.ok_or_else(|| json::lacks(WHAT, "there is nothing at `items`; look at what the address answers"))?;
        let mut sum = Sum::default();
        if found.len() > ITEMS_PER_PAGE_MAX {
            sum.warnings.add(format!("it has more than {ITEMS_PER_PAGE_MAX} items; the first ones were kept"));
        }
        let whole = Whole::new(&payload, &[]);
        let about = response.about.as_deref().filter(|_| found.len() == 1);
        for item in found.into_iter().take(ITEMS_PER_PAGE_MAX) {
            let part = whole.part(item);
            let one = self.answered(mapping, &part, about, &mut sum);
            sum.add(one);
        }
        sum.check()?;
        identity::keep_last(&mut sum.items);
        let next = self.next_page(&payload, response);
        Ok(Page { items: sum.items, warnings: sum.warnings.into_sentences(), next, ..Page::default() })
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let is_form = delivery.media_type().as_deref() == Some("application/x-www-form-urlencoded");
        let payload = if is_form { json::delivered(delivery, WHAT)? } else { json::parse(&delivery.body, WHAT)? };
        let Some(found) = self.map.items(&payload) else {
            return Ok(Told::ignored("there is nothing at `map.items`"));
        };
        let mut sum = Sum { budget: Budget::of_delivery(), ..Sum::default() };
        let whole = Whole::new(&payload, &delivery.headers);
        for item in found.into_iter().take(ITEMS_PER_PAGE_MAX) {
            let part = whole.part(item);
            let one = self.told(&part, &mut sum);
            sum.add(one);
        }
        sum.check()?;
        let Sum { mut items, mut requests, ignored, mut warnings, .. } = sum;
        if items.is_empty() && requests.is_empty() {
            return Ok(Told::ignored(ignored.unwrap_or_else(|| "it has no items".to_owned())));
        }
        if requests.len() > REQUESTS_PER_DELIVERY_MAX {
            warnings.add(format!(
                "it asks to read back more than {REQUESTS_PER_DELIVERY_MAX} items; the first ones are read"
            ));
            requests.truncate(REQUESTS_PER_DELIVERY_MAX);
        }
        identity::keep_last(&mut items);
        let page = Page { items, warnings: warnings.into_sentences(), ..Page::default() };
        Ok(if requests.is_empty() { Told::Page(page) } else { Told::Fetch { requests, page } })
    }
}

impl Sum {
    fn add(&mut self, one: Result<One, String>) {
        match one {
            Ok(One::Item(item)) => self.items.push(*item),
            Ok(One::Fetch(request)) => self.requests.push(request),
            Ok(One::Ignored(why)) => self.ignored = Some(why),
            Err(problem) => {
                self.warnings.add(format!("an item was left out: {problem}"));
                self.failed = Some(problem);
            }
        }
    }

    /// Where nothing could be read, that is an error.
    fn check(&mut self) -> Result<(), ConnectorError> {
        let nothing = self.items.is_empty() && self.requests.is_empty() && self.ignored.is_none();
        match self.failed.take().filter(|_| nothing) {
            Some(problem) => Err(json::lacks(WHAT, problem)),
            None => Ok(()),
        }
    }
}

impl Source {
    /// One item of an answer.
    fn answered(&self, mapping: &Mapping, part: &Part<'_>, about: Option<&str>, sum: &mut Sum) -> Result<One, String> {
        let own = mapping.id(part, &mut sum.budget)?;
        let id = about.map(str::to_owned).or(own).ok_or("`id` finds nothing")?;
        match mapping.is_public(part, &mut sum.budget)? {
            true => self.item(mapping, id, part, sum),
            // Asked about this one item, it says that it is not public.
            false if self.retracts || about.is_some() => self.retract(mapping, id, part, sum),
            false => Ok(One::Ignored("`when` does not hold".to_owned())),
        }
    }

    /// One item of a pushed request.
    fn told(&self, part: &Part<'_>, sum: &mut Sum) -> Result<One, String> {
        let mut action = Action::Publish;
        if let Some(field) = &self.action {
            let word = field.text(part, &mut sum.budget)?.unwrap_or_default();
            let [publish, retract] = &self.words;
            let among = |words: &[String]| words.iter().any(|known| known.eq_ignore_ascii_case(word.trim()));
            if among(retract) {
                action = Action::Retract;
            } else if !among(publish) {
                let word = text::cut(text::single_spaced(&word), 100);
                return Ok(One::Ignored(format!("its action `{word}` is among none of `actions`")));
            }
        }
        if action == Action::Publish && !self.map.is_public(part, &mut sum.budget)? {
            if !self.retracts {
                return Ok(One::Ignored("`when` does not hold".to_owned()));
            }
            action = Action::Retract;
        }
        let id = self.map.id(part, &mut sum.budget)?.ok_or("`id` finds nothing")?;
        match (action, &self.fetch) {
            (Action::Retract, _) => self.retract(&self.map, id, part, sum),
            (Action::Publish, Some(fetch)) => self.fetch(fetch, &id, part, sum),
            (Action::Publish, None) => self.item(&self.map, id, part, sum),
        }
    }

    fn item(&self, mapping: &Mapping, id: String, part: &Part<'_>, sum: &mut Sum) -> Result<One, String> {
        let draft = mapping.draft(id, part, &mut sum.budget)?;
        let version = mapping.version(part, &mut sum.budget)?;
        let mut item = draft.finish(&self.base, &mut sum.warnings);
        if item.title.is_none() && item.body.is_none() && item.summary.is_none() {
            return Err("neither title nor body finds anything".to_owned());
        }
        item.source_version = version.or(item.source_version);
        Ok(One::Item(Box::new(item)))
    }

    fn retract(&self, mapping: &Mapping, id: String, part: &Part<'_>, sum: &mut Sum) -> Result<One, String> {
        let draft = Draft { id: Some(id), is_deleted: true, ..Draft::default() };
        let mut item = draft.finish(&self.base, &mut sum.warnings);
        item.source_version = mapping.version(part, &mut sum.budget)?;
        Ok(One::Item(Box::new(item)))
    }

    /// A thin event: the item is read back, from the hosts that the operator named.
    fn fetch(&self, fetch: &Field, id: &str, part: &Part<'_>, sum: &mut Sum) -> Result<One, String> {
        let address = fetch.text(part, &mut sum.budget)?.ok_or("`fetch` makes no address")?;
        let url = self.base.join(address.trim()).map_err(|_| "`fetch` makes no address")?;
        if !self.is_ours(&url) || url.as_str().len() > identity::URL_BYTES_MAX {
            return Err("`fetch` leads to another host than `site` and `list`, and is not followed".to_owned());
        }
        Ok(One::Fetch(self.get(url).about(identity::bounded(id.trim().to_owned()))))
    }

    fn next_page(&self, payload: &Value, response: &Response) -> Option<Request> {
        let found = self.next.as_ref().filter(|_| response.about.is_none())?.query(payload);
        let next = response.url.join(found.first()?.as_str()?).ok()?;
        (self.is_ours(&next) && next != response.url).then(|| self.get(next))
    }

    fn is_ours(&self, url: &Url) -> bool {
        let named = [&self.site, &self.list].into_iter().flatten();
        matches!(url.scheme(), "http" | "https") && named.map(Url::origin).any(|origin| origin == url.origin())
    }

    /// A request; the token goes to the hosts that the operator named and to no other.
    fn get(&self, url: Url) -> Request {
        let is_ours = self.is_ours(&url);
        let request = Request::get(url, "application/json");
        match (&self.token, &self.token_header) {
            (Some(token), Some(name)) if is_ours => request.header(name, token.clone()),
            (Some(token), None) if is_ours => request.header("authorization", format!("Bearer {}", token.reveal())),
            _ => request,
        }
    }
}
