//! Which form of a thing a request wants: the document for servers or the page for people (`reference/federation.md` 5.3).
//!
//! The two media types of ActivityPub §3.2 name the document. `application/json`, `application/*` and `application/ld+json`
//! without a profile are taken for it too: whoever asks for JSON is a program, and the answer is always labelled
//! `application/activity+json`. A wildcard alone says nothing: then an id gives the document and a page gives the page.
//! Nothing is ever refused with 406; RFC 9110 §12.4.1 lets a server answer with what it has.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};

/// The profile that makes `application/ld+json` an ActivityStreams type.
const AS_PROFILE: &str = "https://www.w3.org/ns/activitystreams";
/// Ranges of one `Accept` that are read; more are ignored.
const RANGES_MAX: usize = 32;

/// A form that we have of most things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The ActivityStreams document.
    Activity,
    /// The page.
    Html,
}

/// The form that a request wants; `fallback` when it does not say, or wants neither.
pub fn wanted(request: &HttpRequest, fallback: Form) -> Form {
    wanted_by(request.headers(), fallback)
}

/// As [`wanted`], by the headers of a request.
pub fn wanted_by(headers: &HeaderMap, fallback: Form) -> Form {
    let accept: Vec<&str> = headers.get_all(header::ACCEPT).filter_map(|value| value.to_str().ok()).collect();
    choose(&accept, fallback)
}

/// The form that these `Accept` values want: the higher quality wins, then the more exact range, then the one named first.
pub fn choose(accept: &[&str], fallback: Form) -> Form {
    let ranges = accept.iter().flat_map(|value| split(value, ',')).take(RANGES_MAX);
    let (mut activity, mut html, mut any) = (None, None, None);
    for (order, text) in ranges.enumerate() {
        let Some(range) = Range::read(text) else { continue };
        let best = match range.media_type.names() {
            Names::Activity => &mut activity,
            Names::Html => &mut html,
            Names::Anything => &mut any,
            Names::Other => continue,
        };
        let weight = Weight { quality: range.quality, exact: true, first: usize::MAX - order };
        *best = (*best).max(Some(weight));
    }
    let any = any.map(|weight: Weight| Weight { exact: false, first: 0, ..weight });
    let usable = |weight: Option<Weight>| weight.or(any).filter(|w| w.quality > 0);
    match (usable(activity), usable(html)) {
        (Some(a), Some(h)) if a == h => fallback,
        (Some(a), Some(h)) if a > h => Form::Activity,
        (Some(_), None) => Form::Activity,
        (_, Some(_)) => Form::Html,
        (None, None) => fallback,
    }
}

