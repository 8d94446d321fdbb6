//! `heraut check` behind proxies that are set up wrong, and with everything else that it finds.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;

use crate::harness::{
    Certificate, Database, FEED, Front, Kind, Launch, Meddling, Mode, Proxy, Reply, Setup, Site, World, once, run,
    runtime, write_authority,
};
use crate::installation::Installation;

/// A gateway behind a proxy. One test at a time has it for itself.
struct Fronted {
    world: World,
    proxy: Proxy,
}

static FRONTED: OnceLock<Fronted> = OnceLock::new();
static TURN: Mutex<()> = Mutex::new(());

fn fronted() -> (MutexGuard<'static, ()>, &'static Fronted) {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let fronted = once(&FRONTED, || async {
        let proxy = Proxy::start();
        let world = World::unfollowed(Database::new(Kind::Sqlite), Setup::new().public(&proxy.root())).await;
        proxy.before(&world.gateway.authority());
        world.outlive_tests();
        Fronted { world, proxy }
    });
    fronted.proxy.does(Meddling::Nothing);
    (turn, fronted)
}

/// What a check said as JSON, and its exit code.
fn check(world: &World, launch: &Launch) -> (i32, Value) {
    let done = launch.command(world.gateway.folder(), &["check", "--json"]).output().unwrap();
    let stdout = String::from_utf8(done.stdout).unwrap();
    let report = serde_json::from_str(&stdout);
    let report = report.unwrap_or_else(|e| panic!("{e}: {stdout} {}", String::from_utf8_lossy(&done.stderr)));
    (done.status.code().unwrap(), report)
}

