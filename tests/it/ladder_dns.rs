//! Control of a domain by a DNS record, with a DNS server of our own; nobody else is asked.

use serde_json::json;

use crate::harness::{BOGUS, Dns, Gateway, INSECURE, SECURE, Setup, Site, both, eventually};
use crate::ladder::{standing, verify};

/// A gateway of an agency on that domain, which asks that server.
async fn gateway(
    db: &crate::harness::Database,
    site: &Site,
    dns: &Dns,
    domain: &str,
    anchors: &std::path::Path,
) -> Gateway {
    dns.write_anchor(&anchors.join("root.key"));
    let net =
        format!("dns = [\"{}\"]\ndns_trust_anchor_file = \"{}\"", dns.address, anchors.join("root.key").display());
    Setup::new()
        .unproven()
        .domain(domain)
        .net(&net)
        .verification("recheck_every = \"1s\"\ngrace = \"3s\"")
        .start(db, site)
        .await
}

/// The record that the program asks for.
async fn wanted(gateway: &Gateway) -> (String, String) {
    let put = verify(gateway).await["put"]["dns"].clone();
    (put["name"].as_str().unwrap().to_owned(), put["texts"][0].as_str().unwrap().to_owned())
}

both! {
    async fn a_record_counts_when_it_is_secure_or_proven_unsigned_and_never_when_it_is_bogus(db: Database) {
        let (site, dns, anchors) = (Site::start(), Dns::start(), tempfile::tempdir().unwrap());
        for (zone, state) in [(SECURE, Some("secure")), (INSECURE, Some("insecure")), (BOGUS, None)] {
            let domain = format!("stad.{zone}");
            let db = crate::harness::Database::new(db.kind);
            let gateway = gateway(&db, &site, &dns, &domain, anchors.path()).await;
            let (name, text) = wanted(&gateway).await;
            assert_eq!(name, format!("_heraut.{domain}"));
            let missing = verify(&gateway).await;
            assert_eq!((standing(&missing, "dns"), &missing["verified"]), ("fails", &json!(false)), "{missing}");
            dns.set(&name, &["v=spf1 -all", &text]);
            let verified = verify(&gateway).await;
            let step = &verified["steps"][2];
            match state {
                Some(state) => {
                    assert_eq!((step["standing"].as_str(), step["seen"]["dnssec"].as_str()), (Some("holds"), Some(state)), "{verified}");
                    assert_eq!((&verified["level"], &verified["verified"]), (&json!(2), &json!(true)), "{verified}");
                    let shown = gateway.cli(&["actor", "verify", "nieuws"]).await.well().stdout;
                    assert!(shown.contains(&format!("DNSSEC {state}")), "{shown}");
                }
                None => {
                    assert_eq!((step["standing"].as_str(), &verified["verified"]), (Some("fails"), &json!(false)), "{verified}");
                    assert!(step["why"].as_str().unwrap().contains("bogus"), "{verified}");
                }
            }
        }
    }

    async fn an_answer_that_changes_counts_as_what_it_is_at_each_look(db: Database) {
        let (site, dns, anchors) = (Site::start(), Dns::start(), tempfile::tempdir().unwrap());
        let gateway = gateway(&db, &site, &dns, "stad.veilig", anchors.path()).await;
        let (name, text) = wanted(&gateway).await;
        dns.set(&name, &[&text]);
        assert_eq!(verify(&gateway).await["verified"], true);
        let other = text.replace("/ap/a/", "/ap/a/9");
        dns.set(&name, &[&other]);
        let changed = verify(&gateway).await;
        assert_eq!(standing(&changed, "dns"), "fails", "nothing is kept of the answer before: {changed}");
        assert!(changed["failure"].as_str().unwrap().contains("but not"), "{changed}");
        eventually("the proof lapses", || async {
            let actor = gateway.cli(&["actor", "show", "nieuws", "--json"]).await.well().json();
            (actor["verified"] == json!(false)).then_some(())
        })
        .await;
        dns.set(&name, &[&other, &text]);
        assert_eq!(verify(&gateway).await["verified"], true, "and recovers");
        assert!(dns.asked().iter().any(|asked| asked.starts_with("_heraut.stad.veilig. TXT")));
    }
}
