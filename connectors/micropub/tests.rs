//! What requests mean, and where each limit stands.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::check::{NAME_BYTES_MAX, PROPERTIES_MAX, TEXT_BYTES_MAX, VALUES_MAX};
use super::entry::PHOTOS_MAX;
use super::form::FIELDS_MAX;
use super::json::DEPTH_MAX;
use super::*;
use crate::draft::ALT_CHARS_MAX;
use crate::item::{Item, WARNING_CHARS_MAX};
use crate::trial;

const POST: &str = "https://social.example/@nieuws/1";

fn form(body: &str) -> Result<Command, ConnectorError> {
    read(Some("application/x-www-form-urlencoded"), body.as_bytes())
}

fn json(body: Value) -> Result<Command, ConnectorError> {
    read(Some("application/json"), body.to_string().as_bytes())
}

fn created(command: Result<Command, ConnectorError>) -> Create {
    match command {
        Ok(Command::Create(create)) => create,
        other => panic!("{other:?}"),
    }
}

fn properties(value: Value) -> Result<Entry, ConnectorError> {
    let Value::Object(properties) = value else { panic!("an object") };
    Entry::new(properties)
}

fn item(value: Value) -> Item {
    properties(value).unwrap().item("1").unwrap()
}

fn changes(value: Value) -> Changes {
    let mut body = value;
    (body["action"], body["url"]) = (json!("update"), json!(POST));
    match json(body) {
        Ok(Command::Update { url, changes, .. }) if url == POST => changes,
        other => panic!("{other:?}"),
    }
}

fn why(refused: Result<impl std::fmt::Debug, ConnectorError>) -> String {
    refused.unwrap_err().to_string()
}

#[test]
fn what_came_of_every_fixture() {
    insta::assert_json_snapshot!(trial::outcomes(&Micropub));
}

#[test]
fn a_form_and_json_say_the_same() {
    let of_form = created(form("h=entry&content=Tekst&category[]=a&category[]=b&name=Kop&x-y=1"));
    let of_json = created(json(
        json!({"type": ["h-entry"], "properties": {"content": ["Tekst"], "category": ["a", "b"], "name": ["Kop"], "x-y": ["1"]}}),
    ));
    assert_eq!(of_form, of_json);
    let one = created(form("content=Tekst&category=a"));
    assert_eq!(one.entry.values("category"), [json!("a")]);
    assert_eq!(created(form("content=x&category[0]=a&category[1]=b")).entry.values("category").len(), 2);
}

#[test]
fn commands_and_tokens_are_never_kept() {
    let create = created(form("content=x&mp-slug=y&mp-syndicate-to[]=https://a.example/&access_token=geheim&h=entry"));
    assert_eq!(create.entry.properties().keys().collect::<Vec<_>>(), ["content"]);
    assert_eq!(create.ignored, ["mp-slug", "mp-syndicate-to"]);
    let create = created(json(json!({"properties": {"content": ["x"], "mp-slug": ["y"]}, "mp-channel": "z"})));
    assert_eq!(create.entry.properties().keys().collect::<Vec<_>>(), ["content"]);
    assert_eq!(create.ignored, ["mp-slug", "mp-channel"]);
    for body in [
        json!({"properties": {"content": ["x"], "access_token": ["y"]}}),
        json!({"properties": {"content": ["x"]}, "access_token": "y"}),
    ] {
        assert!(why(json(body)).contains("Authorization"));
    }
}

#[test]
fn plain_text_is_escaped_and_html_is_only_where_it_is_said_to_be() {
    let plain = item(json!({"content": ["Twee < drie <script>\nen verder"]}));
    assert_eq!(plain.body.unwrap().0, "<p>Twee &lt; drie &lt;script&gt;<br>en verder</p>");
    assert_eq!(item(json!({"content": [{"html": "<b>x</b>", "value": "x"}]})).body.unwrap().0, "<b>x</b>");
    let described =
        item(json!({"summary": ["Woog 70 kg"], "x-weight": [{"type": ["h-measure"], "properties": {"num": ["70"]}}]}));
    assert!(described.body.unwrap().0.contains("70 kg"), "a summary alone is the text");
    assert_eq!(
        described.original.unwrap()["x-weight"][0]["properties"]["num"][0],
        "70",
        "and what is not shown is kept"
    );
}

