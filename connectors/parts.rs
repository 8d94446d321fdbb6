//! What connectors share on the inside, one part at a time: for fuzz targets and for trying out.

use serde_json::Value;

use crate::draft::Warnings;
use crate::draft::text::Text;
use crate::error::ConnectorError;
use crate::item::{Media, RawHtml};
use crate::rich::{contentful, markdown, portable_text, prosemirror, render, slate, strapi_blocks};
use crate::template::{self, Budget, Makes, Template};

/// The forms of rich text that [`rich`] reads; `any` finds out by the shape.
pub const RICH: &[&str] = &["any", "contentful", "markdown", "portable-text", "prosemirror", "slate", "strapi"];

/// Rich text of that form as HTML, untrusted still; `None` when it is no JSON, or has not the shape of that form. A node that
/// refers to a file refers to one that there is.
pub fn rich(form: &str, source: &str) -> Option<RawHtml> {
    if form == "markdown" {
        return Some(markdown(source));
    }
    let value: Value = serde_json::from_str(source).ok()?;
    let file = |value: &Value| {
        let name = value.as_object()?.values().find_map(Value::as_str)?.to_owned();
        Some(Media { url: format!("https://cms.example/{name}"), alt: Some(name), ..Media::default() })
    };
    let warnings = &mut Warnings::default();
    let text = match form {
        "any" => render(&value, &file, warnings)?,
        "contentful" => contentful::render(&value, &file, warnings),
        "portable-text" => portable_text::render(value.as_array()?, &file, warnings),
        "prosemirror" => prosemirror::render(&value, &file, warnings),
        "slate" => slate::render(value.as_array()?, warnings),
        "strapi" => Text::Html(strapi_blocks(&value).0),
        _ => return None,
    };
    Some(text.into_html())
}

/// What a template of a source's settings makes of `context`, as text for HTML or as text alone.
pub fn template(source: &str, context: &Value, for_html: bool) -> Result<String, String> {
    let makes = if for_html { Makes::Html } else { Makes::Text };
    let template = Template::new("template", source, makes).map_err(|error| error.to_string())?;
    template.render(&template::seen(context), &mut Budget::of_delivery())
}

/// How many places of `on` a JSONPath of a source's settings finds.
pub fn path(source: &str, on: &Value) -> Result<usize, ConnectorError> {
    Ok(template::path("path", source)?.query(on).len())
}
