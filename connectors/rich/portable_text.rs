//! Portable Text, as Sanity keeps it: a list of blocks, their text in spans, links and the like in `markDefs`.

use serde_json::Value;

use super::Files;
use super::writer::Writer;
use crate::draft::Warnings;
use crate::draft::text::Text;
use crate::json;

/// Deepest level of a list.
const LEVEL_MAX: usize = 10;
/// Most marks of one span that are looked at, and most definitions of one block.
const MARKS_MAX: usize = 20;
/// Most definitions of one block that are looked at.
const DEFINITIONS_MAX: usize = 500;

const STYLES: &[(&str, &str)] =
    &[("h1", "h1"), ("h2", "h2"), ("h3", "h3"), ("h4", "h4"), ("h5", "h5"), ("h6", "h6"), ("blockquote", "blockquote")];

/// Decorators that mean something; others are only looks.
const MARKS: &[(&str, &str)] =
    &[("strong", "strong"), ("em", "em"), ("code", "code"), ("strike-through", "s"), ("sup", "sup"), ("sub", "sub")];

/// Where text of unknown blocks is looked for.
const TEXTS: &[&str] = &["title", "heading", "text", "children", "content", "body", "code", "caption"];

/// Renders blocks. `files` is asked with the whole block of an image or file.
pub(crate) fn render(blocks: &[Value], files: Files<'_>, warnings: &mut Warnings) -> Text {
    let mut writer = Writer::default();
    let mut lists: Vec<&'static str> = Vec::new();
    for block in blocks {
        if !writer.enter(0) {
            break;
        }
        let list = match block.get("listItem").and_then(Value::as_str) {
            Some("number") => Some("ol"),
            Some(_) => Some("ul"),
            None => None,
        };
        match list {
            Some(tag) => {
                let level = block.get("level").and_then(Value::as_u64).unwrap_or(1);
                let level = usize::try_from(level).unwrap_or(LEVEL_MAX).clamp(1, LEVEL_MAX);
                item_at(tag, level, &mut lists, &mut writer);
                spans(block, &mut writer);
            }
            None => {
                close_to(0, &mut lists, &mut writer);
                one(block, files, &mut writer);
            }
        }
    }
    close_to(0, &mut lists, &mut writer);
    writer.finish(warnings)
}

/// Begins an item of a list at that level. An open list always has an open item.
fn item_at(tag: &'static str, level: usize, lists: &mut Vec<&'static str>, writer: &mut Writer) {
    close_to(level, lists, writer);
    if lists.len() == level && lists.last() != Some(&tag) {
        close_to(level - 1, lists, writer);
    }
    if lists.len() == level {
        writer.close("li");
        writer.open("li");
    }
    while lists.len() < level {
        writer.open(tag);
        writer.open("li");
        lists.push(tag);
    }
}

fn close_to(level: usize, lists: &mut Vec<&'static str>, writer: &mut Writer) {
    while lists.len() > level {
        if let Some(tag) = lists.pop() {
            writer.close("li");
            writer.close(tag);
        }
    }
}

fn one(block: &Value, files: Files<'_>, writer: &mut Writer) {
    let kind = block.get("_type").and_then(Value::as_str).unwrap_or_default();
    if kind == "block" {
        let style = block.get("style").and_then(Value::as_str).unwrap_or_default();
        let tag = STYLES.iter().find(|(known, _)| *known == style).map_or("p", |(_, tag)| *tag);
        writer.open(tag);
        spans(block, writer);
        writer.close(tag);
    } else if let Some(file) = files(block) {
        writer.file(&file, "");
    } else {
        writer.unknown(kind);
        let found = texts(block, 1, writer);
        if !found.trim().is_empty() {
            writer.open("p");
            writer.text(found.trim());
            writer.close("p");
        }
    }
}

fn spans(block: &Value, writer: &mut Writer) {
    let definitions = json::list(block, "/markDefs");
    for span in json::list(block, "/children") {
        if !writer.enter(1) {
            return;
        }
        let Some(text) = span.get("text").and_then(Value::as_str) else {
            writer.unknown(span.get("_type").and_then(Value::as_str).unwrap_or_default());
            let found = texts(span, 2, writer);
            writer.text(&found);
            continue;
        };
        let mut closing: Vec<&'static str> = Vec::new();
        for mark in json::list(span, "/marks").iter().take(MARKS_MAX).filter_map(Value::as_str) {
            if let Some((_, tag)) = MARKS.iter().find(|(known, _)| *known == mark) {
                writer.open(tag);
                closing.push(tag);
            } else if let Some(address) = address(definitions, mark).filter(|_| !closing.contains(&"a")) {
                writer.link(&address);
                closing.push("a");
            }
        }
        writer.text(text);
        closing.iter().rev().for_each(|tag| writer.close(tag));
    }
}

