use super::*;
use crate::actor::key::tests::SAMPLE_PEM;
use crate::actor::{ActorKind, Handle, Language, Profile};
use crate::ids::{ActorId, AgencyId};

pub(crate) const NOW: Timestamp = Timestamp(1_795_338_000_000); // 2026-11-22T09:00:00Z
const HOUR: u64 = 3_600;
const TIMES: ProofTimes = ProofTimes {
    recheck_every: Duration::from_secs(24 * HOUR),
    grace: Duration::from_secs(72 * HOUR),
    level: Level::Controlled,
};

/// The base of all tests.
pub(crate) fn base() -> Base {
    Base::parse("https://social.example.nl").unwrap()
}

/// An actor with everything filled in; its keys are fixed.
pub(crate) fn actor() -> Actor {
    let fields =
        vec![("Website".to_owned(), "https://example.nl/".to_owned()), ("Tel".to_owned(), "14 <010>".to_owned())];
    Actor {
        id: ActorId(7),
        agency: Agency { id: AgencyId(1), name: "voorbeeldstad".to_owned(), domain: "example.nl:8443".to_owned() },
        handle: Handle::parse("nieuws").unwrap(),
        handle_domain: "example.nl".to_owned(),
        kind: ActorKind::Organization,
        language: Language::parse("nl").unwrap(),
        profile: Profile {
            name: "Voorbeeldstad".to_owned(),
            summary: "Nieuws van de stad.\nReageer gerust.\n\nVragen & antwoorden.".to_owned(),
            icon: Some("https://social.example.nl/media/1.png".to_owned()),
            image: None,
            fields,
            discoverable: true,
            indexable: true,
            ..Profile::default()
        },
        url: base().actor(ActorId(7)),
        keys: PublicKeys::first(SAMPLE_PEM.to_owned(), "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK".to_owned()),
        created_at: Timestamp(1_793_491_200_000),
        updated_at: NOW,
    }
}

/// Proof of [`actor`] that holds since [`NOW`].
pub(crate) fn proof() -> Proof {
    let evidence = Evidence { url: document_url(&actor().agency), sha256: "00".to_owned(), fetched_at: NOW };
    Proof { evidence: Some(evidence), held_at: Some(NOW), checked_at: Some(NOW), ..Proof::default() }
}

/// The capability of [`actor`].
pub(crate) fn verified() -> VerifiedActor {
    VerifiedActor::prove(actor(), &proof(), &TIMES, NOW).unwrap()
}

fn fetched(bytes: &str) -> FetchedProof {
    let url = document_url(&actor().agency);
    FetchedProof { final_url: url.clone(), url, status: 200, bytes: bytes.as_bytes().to_vec(), fetched_at: NOW }
}

#[test]
fn the_document_that_we_ask_for_proves_the_actor() {
    let document = document_for(&[&actor()]);
    let evidence = judge(&fetched(&document), &actor()).unwrap();
    assert_eq!(evidence.url, "https://example.nl:8443/.well-known/heraut-actor.json");
    assert_eq!(evidence.sha256, hex::encode(openssl::sha::sha256(document.as_bytes())));
    assert_eq!(evidence.fetched_at, NOW);
    let single = read_document(document.as_bytes()).unwrap().actors.remove(0);
    assert_eq!(single.handle.as_deref(), Some("@nieuws@example.nl"));
    judge(&fetched(&serde_json::to_string(&single).unwrap()), &actor()).expect("one entry by itself is read too");
}

