//! The proof ladder: what each level needs, what is shown of it, and who may publish.

use serde_json::{Value, json};

use crate::harness::{
    Certificate, Front, Gateway, Mode, Reply, Setup, Site, World, both, eventually, get, get_as, until, write_authority,
};

pub const CITY: &str = "https://identifier.overheid.nl/tooi/id/gemeente/gm0000";

/// A register of that kind at that path of the site.
pub fn register(site: &Site, name: &str, kind: &str, path: &str) -> String {
    format!("[[register]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"{}\"\n", site.url(path))
}

/// A list with one domain, and the end of its organisation where there is one.
pub fn listed(domain: &str, ends: &str) -> Reply {
    Reply::ok("text/csv", format!("domain;organisation;name;ends\n{domain};{CITY};Gemeente Voorbeeldstad;{ends}\n"))
}

/// What `heraut actor verify` says for machines.
pub async fn verify(gateway: &Gateway) -> Value {
    gateway.cli(&["actor", "verify", "nieuws", "--json"]).await.json()
}

/// How a rung stands.
pub fn standing<'v>(verified: &'v Value, rung: &str) -> &'v str {
    let steps = verified["steps"].as_array().unwrap();
    steps.iter().find(|step| step["rung"] == rung).unwrap()["standing"].as_str().unwrap()
}

/// Why a rung does not hold.
pub fn why(verified: &Value, rung: &str) -> String {
    let steps = verified["steps"].as_array().unwrap();
    steps.iter().find(|step| step["rung"] == rung).unwrap()["why"].as_str().unwrap_or_default().to_owned()
}

