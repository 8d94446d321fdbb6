//! What systems push to us: how a request is told apart from its repetition, what it is answered, and when it is tried again.
//! Pure. Answers are those of `reference/connectors.md` B7; never 410, at which Ghost and others unsubscribe for good.

use std::time::Duration;

use heraut_connectors::contract::{DELIVERY_BYTES_MAX, Told};
use heraut_connectors::item::Action;
use heraut_connectors::profiles::{self, Verified};
use thiserror::Error;

/// Largest body of a request, in bytes.
pub const HOOK_BODY_BYTES_MAX: usize = DELIVERY_BYTES_MAX;
/// How long a request is remembered, so that its repetition does nothing.
pub const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// How long a request is tried whose content cannot be read back. Then a person must look.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(86_400);
/// First wait after a failure; each further one is twice as long, at most [`WAIT_MAX`].
pub const WAIT_MIN: Duration = Duration::from_secs(10);
/// Longest wait after a failure.
pub const WAIT_MAX: Duration = Duration::from_secs(3_600);
/// Most requests of a source that wait: what cannot be read back for a day, and more than a busy site says in it.
pub const WAITING_MAX: i64 = 10_000;
/// Over how long new items are counted for the flood fuse: requests bring one each.
pub const FLOOD_WITHIN: Duration = Duration::from_secs(600);

/// Why a request is not accepted. The text is told to the sender, and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No source has that name.
    #[error("there is no source of that name")]
    NoSource,
    /// The source takes nothing.
    #[error("the source takes nothing by webhook: {0}")]
    Closed(&'static str),
    /// It is not from the sender.
    #[error("{0}")]
    Unverified(profiles::Refusal),
    /// It says nothing that can be understood.
    #[error("{0}")]
    Unreadable(String),
    /// Its id was used for another body.
    #[error("a request with this id came before, with another body; give each event an id of its own")]
    Conflict,
    /// It is of a type that is not taken.
    #[error(
        "the body must be JSON (application/json, application/cloudevents+json or another type that ends in +json) or a form \
         (application/x-www-form-urlencoded), without Content-Encoding"
    )]
    MediaType,
    /// The source says too much.
    #[error("the source sends more than hooks.per_source allows; try again after {0} s")]
    TooMany(u32),
    /// Too much of the source waits.
    #[error("{WAITING_MAX} requests of this source wait to be worked on, and no more are kept; try again later")]
    Full,
    /// It cannot be stored now.
    #[error("the request cannot be stored now; try again later")]
    Later,
}

/// When a sender should come back after a failure of ours, in seconds.
const RETRY_AFTER_S: u32 = 30;

impl Refusal {
    /// Every answer that there is, by its code.
    pub const CODES: [&str; 9] =
        ["no-source", "closed", "unverified", "unreadable", "conflict", "media-type", "too-many", "full", "later"];

    /// The status, and a stable code: the table.
    pub fn entry(&self) -> (u16, &'static str) {
        match self {
            Self::NoSource => (404, "no-source"),
            Self::Closed(_) => (403, "closed"),
            Self::Unverified(_) => (401, "unverified"),
            Self::Unreadable(_) => (400, "unreadable"),
            Self::Conflict => (409, "conflict"),
            Self::MediaType => (415, "media-type"),
            Self::TooMany(_) => (429, "too-many"),
            Self::Full => (503, "full"),
            Self::Later => (503, "later"),
        }
    }

    /// After how many seconds the sender should come back.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::TooMany(seconds) => Some(*seconds),
            Self::Full | Self::Later => Some(RETRY_AFTER_S),
            _ => None,
        }
    }
}

/// Whether a body of that type is taken: JSON, a form, and XML where the kind of the source takes that. Nothing may say no type.
pub fn is_taken(content_type: Option<&str>, is_empty: bool, takes_xml: bool) -> bool {
    let Some(value) = content_type else { return is_empty };
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, name) = media_type.split_once('/').unwrap_or_default();
    let is_xml = matches!(kind, "application" | "text") && (name == "xml" || name.ends_with("+xml"));
    (takes_xml && is_xml)
        || (kind == "application" && (name == "json" || name == "x-www-form-urlencoded" || name.ends_with("+json")))
        || (kind == "text" && name == "json")
}

