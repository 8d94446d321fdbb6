//! Counts a status as Mastodon does (`StatusLengthValidator`): graphemes, a link as a fixed number, a mention without its domain.
//! Where Mastodon may not take something for a link, it is counted in full: never fewer than there.

use unicode_segmentation::UnicodeSegmentation;

/// Names under which no server on the internet is: Mastodon takes no link there for one.
const NO_TLD: &[&str] =
    &["example", "invalid", "local", "localhost", "internal", "test", "onion", "home", "lan", "corp"];
/// Longest top-level domain of letters.
const TLD_CHARS_MAX: usize = 24;

/// How links are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Each as so many characters.
    As(usize),
    /// In full, because a server refused what was counted otherwise.
    InFull,
}

/// How many characters a text counts as.
pub fn count(text: &str, links: Links) -> usize {
    countable(text, links).graphemes(true).count()
}

/// The text with `x`es in place of links and without the domains of mentions.
fn countable(text: &str, links: Links) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before: Option<char> = None;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            'h' | 'H' if before.is_none_or(may_precede_link) => link_at(rest),
            '@' if before.is_none_or(may_precede_mention) => {
                let (shown, whole) = mention_at(rest);
                if whole > 0 {
                    let (kept, _) = rest.split_at(shown);
                    out.push_str(kept);
                    before = kept.chars().next_back();
                    rest = rest.get(whole..).unwrap_or_default();
                    continue;
                }
                0
            }
            _ => 0,
        };
        let (taken, left) = rest.split_at(if length == 0 { c.len_utf8() } else { length });
        match links {
            Links::As(n) if length > 0 => {
                let full = taken.graphemes(true).count();
                let counted = if is_surely_link(taken) { n } else { n.max(full) };
                out.extend(std::iter::repeat_n('x', counted));
            }
            _ => out.push_str(taken),
        }
        before = taken.chars().next_back();
        rest = left;
    }
    out
}

fn may_precede_link(c: char) -> bool {
    !(c.is_alphanumeric() || matches!(c, '@' | '＠' | '$' | '#' | '＃' | '_' | '\u{202a}'..='\u{202e}'))
}

fn may_precede_mention(c: char) -> bool {
    !(c.is_alphanumeric() || matches!(c, '=' | '/' | '_'))
}

/// How many bytes of the beginning of a text are a link; 0 when none.
fn link_at(text: &str) -> usize {
    let lower: String = text.chars().take(8).collect::<String>().to_ascii_lowercase();
    let scheme = ["https://", "http://"].into_iter().find(|scheme| lower.starts_with(scheme)).map_or(0, str::len);
    if scheme == 0 {
        return 0;
    }
    let end =
        text.find(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"')).unwrap_or(text.len());
    let whole = text.get(..end).unwrap_or(text);
    let closing = |c: char| {
        matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '\'' | ')' | ']' | '}' | '…' | '\u{2019}' | '\u{201d}')
    };
    let link = whole.trim_end_matches(closing);
    if link.len() > scheme { link.len() } else { 0 }
}

/// Whether Mastodon takes all of it for a link: a host with a top-level domain, and only characters that end nothing.
fn is_surely_link(link: &str) -> bool {
    let Some((_, rest)) = link.split_once("://") else { return false };
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(host_end);
    let host = host.rsplit_once(':').map_or(host, |(name, port)| if is_port(port) { name } else { host });
    let label = |l: &str| {
        !l.is_empty()
            && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let labels: Vec<&str> = host.split('.').collect();
    let tld = labels.last().copied().unwrap_or_default().to_ascii_lowercase();
    let letters = (2..=TLD_CHARS_MAX).contains(&tld.len()) && tld.chars().all(|c| c.is_ascii_alphabetic());
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.' | '~' | '%' | '-' | '+' | '&' | '=' | '?' | '#')
    };
    labels.len() >= 2
        && labels.iter().all(|l| label(l))
        && letters
        && !NO_TLD.contains(&tld.as_str())
        && path.chars().all(plain)
        && path
            .chars()
            .next_back()
            .is_none_or(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '=' | '#' | '_' | '-'))
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.len() <= 5 && text.chars().all(|c| c.is_ascii_digit())
}

