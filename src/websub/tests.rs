use heraut_connectors::contract::Push;
use url::Url;

use super::*;

const FEED: &str = "https://stad.example/nieuws.rss";

fn found(headers: &[&str], hubs: &[&str], own: Option<&str>) -> Option<Found> {
    let push = Push { hubs: hubs.iter().map(|hub| (*hub).to_owned()).collect(), own: own.map(str::to_owned) };
    let url = Url::parse(FEED).unwrap();
    discover(headers.iter().copied(), &push, &url, &url)
}

#[test]
fn links_are_read_as_rfc_8288_has_them() {
    let table: &[(&str, &[(&str, &str)])] = &[
        ("<https://h/>; rel=\"hub\"", &[("hub", "https://h/")]),
        (
            "<https://h/>;rel=hub,<https://a/,b>; title=\"x, <y>\"; rel=self",
            &[("hub", "https://h/"), ("self", "https://a/,b")],
        ),
        ("<https://h/>; REL=\"Hub next\"; rel=self", &[("hub", "https://h/"), ("next", "https://h/")]),
        ("<https://h/>; rel=\"a\\\"b\"", &[("a\"b", "https://h/")]),
        ("<https://h/>; rel=hub; anchor=\"https://other/\"", &[]),
        ("<https://h/>", &[]),
        ("<https://h/; rel=hub", &[]),
        ("nothing", &[]),
        ("<https://h/>; rel=\"hub", &[("hub", "https://h/")]),
    ];
    for (header, wanted) in table {
        let read = links(std::iter::once(*header));
        let read: Vec<(&str, &str)> = read.iter().map(|(r, a)| (r.as_str(), a.as_str())).collect();
        assert_eq!(read, *wanted, "{header}");
    }
    let long = format!("<https://h/>; rel=hub; title=\"{}\"", "x".repeat(20_000));
    assert!(links([long.as_str()].into_iter()).is_empty(), "there is a limit");
}

#[test]
fn the_header_goes_before_the_document_and_the_first_usable_hub_is_taken() {
    let both = found(&["<https://kop.example/>; rel=hub", "</ander>; rel=self"], &["https://hub.example/"], Some(FEED))
        .unwrap();
    assert_eq!((both.hub.as_str(), both.topic.as_str()), ("https://kop.example/", "https://stad.example/ander"));
    assert!(!both.whole, "its own address is another document");
    let document = found(&[], &["mailto:x", "https://u:p@h/", "https://hub.example/"], Some(FEED)).unwrap();
    assert_eq!((document.hub.as_str(), document.topic.as_str(), document.whole), ("https://hub.example/", FEED, true));
    assert_eq!(found(&[], &[], Some(FEED)), None);
    assert_eq!(found(&["<ftp://h/>; rel=hub"], &["https://hub.example/"], None), None, "the header is what counts");
}

#[test]
fn what_is_delivered_is_the_feed_only_when_the_topic_is_what_is_polled() {
    let table = [
        (Some(FEED), true),
        (None, true),
        (Some(""), true),
        (Some("/nieuws.rss"), true),
        (Some("https://stad.example/"), false),
        (Some("http://stad.example/nieuws.rss"), false),
        (Some("https://stad.example:8443/nieuws.rss"), false),
        (Some("https://boef.example/nieuws.rss"), false),
        (Some("javascript:alert(1)"), true),
    ];
    for (own, whole) in table {
        assert_eq!(found(&[], &["https://hub.example/"], own).unwrap().whole, whole, "{own:?}");
    }
    // A password in the address is not told to a hub, unless the feed itself does.
    let secret = Url::parse("https://stad.example/nieuws.rss?token=geheim").unwrap();
    let push = |own: Option<&str>| Push { hubs: vec!["https://hub.example/".to_owned()], own: own.map(str::to_owned) };
    assert_eq!(discover(std::iter::empty(), &push(None), &secret, &secret), None);
    assert!(!discover(std::iter::empty(), &push(Some(FEED)), &secret, &secret).unwrap().whole);
    let odd = discover(std::iter::empty(), &push(Some("https://stad.example/a\u{0}b")), &secret, &secret).unwrap();
    assert_eq!(odd.topic, "https://stad.example/a%00b");
    // After a redirect both addresses are the document.
    let (asked, answered) = (Url::parse(FEED).unwrap(), Url::parse("https://www.stad.example/n").unwrap());
    for own in [asked.as_str(), answered.as_str()] {
        let push = Push { hubs: vec!["https://hub.example/".to_owned()], own: Some(own.to_owned()) };
        assert!(discover(std::iter::empty(), &push, &asked, &answered).unwrap().whole, "{own}");
    }
}

fn call(pairs: &[(&'static str, &str)]) -> Option<Call> {
    let pairs: Vec<(String, String)> = pairs.iter().map(|(n, v)| (format!("hub.{n}"), (*v).to_owned())).collect();
    Call::read(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())))
}

