//! Rich text as systems keep it, as HTML: what a node means to a reader stays, what it looks like does not.
//!
//! Invariants: depth and number of nodes are bounded; text of unknown nodes is kept; all text is escaped, so that HTML comes out
//! only where a node says so.

pub(crate) mod contentful;
pub(crate) mod markdown;
pub(crate) mod portable_text;
pub(crate) mod prosemirror;
pub(crate) mod strapi;
mod writer;

use serde_json::Value;

pub(crate) use self::markdown::markdown;
pub(crate) use self::strapi::strapi_blocks;
use crate::draft::Warnings;
use crate::draft::text::Text;
use crate::item::Media;

/// The file that a node or a field refers to, in whatever way the system refers to files.
pub(crate) type Files<'f> = &'f dyn Fn(&Value) -> Option<Media>;

/// Deepest nesting whose text is kept: a list in a list in a table in a list is 10.
pub(crate) const DEPTH_MAX: usize = 32;
/// Most nodes of one text: a book has fewer.
pub(crate) const NODES_MAX: usize = 20_000;

/// Renders rich text of any form that can be told by its shape; `None` when it is none of them.
pub(crate) fn render(value: &Value, files: Files<'_>, warnings: &mut Warnings) -> Option<Text> {
    let has = |key: &str, wanted: &str| value.get(key).and_then(Value::as_str) == Some(wanted);
    if has("nodeType", "document") {
        return Some(contentful::render(value, files, warnings));
    }
    if has("type", "doc") {
        return Some(prosemirror::render(value, files, warnings));
    }
    let blocks = value.as_array()?;
    if strapi::is(blocks) {
        return Some(Text::Html(strapi_blocks(value).0));
    }
    let is_block = |block: &Value| block.get("_type").is_some_and(Value::is_string);
    (!blocks.is_empty() && blocks.iter().all(is_block)).then(|| portable_text::render(blocks, files, warnings))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_shape_tells_the_form() {
        let is_rendered = |value: Value| render(&value, &|_| None, &mut Warnings::default()).is_some();
        assert!(is_rendered(json!({"nodeType": "document", "content": []})));
        assert!(is_rendered(json!({"type": "doc", "content": []})));
        assert!(is_rendered(json!([{"_type": "block", "children": []}])));
        assert!(is_rendered(json!([{"type": "paragraph", "children": []}])));
        for other in [json!([]), json!(["x"]), json!({"type": "paragraph"}), json!("x"), json!(1), json!(null)] {
            assert!(!is_rendered(other.clone()), "{other}");
        }
    }

    #[test]
    fn nothing_that_comes_in_panics_and_no_markup_comes_of_text() {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            any::<i64>().prop_map(|n| json!(n)),
            ".{0,12}".prop_map(|text| json!(text)),
            Just(json!("<script>")),
            Just(json!(null)),
        ];
        let node = leaf.prop_recursive(6, 60, 5, |inner| {
            let key = prop_oneof![
                Just("type"),
                Just("nodeType"),
                Just("_type"),
                Just("content"),
                Just("children"),
                Just("text"),
                Just("value"),
                Just("marks"),
                Just("attrs"),
                Just("data"),
                Just("level"),
                Just("listItem"),
                Just("style"),
                Just("markDefs"),
                Just("href"),
                Just("uri"),
                Just("_key"),
            ];
            let named = prop_oneof![
                inner.clone(),
                prop_oneof![
                    Just("paragraph"),
                    Just("block"),
                    Just("span"),
                    Just("text"),
                    Just("link"),
                    Just("hyperlink"),
                    Just("bullet"),
                    Just("h2"),
                    Just("heading"),
                    Just("embedded-asset-block"),
                    Just("image"),
                ]
                .prop_map(|name| json!(name))
            ];
            prop_oneof![
                proptest::collection::vec(inner, 0..5).prop_map(Value::Array),
                proptest::collection::btree_map(key.prop_map(str::to_owned), named, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        let file =
            |value: &Value| Some(Media { url: value.to_string(), alt: Some(value.to_string()), ..Media::default() });
        proptest!(|(node in node)| {
            let blocks = [node.clone()];
            for text in [
                contentful::render(&node, &file, &mut Warnings::default()),
                prosemirror::render(&node, &file, &mut Warnings::default()),
                portable_text::render(&blocks, &file, &mut Warnings::default()),
            ] {
                prop_assert!(!text.as_str().contains("<script"), "{}", text.as_str());
            }
        });
    }
}
