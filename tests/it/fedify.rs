//! A real peer: Fedify, from npm, over TLS. Its own code looks up, follows, verifies and reads what the gateway sends, and sends
//! what the gateway has to take or refuse.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Article, Database, Picture, Site, both, eventually};
use crate::installation::Installation;
use crate::script::{Script, certificate};

const CAVAGE: &str = "draft-cavage-http-signatures-12";
const RFC9421: &str = "rfc9421";
/// Long enough for a retry or a repetition to come in, were there one.
const A_MOMENT: Duration = Duration::from_secs(2);

/// The gateway behind TLS, a site, and Fedify. Dropped in this order.
struct Meeting {
    fedify: Script,
    gateway: Installation,
    proxy: Script,
    site: Site,
    actor: String,
    db: Database,
}

impl Meeting {
    async fn arrange(db: Database) -> Self {
        Self::knocking_by(db, RFC9421).await
    }

    /// As [`Meeting::arrange`], with a peer that signs what it sends in that form first.
    async fn knocking_by(db: Database, form: &'static str) -> Self {
        let site = Site::start();
        let mut gateway = Installation::new();
        let certificates = gateway.path("tls");
        let ca = certificate(&certificates);
        let folder = certificates.to_str().unwrap();
        let proxy =
            Script::start("tls_proxy.mjs", &["--to", &gateway.address.to_string(), "--certificate", folder], &ca);
        gateway.configure(&config(&proxy, &gateway, &site, &db));
        let proof = gateway.run(&["actor", "proof", "nieuws"]).well();
        site.prove(Some(&proof.stdout));
        let actor = proof.json()["actors"][0]["actor"].as_str().unwrap().to_owned();
        gateway.serve().await;
        let follower = || Script::start("follower.mjs", &["--certificate", folder, "--first-knock", form], &ca);
        let meeting = Self { fedify: follower(), gateway, proxy, site, actor, db };
        meeting.settled().await;
        meeting
    }

    /// Waits until the source was polled and the proof was seen.
    async fn settled(&self) {
        eventually("the source has its baseline, and the proof holds", || async {
            let unpolled = self.db.number("SELECT COUNT(*) FROM sources WHERE polled_at IS NULL");
            let unproven = self.db.number("SELECT COUNT(*) FROM proofs WHERE held_at IS NULL");
            (unpolled + unproven == 0).then_some(())
        })
        .await;
    }

    fn root(&self) -> &str {
        self.proxy.ready["url"].as_str().unwrap()
    }

    fn authority(&self) -> &str {
        self.root().strip_prefix("https://").unwrap()
    }

    fn follow(&self) -> Value {
        let answer = self.fedify.tell(json!({ "do": "follow", "actor": self.actor }));
        let accept = self.fedify.arrival("Accept");
        assert_eq!(accept["actor"], self.actor.as_str(), "{accept:#}");
        assert_eq!((&accept["object"]["type"], &accept["object"]["id"]), (&json!("Follow"), &answer["activity"]));
        answer
    }

    /// Publishes on the site what Fedify then has.
    fn published(&self, slug: &str, title: &str) -> Value {
        self.site.publish(slug, title, &format!("<p>Over {slug}.</p>"));
        self.fedify.arrival("Create")
    }

    fn messages(&self) -> Vec<Value> {
        self.gateway.run(&["message", "list", "--json"]).well().json().as_array().unwrap().clone()
    }

    /// Nothing was refused, came twice, or was a problem to Fedify, now or within a moment.
    fn all_went_well(&self) {
        let unread = self.fedify.unbidden(A_MOMENT);
        assert!(unread.is_empty(), "Fedify also says: {unread:#?}");
    }
}

fn config(proxy: &Script, gateway: &Installation, site: &Site, db: &Database) -> String {
    format!(
        r#"[server]
public_url = "{root}"
listen = ["{listen}"]
workers = 1
[database]
url = "{database}"
[net]
allow_addresses = ["127.0.0.0/8", "::1/128"]
extra_ca_file = "tls/ca.pem"
[[agency]]
name = "voorbeeldstad"
domain = "{domain}"
[[actor]]
agency = "voorbeeldstad"
handle = "nieuws"
name = "Gemeente Voorbeeldstad"
summary = "Nieuws van de gemeente."
language = "nl"
[[source]]
name = "persberichten"
actor = "nieuws"
kind = "feed"
url = "{feed}"
every = "1s"
policy = {{ retract_on_gone = true, gone_after = "1s", merge_edits = "0s" }}
"#,
        root = proxy.ready["url"].as_str().unwrap(),
        listen = gateway.address,
        database = db.url,
        domain = site.authority(),
        feed = site.url("/nieuws.rss"),
    )
}

/// The statuses and signature forms of what was sent.
fn attempts(answer: &Value) -> Vec<(u64, &str)> {
    let all = answer["attempts"].as_array().unwrap();
    all.iter().map(|a| (a["status"].as_u64().unwrap(), a["signature"].as_str().unwrap())).collect()
}

