//! Raw HTML to shallow, well-formed HTML of a dozen elements, in linear time. The HTML5 algorithm walks its stack of open
//! elements for every tag and copies open formatting into every paragraph, so that nested tags cost it quadratic time; what
//! it gets from here is at most [`DEPTH_MAX`] deep, closes all that it opens, and is at most [`TAME_BYTES_MAX`] long. Safety is not decided here.

use super::scan::{Scanner, Token, attribute};

/// Deepest nesting that is kept; deeper text stays, its tags do not.
pub(super) const DEPTH_MAX: usize = 32;

/// Most bytes that are written; the text after them is left out. A post holds a tenth of it.
pub(super) const TAME_BYTES_MAX: usize = 256 * 1_024;

/// Longest address that is passed on, in bytes; longer ones are refused later anyway.
const HREF_BYTES_MAX: usize = 8 * 1_024;

/// The serialiser of html5ever 0.40 takes quadratic time over `&` and U+0080 to U+00BF within one text node: a text node
/// gets at most this many.
const COSTLY_PER_NODE: usize = 64;

/// The end tag ends these, whatever stands between.
const RAW: &[&str] =
    &["script", "style", "iframe", "textarea", "title", "xmp", "noembed", "noframes", "noscript", "template"];

/// Left out with their content: not text, or text that no longer holds (`del`), or that belongs to a picture.
const LEFT_OUT: &[&str] = &[
    "audio",
    "button",
    "canvas",
    "del",
    "figcaption",
    "head",
    "map",
    "math",
    "object",
    "s",
    "select",
    "strike",
    "svg",
    "video",
];

/// Well-formed HTML of `p div h2 section label ul ol li blockquote a strong em br`; `section` is a row of a table, `label` a
/// cell. Only `href` survives of attributes.
pub(super) fn tame(raw: &str) -> String {
    // An element to leave out that never ends would take the rest of the text with it: then only its tag is left out.
    pass(raw, true).or_else(|| pass(raw, false)).unwrap_or_default()
}

struct Writer {
    out: String,
    open: Vec<&'static str>,
    /// Start tags that were left out because they stood too deep: as many end tags follow.
    too_deep: usize,
    preformatted: bool,
    /// Costly characters in the text so far.
    costly: usize,
}

fn pass(raw: &str, leave_out: bool) -> Option<String> {
    let mut scanner = Scanner::new(raw);
    let mut writer = Writer { out: String::new(), open: Vec::new(), too_deep: 0, preformatted: false, costly: 0 };
    let mut skipping: Option<(String, usize)> = None;
    while let Some(token) = scanner.next() {
        if writer.out.len() > TAME_BYTES_MAX {
            break;
        }
        let name = match token {
            Token::Open(name, _) | Token::Close(name) => name.to_ascii_lowercase(),
            Token::Text(_) => String::new(),
        };
        if let Some((skipped, depth)) = &mut skipping {
            match token {
                Token::Open(..) if *skipped == name => *depth += 1,
                Token::Close(_) if *skipped == name => *depth -= 1,
                _ => {}
            }
            if *depth == 0 {
                skipping = None;
            }
            continue;
        }
        match token {
            Token::Open(..) if RAW.contains(&name.as_str()) => scanner.skip_past_close(&name),
            Token::Open(..) if leave_out && LEFT_OUT.contains(&name.as_str()) => skipping = Some((name, 1)),
            Token::Open(_, attributes) => writer.start(&name, attributes),
            Token::Close(_) => writer.end(&name),
            Token::Text(text) => writer.text(text),
        }
    }
    if skipping.is_some() {
        return None;
    }
    writer.close_to(0);
    Some(writer.out)
}

/// The element that stands for `name` from here on.
fn canonical(name: &str) -> Option<&'static str> {
    Some(match name {
        "p" | "dt" | "dd" | "caption" | "summary" | "legend" | "address" | "pre" => "p",
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => "h2",
        "b" | "strong" => "strong",
        "i" | "em" | "cite" | "dfn" | "var" => "em",
        "ul" | "menu" | "dir" => "ul",
        "ol" => "ol",
        "li" => "li",
        "blockquote" => "blockquote",
        "a" => "a",
        "tr" => "section",
        "td" | "th" => "label",
        "div" | "section" | "article" | "header" | "footer" | "main" | "aside" | "nav" | "figure" | "details"
        | "dl" | "fieldset" | "form" | "center" | "table" | "hgroup" => "div",
        _ => return None,
    })
}