/// How many bytes of a mention at the beginning of a text count, and how many it has; 0 when it is none.
fn mention_at(text: &str) -> (usize, usize) {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let rest = text.get(1..).unwrap_or_default();
    let name = rest.find(|c: char| !(word(c) || matches!(c, '.' | '-'))).unwrap_or(rest.len());
    let name = rest.get(..name).unwrap_or_default().trim_end_matches(['.', '-']);
    if !name.starts_with(word) {
        return (0, 0);
    }
    let shown = 1 + name.len();
    let Some(domain) = text.get(shown..).and_then(|rest| rest.strip_prefix('@')) else { return (shown, shown) };
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let end = domain.find(|c: char| !inside(c)).unwrap_or(domain.len());
    let domain = domain.get(..end).unwrap_or_default().trim_end_matches(['.', '-']);
    if domain.chars().count() < 2 { (shown, shown) } else { (shown, shown + 1 + domain.len()) }
}

/// The text with nobody mentioned: what an agency's page writes with an `@` names somebody elsewhere, and shall ring at nobody's here.
pub fn without_mentions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before: Option<char> = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        out.push(c);
        if c == '@' && before.is_none_or(may_precede_mention) && mention_at(rest).1 > 0 {
            // A word joiner is not seen, and no name begins with one.
            out.push('\u{2060}');
        }
        before = Some(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USUAL: Links = Links::As(23);

    #[test]
    fn what_mastodon_counts_is_counted_so() {
        let long = format!("https://www.rijksoverheid.nl/{}", "a".repeat(500));
        let table = [
            ("", 0),
            ("hallo", 5),
            ("👨‍👩‍👧‍👦", 1),
            ("e\u{301}", 1),
            ("a\n\nb", 4),
            ("https://www.rijksoverheid.nl/", 23),
            (long.as_str(), 23),
            ("zie http://a.nl", 27),
            ("zie https://a.nl/b.", 28),
            ("(https://a.nl/b)", 25),
            ("HTTPS://A.NL/B", 23),
            ("https://a.nl:8443/b?c=d#e", 23),
            ("@wie@social.example", 4),
            ("hallo @wie@social.example!", 11),
            ("@wie", 4),
            ("a@b.example", 11),
            ("www.example.nl", 14),
            // A link for no server of Mastodon's: in full.
            ("http://127.0.0.1:3000/nieuws/dijk", 33),
            ("https://voorbeeldstad.example/nieuws/dijk", 41),
            ("http://a", 23),
            ("xhttps://a.nl", 13),
            ("https://", 8),
        ];
        for (text, expected) in table {
            assert_eq!(count(text, USUAL), expected, "{text}");
        }
        assert_eq!(count("https://www.rijksoverheid.nl/", Links::InFull), 29);
        assert_eq!(count("https://a.nl", Links::As(40)), 40);
    }

    #[test]
    fn nobody_is_mentioned_and_addresses_stay() {
        let table = [
            ("volg @gemeente op X", "volg @\u{2060}gemeente op X"),
            ("@a@b.example", "@\u{2060}a@b.example"),
            ("mail info@gemeente.nl", "mail info@gemeente.nl"),
            ("https://a.nl/@naam", "https://a.nl/@naam"),
            ("@ alleen", "@ alleen"),
        ];
        for (text, expected) in table {
            assert_eq!(without_mentions(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn counting_never_exceeds_the_text_but_for_short_links_and_nobody_is_mentioned(
            text in "([a-z@#. \n\u{e9}👍]|https?://|a\\.nl|/){0,60}"
        ) {
            let full = text.graphemes(true).count();
            let links = text.matches("http").count();
            let counted = count(&text, USUAL);
            prop_assert!(counted <= full + 23 * links, "{counted} of {full}");
            prop_assert!(count(&text, Links::InFull) <= full);
            let quiet = without_mentions(&text);
            prop_assert_eq!(without_mentions(&quiet), quiet.clone());
            prop_assert_eq!(quiet.replace('\u{2060}', ""), text);
        }
    }
}
