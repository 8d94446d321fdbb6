//! Contentful's rich text: a tree of nodes with a `nodeType`, the text in leaves with marks.

use serde_json::Value;

use super::Files;
use super::writer::Writer;
use crate::draft::Warnings;
use crate::draft::text::Text;
use crate::json;

/// Nodes that are elements.
const TAGS: &[(&str, &str)] = &[
    ("paragraph", "p"),
    ("heading-1", "h1"),
    ("heading-2", "h2"),
    ("heading-3", "h3"),
    ("heading-4", "h4"),
    ("heading-5", "h5"),
    ("heading-6", "h6"),
    ("unordered-list", "ul"),
    ("ordered-list", "ol"),
    ("list-item", "li"),
    ("blockquote", "blockquote"),
    ("table", "table"),
    ("table-row", "tr"),
    ("table-cell", "td"),
    ("table-header-cell", "th"),
];

/// Marks of a text that are elements; others, such as underline, are only looks.
const MARKS: &[(&str, &str)] = &[
    ("bold", "strong"),
    ("italic", "em"),
    ("code", "code"),
    ("superscript", "sup"),
    ("subscript", "sub"),
    ("strikethrough", "s"),
];

/// Renders a document. `files` is asked with the link (`{"sys": {…}}`) of an asset.
pub(crate) fn render(document: &Value, files: Files<'_>, warnings: &mut Warnings) -> Text {
    let mut writer = Writer::default();
    node(document, files, 0, &mut writer);
    writer.finish(warnings)
}

fn children(of: &Value, files: Files<'_>, depth: usize, writer: &mut Writer) {
    for child in json::list(of, "/content") {
        node(child, files, depth + 1, writer);
    }
}

fn node(value: &Value, files: Files<'_>, depth: usize, writer: &mut Writer) {
    if !writer.enter(depth) {
        return;
    }
    let kind = value.get("nodeType").and_then(Value::as_str).unwrap_or_default();
    if let Some((_, tag)) = TAGS.iter().find(|(known, _)| *known == kind) {
        writer.open(tag);
        children(value, files, depth, writer);
        writer.close(tag);
        return;
    }
    match kind {
        "document" => children(value, files, depth, writer),
        "text" => leaf(value, writer),
        "hr" => writer.open("hr"),
        "hyperlink" => match json::text(value, "/data/uri") {
            Some(address) => {
                writer.link(&address);
                children(value, files, depth, writer);
                writer.close("a");
            }
            None => children(value, files, depth, writer),
        },
        "embedded-asset-block" | "embedded-asset-inline" => match value.pointer("/data/target").and_then(files) {
            Some(file) => writer.file(&file, ""),
            None => writer.unknown(kind),
        },
        "asset-hyperlink" => match value.pointer("/data/target").and_then(files) {
            Some(file) => {
                writer.link(&file.url);
                children(value, files, depth, writer);
                writer.close("a");
            }
            None => children(value, files, depth, writer),
        },
        // Where another entry is on the site is not known; the words that link to it stay.
        "entry-hyperlink" | "resource-hyperlink" => children(value, files, depth, writer),
        other => {
            writer.unknown(other);
            children(value, files, depth, writer);
        }
    }
}

fn leaf(value: &Value, writer: &mut Writer) {
    let text = value.get("value").and_then(Value::as_str).unwrap_or_default();
    let has = |mark: &str| {
        json::list(value, "/marks").iter().take(20).any(|m| m.get("type").and_then(Value::as_str) == Some(mark))
    };
    let tags: Vec<&'static str> = MARKS.iter().filter(|(mark, _)| has(mark)).map(|(_, tag)| *tag).collect();
    tags.iter().for_each(|tag| writer.open(tag));
    writer.text(text);
    tags.iter().rev().for_each(|tag| writer.close(tag));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{DEPTH_MAX, NODES_MAX};
    use super::*;
    use crate::item::Media;

    fn html(content: Value) -> (String, Vec<String>) {
        let mut warnings = Warnings::default();
        let file = |link: &Value| {
            let url = format!("https://assets.example/{}", json::text(link, "/sys/id")?);
            Some(Media { url, alt: Some("Een \"brug\"".to_owned()), ..Media::default() })
        };
        let text = render(&json!({"nodeType": "document", "content": content}), &file, &mut warnings);
        (text.as_str().to_owned(), warnings.into_sentences())
    }

    fn text(value: &str) -> Value {
        json!({"nodeType": "text", "value": value, "marks": []})
    }

    #[test]
    fn what_a_node_means_stays() {
        let bold = json!({"nodeType": "text", "value": "dicht", "marks": [{"type": "bold"}, {"type": "underline"}]});
        let link = json!({"nodeType": "hyperlink", "data": {"uri": "https://stad.example/?a=1&b=2"}, "content": [text("meer")]});
        let (found, warnings) = html(json!([
            {"nodeType": "heading-2", "content": [text("Brug & weg")]},
            {"nodeType": "paragraph", "content": [text("De brug is "), bold, text("\nTot mei. "), link]},
            {"nodeType": "unordered-list", "content": [{"nodeType": "list-item", "content": [{"nodeType": "paragraph", "content": [text("Een")]}]}]},
            {"nodeType": "hr", "content": []},
            {"nodeType": "embedded-asset-block", "data": {"target": {"sys": {"id": "a.jpg"}}}, "content": []},
            {"nodeType": "paragraph", "content": [{"nodeType": "asset-hyperlink", "data": {"target": {"sys": {"id": "b.pdf"}}}, "content": [text("Rapport")]}]},
        ]));
        assert_eq!(
            found,
            "<h2>Brug &amp; weg</h2><p>De brug is <strong>dicht</strong><br>Tot mei. \
             <a href=\"https://stad.example/?a=1&amp;b=2\">meer</a></p><ul><li><p>Een</p></li></ul><hr>\
             <img src=\"https://assets.example/a.jpg\" alt=\"Een &quot;brug&quot;\">\
             <p><a href=\"https://assets.example/b.pdf\">Rapport</a></p>"
        );
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn text_of_unknown_nodes_is_kept() {
        let (found, warnings) = html(json!([{"nodeType": "uitklapper", "content": [text("<binnen>")]}]));
        assert_eq!(found, "&lt;binnen&gt;");
        assert!(warnings[0].contains("uitklapper"), "{warnings:?}");
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let nested = |depth: usize| {
            (1..depth).fold(text("diep"), |inner, _| json!({"nodeType": "blockquote", "content": [inner]}))
        };
        assert!(html(json!([nested(DEPTH_MAX)])).0.contains("diep"));
        let (found, warnings) = html(json!([nested(DEPTH_MAX + 1)]));
        assert!(!found.contains("diep") && warnings.len() == 1, "{warnings:?}");
        // The document itself is one.
        let many = |n: usize| html(Value::Array(vec![text("x"); n]));
        assert_eq!(many(NODES_MAX - 1), ("x".repeat(NODES_MAX - 1), Vec::new()));
        assert_eq!(many(NODES_MAX).0.len(), NODES_MAX - 1);
    }
}