fn is_inline(name: &str) -> bool {
    matches!(name, "a" | "strong" | "em" | "label")
}

impl Writer {
    fn start(&mut self, name: &str, attributes: &str) {
        match name {
            "br" => return self.out.push_str("<br>"),
            "hr" => return self.boundary(),
            "q" => return self.out.push('\u{201c}'),
            "img" => return self.emoji(attributes),
            "pre" => self.preformatted = true,
            _ => {}
        }
        let Some(name) = canonical(name) else { return };
        self.close_implied(name);
        if self.open.len() >= DEPTH_MAX {
            self.too_deep += 1;
            if !is_inline(name) {
                self.out.push_str("<div></div>");
            }
            return;
        }
        self.open.push(name);
        self.out.push('<');
        self.out.push_str(name);
        if let Some(href) = attribute(attributes, "href").filter(|h| name == "a" && h.len() <= HREF_BYTES_MAX) {
            self.out.push_str(" href=\"");
            self.out.push_str(&href.replace('"', "&quot;").replace('<', "&lt;"));
            self.out.push('"');
        }
        self.out.push('>');
    }

    /// Ends what a start tag ends in HTML without saying so: paragraphs, list entries, rows, cells.
    fn close_implied(&mut self, name: &str) {
        let ended = match name {
            "a" => self.find("a", &[]),
            "li" => self.find("p", &[]).or_else(|| self.find("li", &["ul", "ol"])),
            "h2" => self.find("p", &[]).or_else(|| self.find("h2", &[])),
            "section" => self.find("p", &[]).or_else(|| self.find("section", &["div"])),
            "label" => self.find("label", &["section", "div"]),
            name if is_inline(name) => None,
            _ => self.find("p", &[]),
        };
        if let Some(at) = ended {
            self.close_to(at);
            if matches!(name, "li" | "h2" | "section") {
                self.close_implied(name);
            }
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "q" => return self.out.push('\u{201d}'),
            "br" => return self.out.push_str("<br>"),
            "pre" => self.preformatted = false,
            _ => {}
        }
        let Some(name) = canonical(name) else { return };
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        let stops: &[&str] = match name {
            "li" => &["ul", "ol"],
            "section" | "label" => &["div"],
            _ => &[],
        };
        if let Some(at) = self.find(name, stops) {
            self.close_to(at);
        }
    }

    /// Where the innermost open `name` is, not looking beyond any of `stops`.
    fn find(&self, name: &str, stops: &[&str]) -> Option<usize> {
        let innermost = self.open.iter().rposition(|open| *open == name || stops.contains(open))?;
        self.open.get(innermost).filter(|open| **open == name).map(|_| innermost)
    }

    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            let Some(name) = self.open.pop() else { return };
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
    }

    fn boundary(&mut self) {
        if let Some(at) = self.find("p", &[]) {
            self.close_to(at);
        }
        self.out.push_str("<div></div>");
    }

    /// WordPress and others write emoji as small images.
    fn emoji(&mut self, attributes: &str) {
        let class = attribute(attributes, "class").unwrap_or_default();
        let alt = attribute(attributes, "alt").unwrap_or_default();
        if (class.contains("emoji") || class.contains("smiley")) && !alt.is_ascii() && alt.len() <= 64 {
            self.text(alt);
        }
    }

    fn text(&mut self, text: &str) {
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if self.out.len() > TAME_BYTES_MAX {
                return;
            }
            if matches!(c, '&' | '\u{80}'..='\u{bf}') {
                self.costly += 1;
                if self.costly.is_multiple_of(COSTLY_PER_NODE) {
                    self.out.push_str("<wbr>");
                }
            }
            match c {
                // The parser is slow over a run of these.
                '&' if !rest.as_str().starts_with(|c: char| c.is_ascii_alphanumeric() || c == '#') => {
                    self.out.push_str("&amp;");
                }
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '\0' => {}
                '\n' if self.preformatted => self.out.push_str("<br>"),
                c => self.out.push(c),
            }
        }
    }
}
