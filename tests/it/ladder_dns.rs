//! Control of a domain by a DNS record, with a DNS server of our own; nobody else is asked.

use serde_json::json;

use std::net::{IpAddr, Ipv6Addr};

use crate::harness::{
    BOGUS, Certificate, Dns, Front, Gateway, INSECURE, Mode, NAME, SECURE, Setup, Site, both, eventually,
    write_authority,
};
use crate::ladder::{listed, register, standing, verify, why};

/// A gateway of an agency on that domain, which asks that server.
async fn gateway(
    db: &crate::harness::Database,
    site: &Site,
    dns: &Dns,
    domain: &str,
    anchors: &std::path::Path,
) -> Gateway {
    setup(dns, domain, anchors).verification("recheck_every = \"1s\"\ngrace = \"3s\"").start(db, site).await
}

fn setup(dns: &Dns, domain: &str, anchors: &std::path::Path) -> Setup {
    dns.write_anchor(&anchors.join("root.key"));
    let net =
        format!("dns = [\"{}\"]\ndns_trust_anchor_file = \"{}\"", dns.address, anchors.join("root.key").display());
    Setup::new().unproven().domain(domain).net(&net)
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

    async fn a_name_that_moves_to_an_address_that_may_not_be_reached_is_not_followed_there(db: Database) {
        let (site, dns, folder) = (Site::start(), Dns::start(), tempfile::tempdir().unwrap());
        let front = Front::before(site.address, Mode::Tls(Certificate::Good));
        write_authority(&folder.path().join("ca.pem"));
        let ca = format!("extra_ca_file = \"{}\"", folder.path().join("ca.pem").display());
        let domain = format!("{NAME}:{}", front.address.port());
        let gateway = setup(&dns, &domain, folder.path()).net(&ca).start(&db, &site).await;
        site.prove(Some(gateway.proof()));
        let inside = IpAddr::V6(Ipv6Addr::LOCALHOST);
        dns.point(NAME, &[front.address.ip()]);
        assert_eq!(standing(&verify(&gateway).await, "file"), "holds");
        dns.point(NAME, &[inside]);
        let moved = verify(&gateway).await;
        assert_eq!(standing(&moved, "file"), "fails", "{moved}");
        assert!(why(&moved, "file").contains("::1"), "{moved}");
        assert_eq!(moved["verified"], true, "and it counts on for its grace: that may be a mistake");
        dns.point(NAME, &[inside, front.address.ip()]);
        let both = verify(&gateway).await;
        assert_eq!(standing(&both, "file"), "holds", "of several only those that may be reached are: {both}");
    }

    async fn an_alias_of_the_record_counts_for_nothing(db: Database) {
        let (site, dns, anchors) = (Site::start(), Dns::start(), tempfile::tempdir().unwrap());
        let gateway = gateway(&db, &site, &dns, "stad.veilig", anchors.path()).await;
        let (name, text) = wanted(&gateway).await;
        dns.set("proof.elders.veilig", &[&text]);
        dns.alias(&name, "proof.elders.veilig");
        let alias = verify(&gateway).await;
        assert_eq!((standing(&alias, "dns"), &alias["verified"]), ("fails", &json!(false)), "{alias}");
        assert!(why(&alias, "dns").contains("alias (CNAME)"), "{alias}");
    }

    async fn a_sub_domain_of_what_is_listed_is_proven_by_its_record(db: Database) {
        let (site, dns, anchors) = (Site::start(), Dns::start(), tempfile::tempdir().unwrap());
        site.answer("/register.csv", listed("stad.veilig", ""));
        let setup = setup(&dns, "pers.stad.veilig", anchors.path());
        let gateway = setup.further(&register(&site, "eigen", "list", "/register.csv")).start(&db, &site).await;
        let (name, text) = wanted(&gateway).await;
        dns.set(&name, &[&text]);
        eventually("the register is read, and the record holds", || async {
            let verified = verify(&gateway).await;
            (standing(&verified, "register") == "holds" && verified["verified"] == json!(true)).then_some(())
        })
        .await;
    }

    async fn a_record_of_either_key_holds_while_keys_are_rotated(db: Database) {
        let (site, dns, anchors) = (Site::start(), Dns::start(), tempfile::tempdir().unwrap());
        let gateway = setup(&dns, "stad.veilig", anchors.path()).start(&db, &site).await;
        let (name, before) = wanted(&gateway).await;
        dns.set(&name, &[&before]);
        assert_eq!(verify(&gateway).await["verified"], true);
        gateway.cli(&["actor", "rotate-key", "nieuws"]).await.well();
        let during = verify(&gateway).await;
        assert_eq!(standing(&during, "dns"), "holds", "{during}");
        let texts = during["put"]["dns"]["texts"].as_array().unwrap().clone();
        assert_eq!((texts.len(), &texts[0]), (2, &json!(before)), "both are asked for");
        dns.set(&name, &[texts[1].as_str().unwrap()]);
        assert_eq!(standing(&verify(&gateway).await, "dns"), "holds", "the next one alone");
        db.execute("UPDATE key_rotations SET switch_at = 1");
        eventually("the next key signs", || async {
            let shown = verify(&gateway).await;
            (shown["key_fingerprint"] == during["key_fingerprints"][1]).then_some(())
        })
        .await;
        assert_eq!(standing(&verify(&gateway).await, "dns"), "holds");
        gateway.cli(&["actor", "rotate-key", "nieuws", "--now"]).await.well();
        let replaced = verify(&gateway).await;
        assert_eq!(standing(&replaced, "dns"), "fails", "a key that was forgotten proves nothing: {replaced}");
    }
}