both! {
    async fn fedify_finds_and_follows_and_has_every_post_edit_and_withdrawal(db: Database) {
        let m = Meeting::arrange(db).await;
        let fedify = &m.fedify;
        for resource in [format!("acct:nieuws@{}", m.authority()), m.actor.clone()] {
            let found = fedify.tell(json!({ "do": "lookup", "resource": resource }));
            assert_eq!(found["object"]["id"], m.actor.as_str(), "{resource}: {found:#}");
            assert_eq!(found["object"]["type"], "Organization");
            assert_eq!(found["object"]["preferredUsername"], "nieuws");
            assert_eq!(found["object"]["name"], "Gemeente Voorbeeldstad");
            assert_eq!(found["object"]["sharedInbox"], format!("{}/ap/inbox", m.root()));
            if resource.starts_with("acct:") {
                assert_eq!(found["webfinger"]["subject"], resource);
            }
        }
        let nodeinfo = fedify.tell(json!({ "do": "nodeinfo", "url": format!("{}/", m.root()) }));
        assert_eq!(nodeinfo["nodeinfo"]["software"]["name"], "heraut", "{nodeinfo:#}");
        assert_eq!(nodeinfo["nodeinfo"]["protocols"], json!(["activitypub"]));

        // It knocks with RFC 9421 first, and that is read; so what it is owed goes out in that form too.
        assert_eq!(attempts(&m.follow()), [(202, RFC9421)]);

        let mut article = Article::new("dijk", "De dijk houdt stand", "<p>Het water <b>zakt</b> &amp; wacht.</p>");
        article.picture = Some(Picture { path: "/beeld/dijk.png".to_owned(), alt: Some("Een dijk bij avond".to_owned()) });
        article.categories = vec!["hoog water".to_owned()];
        m.site.add(article);
        let create = fedify.arrival("Create");
        assert_eq!(create["signature"], RFC9421, "{create:#}");
        let note = &create["object"];
        assert_eq!((&create["shared"], &note["type"]), (&json!(true), &json!("Note")), "{create:#}");
        let proof = fedify.tell(json!({ "do": "proof", "document": create["raw"] }));
        assert_eq!((&proof["verified"], &proof["controller"]), (&json!(true), &json!(m.actor)), "{proof:#}");
        assert_eq!(note["attributedTo"], m.actor.as_str());
        let content = note["content"].as_str().unwrap();
        assert!(content.contains("De dijk houdt stand") && content.contains("zakt"), "{content}");
        assert!(content.contains("&amp; wacht") && content.contains(&m.site.page("dijk")), "{content}");
        assert_eq!(note["languages"], json!(["nl"]));
        assert_eq!(note["to"], json!(["https://www.w3.org/ns/activitystreams#Public"]));
        assert_eq!(note["cc"], json!([format!("{}/followers", m.actor)]));
        let picture = &note["attachments"][0];
        assert_eq!((&picture["alt"], &picture["mediaType"]), (&json!("Een dijk bij avond"), &json!("image/png")), "{note:#}");
        assert!(picture["url"].as_str().unwrap().starts_with(m.root()), "{picture}");
        let hashtag = json!({ "type": "Hashtag", "name": "#HoogWater", "href": format!("{}/tags/HoogWater", m.root()) });
        assert_eq!(note["tags"], json!([hashtag]));
        let id = note["id"].as_str().unwrap();
        let looked_up = fedify.tell(json!({ "do": "lookup", "resource": id }));
        assert_eq!(looked_up["object"]["content"], note["content"]);
        let outbox = fedify.tell(json!({ "do": "collection", "url": format!("{}/outbox", m.actor) }));
        assert_eq!(outbox["totalItems"], 1);
        assert_eq!((&outbox["items"][0]["type"], &outbox["items"][0]["object"]), (&json!("Create"), &json!(id)), "{outbox:#}");
        let followers = fedify.tell(json!({ "do": "collection", "url": format!("{}/followers", m.actor), "limit": 0 }));
        assert_eq!(followers["totalItems"], 1);

        m.site.edit("dijk", |article| article.text = "<p>Het water is gezakt.</p>".to_owned());
        let update = fedify.arrival("Update");
        assert_eq!(update["object"]["id"], id);
        assert!(update["object"]["content"].as_str().unwrap().contains("is gezakt"), "{update:#}");
        assert!(update["object"]["updated"].as_str() > update["object"]["published"].as_str(), "{update:#}");

        m.site.withdraw("dijk");
        let delete = fedify.arrival("Delete");
        assert_eq!((&delete["object"]["type"], &delete["object"]["id"]), (&json!("Tombstone"), &json!(id)));
        assert_eq!(fedify.ask(json!({ "do": "lookup", "resource": id }))["ok"], false, "a withdrawn post is still found");

        fedify.tell(json!({ "do": "unfollow", "actor": m.actor }));
        let followers = fedify.tell(json!({ "do": "collection", "url": format!("{}/followers", m.actor), "limit": 0 }));
        assert_eq!(followers["totalItems"], 0);
        m.site.publish("later", "Dit leest niemand", "<p>Niets.</p>");
        m.site.polled(3).await;
        m.all_went_well();
    }

    async fn what_fedify_replies_likes_and_mentions_is_stored(db: Database) {
        let m = Meeting::arrange(db).await;
        m.follow();
        let note = m.published("brug", "De brug is open")["object"]["id"].as_str().unwrap().to_owned();
        let post = note.rsplit('/').next().unwrap();

        let reply = m.fedify.tell(json!({ "do": "reply", "to": note, "content": "<p>Hoe <em>lang</em> nog?</p>" }));
        assert_eq!(attempts(&reply), [(202, RFC9421)], "{reply:#}");
        let direct = m.fedify.tell(json!({
            "do": "reply", "to": note, "content": "<p>Onder ons gezegd</p>", "visibility": "direct", "shared": true,
        }));
        let mention = m.fedify.tell(json!({ "do": "mention", "actor": m.actor, "content": "<p>Dag allemaal</p>" }));
        let said = |answer: &Value| answer["object"].as_str().unwrap().to_owned();
        let messages = m.messages();
        let stored = |url: &str| messages.iter().find(|message| message["url"] == url).cloned().unwrap_or_default();
        let table = [
            (said(&reply), "public", json!(note), "Hoe <em>lang</em> nog?"),
            (said(&direct), "direct", json!(note), "Onder ons gezegd"),
            (said(&mention), "public", Value::Null, "Dag allemaal"),
        ];
        for (url, visibility, about, text) in table {
            let message = stored(&url);
            assert_eq!(message["visibility"], visibility, "{url}: {messages:#?}");
            assert_eq!(message["in_reply_to"], about, "{url}");
            assert_eq!(message["author_url"], m.fedify.ready["actor"], "{url}");
            assert!(message["html"].as_str().unwrap().contains(text), "{url}: {message:#}");
        }
        assert_eq!(messages.len(), 3);
        assert_eq!(stored(&said(&reply))["post_id"].as_str().unwrap(), post);

        m.fedify.tell(json!({ "do": "like", "object": note }));
        m.fedify.tell(json!({ "do": "like", "object": note, "shared": true }));
        let shown = m.gateway.run(&["post", "show", post, "--json"]).well().json();
        assert_eq!(shown["reactions"], json!({ "like": 1 }), "{shown:#}");
        m.all_went_well();
    }

    async fn what_fedify_forges_is_refused_in_either_form_and_leaves_nothing(db: Database) {
        let m = Meeting::arrange(db).await;
        let personal = format!("{}/inbox", m.actor);
        for inbox in [Value::Null, json!(personal)] {
            for how in ["body", "unsigned", "other-key", "stale", "other-actor"] {
                let mut command = json!({ "do": "tampered", "actor": m.actor, "how": how });
                if !inbox.is_null() {
                    command["inbox"] = inbox.clone();
                }
                let answer = m.fedify.tell(command);
                assert_eq!(attempts(&answer), [(401, CAVAGE), (401, RFC9421)], "{how} to {inbox}: {answer:#}");
                for attempt in answer["attempts"].as_array().unwrap() {
                    let told: Value = serde_json::from_str(attempt["answer"].as_str().unwrap()).unwrap_or_default();
                    assert_eq!(told["code"], "refused", "{how}: a refusal says why: {attempt:#}");
                }
            }
        }
        assert_eq!(m.messages(), Vec::<Value>::new(), "a forgery was believed");
        // The same request unaltered is taken, so the refusals above were about the forgery.
        for form in [CAVAGE, RFC9421] {
            let control = m.fedify.tell(json!({ "do": "tampered", "actor": m.actor, "how": "none", "spec": form }));
            assert_eq!(attempts(&control), [(202, form)], "{control:#}");
        }
        assert_eq!(m.messages().len(), 2);
        m.all_went_well();
    }

    async fn fedify_that_signs_by_draft_cavage_first_is_answered_so(db: Database) {
        let m = Meeting::knocking_by(db, CAVAGE).await;
        assert_eq!(attempts(&m.follow()), [(202, CAVAGE)]);
        let create = m.published("brug", "De brug is open");
        assert_eq!(create["signature"], CAVAGE, "it has shown nothing else: {create:#}");
        let reply = m.fedify.tell(json!({ "do": "reply", "to": create["object"]["id"], "content": "<p>Mooi</p>" }));
        assert_eq!(attempts(&reply), [(202, CAVAGE)]);
        assert_eq!(m.messages().len(), 1);
        m.all_went_well();
    }
}
