//! Documents of ProseMirror and Tiptap, as Storyblok keeps them: a tree of nodes with a `type`, names in snake or camel case.

use serde_json::Value;

use super::Files;
use super::writer::Writer;
use crate::draft::Warnings;
use crate::draft::text::Text;
use crate::json;

/// Most marks of one text that are looked at.
const MARKS_MAX: usize = 20;

const TAGS: &[(&str, &str)] = &[
    ("paragraph", "p"),
    ("bulletlist", "ul"),
    ("orderedlist", "ol"),
    ("listitem", "li"),
    ("blockquote", "blockquote"),
    ("codeblock", "pre"),
    ("table", "table"),
    ("tablerow", "tr"),
    ("tablecell", "td"),
    ("tableheader", "th"),
];
const HEADINGS: &[&str] = &["h1", "h2", "h3", "h4", "h5", "h6"];
const MARKS: &[(&str, &str)] = &[
    ("bold", "strong"),
    ("strong", "strong"),
    ("italic", "em"),
    ("em", "em"),
    ("code", "code"),
    ("strike", "s"),
    ("superscript", "sup"),
    ("subscript", "sub"),
];

/// Renders a document. `files` is asked with the `attrs` of an image.
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
    let written = value.get("type").and_then(Value::as_str).unwrap_or_default();
    let kind = written.replace('_', "").to_ascii_lowercase();
    if let Some(tag) =
        TAGS.iter().find(|(known, _)| *known == kind).map(|(_, tag)| *tag).or_else(|| heading(&kind, value))
    {
        writer.open(tag);
        children(value, files, depth, writer);
        writer.close(tag);
        return;
    }
    match kind.as_str() {
        "doc" => children(value, files, depth, writer),
        "text" => leaf(value, writer),
        "hardbreak" => writer.open("br"),
        "horizontalrule" => writer.open("hr"),
        "image" => match value.get("attrs").and_then(files) {
            Some(file) => writer.file(&file, ""),
            None => writer.unknown(written),
        },
        "emoji" => writer.text(&json::text(value, "/attrs/emoji").unwrap_or_default()),
        _ => {
            writer.unknown(written);
            writer.text(value.get("text").and_then(Value::as_str).unwrap_or_default());
            children(value, files, depth, writer);
        }
    }
}

fn heading(kind: &str, value: &Value) -> Option<&'static str> {
    let level = json::integer(value, "/attrs/level").and_then(|level| usize::try_from(level).ok()).unwrap_or(2);
    (kind == "heading").then(|| HEADINGS.get(level.saturating_sub(1)).copied().unwrap_or("h6"))
}

fn leaf(value: &Value, writer: &mut Writer) {
    let mut closing: Vec<&'static str> = Vec::new();
    for mark in json::list(value, "/marks").iter().take(MARKS_MAX) {
        let kind = mark.get("type").and_then(Value::as_str).unwrap_or_default();
        if let Some((_, tag)) = MARKS.iter().find(|(known, _)| *known == kind) {
            writer.open(tag);
            closing.push(tag);
        } else if let Some(address) = (kind == "link").then(|| address(mark)).flatten() {
            writer.link(&address);
            closing.push("a");
        }
    }
    writer.text(value.get("text").and_then(Value::as_str).unwrap_or_default());
    closing.iter().rev().for_each(|tag| writer.close(tag));
}

fn address(mark: &Value) -> Option<String> {
    let address = json::text(mark, "/attrs/href")?;
    let is_mail = json::text(mark, "/attrs/linktype").as_deref() == Some("email") && !address.starts_with("mailto:");
    let anchor = json::text(mark, "/attrs/anchor").filter(|_| !is_mail && !address.contains('#'));
    let begin = if is_mail { "mailto:" } else { "" };
    Some(format!("{begin}{address}{}", anchor.map(|anchor| format!("#{anchor}")).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{DEPTH_MAX, NODES_MAX};
    use super::*;
    use crate::item::Media;

    fn html(content: Value) -> (String, Vec<String>) {
        let mut warnings = Warnings::default();
        let file = |attrs: &Value| Some(Media { url: json::text(attrs, "/src")?, ..Media::default() });
        let text = render(&json!({"type": "doc", "content": content}), &file, &mut warnings);
        (text.as_str().to_owned(), warnings.into_sentences())
    }

    fn text(value: &str) -> Value {
        json!({"type": "text", "text": value})
    }

    #[test]
    fn what_a_node_means_stays_in_either_spelling() {
        let link = json!({"type": "text", "text": "meer", "marks": [{"type": "bold"}, {"type": "link", "attrs": {"href": "/nieuws", "anchor": "deel"}}]});
        let (found, warnings) = html(json!([
            {"type": "heading", "attrs": {"level": 3}, "content": [text("Brug & weg")]},
            {"type": "paragraph", "content": [text("Dicht."), {"type": "hard_break"}, link]},
            {"type": "bullet_list", "content": [{"type": "list_item", "content": [{"type": "paragraph", "content": [text("Een")]}]}]},
            {"type": "orderedList", "content": [{"type": "listItem", "content": [text("Twee")]}]},
            {"type": "image", "attrs": {"src": "https://a.example/a.jpg"}}
        ]));
        assert_eq!(
            found,
            "<h3>Brug &amp; weg</h3><p>Dicht.<br><strong><a href=\"/nieuws#deel\">meer</a></strong></p>\
             <ul><li><p>Een</p></li></ul><ol><li>Twee</li></ol><img src=\"https://a.example/a.jpg\">"
        );
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn text_of_unknown_nodes_is_kept() {
        let (found, warnings) = html(json!([{"type": "kader", "content": [text("<binnen>")]}]));
        assert_eq!(found, "&lt;binnen&gt;");
        assert!(warnings[0].contains("kader"), "{warnings:?}");
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let nested =
            |depth: usize| (1..depth).fold(text("diep"), |inner, _| json!({"type": "blockquote", "content": [inner]}));
        assert!(html(json!([nested(DEPTH_MAX)])).0.contains("diep"));
        assert!(!html(json!([nested(DEPTH_MAX + 1)])).0.contains("diep"));
        let many = |n: usize| html(Value::Array(vec![text("x"); n]));
        assert_eq!(many(NODES_MAX - 1), ("x".repeat(NODES_MAX - 1), Vec::new()));
        assert_eq!(many(NODES_MAX).1.len(), 1);
    }
}
