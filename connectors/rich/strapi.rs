//! The blocks of Strapi: a list of paragraphs, headings, lists, quotes, code and images, with text that has marks.

use serde_json::Value;

use crate::draft::{TEXT_BYTES_MAX, text};
use crate::item::RawHtml;
use crate::json;

/// Deepest nesting that is followed: lists in lists, a link in a paragraph.
const DEPTH_MAX: usize = 20;

/// Whether a list is such blocks, by its shape.
pub(crate) fn is(blocks: &[Value]) -> bool {
    let is_block = |block: &Value| {
        block.get("type").is_some_and(Value::is_string) && block.get("children").is_some_and(Value::is_array)
    };
    !blocks.is_empty() && blocks.iter().all(is_block)
}

/// As HTML. A block of an unknown type is a paragraph of its text. More than 512 KiB is cut at a block.
pub(crate) fn strapi_blocks(blocks: &Value) -> RawHtml {
    let mut out = String::new();
    for value in json::list(blocks, "") {
        let before = out.len();
        block(value, 0, &mut out);
        if out.len() > TEXT_BYTES_MAX {
            out.truncate(before);
            break;
        }
    }
    RawHtml(out)
}

fn block(value: &Value, depth: usize, out: &mut String) {
    if depth > DEPTH_MAX {
        return;
    }
    let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
    let level = json::integer(value, "/level").filter(|level| (1..=6).contains(level)).unwrap_or(2);
    let is_ordered = value.get("format").and_then(Value::as_str) == Some("ordered");
    match kind {
        "text" => marked(value, out),
        "link" => link(value, depth, out),
        "image" => image(value, out),
        "heading" => within(&format!("h{level}"), value, depth, out),
        "list" => within(if is_ordered { "ol" } else { "ul" }, value, depth, out),
        "list-item" => within("li", value, depth, out),
        "quote" => within("blockquote", value, depth, out),
        "code" => {
            out.push_str("<pre>");
            within("code", value, depth, out);
            out.push_str("</pre>");
        }
        _ if has_text(value) => within("p", value, depth, out),
        _ => {}
    }
}

/// The children in an element.
fn within(element: &str, value: &Value, depth: usize, out: &mut String) {
    out.push_str(&format!("<{element}>"));
    children(value, depth, out);
    out.push_str(&format!("</{element}>"));
}

fn children(value: &Value, depth: usize, out: &mut String) {
    for child in json::list(value, "/children") {
        if out.len() > TEXT_BYTES_MAX {
            return;
        }
        block(child, depth + 1, out);
    }
}

/// Editors leave an empty paragraph at the end of each text.
fn has_text(value: &Value) -> bool {
    json::list(value, "/children").iter().any(|child| {
        child.get("text").and_then(Value::as_str).is_none_or(|text| !text.trim().is_empty()) && child.is_object()
    })
}

fn marked(value: &Value, out: &mut String) {
    let Some(text) = value.get("text").and_then(Value::as_str) else { return };
    let marks = [("bold", "strong"), ("italic", "em"), ("underline", "u"), ("strikethrough", "s"), ("code", "code")];
    let on = marks.iter().filter(|(mark, _)| value.get(*mark) == Some(&Value::Bool(true)));
    let on: Vec<&str> = on.map(|(_, element)| *element).collect();
    on.iter().for_each(|element| out.push_str(&format!("<{element}>")));
    for (at, line) in text.split('\n').enumerate() {
        out.push_str(if at == 0 { "" } else { "<br>" });
        text::escape(line.trim_end_matches('\r'), out);
    }
    on.iter().rev().for_each(|element| out.push_str(&format!("</{element}>")));
}

fn link(value: &Value, depth: usize, out: &mut String) {
    match json::text(value, "/url") {
        Some(url) => {
            out.push_str("<a href=\"");
            text::escape(&url, out);
            out.push_str("\">");
            children(value, depth, out);
            out.push_str("</a>");
        }
        None => children(value, depth, out),
    }
}