/// The codes of what is wrong in a report, each of which must say what to do.
fn wrong(report: &Value) -> BTreeSet<String> {
    let all = report["findings"].as_array().unwrap();
    let wrong: Vec<&Value> = all.iter().filter(|finding| finding["state"] == "wrong").collect();
    assert_eq!(report["wrong"], wrong.len());
    for finding in &wrong {
        let said = |key: &str| finding[key].as_str().is_some_and(|text| text.len() > 15);
        assert!(said("what") && said("do"), "{finding}");
    }
    wrong.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// Holds that a check of that gateway finds this and nothing else.
fn finds(world: &World, launch: &Launch, codes: &[&str]) -> Value {
    let (exit, report) = check(world, launch);
    let expected: BTreeSet<String> = codes.iter().map(ToString::to_string).collect();
    assert_eq!(wrong(&report), expected, "{report:#}");
    assert_eq!(exit, i32::from(!codes.is_empty()));
    report
}

/// Holds that a check behind such a proxy finds that and nothing else, and nothing when the proxy is put right.
fn behind(meddling: Meddling, codes: &[&str]) -> Value {
    let (_turn, fronted) = fronted();
    fronted.proxy.does(meddling);
    let report = finds(&fronted.world, &Launch::new(), codes);
    fronted.proxy.does(Meddling::Nothing);
    report
}

#[test]
fn nothing_is_wrong_behind_a_proxy_that_leaves_all_as_it_is() {
    let (_turn, fronted) = fronted();
    let report = finds(&fronted.world, &Launch::new(), &[]);
    let good: BTreeSet<&str> =
        report["findings"].as_array().unwrap().iter().filter_map(|f| f["code"].as_str()).collect();
    for code in ["configuration", "database", "public-url", "signature", "webfinger", "proof", "source", "clock"] {
        assert!(good.contains(code), "{code} was not looked at: {report:#}");
    }
    let text = runtime().block_on(fronted.world.gateway.cli(&["check"]));
    assert!(text.code == 0 && text.stdout.ends_with("nothing is wrong\n"), "{text:?}");
}

#[test]
fn a_proxy_that_takes_the_signature_away_is_found() {
    behind(Meddling::TakesAway("signature"), &["header-signature"]);
}

#[test]
fn a_proxy_that_takes_the_digest_away_is_found() {
    behind(Meddling::TakesAway("digest"), &["header-digest"]);
}

#[test]
fn a_proxy_that_takes_the_host_away_is_found() {
    behind(Meddling::TakesAway("host"), &["header-host"]);
}

#[test]
fn a_proxy_that_sends_another_host_is_found() {
    let report = behind(Meddling::Changes("host", "intern.example"), &["header-host"]);
    assert!(report.to_string().contains("intern.example"), "{report:#}");
}

#[test]
fn a_proxy_that_takes_the_date_away_or_changes_it_is_found() {
    behind(Meddling::TakesAway("date"), &["header-date"]);
    behind(Meddling::Changes("date", "Sun, 22 Nov 2026 09:00:00 GMT"), &["header-date"]);
}

#[test]
fn a_proxy_that_takes_the_content_digest_away_is_found() {
    behind(Meddling::TakesAway("content-digest"), &["header-content-digest"]);
}

#[test]
fn a_proxy_that_takes_the_signature_input_away_is_found() {
    behind(Meddling::TakesAway("signature-input"), &["header-signature-input"]);
}

#[test]
fn a_proxy_that_changes_the_content_type_is_found() {
    behind(Meddling::Changes("content-type", "application/json"), &["header-content-type"]);
}

#[test]
fn a_proxy_that_writes_bodies_anew_is_found() {
    behind(Meddling::WritesBodies, &["body"]);
}

#[test]
fn a_proxy_that_does_not_pass_on_every_path_is_found() {
    behind(Meddling::Forbids("/ap/probe/"), &["probe"]);
    behind(Meddling::Forbids("/.well-known/"), &["webfinger"]);
}

#[test]
fn a_public_url_that_leads_to_another_server_is_found() {
    behind(Meddling::Answers(Reply::ok("text/html", "<p>Welkom")), &["other-server"]);
    behind(
        Meddling::Answers(Reply::ok("application/activity+json", "{\"id\":\"http://elders.example/\"}")),
        &["other-server"],
    );
    behind(Meddling::Answers(Reply::status(404)), &["other-server"]);
}

#[test]
fn a_gateway_that_does_not_run_is_found() {
    behind(Meddling::Answers(Reply::status(502)), &["public-url"]);
}

#[test]
fn a_clock_that_is_off_is_found() {
    let (_turn, fronted) = fronted();
    for (off, said) in [("+90s", "ahead"), ("-90s", "behind")] {
        let report = finds(&fronted.world, &Launch::new().clock(off), &["clock"]);
        assert!(report.to_string().contains(said), "{off}: {report:#}");
    }
    finds(&fronted.world, &Launch::new().clock("+10s"), &[]);
}

#[test]
fn a_proof_and_a_source_that_do_not_hold_are_found() {
    let (_turn, fronted) = fronted();
    let (world, site) = (&fronted.world, &fronted.world.site);
    site.prove(None);
    finds(world, &Launch::new(), &["proof"]);
    site.prove(Some(world.gateway.proof()));
    site.answer(FEED, Reply::status(500));
    finds(world, &Launch::new(), &["source"]);
    site.as_usual(FEED);
    let text = runtime().block_on(async {
        site.prove(None);
        world.gateway.cli(&["check"]).await
    });
    assert!(text.stdout.contains("WRONG proof: ") && text.stdout.contains("heraut actor verify nieuws"), "{text:?}");
    assert!(text.code == 1 && text.stderr.contains("1 thing is wrong"), "{text:?}");
    site.prove(Some(world.gateway.proof()));
    finds(world, &Launch::new(), &[]);
}

#[test]
fn a_domain_of_handles_that_does_not_hand_webfinger_over_is_found() {
    run(
        |db| async move {
            let domain = Site::start();
            let world =
                World::unfollowed(db, Setup::new().actor(&format!("handle_domain = \"{}\"", domain.authority()))).await;
            let target = format!("/.well-known/webfinger?resource=acct:nieuws@{}", domain.authority());
            let look = |codes: &'static [&'static str]| {
                let world = &world;
                tokio::task::block_in_place(|| finds(world, &Launch::new(), codes));
            };
            look(&["webfinger-not-forwarded"]);
            domain.answer(&target, Reply::redirect(307, &world.gateway.url("/.well-known/webfinger")));
            look(&["webfinger-not-forwarded"]);
            domain.answer(&target, Reply::redirect(307, &world.gateway.url(&target)));
            look(&[]);
        },
        Kind::Sqlite,
    );
}