/// By which a repetition of a request is recognised within its source.
///
/// 1. An id that is signed names the request: with another body it is a conflict.
/// 2. A signed time and the body do: who repeats a captured request repeats both.
/// 3. A signed body does, when it publishes: a captured request must not bring back an older text. The sender's next request
///    for the same item has another body, because it has other content.
/// 4. All else is no danger when it is repeated: it only withdraws, is read back from the source, or came with a password that
///    whoever can repeat it knows anyhow. It is the sender's id, or none.
pub fn delivery_key(verified: &Verified, told: &Told, digest: &str, receipt: &str) -> String {
    let publishes = match told {
        Told::Page(page) | Told::Fetch { page, .. } => page.items.iter().any(|item| item.action == Action::Publish),
        Told::Ignored { .. } => false,
    };
    match (&verified.delivery_id, verified.at) {
        (Some(id), _) if verified.id_is_signed => format!("id:{id}"),
        (_, Some(at)) => format!("at:{at}:{digest}"),
        _ if verified.body_is_signed && publishes => format!("body:{digest}"),
        (Some(id), _) => format!("sent:{digest}:{id}"),
        (None, None) => format!("receipt:{receipt}"),
    }
}

/// After how long a request is tried again that failed `attempts` times; `None` when it is given up.
pub fn again(attempts: u32, age: Duration) -> Option<Duration> {
    if age >= GIVE_UP_AFTER {
        return None;
    }
    Some(WAIT_MIN.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1))).min(WAIT_MAX))
}

#[cfg(test)]
mod tests {
    use heraut_connectors::contract::Request;
    use heraut_connectors::item::Item;
    use url::Url;

    use super::*;

    fn told(action: Action) -> Told {
        Told::items(vec![Item { action, ..Item::default() }])
    }

    #[test]
    fn a_repetition_is_recognised_by_what_is_signed() {
        let fetch = Told::fetch(Request::get(Url::parse("https://a.example/").unwrap(), "x"));
        let ignored = Told::ignored("x");
        let (publish, retract) = (told(Action::Publish), told(Action::Retract));
        let signed = Verified { body_is_signed: true, ..Verified::default() };
        let with_id = Verified { delivery_id: Some("7".to_owned()), ..signed.clone() };
        let standard = Verified { id_is_signed: true, at: Some(5), ..with_id.clone() };
        let timed = Verified { at: Some(5), ..with_id.clone() };
        let password = Verified::default();
        let table = [
            (&standard, &publish, "id:7"),
            (&standard, &fetch, "id:7"),
            (&timed, &publish, "at:5:d"),
            (&with_id, &publish, "body:d"),
            (&signed, &publish, "body:d"),
            (&with_id, &retract, "sent:d:7"),
            (&with_id, &fetch, "sent:d:7"),
            (&signed, &fetch, "receipt:r"),
            (&signed, &ignored, "receipt:r"),
            (&password, &publish, "receipt:r"),
        ];
        for (verified, told, wanted) in table {
            assert_eq!(delivery_key(verified, told, "d", "r"), wanted);
        }
    }

    #[test]
    fn json_and_forms_are_taken_and_xml_only_where_the_kind_does() {
        let table = [
            (Some("application/json"), true),
            (Some("application/json; charset=utf-8"), true),
            (Some("Application/CloudEvents+JSON"), true),
            (Some("application/vnd.contentful.management.v1+json"), true),
            (Some("application/x-www-form-urlencoded"), true),
            (Some("application/cloudevents+avro"), false),
            (Some("multipart/form-data; boundary=x"), false),
            (Some("text/plain"), false),
            (Some("image/png"), false),
            (Some(""), false),
            (None, false),
        ];
        for (content_type, wanted) in table {
            assert_eq!(is_taken(content_type, false, false), wanted, "{content_type:?}");
            assert_eq!(is_taken(content_type, false, true), wanted, "{content_type:?}");
        }
        for xml in ["application/cap+xml", "application/xml; charset=utf-8", "text/xml"] {
            assert_eq!([false, true].map(|takes_xml| is_taken(Some(xml), false, takes_xml)), [false, true], "{xml}");
        }
        assert!(is_taken(None, true, false));
    }

    #[test]
    fn a_failure_is_tried_again_ever_more_rarely_for_a_day() {
        let waits: Vec<u64> = (1..12).filter_map(|n| again(n, Duration::ZERO)).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        assert!(again(1, GIVE_UP_AFTER - Duration::from_secs(1)).is_some());
        assert_eq!(again(1, GIVE_UP_AFTER), None);
        assert!(again(u32::MAX, Duration::ZERO).is_some());
    }

    #[test]
    fn no_answer_is_410_and_each_has_a_code() {
        let all = [
            Refusal::NoSource,
            Refusal::Closed("x"),
            Refusal::Unverified(profiles::Refusal::NoSecret),
            Refusal::Unreadable("x".to_owned()),
            Refusal::Conflict,
            Refusal::MediaType,
            Refusal::TooMany(3),
            Refusal::Full,
            Refusal::Later,
        ];
        for refusal in &all {
            let (status, code) = refusal.entry();
            assert!(status != 410 && (400..600).contains(&status) && Refusal::CODES.contains(&code));
            assert_eq!(refusal.retry_after_s().is_some(), matches!(status, 429 | 503));
        }
    }
}
