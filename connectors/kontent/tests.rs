//! What notifications of Kontent.ai mean, and what is read of its items.

use super::*;
use crate::contract::REQUESTS_PER_DELIVERY_MAX;
use crate::item::Action;
use crate::trial;

fn told(all: &[Value]) -> Result<Told, ConnectorError> {
    trial::connector(&Kontent).receive(&trial::delivery(&[], &json!({ "notifications": all })))
}

fn notice(id: &str, action: &str, slot: &str) -> Value {
    json!({
        "data": {"system": {"id": id, "codename": "brug", "language": "nl", "type": "nieuws"}},
        "message": {"object_type": "content_item", "action": action, "delivery_slot": slot}
    })
}

#[test]
fn its_fixtures_are_read_as_before() {
    insta::assert_json_snapshot!("fixtures", trial::outcomes(&Kontent));
}

#[test]
fn each_action_has_its_meaning() {
    for (action, slot, wanted) in [
        ("published", "published", "fetch"),
        ("unpublished", "published", "retract"),
        ("deleted", "published", "retract"),
        ("metadata_changed", "published", "ignored"),
        ("workflow_step_changed", "published", "ignored"),
        ("published", "preview", "ignored"),
        ("deleted", "preview", "ignored"),
        ("changed", "preview", "ignored"),
    ] {
        assert_eq!(trial::word(told(&[notice("a-1", action, slot)])), wanted, "{action} {slot}");
    }
    for (at, value) in
        [("/data/system/language", "en"), ("/data/system/type", "pagina"), ("/message/object_type", "asset")]
    {
        let mut other = notice("a-1", "published", "published");
        *other.pointer_mut(at).unwrap() = json!(value);
        assert_eq!(trial::word(told(&[other])), "ignored", "{at}");
    }
    assert_eq!(trial::word(told(&[notice("", "published", "published")])), "error");
    assert_eq!(trial::word(told(&[])), "error");
}

#[test]
fn several_notifications_are_one_request_and_the_last_about_an_item_holds() {
    let all = [
        notice("a-1", "published", "published"),
        notice("a-2", "published", "published"),
        notice("a-2", "unpublished", "published"),
        notice("a-3", "published", "published"),
        notice("a-1", "published", "preview"),
    ];
    let Ok(Told::Fetch { requests, page }) = told(&all) else { panic!("not fetched") };
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(
        request.url.as_str().contains("system.id%5Bin%5D=a-1%2Ca-3&language=nl&system.language=nl"),
        "{}",
        request.url
    );
    assert!(request.headers.iter().any(|(name, _)| name == "x-kc-wait-for-loading-new-content"));
    let gone: Vec<_> = page.items.iter().map(|item| (item.source_id.as_str(), item.action)).collect();
    assert_eq!(gone, [("a-2/nl", Action::Retract)]);
}

#[test]
fn what_is_not_there_yet_is_tried_again_and_not_withdrawn() {
    let connector = trial::connector(&Kontent);
    let request = trial::requests(told(&[notice("a-1", "published", "published")])).remove(0);
    assert!(trial::answer(&*connector, &request, br#"{"items": []}"#).is_err());
    assert!(trial::answer(&*connector, &connector.request().unwrap(), br#"{"items": []}"#).is_ok());
}

#[test]
fn notifications_are_taken_up_to_the_limit() {
    let all = |n: usize| (0..n).map(|n| notice(&format!("a-{n}"), "published", "published")).collect::<Vec<_>>();
    assert_eq!(trial::requests(told(&all(NOTIFICATIONS_MAX))).len(), REQUESTS_PER_DELIVERY_MAX);
    assert!(told(&all(NOTIFICATIONS_MAX + 1)).is_err());
}

#[test]
fn the_list_goes_on_until_a_page_is_not_full() {
    let connector = trial::connector(&Kontent);
    let list = |n: usize| {
        let items: Vec<_> = (0..n)
            .map(|n| json!({"system": {"id": n, "type": "nieuws"}, "elements": {"titel": {"value": "x"}}}))
            .collect();
        trial::answer(&*connector, &connector.request().unwrap(), json!({ "items": items }).to_string().as_bytes())
            .unwrap()
    };
    assert!(list(PER_PAGE).next.unwrap().url.as_str().contains("skip=100"));
    assert!(list(PER_PAGE - 1).next.is_none());
}

#[test]
fn settings_that_are_wrong_are_refused_by_key() {
    for (key, value) in
        [("environment", json!(null)), ("environment", json!("a/b")), ("locale", json!(null)), ("api", json!(1))]
    {
        let mut settings = trial::settings(&Kontent);
        settings[key] = value;
        let Err(ConnectorError::Settings { key: named, .. }) = Kontent.configure(&settings).map(|_| ()) else {
            panic!("{key}")
        };
        assert_eq!(named, key);
    }
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Kontent, &[]);
}
