//! One HTML page as one press release.

use super::{Entry, WHAT};
use crate::draft::text::Text;
use crate::draft::{dates, page};
use crate::error::ConnectorError;
use crate::item::EpochMs;
use crate::json;

/// Names of the `meta` element that says until when nothing may be seen of it.
const EMBARGO: &[&str] = &["embargo", "embargo_until", "dcterms.available"];
const EXPIRES: &[&str] = &["expires_at", "dcterms.valid"];

/// The one item of the page; its name is its id. One that was fetched must say when it was published: a page for logging in, or one
/// about maintenance, answers for a file as well, and does not.
pub(super) fn read(text: &str, name: &str, is_fetched: bool) -> Result<Vec<Entry>, ConnectorError> {
    let lower = text.to_ascii_lowercase();
    if lower.contains("<html") && !lower.contains("</html") {
        return Err(json::lacks(WHAT, "it has no end (`</html>`); it may have been cut short"));
    }
    let facts = page::read(text);
    let mut draft = facts.draft();
    let date = |names: &[&str]| -> Result<Option<EpochMs>, ConnectorError> {
        let Some(text) = facts.meta(names) else { return Ok(None) };
        let problem =
            || json::lacks(WHAT, format!("its `{}` is no date; write it as 2026-11-20T09:00:00Z", names.join("`, `")));
        dates::parse(&text).map(Some).ok_or_else(problem)
    };
    draft.embargo_until = date(EMBARGO)?;
    draft.expires_at = date(EXPIRES)?;
    if draft.published_at.is_none() && facts.published().is_some() {
        return Err(json::lacks(WHAT, "its date of publication cannot be read; write it as 2026-11-20T09:00:00Z"));
    }
    if is_fetched && draft.published_at.is_none() {
        let problem = "it does not say when it was published (`article:published_time`): is it a press release at all?";
        return Err(json::lacks(WHAT, problem));
    }
    let body = facts.content().map(|body| without_heading(body, draft.title.as_deref(), facts.heading()));
    draft.body = body.filter(|body| !body.trim().is_empty()).map(Text::Html);
    if draft.title.is_none() && draft.body.is_none() {
        return Err(json::lacks(WHAT, "it is no page: it has neither a title nor a text"));
    }
    draft.id = Some(name.to_owned());
    draft.link = facts.canonical.clone().or_else(|| facts.meta(&["og:url"]));
    Ok(vec![Entry { draft, version: None }])
}

/// The text without the heading that is the title already.
fn without_heading(body: &str, title: Option<&str>, heading: Option<&str>) -> String {
    let lower = body.to_ascii_lowercase();
    let ends = || {
        let begins = lower.find("<h1").filter(|_| title.is_some() && title == heading)?;
        let end = begins + lower.get(begins..)?.find("</h1>")? + 5;
        Some((body.get(..begins)?, body.get(end..)?))
    };
    ends().map_or_else(|| body.to_owned(), |(before, after)| format!("{before}{after}"))
}