#[test]
fn a_date_is_an_embargo_and_one_that_cannot_be_read_an_error() {
    let dated = item(json!({"content": ["x"], "published": ["2026-11-20T09:00:00+01:00"]}));
    assert_eq!((dated.published_at, dated.embargo_until), (Some(1_795_161_600_000), Some(1_795_161_600_000)));
    for date in ["soon", "", "2026-13-01", "now"] {
        let refused = properties(json!({"content": ["x"], "published": [date]}));
        assert_eq!(refused.is_err(), !date.is_empty(), "{date}");
    }
}

#[test]
fn photos_come_with_their_texts_or_not_at_all() {
    let photo =
        |value: Value| properties(json!({"content": ["x"], "photo": [value]})).and_then(|entry| entry.item("1"));
    let taken = photo(json!({"value": "https://a.example/b", "alt": " Een dijk "})).unwrap();
    assert_eq!((taken.media[0].url.as_str(), taken.media[0].alt.as_deref()), ("https://a.example/b", Some("Een dijk")));
    assert_eq!(photo(json!("https://a.example/b.jpg")).unwrap().media[0].alt, None);
    for bad in [
        json!("javascript:alert(1)"),
        json!("file:///etc/passwd"),
        json!("data:image/png;base64,AAAA"),
        json!("/a.png"),
        json!(""),
        json!(1),
        json!({}),
        json!({"value": 1}),
        json!({"value": "https://a.example/", "alt": 1}),
        json!(format!("https://a.example/{}", "a".repeat(3_000))),
    ] {
        assert!(photo(bad.clone()).is_err(), "{bad}");
    }
    let two = created(form(
        "content=x&photo[]=https://a.example/1&photo[]=https://a.example/2&mp-photo-alt[]=&mp-photo-alt[]=Twee",
    ));
    assert_eq!(
        two.entry.values("photo"),
        [json!("https://a.example/1"), json!({"value": "https://a.example/2", "alt": "Twee"})]
    );
    assert!(form("content=x&mp-photo-alt=alleen").is_err());
}

#[test]
fn what_would_be_something_else_is_refused_by_name() {
    for name in ["in-reply-to", "like-of", "repost-of", "bookmark-of", "rsvp", "video", "audio", "checkin"] {
        let error = why(form(&format!("h=entry&content=x&{name}=https://a.example/")));
        assert!(error.contains(name) && error.contains("nothing was done"), "{error}");
    }
    for body in ["h=event&name=x", "h=card&name=x", "h=&h=entry&content=x", "content=x&h=entry&h=entry"] {
        assert!(form(body).is_err(), "{body}");
    }
    for kind in [json!(["h-event"]), json!("h-entry"), json!(["h-entry", "h-event"]), json!([])] {
        assert!(json(json!({"type": kind, "properties": {"content": ["x"]}})).is_err(), "{kind}");
    }
    for (name, value) in
        [("visibility", "private"), ("visibility", "unlisted"), ("post-status", "scheduled"), ("url", "mailto:a")]
    {
        assert!(properties(json!({"content": ["x"], name: [value]})).is_err(), "{name} {value}");
    }
    let warned = item(json!({"content": ["x"], "content-warning": ["Beelden van water"]}));
    assert_eq!(warned.content_warning.as_deref(), Some("Beelden van water"));
    assert!(properties(json!({"content": ["x"], "sensitive": ["true"]})).is_err());
    assert!(properties(json!({"content": ["x"], "visibility": ["public"], "post-status": ["published"]})).is_ok());
}

#[test]
fn a_form_cannot_smuggle_anything_in() {
    for body in [
        "content=x&properties[content]=y",
        "content=x&photo[0][value]=https://a.example/",
        "content=x&category[]]=y",
        "content=x&Content=y",
        "content=x&a%00b=y",
        "content=x&=y",
        "content=x&category[a]=y",
        "content[html]=x&content=y",
        "content=x&content=y",
        "action=delete",
        "action=delete&url=a&url=b",
        "action=delete&action=undelete&url=a",
        "action[]=delete&content=x&url=https://a.example/&h=entry&name[html]=x",
        "action=vanish&url=a",
        "action=update&url=a",
    ] {
        assert!(form(body).is_err(), "{body}: {:?}", form(body));
    }
    // `action[]` is no action: it would be a property of that name.
    let odd = created(form("action[]=delete&content=x"));
    assert_eq!(odd.entry.properties().keys().collect::<Vec<_>>(), ["content"]);
}

