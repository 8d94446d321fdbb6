//! What Storyblok's actions mean, and what is read of its stories.

use super::*;
use crate::item::Action;
use crate::trial;

fn told(body: &Value) -> Result<Told, ConnectorError> {
    trial::connector(&Storyblok).receive(&trial::delivery(&[], body))
}

fn story(id: usize) -> Value {
    json!({"id": id, "full_slug": "nieuws/x", "published_at": "2026-11-20T09:00:00.000Z", "content": {"component": "bericht", "kop": "x"}})
}

#[test]
fn its_fixtures_are_read_as_before() {
    insta::assert_json_snapshot!("fixtures", trial::outcomes(&Storyblok));
}

#[test]
fn each_action_has_its_meaning() {
    for (action, slug, wanted) in [
        ("published", "nieuws/x", "fetch"),
        ("moved", "nieuws/y", "fetch"),
        ("moved", "archief/x", "retract"),
        ("published", "contact", "ignored"),
        ("unpublished", "nieuws/x", "retract"),
        ("deleted", "nieuws/x", "retract"),
        ("unpublished", "contact", "retract"),
        ("entries_updated", "nieuws/x", "ignored"),
        ("saved", "nieuws/x", "ignored"),
    ] {
        let body = json!({"text": "…", "action": action, "space_id": 4711, "story_id": 2, "full_slug": slug});
        assert_eq!(trial::word(told(&body)), wanted, "{body}");
    }
    assert_eq!(trial::word(told(&json!({"action": "published", "space_id": 1, "story_id": 2}))), "ignored");
    assert_eq!(trial::word(told(&json!({"action": "published", "space_id": 4711, "story_id": "../2"}))), "error");
    assert_eq!(trial::word(told(&json!({"space_id": 4711, "story_id": 2}))), "error");
}

#[test]
fn a_story_is_read_back_and_its_token_is_not_shown() {
    let request = trial::requests(told(&json!({"action": "published", "story_id": 2}))).remove(0);
    assert_eq!(request.url.as_str(), "https://api.storyblok.com/v2/cdn/stories/2?version=published");
    assert!(request.address().as_str().ends_with("&token=a-public-token"), "{}", request.address());
    assert!(!format!("{request:?}").contains("a-public-token"));
    let answer = json!({ "story": story(2) }).to_string();
    let page = trial::answer(&*trial::connector(&Storyblok), &request, answer.as_bytes()).unwrap();
    let gone = trial::item(told(&json!({"action": "unpublished", "story_id": 2})));
    assert_eq!((&page.items[0].source_id, gone.action), (&gone.source_id, Action::Retract));
    assert_eq!(request.about, Some(gone.source_id));
}

#[test]
fn what_has_no_date_of_publication_is_not_published() {
    let mut draft = story(2);
    draft["published_at"] = Value::Null;
    let request = trial::requests(told(&json!({"action": "published", "story_id": 2}))).remove(0);
    assert!(
        trial::answer(&*trial::connector(&Storyblok), &request, json!({ "story": draft }).to_string().as_bytes())
            .is_err()
    );
}

#[test]
fn the_list_goes_on_until_a_page_is_not_full() {
    let connector = trial::connector(&Storyblok);
    let list = |n: usize| {
        let stories: Vec<_> = (0..n).map(story).collect();
        trial::answer(&*connector, &connector.request().unwrap(), json!({ "stories": stories }).to_string().as_bytes())
            .unwrap()
    };
    assert!(list(PER_PAGE).next.unwrap().url.as_str().contains("page=2"));
    assert!(list(PER_PAGE - 1).next.is_none());
}

#[test]
fn settings_that_are_wrong_are_refused_by_key() {
    for (key, value) in [("token", json!(null)), ("space", json!("4711")), ("folder", json!(1)), ("api", json!("x"))] {
        let mut settings = trial::settings(&Storyblok);
        settings[key] = value;
        let Err(ConnectorError::Settings { key: named, .. }) = Storyblok.configure(&settings).map(|_| ()) else {
            panic!("{key}")
        };
        assert_eq!(named, key);
    }
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Storyblok, &[]);
}
