//! Whether a status of an account is one that we made: after a request whose answer is not known, before it is sent again. What is
//! compared is letters and digits: servers write text anew as HTML, each in its own way.

/// Most bytes of a status that are read.
const HTML_BYTES_MAX: usize = 256 * 1_024;

/// Whether a status with that HTML says that text.
pub fn says(html: &str, text: &str) -> bool {
    let wanted = letters(text);
    !wanted.is_empty() && html.len() <= HTML_BYTES_MAX && letters_of_html(html) == wanted
}

/// Letters and digits in lower case.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Those of HTML. A link counts as its address, because servers show addresses shortened; hashtags and mentions count as they read.
fn letters_of_html(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        out.push_str(&letters(&decoded(before)));
        let Some(end) = tag.find('>') else {
            rest = "";
            break;
        };
        let (inside, after) = (tag.get(1..end).unwrap_or_default(), tag.get(end + 1..).unwrap_or_default());
        rest = after;
        let href = if inside.starts_with("a ") { attribute(inside, "href") } else { None };
        let class = attribute(inside, "class").unwrap_or_default();
        let names = class.split_whitespace().any(|name| matches!(name, "hashtag" | "mention" | "u-url"));
        if let (Some(href), false) = (href, names) {
            out.push_str(&letters(&decoded(href)));
            rest = rest.find("</a").and_then(|at| rest.get(at..)).unwrap_or_default();
        }
    }
    out.push_str(&letters(&decoded(rest)));
    out
}

/// The value of a quoted attribute.
fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    for (at, _) in tag.match_indices(name) {
        let whole = tag.get(..at).is_some_and(|before| before.ends_with(char::is_whitespace));
        let Some(value) = tag.get(at + name.len()..).and_then(|rest| rest.strip_prefix('=')).filter(|_| whole) else {
            continue;
        };
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        return value.get(1..)?.split(quote).next();
    }
    None
}

/// Text with its character references resolved, as far as they can be letters or hide some.
fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, reference) = rest.split_at(at);
        out.push_str(before);
        let name = reference.get(1..).and_then(|name| name.split_once(';')).map(|(name, _)| name);
        let name = name.filter(|name| name.len() <= 8 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#'));
        let Some(name) = name else {
            rest = reference.get(1..).unwrap_or_default();
            continue;
        };
        out.extend(resolved(name));
        rest = reference.get(name.len() + 2..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn resolved(name: &str) -> Option<char> {
    let number = name.strip_prefix('#').map(|digits| match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    });
    number.and_then(Result::ok).and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "De dijk houdt\n\nHet water zakt & \"alles\" is goed.\n\nhttps://www.voorbeeldstad.nl/nieuws/dijk?a=1&b=2\n\n#HoogWater";

    #[test]
    fn what_mastodon_makes_of_our_text_is_ours() {
        let html = "<p>De dijk houdt</p><p>Het water zakt &amp; &quot;alles&quot; is goed.</p><p>\
            <a href=\"https://www.voorbeeldstad.nl/nieuws/dijk?a=1&amp;b=2\" target=\"_blank\" rel=\"nofollow noopener\">\
            <span class=\"invisible\">https://www.</span><span class=\"ellipsis\">voorbeeldstad.nl/nieuws/dij</span>\
            <span class=\"invisible\">k?a=1&amp;b=2</span></a></p><p>\
            <a href=\"https://social.example/tags/HoogWater\" class=\"mention hashtag\" rel=\"tag\">#<span>HoogWater</span></a></p>";
        assert!(says(html, TEXT));
        assert!(!says(&html.replace("zakt", "stijgt"), TEXT));
        assert!(!says(&html.replace("nieuws/dijk?", "nieuws/dam?"), TEXT));
        assert!(!says("", TEXT) && !says("<p></p>", ""));
    }

    #[test]
    fn what_is_no_html_is_read_without_harm() {
        for odd in [
            "<a href=",
            "<a href=\"x",
            "<",
            "a & b &; &#x110000; &#0; &aaaaaaaaaaaa;",
            "<a class='mention' href='x'>y</a>",
            "é<b",
        ] {
            assert!(!says(odd, TEXT), "{odd}");
        }
        assert!(says("&#233;&#x61;", "éa") && says("caf&eacute;s", "cafs"));
    }
}