#[test]
fn json_of_another_shape_is_refused_by_name() {
    for body in [
        json!([]),
        json!({}),
        json!({"type": ["h-entry"]}),
        json!({"properties": []}),
        json!({"properties": {"content": "x"}}),
        json!({"properties": {"content": ["x"]}, "content": ["y"]}),
        json!({"properties": {"content": [{"text": "x"}]}}),
        json!({"properties": {"content": [1]}}),
        json!({"properties": {"content": ["x"], "category": [{"type": ["h-card"], "properties": {"name": ["Jan"]}}]}}),
        json!({"action": 1, "url": POST}),
        json!({"action": "delete", "url": [POST]}),
        json!({"action": "delete", "url": POST, "replace": {}}),
        json!({"action": "update", "url": POST}),
        json!({"action": "update", "url": POST, "replace": "This is not a valid update request."}),
        json!({"action": "update", "url": POST, "replace": {"content": "x"}}),
        json!({"action": "update", "url": POST, "add": ["content"]}),
        json!({"action": "update", "url": POST, "delete": "content"}),
        json!({"action": "update", "url": POST, "delete": [["content"]]}),
        json!({"action": "update", "replace": {"content": ["x"]}}),
    ] {
        assert!(json(body.clone()).is_err(), "{body}");
    }
    assert!(read(Some("application/json"), b"{\"properties\": {").is_err());
    assert!(read(Some("text/plain"), b"content=x").is_err() && read(None, b"content=x").is_err());
}

#[test]
fn changes_replace_add_and_delete() {
    let entry = properties(
        json!({"content": ["x"], "category": ["a", "b"], "photo": [{"value": "https://a.example/1", "alt": "A"}]}),
    )
    .unwrap();
    let after = |value: Value| changes(value).apply(&entry).unwrap();
    assert_eq!(after(json!({"replace": {"content": ["y"]}})).values("content"), [json!("y")]);
    assert_eq!(
        after(json!({"add": {"category": ["c", "a"]}})).values("category"),
        [json!("a"), json!("b"), json!("c")]
    );
    assert_eq!(after(json!({"add": {"name": ["Kop"]}})).text("name"), Some("Kop"));
    assert_eq!(after(json!({"delete": {"category": ["b"]}})).values("category"), [json!("a")]);
    assert!(after(json!({"delete": ["category"]})).values("category").is_empty());
    assert!(after(json!({"delete": {"photo": ["https://a.example/1"]}})).values("photo").is_empty());
    assert!(after(json!({"replace": {"category": []}})).properties().get("category").is_none());
    for bad in [
        json!({"delete": ["content", "photo"]}),
        json!({"replace": {"content": ["a", "b"]}}),
        json!({"add": {"content": ["y"]}}),
        json!({"add": {"in-reply-to": ["https://a.example/"]}}),
        json!({"replace": {"visibility": ["private"]}}),
    ] {
        let Value::Object(_) = &bad else { continue };
        let result = changes(bad.clone()).apply(&entry);
        assert!(result.is_err(), "{bad} {result:?}");
    }
}