#[test]
fn only_what_a_hub_would_say_is_a_call() {
    let long = "x".repeat(CHALLENGE_BYTES_MAX);
    let good = call(&[("mode", "subscribe"), ("topic", "t"), ("challenge", &long), ("lease_seconds", "600")]).unwrap();
    assert_eq!(good.said, Said::Subscribe { challenge: long.clone(), lease: Some(Duration::from_secs(600)) });
    assert!(call(&[("mode", "unsubscribe"), ("topic", "t"), ("challenge", "c")]).is_some());
    let denied = call(&[("mode", "denied"), ("topic", "t"), ("reason", " nee\u{0}, dank ")]).unwrap();
    assert_eq!(denied.said, Said::Denied { reason: Some("nee, dank".to_owned()) });
    let too_long = format!("{long}x");
    for bad in [
        &[("mode", "subscribe"), ("topic", "t")][..],
        &[("mode", "subscribe"), ("challenge", "c")],
        &[("mode", "subscribe"), ("topic", "t"), ("challenge", &too_long)],
        &[("mode", "subscribe"), ("topic", "t"), ("challenge", "<script>alert(1)</script> x")],
        &[("mode", "publish"), ("topic", "t"), ("challenge", "c")],
        &[("topic", "t"), ("challenge", "c")],
    ] {
        assert_eq!(call(bad), None, "{bad:?}");
    }
}

#[test]
fn a_hub_is_confirmed_only_what_was_asked() {
    let now = Timestamp(10_000_000_000);
    let (asked, late) =
        (Some(now.before(Duration::from_secs(60))), Some(now.before(VERIFY_WITHIN + Duration::from_secs(1))));
    let (held, lapsed) = (Some(now.after(Duration::from_secs(60))), Some(now.before(Duration::from_secs(1))));
    let subscribe = |lease: Option<u64>| Call {
        said: Said::Subscribe { challenge: "c".to_owned(), lease: lease.map(Duration::from_secs) },
        topic: "t".to_owned(),
    };
    let unsubscribe = Call { said: Said::Unsubscribe { challenge: "c".to_owned() }, topic: "t".to_owned() };
    let wanted = Standing { topic: "t", wanted: true, asked_at: None, holds_until: None, ended: false };
    let leaving = Standing { wanted: false, ..wanted };
    let confirmed = |call: &Call, standing: &Standing<'_>| !matches!(judge(call, standing, now), Verdict::NotAsked(_));
    let table = [
        (&subscribe(Some(600)), Standing { asked_at: asked, ..wanted }, true),
        (&subscribe(Some(600)), Standing { asked_at: late, ..wanted }, false),
        (&subscribe(Some(600)), wanted, false),
        (&subscribe(Some(600)), Standing { holds_until: held, ..wanted }, true),
        (&subscribe(Some(600)), Standing { holds_until: lapsed, ..wanted }, false),
        (&subscribe(Some(600)), Standing { topic: "other", asked_at: asked, ..wanted }, false),
        (&subscribe(Some(600)), Standing { asked_at: asked, ..leaving }, false),
        (&unsubscribe, Standing { asked_at: asked, ..leaving }, true),
        (&unsubscribe, Standing { asked_at: late, ..leaving }, false),
        (&unsubscribe, leaving, false),
        (&unsubscribe, Standing { asked_at: asked, ..wanted }, false),
        (&unsubscribe, Standing { asked_at: asked, ended: true, ..leaving }, false),
    ];
    for (n, (call, standing, wanted)) in table.into_iter().enumerate() {
        assert_eq!(confirmed(call, &standing), wanted, "row {n}");
    }
    let standing = Standing { asked_at: asked, ..wanted };
    let until = |lease: Option<u64>| judge(&subscribe(lease), &standing, now);
    assert_eq!(until(Some(600)), Verdict::Live { until: now.after(Duration::from_secs(600)) });
    assert_eq!(until(None), Verdict::Live { until: now.after(LEASE_WANTED) });
    assert_eq!(until(Some(u64::MAX)), Verdict::Live { until: now.after(LEASE_MAX) });
    assert_eq!(until(Some(299)), Verdict::TooShort { lease: Duration::from_secs(299) });
    assert!(matches!(until(Some(300)), Verdict::Live { .. }));
}

#[test]
fn a_lease_is_renewed_at_three_quarters_and_a_hub_that_fails_is_asked_ever_more_rarely() {
    let now = Timestamp(0);
    let until = now.after(Duration::from_secs(1_000));
    assert_eq!(renew_at(now, until, 0.0), Timestamp(700_000));
    assert_eq!(renew_at(now, until, 1.0), Timestamp(800_000));
    let waits: Vec<u64> = (1..9).map(|n| wait(n, 0.0).as_secs() / 60).collect();
    assert_eq!(waits, [15, 30, 60, 120, 240, 480, 960, 1_440]);
    assert_eq!(wait(i32::MAX, 1.0), WAIT_MAX.mul_f64(1.1));
    assert_eq!(poll_by(now, until), until);
    assert_eq!(poll_by(now, now.after(LEASE_WANTED)), now.after(POLL_EVERY));
}

#[test]
fn what_cannot_be_a_document_is_not_taken() {
    for good in [
        None,
        Some("application/rss+xml; charset=utf-8"),
        Some("text/html"),
        Some("application/octet-stream"),
        Some(""),
    ] {
        assert!(is_document(good), "{good:?}");
    }
    for bad in ["image/png", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "audio/mpeg"] {
        assert!(!is_document(Some(bad)), "{bad}");
    }
}