#[test]
fn a_certificate_that_ends_soon_or_is_not_trusted_is_found() {
    run(
        |db| async move {
            let folder = tempfile::tempdir().unwrap();
            let authority = folder.path().join("ca.pem");
            write_authority(&authority);
            let proxy = Proxy::start();
            let front = Front::before(proxy.address, Mode::Tls(Certificate::Good));
            let setup = Setup::new()
                .public(&format!("https://{}", front.address))
                .net(&format!("extra_ca_file = \"{}\"", authority.display()));
            let world = World::unfollowed(db, setup).await;
            proxy.before(&world.gateway.authority());
            let look = |codes: &'static [&'static str]| {
                let world = &world;
                tokio::task::block_in_place(|| finds(world, &Launch::new(), codes));
            };
            // The certificates of the tests end in ten days.
            look(&["certificate-ends"]);
            for certificate in [Certificate::Expired, Certificate::OtherName] {
                front.behaves(Mode::Tls(certificate));
                look(&["certificate-invalid"]);
            }
        },
        Kind::Sqlite,
    );
}

fn installed(public: &str, site: &Site) -> Installation {
    let installation = Installation::new();
    let config = Setup::new().public(public).config("sqlite:heraut.db", &installation.address.to_string(), site);
    installation.configure(&config);
    installation
}

#[test]
fn a_name_without_a_working_address_of_the_new_kind_is_found() {
    use std::net::ToSocketAddrs as _;
    let runtime = runtime();
    let _entered = runtime.enter();
    let site = Site::start();
    let installation = installed("https://localhost:1", &site);
    // Nothing listens there, whatever this machine says that the name is.
    let has_six = ("localhost", 1).to_socket_addrs().unwrap().any(|address| address.is_ipv6());
    let done = installation.run(&["check", "--json"]);
    let found = wrong(&done.json());
    assert!(found.contains(if has_six { "ipv6-silent" } else { "ipv6-missing" }), "{found:?}");
    assert!(found.contains("public-url") && !found.contains("webfinger"), "{found:?}");
}

#[test]
fn without_configuration_master_key_or_database_the_report_says_so_too() {
    let runtime = runtime();
    let _entered = runtime.enter();
    let site = Site::start();
    let first = |installation: &Installation| {
        let done = installation.run(&["check", "--json"]);
        assert_eq!(done.code, 1, "{done:?}");
        wrong(&done.json()).into_iter().collect::<Vec<_>>()
    };
    let none = Installation::new();
    std::fs::remove_file(none.path("config.toml")).ok();
    assert_eq!(first(&none), ["configuration"]);
    let installation = installed("https://127.0.0.1:1", &site);
    let key = installation.path("master.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(first(&installation), ["master-key"], "open to all");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(!first(&installation).contains(&"master-key".to_owned()));
    installation.write_key(&"ab".repeat(32));
    assert_eq!(first(&installation), ["master-key"], "another one");
    let config = std::fs::read_to_string(installation.path("config.toml")).unwrap();
    installation.configure(&config.replace("sqlite:heraut.db", "sqlite:nergens/heraut.db"));
    assert_eq!(first(&installation), ["database"]);
}

/// A probe is answered to nobody who has not the instance actor's key.
#[test]
fn a_probe_that_is_not_ours_is_answered_as_if_there_were_nothing() {
    let (_turn, fronted) = fronted();
    let now = chrono::Utc::now().timestamp_millis();
    runtime().block_on(async {
        let forged =
            [format!("{now}.abc.{}", "A".repeat(342)), format!("{now}.abc."), "x".to_owned(), "x".repeat(5_000)];
        for ticket in forged {
            let url = format!("{}/ap/probe/{ticket}", fronted.proxy.root());
            let reply =
                crate::harness::request("POST", &url, &[("content-type", "application/activity+json")], b"{}").await;
            assert_eq!(reply.status, 404, "{}", reply.text());
        }
    });
}