both! {
    async fn without_a_register_level_1_is_not_asked_and_control_is_enough(db: Database) {
        let site = Site::start();
        let gateway = Setup::new().start(&db, &site).await;
        let verified = verify(&gateway).await;
        assert_eq!((verified["verified"].as_bool(), &verified["level"]), (Some(true), &json!(2)), "{verified}");
        let table = [("register", "not_asked"), ("file", "holds"), ("dns", "not_asked"), ("link", "fails"), ("account", "not_asked")];
        for (rung, expected) in table {
            assert_eq!(standing(&verified, rung), expected, "{rung}: {verified}");
        }
        let text = gateway.cli(&["actor", "verify", "nieuws"]).await.well().stdout;
        for part in ["level 1  not asked", "level 2  holds      file:", "level 3  fails", "reached  level 2; level 2 is needed", "<link rel=\"me\""] {
            assert!(text.contains(part), "`{part}` is not in {text}");
        }
    }

    async fn an_actor_publishes_once_its_domain_stands_in_the_register(db: Database) {
        let site = Site::start();
        let setup = Setup::new().unproven().further(&register(&site, "eigen", "list", "/register.csv"));
        site.answer("/register.csv", listed("andere.example", ""));
        let gateway = setup.start(&db, &site).await;
        site.prove(Some(gateway.proof()));
        eventually("the register is read", || async {
            (gateway.cli(&["register", "list", "--json"]).await.json()[0]["entries"] == json!(2)).then_some(())
        })
        .await;
        let refused = verify(&gateway).await;
        assert_eq!((refused["verified"].as_bool(), &refused["level"]), (Some(false), &json!(0)), "{refused}");
        assert_eq!(standing(&refused, "file"), "holds");
        assert!(why(&refused, "register").contains("does not stand in eigen"), "{refused}");

        site.answer("/register.csv", listed(&site.authority(), ""));
        gateway.cli(&["register", "read", "eigen"]).await.well();
        until("the proof is looked at anew by itself, and holds", || {
            db.number("SELECT COUNT(*) FROM proofs WHERE held_at IS NOT NULL") == 1
        })
        .await;
        let verified = verify(&gateway).await;
        assert_eq!((&verified["level"], &verified["steps"][0]["seen"]["organisation"]), (&json!(2), &json!(CITY)), "{verified}");
        let found = gateway.cli(&["register", "find", &site.authority(), "--json"]).await.well().json();
        assert_eq!(found[0]["organisation"], CITY, "{found}");
    }

    async fn an_organisation_that_ended_is_frozen_at_once_stays_readable_and_recovers_when_the_register_is_corrected(db: Database) {
        let site = Site::start();
        let setup = Setup::new().further(&register(&site, "eigen", "list", "/register.csv"));
        site.answer("/register.csv", listed(&site.authority(), ""));
        let gateway = setup.start(&db, &site).await;
        assert_eq!(verify(&gateway).await["verified"], true);

        site.answer("/register.csv", listed(&site.authority(), "2026-01-01"));
        gateway.cli(&["register", "read", "eigen"]).await.well();
        let frozen = verify(&gateway).await;
        assert_eq!(frozen["verified"], false, "no grace: the register says so. {frozen}");
        assert!(frozen["unverified"].as_str().unwrap().contains("ended on 2025-12-31T23:00:00Z"), "{frozen}");
        site.publish("dijk", "De dijk", "<p>Tekst.</p>");
        until("the post is held", || db.number("SELECT COUNT(*) FROM posts WHERE reason = 'unverified'") == 1).await;
        assert_eq!(get_as(&gateway.url("/@nieuws"), "text/html").await.status, 200, "it can still be read");
        // Whichever process looked first tells it; the audit log has it from either.
        assert!(db.number("SELECT COUNT(*) FROM audit WHERE act = 'proof.fails' AND detail LIKE '%ended on%'") >= 1);

        let taken_out = listed("andere.example", "");
        site.answer("/register.csv", taken_out);
        gateway.cli(&["register", "read", "eigen"]).await.well();
        assert_eq!(verify(&gateway).await["verified"], false, "to be taken out of the register gives no new grace");

        site.answer("/register.csv", listed(&site.authority(), ""));
        gateway.cli(&["register", "read", "eigen"]).await.well();
        until("the post is published by itself", || db.number("SELECT COUNT(*) FROM posts WHERE state = 'published'") == 1).await;
        assert_eq!(verify(&gateway).await["verified"], true);
    }

    async fn an_end_that_is_near_is_told_and_bounds_the_proof(db: Database) {
        let site = Site::start();
        let setup = Setup::new().further(&register(&site, "eigen", "list", "/register.csv"));
        site.answer("/register.csv", listed(&site.authority(), "2126-01-01"));
        let gateway = setup.start(&db, &site).await;
        let verified = verify(&gateway).await;
        assert_eq!((&verified["verified"], &verified["ends_at"]), (&json!(true), &json!("2125-12-31T23:00:00Z")), "{verified}");
    }

    async fn another_organisation_than_the_agencys_is_no_evidence(db: Database) {
        let site = Site::start();
        let setup = Setup::new()
            .unproven()
            .agency("organisation = \"https://identifier.overheid.nl/tooi/id/gemeente/gm9999\"")
            .further(&register(&site, "eigen", "list", "/register.csv"));
        site.answer("/register.csv", listed(&site.authority(), ""));
        let gateway = setup.start(&db, &site).await;
        site.prove(Some(gateway.proof()));
        gateway.cli(&["register", "read", "eigen"]).await;
        let refused = verify(&gateway).await;
        assert_eq!(refused["verified"], false);
        assert!(why(&refused, "register").contains("not under https://identifier.overheid.nl/tooi/id/gemeente/gm9999"), "{refused}");
    }

    async fn level_4_takes_register_control_link_and_the_register_of_organisations(db: Database) {
        let site = Site::start();
        let plain = Front::before(site.address, Mode::Pass);
        let tls = plain.beside(site.address, Mode::Tls(Certificate::Good));
        let domain = plain.address.to_string();
        let ca = tempfile::tempdir().unwrap();
        write_authority(&ca.path().join("ca.pem"));
        let rio = format!(
            "<RegisterInternetdomeinenOverheid timestamp=\"2026-11-22T03:00:00\"><organisaties><organisatie \
             resourceIdentifierTOOI=\"{CITY}\"><domeinnaamregistraties><domeinnaamregistratie><naam>{domain}</naam>\
             </domeinnaamregistratie></domeinnaamregistraties></organisatie></organisaties></RegisterInternetdomeinenOverheid>"
        );
        let roo = |account: &str| {
            format!(
                "<p:overheidsorganisaties xmlns:p=\"x\"><p:organisaties><p:organisatie p:resourceIdentifierTOOI=\"{CITY}\">\
                 <p:naam>Gemeente Voorbeeldstad</p:naam><p:contact><p:socialMedia><p:socialmedium><p:url>{account}</p:url>\
                 </p:socialmedium></p:socialMedia></p:contact></p:organisatie></p:organisaties></p:overheidsorganisaties>"
            )
        };
        site.answer("/rio.xml", Reply::ok("application/xml", rio));
        site.answer("/roo.xml", Reply::ok("application/xml", roo("https://elders.example/@nieuws")));
        let setup = Setup::new()
            .unproven()
            .domain(&domain)
            .website(&format!("https://{}/mastodon", tls.address))
            .net(&format!("extra_ca_file = \"{}\"", ca.path().join("ca.pem").display()))
            .verification("level = 4")
            .further(&register(&site, "rio", "rio", "/rio.xml"))
            .further(&register(&site, "roo", "roo", "/roo.xml"));
        let gateway = setup.start(&db, &site).await;
        let profile = gateway.url("/@nieuws");
        site.prove(Some(gateway.proof()));
        site.answer("/mastodon", Reply::ok("text/html", "<html><a rel=me href=\"https://elders.example/@x\">x</a></html>"));
        for register in ["rio", "roo"] {
            gateway.cli(&["register", "read", register]).await;
        }
        let refused = verify(&gateway).await;
        assert_eq!((&refused["level"], &refused["verified"]), (&json!(2), &json!(false)), "{refused}");
        assert!(why(&refused, "link").contains(&format!("<link rel=\"me\" href=\"{profile}\">")), "{refused}");
        assert!(why(&refused, "account").contains("roo does not name"), "{refused}");

        let link = format!("<html><head><link rel=\"me\" href=\"{profile}\"></head></html>");
        site.answer("/mastodon", Reply::ok("text/html", link));
        assert_eq!(verify(&gateway).await["level"], 3);
        site.answer("/mastodon", Reply::redirect(302, &format!("https://{}/elders", tls.address)));
        site.answer("/elders", Reply::ok("text/html", format!("<a rel=\"me\" href=\"https://{}/door\">", tls.address)));
        site.answer("/door", Reply::redirect(301, &profile));
        assert_eq!(verify(&gateway).await["level"], 3, "Mastodon follows redirects, and looks where the first link leads");
        site.answer("/roo.xml", Reply::ok("application/xml", roo(&format!("{profile}/"))));
        gateway.cli(&["register", "read", "roo"]).await.well();
        let verified = verify(&gateway).await;
        assert_eq!((&verified["level"], &verified["verified"]), (&json!(4), &json!(true)), "{verified}");
    }

    async fn a_proof_file_that_redirects_to_another_host_is_not_followed_and_counts_for_nothing(db: Database) {
        let (site, other) = (Site::start(), Site::start());
        let gateway = Setup::new().unproven().start(&db, &site).await;
        other.prove(Some(gateway.proof()));
        site.answer("/.well-known/heraut-actor.json", Reply::redirect(302, &other.url("/.well-known/heraut-actor.json")));
        let refused = verify(&gateway).await;
        assert_eq!((&refused["level"], standing(&refused, "file")), (&json!(0), "fails"), "{refused}");
        assert!(other.requests("/.well-known/heraut-actor.json").is_empty());
    }

    async fn citizens_see_the_evidence_in_dutch_and_english_and_programs_as_json(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let (gateway, page) = (&world.gateway, "/@nieuws/proof");
        let html = |language: &'static str| async move {
            let headers = [("accept", "text/html"), ("accept-language", language)];
            crate::harness::request("GET", &gateway.url(page), &headers, b"").await
        };
        let (dutch, english) = (html("nl").await, html("en").await);
        assert!(dutch.text().contains("Is dit echt Gemeente Voorbeeldstad?") && dutch.text().contains("Ja, dit account is echt."));
        assert!(english.text().contains("Is this really Gemeente Voorbeeldstad?") && english.text().contains("Yes, this account is real."));
        assert!(!dutch.text().contains("<script"));
        let proof = get_as(&gateway.url(page), "application/json").await.json();
        assert_eq!(proof, get(&gateway.url("/@nieuws/proof.json")).await.json());
        assert_eq!((&proof["verified"], &proof["level"], &proof["evidence"][1]["evidence"]), (&json!(true), &json!(2), &json!("file")));
        let seen = &proof["evidence"][1]["seen"];
        assert!(dutch.text().contains(seen["sha256"].as_str().unwrap()) && seen["place"].as_str().unwrap().ends_with("heraut-actor.json"));
        let actor = crate::harness::request("GET", &gateway.url("/@nieuws"), &[("accept", "text/html")], b"").await;
        assert!(actor.text().contains("href=\"/@nieuws/proof\""));
        assert_eq!(get(&gateway.url("/@niemand/proof.json")).await.status, 404);
    }

    async fn the_list_of_official_actors_is_signed_and_names_only_who_is_verified(db: Database) {
        let site = Site::start();
        let gateway = Setup::new().unproven().start(&db, &site).await;
        let list = || async { get(&gateway.url("/.well-known/heraut-actors.json")).await.json() };
        assert_eq!(list().await["actors"], json!([]));
        site.prove(Some(gateway.proof()));
        gateway.cli(&["actor", "verify", "nieuws"]).await.well();
        // What is kept of answers holds until the database tells of the change.
        let named = eventually("the list names the actor", || async {
            let named = list().await;
            (named["actors"].as_array().unwrap().len() == 1).then_some(named)
        })
        .await;
        assert_eq!(named["actors"][0]["actor"], gateway.actor());
        assert!(signature_holds(&gateway, &named).await, "{named}");
        let mut forged = named.clone();
        forged["actors"][0]["actor"] = json!("https://parodie.example/ap/a/1");
        assert!(!signature_holds(&gateway, &forged).await);
    }

    async fn who_was_merged_yesterday_is_frozen_at_once_and_nobody_can_miss_it(db: Database) {
        const TOWN: &str = "https://identifier.overheid.nl/tooi/id/gemeente/gm9999";
        let site = Site::start();
        let list = |ends: &str| {
            let domain = site.authority();
            let rows = format!("{domain};{CITY};Gemeente Voorbeeldstad;{ends}\n{domain};{TOWN};Gemeente Nieuwstad;\n");
            Reply::ok("text/csv", format!("domain;organisation;name;ends\n{rows}"))
        };
        site.answer("/register.csv", list(""));
        let setup = Setup::new().agency(&format!("organisation = \"{CITY}\""));
        let gateway = setup.further(&register(&site, "eigen", "list", "/register.csv")).start(&db, &site).await;
        let yesterday = (chrono::Utc::now() - chrono::Duration::days(1)).format("%Y-%m-%d").to_string();
        site.answer("/register.csv", list(&yesterday));
        gateway.cli(&["register", "read", "eigen"]).await.well();
        let labels = "{actor=\"nieuws\",agency=\"voorbeeldstad\"}";
        eventually("the metrics tell it, and the alerts with them", || async {
            let holds = gateway.metric(&format!("heraut_proof_holds{labels}")).await;
            let ends = gateway.metric(&format!("heraut_proof_ends_timestamp_seconds{labels}")).await;
            (holds == Some(0.0) && ends.is_some_and(|ends| ends > 1e9)).then_some(())
        })
        .await;
        let log = gateway.log();
        assert!(log.contains("a register says that the agency's domain or organisation ends"), "{log}");
        assert!(log.contains("the proof does not hold") && log.contains("Gemeente Voorbeeldstad"), "{log}");
        assert_eq!(db.number("SELECT COUNT(*) FROM audit WHERE act = 'proof.fails' AND detail LIKE '%ended on%'"), 1);
        let shown = eventually("citizens see it", || async {
            let shown = get(&gateway.url("/@nieuws/proof.json")).await.json();
            (shown["verified"] == json!(false)).then_some(shown)
        })
        .await;
        assert!(shown["endsAt"].is_string(), "{shown}");
        eventually("it is not on the list of official actors", || async {
            let list = get(&gateway.url("/.well-known/heraut-actors.json")).await.json();
            (list["actors"] == json!([])).then_some(())
        })
        .await;
    }

    async fn levels_and_the_signed_list_survive_a_rotation_of_keys(db: Database) {
        let site = Site::start();
        site.answer("/register.csv", listed(&site.authority(), ""));
        let setup = Setup::new().further(&register(&site, "eigen", "list", "/register.csv"));
        let gateway = setup.start(&db, &site).await;
        let before = verify(&gateway).await;
        assert_eq!((&before["level"], &before["verified"]), (&json!(2), &json!(true)), "{before}");
        let list = |keys: Value| {
            let gateway = &gateway;
            async move {
                let list = eventually("the list names these keys", || async {
                    let list = get(&gateway.url("/.well-known/heraut-actors.json")).await.json();
                    (list["actors"][0]["keyFingerprints"] == keys).then_some(list)
                })
                .await;
                assert!(signature_holds(gateway, &list).await, "{list}");
                assert_eq!((&list["actors"][0]["level"], &list["actors"][0]["keyFingerprint"]), (&json!(2), &keys[0]));
                let proof = get(&gateway.url("/@nieuws/proof.json")).await.json();
                assert_eq!((&proof["keyFingerprints"], &proof["verified"]), (&keys, &json!(true)), "{proof}");
            }
        };
        let first = before["key_fingerprint"].clone();
        list(json!([first])).await;
        gateway.cli(&["actor", "rotate-key", "nieuws"]).await.well();
        let during = verify(&gateway).await;
        let next = during["key_fingerprints"][1].clone();
        assert_eq!((standing(&during, "file"), &during["level"]), ("holds", &json!(2)), "by the key before: {during}");
        list(json!([first, next])).await;
        db.execute("UPDATE key_rotations SET switch_at = 1");
        list(json!([next, first])).await;
        let after = verify(&gateway).await;
        assert_eq!((standing(&after, "file"), &after["level"]), ("holds", &json!(2)), "still by the key before: {after}");
        let fresh = gateway.cli(&["actor", "proof", "nieuws"]).await.well().stdout;
        let mut only_next: Value = serde_json::from_str(&fresh).unwrap();
        only_next["actors"].as_array_mut().unwrap().retain(|entry| entry["keyFingerprint"] == next);
        site.prove(Some(&only_next.to_string()));
        let renewed = verify(&gateway).await;
        assert_eq!((standing(&renewed, "file"), &renewed["level"]), ("holds", &json!(2)), "{renewed}");
        assert!(renewed["steps"][1]["seen"]["said"].as_str().unwrap().contains(next.as_str().unwrap()), "{renewed}");
    }

    async fn an_agency_of_the_command_line_has_its_organisation_and_shows_a_look_alike_as_what_it_is(db: Database) {
        let site = Site::start();
        let gateway = Setup::new().start(&db, &site).await;
        let found = |name: &'static str| {
            let gateway = &gateway;
            async move {
                let all = gateway.cli(&["agency", "list", "--json"]).await.well().json();
                all.as_array().unwrap().iter().find(|agency| agency["name"] == name).unwrap().clone()
            }
        };
        gateway.cli(&["agency", "add", "dorp", "Dorp.example", "--organisation", CITY]).await.well();
        let dorp = found("dorp").await;
        assert_eq!((&dorp["domain"], &dorp["organisation"]), (&json!("dorp.example"), &json!(CITY)));
        gateway.cli(&["agency", "add", "dorp", "dorp.example"]).await.well();
        assert_eq!(found("dorp").await["organisation"], CITY, "what is not given stays");
        gateway.cli(&["agency", "add", "dorp", "dorp.example", "--no-organisation"]).await.well();
        assert_eq!(found("dorp").await["organisation"], Value::Null);
        assert_eq!(db.number("SELECT COUNT(*) FROM audit WHERE act = 'agency.organisation'"), 2);
        let refused = gateway.cli(&["agency", "add", "dorp", "dorp.example", "--organisation", "gm 1"]).await;
        assert!(refused.code == 2 && refused.stderr.contains("is not a URI"), "{refused:?}");
        let refused = gateway.cli(&["agency", "add", "dorp", "https://dorp.example/pad"]).await;
        assert!(refused.code == 2 && refused.stderr.contains("is not a domain"), "{refused:?}");
        let provisioned = gateway.cli(&["agency", "add", "voorbeeldstad", "dorp.example", "--organisation", CITY]).await;
        assert_eq!(provisioned.code, 1, "what the configuration names is changed there");
        assert_eq!(found("voorbeeldstad").await["organisation"], Value::Null);

        let parody = gateway.cli(&["agency", "add", "parodie", "оverheid.example"]).await.well();
        assert!(parody.stdout.contains("xn--") && !parody.stdout.contains("оverheid"), "{}", parody.stdout);
        assert!(found("parodie").await["domain"].as_str().unwrap().starts_with("xn--"));
    }
}

