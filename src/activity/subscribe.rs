//! The way of a reader to the page on their own server where they follow one of our actors: what they fill in, what is asked of
//! their server (WebFinger, RFC 7033), and which address of its answer is gone to. Pure.

use std::net::Ipv4Addr;

use serde_json::Value;
use url::Url;

use crate::urls::{URL_BYTES_MAX, authority};

/// Longest text that is read, in characters.
pub const READER_CHARS_MAX: usize = 300;
/// The link relation of the page where somebody follows an actor of another server.
const SUBSCRIBE: &str = "http://ostatus.org/schema/1.0/subscribe";
/// Where most servers have that page.
const USUAL_PATH: &str = "authorize_interaction";

/// A server, and the account there where one is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    scheme: &'static str,
    /// Host, with a port where it has one.
    server: String,
    account: Option<String>,
}

impl Reader {
    /// Reads `@name@server`, `name@server`, `server`, or the address of a page there. `None` for what is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.chars().count() > READER_CHARS_MAX || text.contains(char::is_whitespace) {
            return None;
        }
        let (account, server) = match text.split_once("://") {
            Some(("https" | "http", rest)) => page(rest)?,
            Some(_) => return None,
            None => match text.trim_start_matches('@').rsplit_once('@') {
                Some((name, server)) => (Some(name), server),
                None => (None, text.trim_start_matches('@')),
            },
        };
        let account = account.map(str::to_owned);
        if account.as_ref().is_some_and(|name| !is_name(name)) {
            return None;
        }
        let server = server_of(server)?;
        let host = server.rsplit_once(':').map_or(server.as_str(), |(host, _)| host);
        // An address is for trials alone; the guarded client refuses all but those that are opened for it.
        let scheme = if host.parse::<Ipv4Addr>().is_ok() { "http" } else { "https" };
        Some(Self { scheme, server, account })
    }

    /// Host, with a port where it has one.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What to ask the server.
    pub fn question(&self) -> Option<Url> {
        let mut url = Url::parse(&format!("{}://{}/.well-known/webfinger", self.scheme, self.server)).ok()?;
        let resource = match &self.account {
            Some(name) => format!("acct:{name}@{}", self.server),
            None => format!("{}://{}/", self.scheme, self.server),
        };
        url.query_pairs_mut().append_pair("resource", &resource);
        Some(url)
    }

    /// Where the server has that page if it is like most; nothing says that it does.
    pub fn usual(&self, object: &str) -> Option<Url> {
        let mut url = Url::parse(&format!("{}://{}/{USUAL_PATH}", self.scheme, self.server)).ok()?;
        url.query_pairs_mut().append_pair("uri", object);
        Some(url)
    }

    /// Where to send the reader by the answer: the page for `object`, only on the server that was named or the one that answered for
    /// it, and never less safe than how it was asked.
    pub fn target(&self, answer: &[u8], answered_by: &Url, object: &str) -> Option<Url> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        let links = answer.get("links")?.as_array()?;
        let link = links.iter().find(|link| link.get("rel").and_then(Value::as_str) == Some(SUBSCRIBE))?;
        let template = link.get("template")?.as_str().filter(|text| text.len() <= URL_BYTES_MAX)?;
        // The address of the page must not depend on what is put in.
        let (before, _) = template.split_once("{uri}")?;
        if !before.contains('?') {
            return None;
        }
        let object = percent_encoding::utf8_percent_encode(object, percent_encoding::NON_ALPHANUMERIC).to_string();
        let url = Url::parse(&template.replace("{uri}", &object)).ok()?;
        let safe = url.scheme() == self.scheme && url.username().is_empty() && url.password().is_none();
        let known = authority(&url) == self.server || authority(&url) == authority(answered_by);
        (safe && known).then_some(url)
    }
}

/// The account and the server in the address of a page.
fn page(rest: &str) -> Option<(Option<&str>, &str)> {
    let (server, path) = rest.split_once('/').unwrap_or((rest, ""));
    if server.contains('@') {
        return None;
    }
    let name = path.split(['/', '?', '#']).next().and_then(|first| first.strip_prefix('@'));
    // `@name@elsewhere` is how a server shows an account of another one.
    Some((name.filter(|name| !name.contains('@')), server))
}

fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && name.len() <= 100 && name.chars().all(good)
}