#[test]
fn the_limits_are_taken_and_what_is_beyond_them_is_not() {
    let photos = |n: usize| (0..n).map(|n| json!(format!("https://a.example/{n}"))).collect::<Vec<_>>();
    let with = |name: &str, value: Value| properties(json!({"content": ["x"], name: value}));
    assert!(with("photo", json!(photos(PHOTOS_MAX))).is_ok() && with("photo", json!(photos(PHOTOS_MAX + 1))).is_err());
    let alt = |n: usize| with("photo", json!([{"value": "https://a.example/", "alt": "a".repeat(n)}]));
    assert!(alt(ALT_CHARS_MAX).is_ok() && alt(ALT_CHARS_MAX + 1).is_err());
    let text = |n: usize| properties(json!({"content": ["a".repeat(n)]}));
    assert!(text(TEXT_BYTES_MAX).is_ok() && text(TEXT_BYTES_MAX + 1).is_err());
    let longest = item(json!({"content": ["\"\n".repeat(TEXT_BYTES_MAX / 2)]}));
    assert!(longest.body.unwrap().0.len() > TEXT_BYTES_MAX, "nothing of it is cut when it is written as HTML");
    assert!(with("name", json!(["é".repeat(300)])).is_ok() && with("name", json!(["é".repeat(301)])).is_err());
    let warning = |n: usize| with("content-warning", json!(["w".repeat(n)]));
    assert!(warning(WARNING_CHARS_MAX).is_ok() && warning(WARNING_CHARS_MAX + 1).is_err());
    let many = |n: usize| with("x-many", json!(vec!["v"; n]));
    assert!(many(VALUES_MAX).is_ok() && many(VALUES_MAX + 1).is_err());
    let names = |n: usize| {
        let all: Map<String, Value> = (0..n).map(|n| (format!("p{n}"), json!(["v"]))).collect();
        let mut all = Value::Object(all);
        all["content"] = json!(["x"]);
        properties(all)
    };
    assert!(names(PROPERTIES_MAX - 1).is_ok() && names(PROPERTIES_MAX).is_err());
    let named = |n: usize| with(&"a".repeat(n), json!(["v"]));
    assert!(named(NAME_BYTES_MAX).is_ok() && named(NAME_BYTES_MAX + 1).is_err());
    let fields = |n: usize| form(&vec!["mp-x=1"; n].join("&"));
    assert!(why(fields(FIELDS_MAX)).contains("nothing") && why(fields(FIELDS_MAX + 1)).contains("fields"));
    let deep = |n: usize| json(json!({"properties": {"content": ["x"], "x-deep": nested(n - 1)}}));
    assert!(deep(DEPTH_MAX).is_ok() && deep(DEPTH_MAX + 1).is_err());
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!("x"), |value, _| json!([value]))
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Micropub, &[("content-type", &["application/x-www-form-urlencoded", "application/json"])]);
    trial::never_panics(&Micropub, &[]);
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    let names = prop::sample::select(vec![
        "h",
        "action",
        "url",
        "content",
        "content[html]",
        "photo",
        "photo[]",
        "photo[alt]",
        "category[]",
        "mp-photo-alt[]",
        "mp-slug",
        "access_token",
        "published",
        "name",
        "x-odd",
        "in-reply-to",
        "post-status",
        "[",
        "a[",
        "]",
    ]);
    let name = prop_oneof![8 => names.prop_map(str::to_owned), 1 => ".{0,12}"];
    let value = prop_oneof![
        ".{0,40}",
        Just("entry".to_owned()),
        Just("https://a.example/b.jpg".to_owned()),
        Just("delete".to_owned())
    ];
    prop::collection::vec((name, value), 0..12)
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![".{0,10}".prop_map(Value::String), any::<i64>().prop_map(|n| json!(n)), Just(Value::Null)];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec(("(content|photo|category|name|value|alt|html|x-a)", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_form_is_understood_or_refused_and_what_is_kept_can_be_published(pairs in pairs()) {
        if let Ok(Command::Create(create)) = form::command(&pairs) {
            let item = create.entry.item("1");
            let again = Entry::new(create.entry.properties().clone());
            prop_assert_eq!(again.as_ref(), Ok(&create.entry));
            prop_assert!(!create.entry.properties().contains_key("access_token"));
            prop_assert!(create.entry.properties().keys().all(|name| !name.starts_with("mp-")));
            if let Ok(item) = item {
                prop_assert_eq!(Entry::of(&item), Some(create.entry));
            }
        }
    }

    #[test]
    fn any_json_is_understood_or_refused(properties in values(), replace in values(), add in values(), delete in values()) {
        let _ = json(json!({"properties": properties}));
        let entry = Entry::new(Map::from_iter([("content".to_owned(), json!(["x"]))])).unwrap();
        let body = json!({"action": "update", "url": POST, "replace": replace, "add": add, "delete": delete});
        if let Ok(Command::Update { changes, .. }) = json(body)
            && let Ok(changed) = changes.apply(&entry)
        {
            prop_assert!(changed.properties().values().all(Value::is_array));
            // Whoever repeats a request, because the answer was lost, changes nothing more.
            if changes.delete.is_empty() && changes.delete_values.is_empty() {
                prop_assert_eq!(changes.apply(&changed), Ok(changed));
            }
        }
    }

    #[test]
    fn what_is_added_and_deleted_again_leaves_no_trace(term in "[a-z]{1,8}") {
        let entry = Entry::new(Map::from_iter([("content".to_owned(), json!(["x"]))])).unwrap();
        let added = changes(json!({"add": {"category": [term]}})).apply(&entry).unwrap();
        prop_assert_eq!(changes(json!({"delete": {"category": [term]}})).apply(&added).unwrap(), entry);
    }
}
