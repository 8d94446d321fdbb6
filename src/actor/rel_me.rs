//! Two-way `rel="me"`, judged exactly as Mastodon does, so that its readers see the tick where we say that they do
//! (`reference/federation.md` 1.4; Mastodon's `field.rb` and `verify_link_service.rb`). Nobody else verifies with comparable
//! rules. Our own profile has a URL as a lone `a` whose text is its `href`, so only the address itself is judged here.

use std::cell::{Cell, RefCell};

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{BufferQueue, StartTag, Tag, TagToken, Token, TokenSink, TokenSinkResult, Tokenizer};
use url::Url;

use crate::actor::{Actor, record};

/// Redirects that are followed to the page.
pub const REDIRECTS_MAX: u8 = 3;
/// As much of the page is read, in bytes; a link behind that is not seen.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Most links of a page that are looked at.
const LINKS_MAX: usize = 10_000;

/// What a page says about a link back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// It links to the profile.
    Yes,
    /// It does not, but its first `rel="me"` link may redirect there.
    Perhaps(String),
    /// It has no `rel="me"` link.
    No,
}

/// The line that the page of the agency is to have.
pub fn line_for(profile: &str) -> String {
    format!("<link rel=\"me\" href=\"{}\">", profile.replace('&', "&amp;").replace('"', "&quot;"))
}

/// The first field of the profile that is a link to the agency's own website, which Mastodon would look at: on its domain, or on
/// `www.` below that. Other sub-domains may be somebody else's. Or what is wrong with those that there are, and the way out.
pub fn field(actor: &Actor) -> Result<Url, String> {
    let host = record::host(&actor.agency);
    let mut problem = None;
    for (name, value) in &actor.profile.fields {
        let Some(url) = Url::parse(value.trim()).ok().filter(|url| is_of(url, host)) else { continue };
        match verifiable(value.trim()) {
            Ok(()) => return Ok(url),
            Err(why) => {
                problem = problem.or(Some(format!("the field `{name}` of the profile, {}, {why}", value.trim())))
            }
        }
    }
    Err(problem.unwrap_or_else(|| {
        format!("no field of the profile links to {host}; give the actor the field [\"Website\", \"https://{host}/\"]")
    }))
}

fn is_of(url: &Url, host: &str) -> bool {
    let web = matches!(url.scheme(), "http" | "https");
    web && url.host_str().is_some_and(|found| found == host || found.strip_prefix("www.") == Some(host))
}