/// Where a mark leads; `None` when it is no link to an address.
fn address(definitions: &[Value], key: &str) -> Option<String> {
    let mut definitions = definitions.iter().take(DEFINITIONS_MAX);
    let definition = definitions.find(|one| one.get("_key").and_then(Value::as_str) == Some(key))?;
    json::text(definition, "/href").or_else(|| json::text(definition, "/url"))
}

/// What words there are in something unknown.
fn texts(value: &Value, depth: usize, writer: &mut Writer) -> String {
    if !writer.enter(depth) {
        return String::new();
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let found = list.iter().map(|one| texts(one, depth + 1, writer)).filter(|text| !text.is_empty());
            found.collect::<Vec<_>>().join(" ")
        }
        Value::Object(map) => {
            let found = TEXTS.iter().filter_map(|key| map.get(*key)).map(|one| texts(one, depth + 1, writer));
            found.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{DEPTH_MAX, NODES_MAX};
    use super::*;
    use crate::item::Media;

    fn html(blocks: Value) -> (String, Vec<String>) {
        let mut warnings = Warnings::default();
        let file = |block: &Value| Some(Media { url: json::text(block, "/asset/url")?, ..Media::default() });
        let text = render(blocks.as_array().unwrap(), &file, &mut warnings);
        (text.as_str().to_owned(), warnings.into_sentences())
    }

    fn block(text: &str) -> Value {
        json!({"_type": "block", "style": "normal", "markDefs": [], "children": [{"_type": "span", "text": text, "marks": []}]})
    }

    fn item(kind: &str, level: u64, text: &str) -> Value {
        let mut block = block(text);
        block["listItem"] = json!(kind);
        block["level"] = json!(level);
        block
    }

    #[test]
    fn what_a_block_means_stays() {
        let (found, warnings) = html(json!([
            {"_type": "block", "style": "h2", "children": [{"_type": "span", "text": "Brug & weg"}]},
            {"_type": "block", "markDefs": [{"_key": "k1", "_type": "link", "href": "https://stad.example/?a=1&b=2"}, {"_key": "k2", "_type": "noot"}],
             "children": [{"_type": "span", "text": "De brug is ", "marks": ["k2"]}, {"_type": "span", "text": "dicht", "marks": ["strong", "k1", "kleur"]}]},
            {"_type": "image", "asset": {"url": "https://cdn.example/a.jpg"}}
        ]));
        assert_eq!(
            found,
            "<h2>Brug &amp; weg</h2><p>De brug is <strong><a href=\"https://stad.example/?a=1&amp;b=2\">dicht</a></strong></p>\
             <img src=\"https://cdn.example/a.jpg\">"
        );
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn lists_are_nested_as_their_levels_say() {
        let (found, _) = html(json!([
            item("bullet", 1, "a"),
            item("bullet", 2, "b"),
            item("bullet", 1, "c"),
            item("number", 1, "d"),
            block("e"),
        ]));
        assert_eq!(found, "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul><ol><li>d</li></ol><p>e</p>");
        let (found, _) = html(json!([item("bullet", u64::MAX, "a")]));
        assert_eq!((found.matches("<ul>").count(), found.matches("</ul>").count()), (LEVEL_MAX, LEVEL_MAX));
    }

    #[test]
    fn text_of_unknown_blocks_is_kept() {
        let (found, warnings) =
            html(json!([{"_type": "kader", "title": "Let <op>", "content": [block("Binnen")], "kleur": "rood"}]));
        assert_eq!(found, "<p>Let &lt;op&gt;<br>Binnen</p>");
        assert!(warnings[0].contains("kader"), "{warnings:?}");
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let nested = |depth: usize| (0..depth).fold(json!("diep"), |inner, _| json!([inner]));
        let unknown = |depth: usize| html(json!([{"_type": "x", "content": nested(depth)}]));
        assert!(unknown(DEPTH_MAX - 2).0.contains("diep"));
        let (found, warnings) = unknown(DEPTH_MAX - 1);
        assert!(!found.contains("diep") && warnings.len() == 2, "{warnings:?}");
        let empty = json!({"_type": "block", "children": []});
        let many = |n: usize| html(Value::Array(vec![empty.clone(); n]));
        assert_eq!(many(NODES_MAX), ("<p></p>".repeat(NODES_MAX), Vec::new()));
        assert_eq!(many(NODES_MAX + 1).1.len(), 1);
    }
}
