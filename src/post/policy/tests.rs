//! Tests of what a source may do by itself.

use heraut_connectors::item::Item;

use super::*;
use crate::actor::Language;
use crate::ids::MediaId;
use crate::post::Image;
use crate::post::sanitize::SafeHtml;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const LATER: Timestamp = Timestamp(NOW.0 + 3_600_000);

fn content(alts: &[Option<&str>]) -> Content {
    let image = |alt: &Option<&str>| Image {
        id: MediaId(1),
        source_url: String::new(),
        media_type: "image/png".to_owned(),
        width: 1,
        height: 1,
        blurhash: String::new(),
        alt: alt.map(str::to_owned),
        sha256: String::new(),
    };
    Content {
        title: None,
        html: SafeHtml::empty(),
        language: Language::parse("nl").unwrap(),
        link: None,
        hashtags: Vec::new(),
        images: alts.iter().map(image).collect(),
        warning: None,
        flags: Vec::new(),
    }
}

fn state(act: Act, published: Timestamp, alts: &[Option<&str>], policy: &SourcePolicy) -> PostState {
    let item = Item { published_at: Some(published.0), ..Item::default() };
    admit(&mut content(alts), &item, &Decision { act, add_alias: false }, policy, NOW)
}

/// What becomes of the item, its date, the alternative texts of its images, the policy, and the state that follows.
type Case<'a> = (Act, Timestamp, &'a [Option<&'a str>], &'a SourcePolicy, PostState);

#[test]
fn the_first_reason_that_holds_decides() {
    let plain = SourcePolicy::default();
    let approval = SourcePolicy { approval: true, ..plain.clone() };
    let strict = SourcePolicy { missing_alt: MissingAlt::Hold, approval: true, ..plain.clone() };
    let held = PostState::Held;
    let new = || Act::New { flooded: false };
    let revise = |held| Act::Revise { held };
    let described: &[Option<&str>] = &[Some("brug")];
    let cases: Vec<Case<'_>> = vec![
        (new(), NOW, &[], &plain, PostState::Ready),
        (new(), LATER, &[], &plain, PostState::Scheduled(LATER)),
        (new(), LATER, &[], &approval, held(HoldReason::Approval)),
        (new(), NOW, &[None], &strict, held(HoldReason::MissingAlt)),
        (new(), NOW, described, &strict, held(HoldReason::Approval)),
        (new(), NOW, &[None], &plain, PostState::Ready),
        (Act::New { flooded: true }, LATER, &[None], &strict, held(HoldReason::Flood)),
        (Act::Return, NOW, &[], &plain, held(HoldReason::Returned)),
        (Act::ReviewEdit, NOW, &[], &plain, held(HoldReason::Churn)),
        (Act::Edit, LATER, &[], &plain, PostState::Ready),
        (Act::Edit, NOW, &[], &approval, held(HoldReason::Approval)),
        (Act::Merge, NOW, &[], &plain, PostState::Ready),
        (Act::EditLater { at: LATER }, NOW, &[], &plain, PostState::Scheduled(LATER)),
        (Act::EditLater { at: NOW }, NOW, &[], &plain, PostState::Ready),
        (revise(Some(HoldReason::Flood)), NOW, &[], &plain, held(HoldReason::Flood)),
        (revise(Some(HoldReason::Returned)), NOW, &[], &plain, held(HoldReason::Returned)),
        (revise(Some(HoldReason::MissingAlt)), NOW, described, &plain, PostState::Ready),
        (revise(Some(HoldReason::Approval)), NOW, &[], &approval, held(HoldReason::Approval)),
        (revise(None), LATER, &[], &plain, PostState::Scheduled(LATER)),
    ];
    for (act, published, alts, policy, expected) in cases {
        let words = format!("{act:?} {published} {alts:?} approval={}", policy.approval);
        assert_eq!(state(act, published, alts, policy), expected, "{words}");
    }
}

#[test]
fn an_image_without_alternative_text_is_held_flagged_or_left_out() {
    let cases = [
        (MissingAlt::Hold, 3, "2 images without alternative text; add it at the source"),
        (MissingAlt::PublishAndFlag, 3, "2 images published without alternative text; add it at the source"),
        (MissingAlt::DropImage, 1, "2 images left out: no alternative text at the source"),
    ];
    for (missing_alt, images, flag) in cases {
        let mut content = content(&[None, Some("brug"), None]);
        let policy = SourcePolicy { missing_alt, ..SourcePolicy::default() };
        let decision = Decision { act: Act::New { flooded: false }, add_alias: false };
        admit(&mut content, &Item::default(), &decision, &policy, NOW);
        assert_eq!((content.images.len(), content.flags), (images, vec![flag.to_owned()]));
    }
}

#[test]
fn a_released_post_still_keeps_its_embargo() {
    let item = |at: Timestamp| Item { published_at: Some(at.0), ..Item::default() };
    assert_eq!(released(&item(LATER), NOW), PostState::Scheduled(LATER));
    assert_eq!(released(&item(NOW), NOW), PostState::Ready);
    assert_eq!(released(&Item::default(), NOW), PostState::Ready);
    let secret = Item { embargo_until: Some(LATER.0), ..Item::default() };
    assert_eq!(released(&secret, NOW), PostState::Embargoed(LATER));
    assert_eq!(released(&secret, LATER), PostState::Ready, "at that second");
    assert_eq!(let_go(&secret, LATER), PostState::Embargoed(LATER), "it is finished first");
}

#[test]
fn the_policy_is_closed_and_has_defaults() {
    let policy: SourcePolicy = toml::from_str("missing_alt = 'publish_and_flag'\ngone_after = '6h'").unwrap();
    assert_eq!((policy.missing_alt, policy.flood_fuse), (MissingAlt::PublishAndFlag, 10));
    assert_eq!(policy.gone_after, Span::seconds(6 * 3_600));
    for (text, expected) in
        [("flood = 3", "unknown field"), ("gone_after = '6'", "length of time"), ("missing_alt = 'x'", "hold")]
    {
        let error = toml::from_str::<SourcePolicy>(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let written = toml::to_string(&SourcePolicy::default()).unwrap();
    assert_eq!(toml::from_str::<SourcePolicy>(&written).unwrap(), SourcePolicy::default());
}