/// Whether Mastodon would look at that address: https, no user name, the host in its normal form, the path too.
pub fn verifiable(text: &str) -> Result<(), String> {
    let url = Url::parse(text).map_err(|error| format!("is no URL ({error})"))?;
    if !text.starts_with("https://") {
        return Err("is not https, and Mastodon looks at nothing else".to_owned());
    }
    if text.contains(char::is_whitespace) || !url.username().is_empty() || url.password().is_some() {
        return Err("has a blank or a user name in it; take that out".to_owned());
    }
    let rest = text.get("https://".len()..).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let host = url.host_str().unwrap_or_default();
    let port = authority.strip_prefix(host);
    if !port.is_some_and(|port| port.is_empty() || port.starts_with(':')) {
        return Err(format!("has its host not in the normal form; write {host}"));
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    if !path.is_empty() && (path != url.path() || has_odd_escapes(path)) {
        return Err(format!("has its path not in the normal form; write {}", url.path()));
    }
    Ok(())
}

/// Escapes that normalising would change: with small letters, or of what needs none.
fn has_odd_escapes(path: &str) -> bool {
    path.split('%').skip(1).any(|rest| {
        let escape = rest.get(..2).unwrap_or_default();
        let byte = u8::from_str_radix(escape, 16).unwrap_or(b'a');
        escape.bytes().any(|b| b.is_ascii_lowercase()) || byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
    })
}

/// Whether the page links back to `profile`: any `a` or `link` whose `rel` has the word `me` and whose address is the profile's,
/// upper and lower case alike.
pub fn judge(page: &[u8], profile: &str) -> Back {
    let page = String::from_utf8_lossy(page.get(..PAGE_BYTES_MAX).unwrap_or(page)).into_owned();
    let links = links(&page);
    if links.iter().flatten().any(|href| href.to_lowercase() == profile.to_lowercase()) {
        return Back::Yes;
    }
    match links.into_iter().next() {
        Some(first) => first.map_or(Back::No, Back::Perhaps),
        None => Back::No,
    }
}

/// The addresses of all elements `a` and `link` with `rel="me"`, in order; `None` of one without an address.
fn links(html: &str) -> Vec<Option<String>> {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let tokenizer = Tokenizer::new(Links::default(), Default::default());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.found.take()
}

#[derive(Default)]
struct Links {
    found: RefCell<Vec<Option<String>>>,
    full: Cell<bool>,
}

impl Links {
    fn look(&self, tag: &Tag) {
        let value = |name: &str| tag.attrs.iter().find(|a| &*a.name.local == name).map(|a| a.value.to_string());
        let me = value("rel").is_some_and(|rel| rel.split_ascii_whitespace().any(|word| word == "me"));
        if !matches!(&*tag.name, "a" | "link") || !me {
            return;
        }
        let mut found = self.found.borrow_mut();
        if found.len() < LINKS_MAX {
            found.push(value("href"));
        } else {
            self.full.set(true);
        }
    }
}

impl TokenSink for Links {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let TagToken(tag) = token else { return TokenSinkResult::Continue };
        if tag.kind != StartTag {
            return TokenSinkResult::Continue;
        }
        self.look(&tag);
        // What is inside these is text, whatever it looks like.
        match &*tag.name {
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" | "iframe" | "noembed" | "noframes" | "xmp" => TokenSinkResult::RawData(RawKind::Rawtext),
            "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
            "plaintext" => TokenSinkResult::Plaintext,
            _ => TokenSinkResult::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::verification::tests::actor;

    const PROFILE: &str = "https://social.example.nl/@nieuws";

    #[test]
    fn a_page_links_back_as_mastodon_sees_it() {
        let yes = [
            r#"<link rel="me" href="https://social.example.nl/@nieuws">"#,
            r#"<a class="x" rel="nofollow me noopener" href="https://social.example.nl/@nieuws">Mastodon</a>"#,
            r#"<A REL='me' HREF='HTTPS://Social.Example.nl/@Nieuws'>x</A>"#,
            "<a rel=me href=https://social.example.nl/@nieuws>x</a>",
            r#"<a rel="me" href="https://social.example.nl/&#64;nieuws">x</a>"#,
            "<p><a rel=me href=https://elders.example/>x</a><div><link rel=me href=https://social.example.nl/@nieuws>",
        ];
        for page in yes {
            assert_eq!(judge(page.as_bytes(), PROFILE), Back::Yes, "{page}");
        }
        let no = [
            "",
            "no page at all",
            r#"<a href="https://social.example.nl/@nieuws">x</a>"#,
            r#"<a rel="ME" href="https://social.example.nl/@nieuws">x</a>"#,
            r#"<a rel="meer" href="https://social.example.nl/@nieuws">x</a>"#,
            r#"<area rel="me" href="https://social.example.nl/@nieuws">"#,
            r#"<!-- <a rel="me" href="https://social.example.nl/@nieuws">x</a> -->"#,
            r#"<script>"<a rel='me' href='https://social.example.nl/@nieuws'>"</script>"#,
            r#"<textarea><a rel="me" href="https://social.example.nl/@nieuws"></textarea>"#,
            r#"<title><a rel="me" href="https://social.example.nl/@nieuws"></title>"#,
            "<a rel=me>x</a>",
        ];
        for page in no {
            assert_eq!(judge(page.as_bytes(), PROFILE), Back::No, "{page}");
        }
    }

    #[test]
    fn only_the_first_link_may_redirect_to_the_profile() {
        let perhaps = [
            (r#"<a rel="me" href="https://social.example.nl/@nieuws/">x</a>"#, "https://social.example.nl/@nieuws/"),
            (r#"<a rel="me" href="/mastodon">x</a><a rel="me" href="https://b.example/">y</a>"#, "/mastodon"),
        ];
        for (page, first) in perhaps {
            assert_eq!(judge(page.as_bytes(), PROFILE), Back::Perhaps(first.to_owned()), "{page}");
        }
    }

    #[test]
    fn a_link_behind_the_first_mebibyte_is_not_seen() {
        let link = line_for(PROFILE);
        let page = |before: usize| format!("{}{link}", " ".repeat(before));
        assert_eq!(judge(page(PAGE_BYTES_MAX - link.len()).as_bytes(), PROFILE), Back::Yes);
        assert_eq!(judge(page(PAGE_BYTES_MAX - link.len() + 1).as_bytes(), PROFILE), Back::No);
    }

    #[test]
    fn an_address_is_looked_at_when_it_is_in_its_normal_form() {
        let table = [
            ("https://example.nl", true),
            ("https://example.nl/", true),
            ("https://example.nl:8443/a/b?c=%7e#d", true),
            ("https://example.nl/a%20b", true),
            ("https://xn--gemeente--j4a.nl/", true),
            ("http://example.nl/", false),
            ("HTTPS://example.nl/", false),
            ("https://Example.nl/", false),
            ("https://géméénte.nl/", false),
            ("https://jan@example.nl/", false),
            ("https://jan:geheim@example.nl/", false),
            ("https://example.nl/é", false),
            ("https://example.nl/a/../b", false),
            ("https://example.nl/%7Ejan", false),
            ("https://example.nl/%c3%a9", false),
            ("https://example.nl/a b", false),
            ("example.nl", false),
        ];
        for (text, good) in table {
            assert_eq!(verifiable(text).is_ok(), good, "{text}: {:?}", verifiable(text));
        }
    }

    #[test]
    fn the_field_is_one_of_the_agencys_own_website() {
        let of = |fields: &[&str]| {
            let mut actor = actor();
            actor.profile.fields = fields.iter().map(|value| ("Website".to_owned(), (*value).to_owned())).collect();
            field(&actor)
        };
        assert_eq!(of(&["https://elders.example/", "https://example.nl/x"]).unwrap().as_str(), "https://example.nl/x");
        assert_eq!(of(&["https://www.example.nl/"]).unwrap().as_str(), "https://www.example.nl/");
        for (fields, part) in [
            (&[][..], "give the actor the field"),
            (&["https://elders.example/"], "give the actor the field"),
            (&["https://oud.example.nl/"], "give the actor the field"),
            (&["https://example.nl.evil.example/"], "give the actor the field"),
            (&["https://notexample.nl/"], "give the actor the field"),
            (&["http://example.nl/"], "is not https"),
        ] {
            let why = of(fields).unwrap_err();
            assert!(why.contains(part), "{fields:?}: {why}");
        }
    }
}
