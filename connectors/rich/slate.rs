//! Slate, as Plone 6 with Volto keeps the text of a block: a tree of nodes with a `type`, most of them the name of an element.

use serde_json::Value;

use super::writer::Writer;
use crate::draft::Warnings;
use crate::draft::text::Text;
use crate::json;

/// Nodes that are elements; `h1` is the title of the page.
const TAGS: &[(&str, &str)] = &[
    ("p", "p"),
    ("h1", "h2"),
    ("h2", "h2"),
    ("h3", "h3"),
    ("h4", "h4"),
    ("h5", "h5"),
    ("h6", "h6"),
    ("ul", "ul"),
    ("ol", "ol"),
    ("li", "li"),
    ("blockquote", "blockquote"),
    ("strong", "strong"),
    ("b", "strong"),
    ("em", "em"),
    ("i", "em"),
    ("code", "code"),
    ("del", "s"),
    ("sup", "sup"),
    ("sub", "sub"),
];

/// Renders the nodes of one block.
pub(crate) fn render(nodes: &[Value], warnings: &mut Warnings) -> Text {
    let mut writer = Writer::default();
    nodes.iter().for_each(|one| node(one, 0, &mut writer));
    writer.finish(warnings)
}

fn node(value: &Value, depth: usize, writer: &mut Writer) {
    if !writer.enter(depth) {
        return;
    }
    if let Some(text) = value.get("text").and_then(Value::as_str) {
        writer.text(text);
        return;
    }
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    let address = json::text(value, "/data/url").filter(|_| kind == "link");
    let tag = TAGS.iter().find(|(known, _)| *known == kind).map(|(_, tag)| *tag);
    match (&address, tag) {
        (Some(address), _) => writer.link(address),
        (None, Some(tag)) => writer.open(tag),
        (None, None) if kind == "link" => {}
        (None, None) => writer.unknown(kind),
    }
    json::list(value, "/children").iter().for_each(|child| node(child, depth + 1, writer));
    if let Some(tag) = tag.or(address.map(|_| "a")) {
        writer.close(tag);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{DEPTH_MAX, NODES_MAX};
    use super::*;

    fn html(nodes: Value) -> (String, Vec<String>) {
        let mut warnings = Warnings::default();
        let text = render(nodes.as_array().unwrap(), &mut warnings);
        (text.as_str().to_owned(), warnings.into_sentences())
    }

    #[test]
    fn what_a_node_means_stays_and_text_of_unknown_ones() {
        let (found, warnings) = html(json!([
            {"type": "p", "children": [{"text": "Zie "}, {"type": "link", "data": {"url": "/omleiding"}, "children": [{"type": "strong", "children": [{"text": "R&D"}]}]}, {"text": ""}]},
            {"type": "ul", "children": [{"type": "li", "children": [{"text": "Een"}]}]},
            {"type": "kader", "children": [{"text": "<binnen>"}]},
        ]));
        assert_eq!(
            found,
            "<p>Zie <a href=\"/omleiding\"><strong>R&amp;D</strong></a></p><ul><li>Een</li></ul>&lt;binnen&gt;"
        );
        assert!(warnings.len() == 1 && warnings[0].contains("kader"), "{warnings:?}");
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let nested = |depth: usize| {
            (0..depth).fold(json!({"text": "diep"}), |inner, _| json!({"type": "li", "children": [inner]}))
        };
        assert!(html(json!([nested(DEPTH_MAX)])).0.contains("diep"));
        assert!(!html(json!([nested(DEPTH_MAX + 1)])).0.contains("diep"));
        let many = |n: usize| html(Value::Array(vec![json!({"text": "x"}); n]));
        assert_eq!(many(NODES_MAX), ("x".repeat(NODES_MAX), Vec::new()));
        assert_eq!(many(NODES_MAX + 1).1.len(), 1);
    }
}
