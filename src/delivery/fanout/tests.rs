use super::*;

fn follower(inbox: &str, shared: Option<&str>) -> FollowerInbox {
    let parse = |text: &str| InboxUrl::parse(text).unwrap();
    FollowerInbox { inbox: parse(inbox), shared_inbox: shared.map(parse) }
}

#[test]
fn c27_each_inbox_is_owed_once_and_shared_inboxes_are_preferred() {
    let followers = [
        follower("https://a.example/u/1/inbox", Some("https://a.example/inbox")),
        follower("https://a.example/u/2/inbox", Some("https://a.example/inbox")),
        follower("https://gts.example/u/1/inbox", None),
        follower("https://gts.example/u/1/inbox", None),
        follower("https://gts.example/u/2/inbox", None),
    ];
    let plan: Vec<String> = plan(&followers).into_iter().map(String::from).collect();
    assert_eq!(plan, ["https://a.example/inbox", "https://gts.example/u/1/inbox", "https://gts.example/u/2/inbox"]);
}

#[test]
fn nobody_is_owed_anything_without_followers() {
    assert_eq!(plan(&[]), []);
}