/// Whether a `Content-Type` is one of the two of ActivityPub §7: `application/activity+json`, with any parameters, or
/// `application/ld+json` with the ActivityStreams profile.
pub fn is_activity(content_type: &str) -> bool {
    MediaType::read(content_type).is_some_and(|t| match (t.main.as_str(), t.sub.as_str()) {
        ("application", "activity+json") => true,
        ("application", "ld+json") => t.profile_is_activitystreams(),
        _ => false,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    quality: u16,
    exact: bool,
    first: usize,
}

enum Names {
    Activity,
    Html,
    Anything,
    Other,
}

struct MediaType {
    main: String,
    sub: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    fn read(text: &str) -> Option<Self> {
        let mut parts = split(text, ';').into_iter();
        let (main, sub) = parts.next()?.split_once('/')?;
        let parameters = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned()));
        Some(Self {
            main: main.trim().to_ascii_lowercase(),
            sub: sub.trim().to_ascii_lowercase(),
            parameters: parameters.collect(),
        })
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A profile is a list of URIs parted by spaces (RFC 6906).
    fn profile_is_activitystreams(&self) -> bool {
        self.parameter("profile").is_some_and(|uris| uris.split_whitespace().any(|uri| uri == AS_PROFILE))
    }

    fn names(&self) -> Names {
        match (self.main.as_str(), self.sub.as_str()) {
            ("application", "activity+json" | "json" | "*") => Names::Activity,
            ("application", "ld+json") if self.parameter("profile").is_none() || self.profile_is_activitystreams() => {
                Names::Activity
            }
            ("text", "html" | "*") | ("application", "xhtml+xml") => Names::Html,
            ("*", "*") => Names::Anything,
            _ => Names::Other,
        }
    }
}

struct Range {
    media_type: MediaType,
    /// In thousandths, as RFC 9110 §12.4.2 has it.
    quality: u16,
}

impl Range {
    fn read(text: &str) -> Option<Self> {
        let media_type = MediaType::read(text)?;
        let quality = media_type.parameter("q").map_or(Some(1_000), quality)?;
        Some(Self { media_type, quality })
    }
}

fn quality(text: &str) -> Option<u16> {
    let value: f32 = text.parse().ok()?;
    // A finite number between 0 and 1000 has no fraction after rounding and fits.
    (0.0..=1.0).contains(&value).then(|| (value * 1_000.0).round() as u16)
}

/// Splits at `separator`, but not inside quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c: char| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LD: &str = "application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\"";

    #[test]
    fn the_accept_header_chooses_the_form() {
        use Form::{Activity, Html};
        let mastodon = format!("application/activity+json, {LD}, application/ld+json, text/html;q=0.1");
        let table: &[(&str, Form, Form)] = &[
            // accept, on an id, on a page
            ("", Activity, Html),
            ("*/*", Activity, Html),
            ("application/activity+json", Activity, Activity),
            ("application/activity+json; charset=utf-8", Activity, Activity),
            ("APPLICATION/Activity+JSON", Activity, Activity),
            (LD, Activity, Activity),
            (
                "application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\"; q=0.9, */*;q=0.1",
                Activity,
                Activity,
            ),
            ("application/ld+json", Activity, Activity),
            ("application/ld+json; profile=\"https://example.org/other\"", Activity, Html),
            ("application/json", Activity, Activity),
            ("application/json, text/plain, */*", Activity, Activity),
            ("application/activity+json, */*;q=0.8", Activity, Activity),
            (&mastodon, Activity, Activity),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", Html, Html),
            ("text/html", Html, Html),
            ("text/*", Html, Html),
            ("text/html, application/activity+json;q=0.5", Html, Html),
            ("text/html;q=0.5, application/activity+json;q=0.9", Activity, Activity),
            ("text/html, application/activity+json", Html, Html),
            ("application/activity+json, text/html", Activity, Activity),
            ("text/html;q=0, */*", Activity, Activity),
            ("application/activity+json;q=0, */*", Html, Html),
            ("text/html;q=0.1, */*;q=0.8", Activity, Activity),
            ("image/png", Activity, Html),
            ("text/html;q=abc", Activity, Html),
            ("text/html;q=7", Activity, Html),
            (";;,,//", Activity, Html),
        ];
        for (accept, on_id, on_page) in table {
            assert_eq!(choose(&[accept], Form::Activity), *on_id, "on an id: {accept}");
            assert_eq!(choose(&[accept], Form::Html), *on_page, "on a page: {accept}");
        }
    }

    #[test]
    fn several_accept_headers_are_one_list() {
        assert_eq!(choose(&["text/html;q=0.1", "application/activity+json"], Form::Html), Form::Activity);
    }

    #[test]
    fn c38_only_the_two_types_of_activitypub_may_be_posted() {
        let table = [
            ("application/activity+json", true),
            ("application/activity+json; charset=utf-8", true),
            (LD, true),
            ("application/ld+json;profile=\"https://www.w3.org/ns/activitystreams https://example.org/x\"", true),
            ("application/ld+json", false),
            ("application/ld+json; profile=\"https://example.org/x\"", false),
            ("application/json", false),
            ("text/html", false),
            ("", false),
            ("application/activity+json, text/html", false),
        ];
        for (content_type, good) in table {
            assert_eq!(is_activity(content_type), good, "{content_type}");
        }
    }
}