fn image(value: &Value, out: &mut String) {
    let Some(url) = json::text(value, "/image/url") else { return };
    out.push_str("<img src=\"");
    text::escape(&url, out);
    out.push_str("\" alt=\"");
    text::escape(&json::text(value, "/image/alternativeText").unwrap_or_default(), out);
    out.push_str("\">");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_block_has_its_html() {
        let words = |text: &str| json!([{"type": "text", "text": text}]);
        let table = [
            (json!({"type": "paragraph", "children": words("Een & twee\ndrie")}), "<p>Een &amp; twee<br>drie</p>"),
            (json!({"type": "heading", "level": 3, "children": words("Kop")}), "<h3>Kop</h3>"),
            (json!({"type": "heading", "level": 9, "children": words("Kop")}), "<h2>Kop</h2>"),
            (json!({"type": "quote", "children": words("Zo")}), "<blockquote>Zo</blockquote>"),
            (json!({"type": "code", "children": words("a < b")}), "<pre><code>a &lt; b</code></pre>"),
            (
                json!({"type": "list", "format": "ordered", "children": [
                    {"type": "list-item", "children": words("een")},
                    {"type": "list", "format": "unordered", "children": [{"type": "list-item", "children": words("a")}]},
                ]}),
                "<ol><li>een</li><ul><li>a</li></ul></ol>",
            ),
            (
                json!({"type": "image", "image": {"url": "/uploads/a.jpg", "alternativeText": "Een \"dijk\""}, "children": words("")}),
                "<img src=\"/uploads/a.jpg\" alt=\"Een &quot;dijk&quot;\">",
            ),
            (
                json!({"type": "paragraph", "children": [
                    {"type": "text", "text": "Lees ", "bold": true, "italic": true},
                    {"type": "link", "url": "https://a.example/?a=1&b=2", "children": words("meer")},
                ]}),
                "<p><strong><em>Lees </em></strong><a href=\"https://a.example/?a=1&amp;b=2\">meer</a></p>",
            ),
            (json!({"type": "video", "children": words("onbekend")}), "<p>onbekend</p>"),
            (json!({"type": "paragraph", "children": words(" ")}), ""),
            (json!("geen blok"), ""),
        ];
        for (block, wanted) in table {
            assert_eq!(strapi_blocks(&json!([block])).0, wanted, "{block}");
        }
        assert_eq!(strapi_blocks(&json!({"type": "paragraph"})).0, "");
    }

    #[test]
    fn nesting_at_the_limit_is_followed_and_deeper_text_is_left_out() {
        let nested = |depth: usize| {
            let text = json!({"type": "text", "text": "diep"});
            json!([(0..depth).fold(text, |inner, _| json!({"type": "quote", "children": [inner]}))])
        };
        assert!(strapi_blocks(&nested(DEPTH_MAX)).0.contains("diep"));
        assert!(!strapi_blocks(&nested(DEPTH_MAX + 1)).0.contains("diep"));
    }

    #[test]
    fn a_text_at_the_limit_is_whole_and_a_longer_one_is_cut_at_a_block() {
        let block = |n: usize| json!({"type": "paragraph", "children": [{"type": "text", "text": "a".repeat(n)}]});
        assert_eq!(strapi_blocks(&json!([block(TEXT_BYTES_MAX - 7)])).0.len(), TEXT_BYTES_MAX);
        let more = json!([block(TEXT_BYTES_MAX - 7), block(1)]);
        assert_eq!(strapi_blocks(&more).0.len(), TEXT_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn nothing_panics(kind in "(paragraph|list|text|link|image|heading|x)", text in ".{0,20}", level in any::<i64>()) {
            let block = json!({"type": kind, "text": text, "level": level, "url": text, "image": {"url": text}, "children": [{"type": kind, "text": text}]});
            let _ = strapi_blocks(&json!([block]));
        }
    }
}