#[test]
fn each_failure_says_what_was_fetched_and_what_to_put_where() {
    let good = fetched(&document_for(&[&actor()]));
    let other_key = format!(r#"{{"actors":[{{"actor":"{}","keyFingerprint":"sha256:00"}}]}}"#, actor().url);
    let many = format!(r#"{{"actors":[{}]}}"#, vec![r#"{"actor":"a","keyFingerprint":"b"}"#; 1_001].join(","));
    let url = good.url.clone();
    let elsewhere = FetchedProof { url: "https://evil.example/.well-known/heraut-actor.json".into(), ..good.clone() };
    let redirected = FetchedProof { final_url: "https://cdn.example/x.json".into(), ..good.clone() };
    let other_port =
        FetchedProof { final_url: "https://example.nl/.well-known/heraut-actor.json".into(), ..good.clone() };
    let downgraded = FetchedProof { final_url: url.replace("https", "http"), ..good.clone() };
    for (case, parts) in [
        (elsewhere, vec!["evil.example", "stands at https://example.nl:8443", "@nieuws@example.nl"]),
        (redirected, vec!["redirects to https://cdn.example/x.json"]),
        (other_port, vec!["on another host"]),
        (downgraded, vec!["redirects to http://"]),
        (
            FetchedProof { status: 404, ..good.clone() },
            vec![&url, "answered 404", "https://social.example.nl/ap/a/7", "sha256:"],
        ),
        (fetched("<html>"), vec!["not the JSON", "keyFingerprint"]),
        (fetched("{}"), vec!["not the JSON"]),
        (fetched(r#"{"actors":"x"}"#), vec!["not the JSON"]),
        (fetched(r#"{"actors":[]}"#), vec![&url, "names 0 actors", "https://social.example.nl/ap/a/7", "sha256:"]),
        (fetched(&other_key), vec!["with the key sha256:00", "put \"keyFingerprint\": \"sha256:"]),
        (fetched(&many), vec!["names 1001 actors"]),
        (fetched(&" ".repeat(PROOF_BYTES_MAX + 1)), vec!["65537 bytes"]),
    ] {
        let text = judge(&case, &actor()).unwrap_err().to_string();
        for part in parts {
            assert!(text.contains(part), "`{part}` is not in `{text}`");
        }
    }
}

#[test]
fn a_redirect_on_the_same_host_is_taken() {
    let mut good = fetched(&document_for(&[&actor()]));
    good.final_url = "https://example.nl:8443/heraut.json".to_owned();
    judge(&good, &actor()).unwrap();
}

#[test]
fn a_proof_holds_until_recheck_and_grace_are_over_and_not_a_moment_longer() {
    let end = NOW.after(Duration::from_secs(96 * HOUR));
    assert_eq!(verified().until(), end);
    assert_eq!(verified().actor(), &actor());
    let failing = Proof { failure: Some("it answered 404".to_owned()), ..proof() };
    VerifiedActor::prove(actor(), &failing, &TIMES, Timestamp(end.0 - 1)).expect("grace");
    let lapsed = VerifiedActor::prove(actor(), &failing, &TIMES, end).unwrap_err();
    assert_eq!(
        lapsed.to_string(),
        "verification of @nieuws@example.nl lapsed on 2026-11-26T09:00:00Z: it answered 404; run `heraut actor verify nieuws`"
    );
}

#[test]
fn without_evidence_of_the_agencys_domain_nothing_is_verified() {
    let never = VerifiedActor::prove(actor(), &Proof::default(), &TIMES, NOW).unwrap_err();
    assert!(never.to_string().contains("was never verified; run"), "{never}");
    let only_time = Proof { evidence: None, ..proof() };
    assert!(matches!(VerifiedActor::prove(actor(), &only_time, &TIMES, NOW), Err(Unverified::Never { .. })));
    let mut moved = actor();
    moved.agency.domain = "ministerie.example".to_owned();
    let other = VerifiedActor::prove(moved, &proof(), &TIMES, NOW).unwrap_err();
    assert!(other.to_string().contains("belongs at https://ministerie.example/.well-known"), "{other}");
}

#[test]
fn a_record_in_dns_of_the_agencys_domain_is_evidence_of_control_too() {
    let evidence = Evidence { url: record::uri(&actor().agency), ..proof().evidence.unwrap() };
    VerifiedActor::prove(actor(), &Proof { evidence: Some(evidence.clone()), ..proof() }, &TIMES, NOW).unwrap();
    let other = Evidence { url: "dns:_heraut.evil.example?type=TXT".to_owned(), ..evidence };
    let refused = VerifiedActor::prove(actor(), &Proof { evidence: Some(other), ..proof() }, &TIMES, NOW);
    assert!(matches!(refused, Err(Unverified::OtherDomain { .. })));
}

#[test]
fn a_proof_that_reaches_less_than_is_needed_gives_nothing() {
    for (reached, needed, good) in [
        (None, Level::Controlled, true),
        (None, Level::Linked, false),
        (Some(Level::Registered), Level::Controlled, false),
        (Some(Level::Controlled), Level::Linked, false),
        (Some(Level::Named), Level::Controlled, true),
        (Some(Level::Named), Level::Named, true),
    ] {
        let times = ProofTimes { level: needed, ..TIMES };
        let proved = VerifiedActor::prove(actor(), &Proof { level: reached, ..proof() }, &times, NOW);
        assert_eq!(proved.is_ok(), good, "{reached:?} {needed:?} {proved:?}");
    }
}

#[test]
fn what_a_register_says_has_ended_is_verified_until_then_and_not_a_moment_longer() {
    let end = NOW.after(Duration::from_secs(HOUR));
    let ending = Proof { ends_at: Some(end), ..proof() };
    assert_eq!(VerifiedActor::prove(actor(), &ending, &TIMES, NOW).unwrap().until(), end);
    let ended = VerifiedActor::prove(actor(), &ending, &TIMES, end).unwrap_err();
    assert!(ended.to_string().contains("ended on 2026-11-22T10:00:00Z, as the register says"), "{ended}");
}
