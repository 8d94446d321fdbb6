//! A post of the REST API as an item (`reference/connectors.md` B4, E3).

use serde_json::Value;

use crate::draft::Draft;
use crate::draft::text::{self, Text};
use crate::item::{Category, Media};
use crate::json;

/// Most files and terms that are looked at of one post.
const LOOKED_AT_MAX: usize = 200;

/// Whether it says that not everybody may read it.
pub(super) fn is_withheld(post: &Value) -> bool {
    json::text(post, "/status").is_some_and(|status| status != "publish")
        || post.pointer("/content/protected") == Some(&Value::Bool(true))
}

/// The post, or why it is left out.
pub(super) fn draft(post: &Value, kind: &str) -> Result<Draft, String> {
    let id = json::integer(post, "/id").ok_or("an element without `id` was left out")?;
    if json::text(post, "/type").is_some_and(|found| found != kind) {
        return Err(format!("an element that is no `{kind}` was left out"));
    }
    let body = json::text(post, "/content/rendered");
    Ok(Draft {
        id: Some(id.to_string()),
        link: json::text(post, "/link"),
        title: json::text(post, "/title/rendered").and_then(|title| text::title(&Text::Html(title))),
        summary: lead(post, body.as_deref().unwrap_or_default()).map(Text::Html),
        body: body.map(Text::Html),
        language: json::text(post, "/lang"), // Polylang
        published_at: json::date_utc(post, "/date_gmt"),
        updated_at: json::date_utc(post, "/modified_gmt"),
        authors: json::list(post, "/_embedded/author")
            .iter()
            .filter_map(|author| json::text(author, "/name"))
            .collect(),
        categories: terms(post),
        files: json::list(post, "/_embedded/wp:featuredmedia").iter().take(1).filter_map(image).collect(),
        ..Draft::default()
    })
}

/// The excerpt, where a person wrote it: WordPress makes one of the beginning of the body when nobody did.
fn lead(post: &Value, body: &str) -> Option<String> {
    let excerpt = json::text(post, "/excerpt/rendered")?;
    let line = text::line(&Text::Html(excerpt.clone()));
    let is_cut = ["[\u{2026}]", "[...]", "\u{2026}", "..."].iter().any(|end| line.ends_with(end));
    let is_beginning = || text::line(&Text::Html(body.to_owned())).starts_with(&line);
    (!line.is_empty() && !is_cut && !is_beginning()).then_some(excerpt)
}

fn terms(post: &Value) -> Vec<Category> {
    let all = json::list(post, "/_embedded/wp:term").iter().filter_map(Value::as_array).flatten();
    let term =
        |term: &Value| Some(Category { term: json::text(term, "/name")?, scheme: json::text(term, "/taxonomy") });
    all.take(LOOKED_AT_MAX).filter_map(term).collect()
}

fn image(media: &Value) -> Option<Media> {
    let size = |pointer: &str| json::integer(media, pointer).and_then(|size| u32::try_from(size).ok());
    let alt = json::text(media, "/alt_text");
    Some(Media {
        url: json::text(media, "/source_url")?,
        media_type: json::text(media, "/mime_type"),
        alt: alt.as_deref().and_then(crate::draft::alt),
        width: size("/media_details/width"),
        height: size("/media_details/height"),
        bytes: json::integer(media, "/media_details/filesize").and_then(|bytes| u64::try_from(bytes).ok()),
    })
}
