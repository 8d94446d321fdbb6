//! Who may quote our posts, and how that is taken back (FEP-044f).

use serde_json::{Value, json};

use crate::harness::{ACTIVITY, Account, Gateway, PUBLIC, Setup, World, both, get, get_as};

async fn post(world: &World) -> String {
    world.published("dijk", "De dijk").await.activity["object"]["id"].as_str().unwrap().to_owned()
}

/// A request to quote, with the quoting post in it.
pub fn request(account: &Account, object: &str) -> Value {
    let mut note = account.note("<p>Lees dit</p>");
    note["quote"] = json!(object);
    let mut request = account.activity("QuoteRequest", object);
    request["instrument"] = note;
    request
}

/// Sends a request and gives the answer.
pub async fn ask(world: &World, account: &Account, request: &Value) -> Value {
    account.says(&world.gateway, request).await;
    answer_to(world, request).await
}

async fn answer_to(world: &World, request: &Value) -> Value {
    let answers = |a: &crate::harness::Arrival| a.activity["object"]["id"] == request["id"];
    world.peer.takes(&format!("the answer to {}", request["id"]), answers).await.activity
}

pub async fn listed(gateway: &Gateway, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["quote", "list", "--json"], arguments].concat();
    gateway.cli(&arguments).await.well().json().as_array().unwrap().clone()
}