/// As any other server would check it: by the key of the instance actor's document.
async fn signature_holds(gateway: &Gateway, list: &Value) -> bool {
    let mut document = list.clone();
    let mut options = document.as_object_mut().unwrap().remove("proof").unwrap();
    let value = options.as_object_mut().unwrap().remove("proofValue").unwrap();
    let issuer = get_as(&gateway.url("/ap/instance"), "application/activity+json").await.json();
    assert_eq!(list["issuer"], issuer["id"]);
    let keys = issuer["assertionMethod"].as_array().unwrap();
    let key = keys.iter().find(|key| key["id"] == options["verificationMethod"]).unwrap();
    let decode = |text: &Value| bs58::decode(text.as_str().unwrap().strip_prefix('z').unwrap()).into_vec().unwrap();
    let public = openssl::pkey::PKey::public_key_from_raw_bytes(
        &decode(&key["publicKeyMultibase"])[2..],
        openssl::pkey::Id::ED25519,
    );
    let hash = |value: &Value| openssl::sha::sha256(canonical(value).as_bytes());
    let signed = [hash(&options), hash(&document)].concat();
    let public = public.unwrap();
    let mut verifier = openssl::sign::Verifier::new_without_digest(&public).unwrap();
    verifier.verify_oneshot(&decode(&value), &signed).unwrap()
}

/// RFC 8785 for what the list has: objects with ASCII names, lists, texts, small whole numbers.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut names: Vec<&String> = map.keys().collect();
            names.sort();
            let members: Vec<String> =
                names.iter().map(|name| format!("{}:{}", json!(name), canonical(&map[*name]))).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}
