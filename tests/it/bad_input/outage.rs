//! A database that goes away while the gateway serves, and comes back.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::harness::{Database, Kind, Peer, Setup, Site, eventually, get_as, run, until};
use crate::installation::{Installation, fresh_address};

/// A line to a server that can be cut and mended.
#[derive(Clone)]
struct Line {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Line {
    fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(fresh_address()).unwrap();
        let line = Self { address: listener.local_addr().unwrap(), cut: Arc::default(), open: Arc::default() };
        let own = line.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if !own.cut.load(Ordering::SeqCst) {
                    own.join(client, TcpStream::connect(server).unwrap());
                }
            }
        });
        line
    }

    fn join(&self, client: TcpStream, server: TcpStream) {
        let pairs = [(client.try_clone(), server.try_clone()), (server.try_clone(), client.try_clone())];
        for (from, to) in pairs {
            let (mut from, mut to) = (from.unwrap(), to.unwrap());
            std::thread::spawn(move || {
                let _ = io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        self.open.lock().unwrap().extend([client, server]);
    }

    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

async fn a_database_that_goes_down_is_told_to_peers_and_comes_back_without_loss(db: Database) {
    let (site, peer) = (Site::start(), Peer::start());
    let mut url = url::Url::parse(&db.url).unwrap();
    let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap()).parse().unwrap();
    let line = Line::to(server);
    url.set_host(Some(&line.address.ip().to_string())).unwrap();
    url.set_port(Some(line.address.port())).unwrap();
    let mut gateway = Installation::new();
    let metrics = fresh_address();
    let listen = gateway.address.to_string();
    gateway.configure(&Setup::new().config_with(url.as_str(), &listen, &metrics.to_string(), &site));
    let proof = gateway.run(&["actor", "proof", "nieuws"]).well();
    site.prove(Some(&proof.stdout));
    let actor = proof.json()["actors"][0]["actor"].as_str().unwrap().to_owned();
    gateway.serve().await;
    let at = |path: &str| format!("http://{}{path}", gateway.address);
    // Before, its followers would also be told that the actor is verified now.
    eventually("the proof holds", || async {
        (db.number("SELECT COUNT(*) FROM proofs WHERE held_at IS NULL") == 0).then_some(())
    })
    .await;
    let citizen = peer.account("burger");
    let follow = citizen.activity("Follow", actor.clone());
    assert_eq!(citizen.letter(&at("/ap/inbox"), &follow).send().await.status, 202);
    peer.takes_a("Accept").await;
    eventually("the first poll", || async {
        (db.number("SELECT COUNT(*) FROM sources WHERE baseline_at IS NOT NULL") == 1).then_some(())
    })
    .await;

    let scrape = || async { get_as(&format!("http://{metrics}/metrics"), "*/*").await.text() };
    assert!(scrape().await.contains("heraut_database_up 1"));
    line.cut();
    let blind = scrape().await;
    assert!(blind.contains("heraut_database_up 0"), "what was true a moment ago is not said: {blind}");
    site.publish("tijdens", "Tijdens de storing", "<p>Niemand ziet dit nog.</p>");
    let say = |text: &str| {
        let mut note = citizen.note(text);
        note["cc"] = json!([actor]);
        citizen.create(&note)
    };
    let reply = say("<p>Bent u er nog?</p>");
    let personal = format!("{actor}/inbox");
    for inbox in [at("/ap/inbox"), personal] {
        let refused = citizen.letter(&inbox, &reply).send().await;
        assert_eq!(refused.status, 503, "{inbox}: {}", refused.text());
        assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|s| s > 0), "{inbox}: {refused:?}");
        assert!(!refused.text().contains("postgres"), "peers need not know: {}", refused.text());
    }
    for url in [at("/health/ready"), format!("http://{metrics}/health/ready")] {
        let unready = get_as(&url, "*/*").await;
        assert_eq!((unready.status, unready.header("content-type")), (503, "application/problem+json"));
        assert!(unready.json()["detail"].as_str().unwrap().contains("the database"), "{}", unready.text());
    }
    let blind = get_as(&format!("http://{metrics}/metrics"), "*/*").await.text();
    assert!(blind.contains("heraut_database_up 0") && blind.contains("heraut_database_errors_total"), "{blind}");
    assert_eq!(get_as(&at("/health/live"), "*/*").await.status, 200);
    for path in ["/.well-known/webfinger?resource=acct:nieuws@x".to_owned(), actor.replace(&at(""), "")] {
        let reply = get_as(&at(&path), "application/activity+json").await;
        assert!(reply.status != 404 && reply.status != 410, "{path}: a peer would take it for gone: {}", reply.status);
    }
    let told = |log: &str| log.lines().filter(|l| l.contains("\"ERROR\"") && l.contains("the database")).count();
    let log = || gateway.log();
    until("the log says that the database is away", || told(&log()) > 0).await;
    let password = url::Url::parse(&db.url).unwrap().password().unwrap().to_owned();
    assert!(!gateway.log().contains(&password), "the password is in the log");

    line.mend();
    eventually("it is ready again", || async {
        (get_as(&at("/health/ready"), "*/*").await.status == 200).then_some(())
    })
    .await;
    eventually("the database is seen by metrics again", || async {
        get_as(&format!("http://{metrics}/metrics"), "*/*").await.text().contains("heraut_database_up 1").then_some(())
    })
    .await;
    let during = |a: &crate::harness::Arrival| {
        a.activity["object"]["content"].as_str().is_some_and(|content| content.contains("Tijdens de storing"))
    };
    peer.takes("what was published meanwhile", during).await;
    let again = citizen.letter(&at("/ap/inbox"), &reply).send().await;
    assert_eq!(again.status, 202, "{}", again.text());
    assert_eq!(db.number("SELECT COUNT(*) FROM messages"), 1);
    let kinds: Vec<String> = peer.arrivals().iter().map(|a| a.kind().to_owned()).collect();
    assert_eq!(kinds, ["Accept", "Create"], "each came once");
}

#[test]
fn a_postgresql_that_goes_down_is_told_to_peers_and_comes_back_without_loss() {
    run(a_database_that_goes_down_is_told_to_peers_and_comes_back_without_loss, Kind::Postgres);
}