both! {
    async fn followers_alone_may_quote_where_the_actor_says_so(db: Database) {
        let world = World::with(db, Setup::new().actor("quotes = \"followers\"")).await;
        let id = post(&world).await;
        let policy = get_as(&id, ACTIVITY).await.json()["interactionPolicy"].clone();
        assert_eq!(policy, json!({"canQuote": {"automaticApproval": [format!("{}/followers", world.gateway.actor())]}}));
        let stranger = world.peer.account("vreemde");
        assert_eq!(ask(&world, &world.citizen, &request(&world.citizen, &id)).await["type"], "Accept");
        assert_eq!(ask(&world, &stranger, &request(&stranger, &id)).await["type"], "Reject");

        // Only an id: it is read where it stands, and must be the follower's own.
        let mut by_id = request(&world.citizen, &id);
        let note = by_id["instrument"].take();
        let path = note["id"].as_str().unwrap().strip_prefix(&world.peer.url("")).unwrap().to_owned();
        by_id["instrument"] = note["id"].clone();
        world.peer.put(&path, note);
        assert_eq!(ask(&world, &world.citizen, &by_id).await["type"], "Accept");
        let mut of_stranger = request(&stranger, &id);
        let note = of_stranger["instrument"].take();
        let path = note["id"].as_str().unwrap().strip_prefix(&world.peer.url("")).unwrap().to_owned();
        let mut stolen = world.citizen.activity("QuoteRequest", id.as_str());
        stolen["instrument"] = note["id"].clone();
        world.peer.put(&path, note);
        assert_eq!(ask(&world, &world.citizen, &stolen).await["type"], "Reject", "of a neighbour");
    }

    async fn nobody_may_quote_where_the_actor_says_so(db: Database) {
        let world = World::with(db, Setup::new().actor("quotes = \"nobody\"")).await;
        let id = post(&world).await;
        let policy = get_as(&id, ACTIVITY).await.json()["interactionPolicy"].clone();
        assert_eq!(policy, json!({"canQuote": {"automaticApproval": [world.gateway.actor()]}}));
        let answer = ask(&world, &world.citizen, &request(&world.citizen, &id)).await;
        assert_eq!((&answer["type"], &answer["result"]), (&json!("Reject"), &Value::Null));
        assert!(listed(&world.gateway, &[]).await.is_empty());
    }

    async fn a_person_answers_where_the_actor_says_so(db: Database) {
        let world = World::with(db, Setup::new().actor("quotes = \"approval\"")).await;
        let id = post(&world).await;
        let policy = get_as(&id, ACTIVITY).await.json()["interactionPolicy"]["canQuote"].clone();
        assert_eq!(policy, json!({"automaticApproval": [world.gateway.actor()], "manualApproval": [PUBLIC]}));
        let (yes, no) = (request(&world.citizen, &id), request(&world.citizen, &id));
        for asked in [&yes, &no, &yes] {
            world.citizen.says(&world.gateway, asked).await;
        }
        let waiting = listed(&world.gateway, &["--waiting"]).await;
        assert_eq!(waiting.len(), 2, "asked twice is one request: {waiting:?}");
        assert_eq!(waiting[0]["url"], yes["instrument"]["id"]);
        let numbers: Vec<String> = waiting.iter().map(|row| row["quote"].as_str().unwrap().to_owned()).collect();
        let early = get(&world.gateway.url(&format!("/ap/q/{}", numbers[0]))).await;
        assert_eq!(early.status, 404, "nothing is authorised yet");
        world.gateway.cli(&["quote", "approve", &numbers[0]]).await.well();
        world.gateway.cli(&["quote", "refuse", &numbers[1]]).await.well();
        let accept = answer_to(&world, &yes).await;
        assert_eq!(accept["type"], "Accept");
        let authorization = get(accept["result"].as_str().unwrap()).await.json();
        assert_eq!(authorization["interactingObject"], yes["instrument"]["id"]);
        let reject = answer_to(&world, &no).await;
        assert_eq!(reject["type"], "Reject");
        for answer in [&accept, &reject] {
            assert_eq!(answer["proof"]["cryptosuite"], "eddsa-jcs-2022", "also what a person decided: {answer}");
        }
        assert!(listed(&world.gateway, &["--waiting"]).await.is_empty());
        let again = world.gateway.cli(&["quote", "approve", &numbers[1]]).await;
        assert_ne!(again.code, 0, "it was answered");
    }

    async fn a_revoked_quote_is_told_everyone_and_stays_revoked(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let elsewhere = crate::harness::Peer::start();
        let quoter = elsewhere.account("citeerder");
        let asked = request(&quoter, &id);
        quoter.says(&world.gateway, &asked).await;
        let answers = |a: &crate::harness::Arrival| a.activity["object"]["id"] == asked["id"];
        let accept = elsewhere.takes("the Accept", answers).await.activity;
        let result = accept["result"].as_str().unwrap().to_owned();
        assert_eq!(get(&result).await.status, 200);
        let rows = listed(&world.gateway, &[]).await;
        assert_eq!((rows.len(), &rows[0]["author"], &rows[0]["authorization"]), (1, &json!(quoter.id), &json!(result)));
        let number = rows[0]["quote"].as_str().unwrap();

        world.gateway.cli(&["quote", "revoke", number]).await.well();
        for server in [&elsewhere, &world.peer] {
            let deleted = |a: &crate::harness::Arrival| a.kind() == "Delete" && a.activity["object"] == json!(result);
            server.takes("the Delete of the authorisation", deleted).await;
        }
        assert_eq!(get(&result).await.status, 410);
        assert_eq!(get(&id).await.status, 200, "the post stands");
        let mut again = request(&quoter, &id);
        again["instrument"]["id"] = asked["instrument"]["id"].clone();
        quoter.says(&world.gateway, &again).await;
        let answers = |a: &crate::harness::Arrival| a.activity["object"]["id"] == again["id"];
        let answer = elsewhere.takes("the answer to the same quote", answers).await.activity;
        assert_eq!(answer["type"], "Reject", "what was revoked is not given again");
        assert_eq!(get(&result).await.status, 410);
        let twice = world.gateway.cli(&["quote", "revoke", number]).await;
        assert!(twice.code == 1 && twice.stderr.contains("revoked already"), "{}", twice.stderr);
    }

    async fn the_authorisation_of_a_withdrawn_post_is_gone_and_none_is_given_any_more(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let asked = request(&world.citizen, &id);
        let result = ask(&world, &world.citizen, &asked).await["result"].as_str().unwrap().to_owned();
        world.gateway.cli(&["post", "withdraw", id.rsplit('/').next().unwrap()]).await.well();
        world.told("Delete", &id, 1).await;
        let gone = get(&result).await.status;
        assert!([404, 410].contains(&gone), "the authorisation of a withdrawn post answers {gone}");
        assert_eq!(ask(&world, &world.citizen, &request(&world.citizen, &id)).await["type"], "Reject");
    }
}
