use super::*;
use crate::actor::verification::tests::base;
use crate::inbox::read::tests::{NIEUWS, POST, incoming, sender};
use crate::inbox::{Undone, Visibility};

const ACTOR: ActorId = ActorId(7);

/// What the store would answer for what the fixtures name.
fn known() -> Known {
    Known {
        actors: vec![ACTOR],
        posts: vec![KnownPost { id: PostId(9), actor: ACTOR, public: true }],
        sender_known: true,
        ..Known::default()
    }
}

fn message(software: &str, id: &str) -> KnownMessage {
    let object = ObjectUrl::parse(id).unwrap();
    KnownMessage { id: MessageId(1), object, author: sender(software), actor: ACTOR, post: Some(PostId(9)) }
}

fn effects(name: &str, known: &Known) -> Vec<Effect> {
    decide(&incoming(name), &base(), known)
}

fn reason(effects: &[Effect]) -> IgnoreReason {
    match effects {
        [Effect::Ignore(reason)] => *reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn c34_a_follow_adds_also_when_repeated_and_its_undo_removes() {
    for software in ["mastodon", "gotosocial", "misskey", "pleroma", "wordpress"] {
        let follow = incoming(&format!("{software}/follow"));
        assert_eq!(names(&follow, &base()).actors, [ACTOR], "{software}");
        let wanted = Effect::AddFollower { actor: ACTOR, follower: sender(software), follow: follow.raw.clone() };
        assert_eq!(decide(&follow, &base(), &known()), [wanted], "{software}");
        let wanted = Effect::RemoveFollower { actor: ACTOR, follower: sender(software) };
        assert_eq!(effects(&format!("{software}/undo_follow"), &known()), [wanted], "{software}");
    }
    let blocked = Known { sender_blocked: true, ..known() };
    assert!(matches!(effects("mastodon/follow", &blocked).as_slice(), [Effect::RejectFollower { .. }]));
    assert!(matches!(effects("mastodon/undo_follow", &blocked).as_slice(), [Effect::RemoveFollower { .. }]));
    let unknown = Known { actors: vec![], ..known() };
    assert_eq!(reason(&effects("mastodon/follow", &unknown)), IgnoreReason::NotAboutUs);
}

#[test]
fn c36_replies_of_every_software_become_messages_of_the_actor_and_post() {
    for software in ["mastodon", "gotosocial", "misskey", "pleroma", "wordpress"] {
        let reply = incoming(&format!("{software}/create_reply"));
        let named = names(&reply, &base());
        assert_eq!((named.actors.as_slice(), named.posts.as_slice()), ([ACTOR].as_slice(), [PostId(9)].as_slice()));
        let effects = decide(&reply, &base(), &known());
        let [Effect::StoreMessage { actors, post, parent: None, never_public, note }] = effects.as_slice() else {
            panic!("{software}: {effects:?}")
        };
        assert_eq!((actors.as_slice(), *post), ([ACTOR].as_slice(), Some(PostId(9))), "{software}");
        assert_eq!(*never_public, !note.visibility.is_public(), "{software}");
    }
}

#[test]
fn c37_direct_and_followers_only_messages_are_never_public() {
    let effects = effects("pleroma/create_reply", &known());
    let [Effect::StoreMessage { never_public: true, note, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(note.visibility, Visibility::Direct);
}

#[test]
fn c36_likes_emoji_and_boosts_are_counted_and_taken_back() {
    for (name, kind) in [
        ("mastodon/like", ReactionKind::Like),
        ("gotosocial/like", ReactionKind::Like),
        ("misskey/like", ReactionKind::Emoji("🎉".to_owned())),
        ("pleroma/emoji_react", ReactionKind::Emoji("👍".to_owned())),
        ("mastodon/announce", ReactionKind::Boost),
    ] {
        let effects = effects(name, &known());
        let [Effect::AddReaction { kind: found, post: PostId(9), activity: Some(_), .. }] = effects.as_slice() else {
            panic!("{name}: {effects:?}")
        };
        assert_eq!(*found, kind, "{name}");
    }
    let by = sender("mastodon");
    for (kind, wanted) in [
        (UndoneKind::Like { object: ObjectUrl::parse(POST).ok() }, ReactionKind::Like),
        (UndoneKind::Announce { object: ObjectUrl::parse(POST).ok() }, ReactionKind::Boost),
    ] {
        let undo = Undone { id: None, kind };
        let incoming = Incoming { id: None, actor: by.clone(), kind: IncomingKind::Undo(undo), raw: Value::Null };
        assert_eq!(names(&incoming, &base()).posts, [PostId(9)]);
        let removed = Effect::RemoveReaction { activity: None, kind: wanted, post: Some(PostId(9)), by: by.clone() };
        assert_eq!(decide(&incoming, &base(), &known()), [removed]);
    }
}

#[test]
fn reactions_to_a_withdrawn_post_are_not_counted() {
    let mut known = known();
    known.posts[0].public = false;
    assert_eq!(reason(&effects("mastodon/like", &known)), IgnoreReason::NotPublic);
    known.posts.clear();
    assert_eq!(reason(&effects("mastodon/like", &known)), IgnoreReason::NotAboutUs);
}

/// The answer to the QuoteRequest of the fixture, changed so.
fn quote_answer(known: &Known, change: impl FnOnce(&mut Incoming)) -> QuoteAnswer {
    let mut request = incoming("mastodon/quote_request");
    change(&mut request);
    match decide(&request, &base(), known).as_slice() {
        [Effect::AnswerQuote { answer, post: PostId(9), actor: ACTOR, instrument, .. }] => {
            assert_eq!(instrument.as_str(), "https://mastodon.example/users/anna/statuses/117");
            *answer
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn c35_a_quote_request_is_answered_by_policy() {
    use QuoteAnswer::{Accept, Ask, Reject};
    use QuotePolicy::{Approval, Everyone, Followers, Nobody};
    use QuoteSeen::{Contradicts, Fits, IdAlone};
    let table = [
        (Everyone, false, Fits, true, Accept),
        (Everyone, false, IdAlone, true, Accept),
        (Everyone, true, Contradicts, true, Reject),
        (Everyone, true, Fits, false, Reject),
        (Followers, true, Fits, true, Accept),
        (Followers, false, Fits, true, Reject),
        (Followers, true, IdAlone, true, Reject),
        (Followers, true, Contradicts, true, Reject),
        (Nobody, true, Fits, true, Reject),
        (Approval, false, Fits, true, Ask),
        (Approval, false, IdAlone, true, Ask),
        (Approval, false, Contradicts, true, Reject),
        (Approval, true, Fits, false, Reject),
    ];
    for (quotes, sender_follows, seen_now, public, expected) in table {
        let mut known = Known { quotes, sender_follows, ..known() };
        known.posts[0].public = public;
        let answer = quote_answer(&known, |request| {
            let IncomingKind::QuoteRequest { seen, .. } = &mut request.kind else { panic!() };
            *seen = seen_now;
        });
        assert_eq!(answer, expected, "{quotes:?} {sender_follows} {seen_now:?} {public}");
    }
}

#[test]
fn an_authorization_is_for_the_exact_id_of_a_post() {
    let base = base();
    let named =
        ["https://social.example.nl/ap/o/09", "https://social.example.nl/@nieuws/9", "https://social.example.nl/@x/9"];
    for id in named {
        let answer = quote_answer(&known(), |request| {
            let IncomingKind::QuoteRequest { object, .. } = &mut request.kind else { panic!() };
            *object = ObjectUrl::parse(id).unwrap();
            assert_eq!(base.read_post(id), Some(PostId(9)));
        });
        assert_eq!(answer, QuoteAnswer::Reject, "{id}");
    }
}

#[test]
fn only_its_author_edits_or_deletes_a_message() {
    let id = "https://mastodon.example/users/anna/statuses/115";
    let delete = incoming("mastodon/delete");
    assert_eq!(names(&delete, &base()).objects, [ObjectUrl::parse(id).unwrap()]);
    let own = Known { messages: vec![message("mastodon", id)], ..known() };
    assert!(matches!(decide(&delete, &base(), &own).as_slice(), [Effect::DeleteMessage { message: MessageId(1), .. }]));
    assert!(matches!(effects("mastodon/create_reply", &own).as_slice(), [Effect::UpdateMessage { .. }]), "sent again");
    let mut others = own.clone();
    others.messages[0].author = sender("pleroma");
    assert_eq!(reason(&decide(&delete, &base(), &others)), IgnoreReason::NotTheirs);
    assert_eq!(reason(&effects("mastodon/create_reply", &others)), IgnoreReason::NotTheirs);
    assert_eq!(reason(&decide(&delete, &base(), &known())), IgnoreReason::Unknown);
    let account = effects("mastodon/delete_actor", &known());
    assert_eq!(account, [Effect::RemoveActorTraces { actor: sender("mastodon") }]);
}

#[test]
fn an_answer_in_a_kept_conversation_is_a_message_though_it_names_nobody_of_ours() {
    let mut reply = incoming("mastodon/create_reply");
    let parent = "https://pleroma.example/objects/o1";
    let IncomingKind::Create(Said::Note(note)) = &mut reply.kind else { panic!() };
    note.in_reply_to = ObjectUrl::parse(parent).ok();
    note.mentions.clear();
    note.cc.clear();
    let named = names(&reply, &base());
    assert!(named.objects.contains(&ObjectUrl::parse(parent).unwrap()));
    let kept = Known { actors: vec![], messages: vec![message("pleroma", parent)], ..known() };
    let effects = decide(&reply, &base(), &kept);
    let [Effect::StoreMessage { actors, post: Some(PostId(9)), parent: Some(MessageId(1)), .. }] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!(actors.as_slice(), [ACTOR]);
    let nothing = Known { actors: vec![], posts: vec![], ..known() };
    assert_eq!(reason(&decide(&reply, &base(), &nothing)), IgnoreReason::NotAboutUs);
}

#[test]
fn a_quoting_post_is_a_message_and_a_reaction() {
    let mut quote = incoming("mastodon/create_reply");
    let IncomingKind::Create(Said::Note(note)) = &mut quote.kind else { panic!() };
    note.quote = note.in_reply_to.take();
    note.mentions.clear();
    note.cc.clear();
    let effects = decide(&quote, &base(), &Known { actors: vec![], ..known() });
    let [Effect::StoreMessage { post: Some(PostId(9)), .. }, Effect::AddReaction { kind: ReactionKind::Quote, .. }] =
        effects.as_slice()
    else {
        panic!("{effects:?}")
    };
}

#[test]
fn blocks_moves_reports_and_refreshes_have_their_effects() {
    let by = sender("mastodon");
    let actor = ActorUrl::parse(NIEUWS).unwrap();
    let to = ActorUrl::parse("https://new.example/u/anna").unwrap();
    let as_incoming = |kind| Incoming { id: None, actor: by.clone(), kind, raw: Value::Null };
    for (kind, wanted) in [
        (IncomingKind::Block { object: actor }, Effect::BlockFollower { actor: ACTOR, follower: by.clone() }),
        (IncomingKind::Move { object: by.clone(), target: to }, Effect::RefreshActor { actor: by.clone() }),
        (IncomingKind::Update(Updated::Actor), Effect::RefreshActor { actor: by.clone() }),
        (IncomingKind::Accept { object: None }, Effect::Ignore(IgnoreReason::Type)),
        (IncomingKind::Unknown("Arrive".to_owned()), Effect::Ignore(IgnoreReason::Type)),
    ] {
        assert_eq!(decide(&as_incoming(kind), &base(), &known()), [wanted]);
    }
    let stranger = Known { sender_known: false, ..known() };
    let update = as_incoming(IncomingKind::Update(Updated::Actor));
    assert_eq!(reason(&decide(&update, &base(), &stranger)), IgnoreReason::Unknown);
    let report = effects("mastodon/flag", &known());
    assert!(matches!(report.as_slice(), [Effect::RecordReport { text: Some(_), .. }]), "{report:?}");
}

#[test]
fn c39_a_foreign_object_is_fetched_only_if_we_are_addressed_and_then_judged_as_its_authors() {
    let mut create = incoming("mastodon/create_reply");
    let elsewhere = ObjectUrl::parse("https://other.example/n/1").unwrap();
    let IncomingKind::Create(Said::Note(note)) = create.kind.clone() else { panic!() };
    create.kind = IncomingKind::Create(Said::Elsewhere(elsewhere.clone()));
    let named = names(&create, &base());
    assert_eq!(
        (named.actors.as_slice(), named.objects.as_slice()),
        ([ACTOR].as_slice(), [elsewhere.clone()].as_slice())
    );
    assert_eq!(decide(&create, &base(), &known()), [Effect::FetchObject { object: elsewhere }]);
    assert_eq!(reason(&decide(&create, &base(), &Known::default())), IgnoreReason::NotAboutUs);
    let fetched = Incoming::fetched(*note);
    assert_eq!(fetched.actor, sender("mastodon"));
    assert!(matches!(decide(&fetched, &base(), &known()).as_slice(), [Effect::StoreMessage { .. }]));
}

#[test]
fn of_the_blocked_nothing_new_is_kept() {
    let blocked = Known { sender_blocked: true, ..known() };
    for name in
        ["mastodon/create_reply", "mastodon/like", "mastodon/announce", "mastodon/quote_request", "mastodon/flag"]
    {
        assert_eq!(reason(&effects(name, &blocked)), IgnoreReason::Blocked, "{name}");
    }
}