fn server_of(text: &str) -> Option<String> {
    if text.contains(['/', '\\', '?', '#', '%', '@']) {
        return None;
    }
    let url = Url::parse(&format!("https://{text}/")).ok()?;
    let domain = url.domain().is_some_and(|domain| domain.trim_end_matches('.').contains('.'));
    let address = matches!(url.host(), Some(url::Host::Ipv4(_)));
    (domain || address).then(|| authority(&url))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACTOR: &str = "https://social.example.nl/ap/a/7";

    fn answer(template: &str) -> Vec<u8> {
        json!({"subject": "acct:anna@mastodon.example", "links": [
            {"rel": "self", "href": "https://mastodon.example/users/anna"},
            {"rel": SUBSCRIBE, "template": template},
        ]})
        .to_string()
        .into_bytes()
    }

    #[test]
    fn a_reader_is_read_from_whatever_people_copy() {
        let table = [
            ("@anna@mastodon.example", Some(("mastodon.example", Some("anna")))),
            (" anna@Mastodon.example ", Some(("mastodon.example", Some("anna")))),
            ("mastodon.example", Some(("mastodon.example", None))),
            ("https://mastodon.example/@anna", Some(("mastodon.example", Some("anna")))),
            ("https://mastodon.example/@anna/117?x=1", Some(("mastodon.example", Some("anna")))),
            ("https://mastodon.example/@bert@other.example", Some(("mastodon.example", None))),
            ("https://mastodon.example", Some(("mastodon.example", None))),
            ("bücher.example", Some(("xn--bcher-kva.example", None))),
            ("mastodon.example:8443", Some(("mastodon.example:8443", None))),
            ("localhost", None),
            ("anna", None),
            ("", None),
            ("@", None),
            ("an na@mastodon.example", None),
            ("javascript:alert(1)", None),
            ("ftp://mastodon.example/", None),
            ("https://user:pass@mastodon.example/", None),
            ("anna@mastodon.example/x", None),
            ("a/b@mastodon.example", None),
            ("[::1]", None),
        ];
        for (text, expected) in table {
            let found = Reader::parse(text);
            let found = found.as_ref().map(|reader| (reader.server.as_str(), reader.account.as_deref()));
            assert_eq!(found, expected, "{text}");
        }
        let longest = format!("{}.example", "a.".repeat((READER_CHARS_MAX - 8) / 2));
        assert!(Reader::parse(&format!("{longest}{}", "x".repeat(READER_CHARS_MAX))).is_none());
    }

    #[test]
    fn a_server_is_asked_for_the_account_or_for_itself() {
        let question = |text| Reader::parse(text).unwrap().question().unwrap().to_string();
        assert_eq!(
            question("anna@mastodon.example"),
            "https://mastodon.example/.well-known/webfinger?resource=acct%3Aanna%40mastodon.example"
        );
        assert_eq!(
            question("mastodon.example"),
            "https://mastodon.example/.well-known/webfinger?resource=https%3A%2F%2Fmastodon.example%2F"
        );
    }

    #[test]
    fn a_reader_is_sent_only_to_their_own_server() {
        let reader = Reader::parse("anna@mastodon.example").unwrap();
        let own = Url::parse("https://mastodon.example/.well-known/webfinger").unwrap();
        let split = Url::parse("https://social.mastodon.example/.well-known/webfinger").unwrap();
        let page =
            "https://mastodon.example/authorize_interaction?uri=https%3A%2F%2Fsocial%2Eexample%2Enl%2Fap%2Fa%2F7";
        let table = [
            ("https://mastodon.example/authorize_interaction?uri={uri}", &own, Some(page)),
            ("http://mastodon.example/authorize_interaction?uri={uri}", &own, None),
            ("https://evil.example/authorize_interaction?uri={uri}", &own, None),
            ("https://mastodon.example.evil.example/?uri={uri}", &own, None),
            ("https://mastodon.example@evil.example/?uri={uri}", &own, None),
            ("https://anna@mastodon.example/?uri={uri}", &own, None),
            ("https://mastodon.example:8443/?uri={uri}", &own, None),
            ("javascript:alert('{uri}?{uri}')", &own, None),
            ("https://{uri}/", &own, None),
            ("https://mastodon.example/{uri}", &own, None),
            ("https://mastodon.example/authorize_interaction", &own, None),
            ("https://social.mastodon.example/authorize_interaction?uri={uri}", &own, None),
        ];
        for (template, by, expected) in table {
            let found = reader.target(&answer(template), by, ACTOR).map(|url| url.to_string());
            assert_eq!(found.as_deref(), expected, "{template}");
        }
        let there = "https://social.mastodon.example/authorize_interaction?uri={uri}";
        assert!(reader.target(&answer(there), &split, ACTOR).is_some(), "the server that its domain points to");
        let long = format!("https://mastodon.example/?uri={{uri}}&x={}", "x".repeat(URL_BYTES_MAX));
        assert_eq!(reader.target(&answer(&long), &own, ACTOR), None);
        for bad in [&b"no json"[..], b"{}", b"{\"links\": 7}", b"{\"links\": [7, {}]}"] {
            assert_eq!(reader.target(bad, &own, ACTOR), None);
        }
    }
}
