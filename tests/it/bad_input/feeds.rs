//! What a source may answer instead of a feed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Gateway, PATIENCE, Peer, Reply, Setup, Site, World, both, eventually, within};
use crate::installation::{Installation, fresh_address};

const FEED: &str = "/nieuws.rss";
/// Largest body that is read, in bytes after decompression.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Time for a whole answer.
const FETCH_LIMIT: Duration = Duration::from_secs(30);

const GOOD: &str = "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>T</title><link>https://a.example/</link>\
    <description>D</description><item><title>Bericht</title><guid isPermaLink=\"false\">een</guid>\
    <pubDate>Sun, 22 Nov 2026 10:00:00 GMT</pubDate></item></channel></rss>";

/// A bad source: its name, its path, and what has to stand in the report about it.
type Bad = (&'static str, Reply, &'static [&'static str]);

fn rss(body: impl Into<Vec<u8>>) -> Reply {
    Reply::ok("application/rss+xml", body)
}

/// The good feed, filled up with white space to so many bytes.
fn padded(bytes: usize) -> Reply {
    let mut body = GOOD.as_bytes().to_vec();
    body.resize(bytes, b' ');
    rss(body)
}

/// A small body that unpacks to 64 MiB.
fn bomb() -> Reply {
    let mut gzip = Command::new("gzip").arg("-9").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = gzip.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        stdin.write_all(GOOD.as_bytes()).unwrap();
        (0..64).for_each(|_| stdin.write_all(&vec![b' '; 1024 * 1024]).unwrap());
    });
    let packed = gzip.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    assert!(packed.len() < BODY_BYTES_MAX / 20, "{} bytes are no bomb", packed.len());
    rss(packed).with("content-encoding", "gzip")
}

fn unreadable() -> Vec<Bad> {
    let (start, _) = GOOD.split_at(GOOD.len() / 2);
    let html = "<!doctype html><html><title>Onderhoud</title><body><h1>Wij zijn zo terug</h1></body></html>";
    vec![
        ("html", Reply::ok("text/html; charset=utf-8", html), &["HTML"]),
        ("html-as-feed", rss(html), &["HTML"]),
        ("leeg", rss(""), &["empty"]),
        ("wit", rss(" \n\t "), &["empty"]),
        ("afgebroken", rss(start), &["feed"]),
        ("tekst", Reply::ok("text/plain", "hallo"), &["feed"]),
        (
            "ruis",
            rss((0..4096).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<u8>>()),
            &["feed"],
        ),
        ("json", Reply::ok("application/json", "{\"items\": 3"), &["feed"]),
        ("geen-feed", Reply::ok("application/json", "{\"naam\": \"waarde\"}"), &["feed"]),
        ("diep", rss("<a>".repeat(200_000)), &["feed"]),
        ("verkeerd-gzip", rss("geen gzip").with("content-encoding", "gzip"), &["HTTP"]),
        ("bom", bomb(), &["larger than 8388608 bytes after decompression", "must send less"]),
        ("te-groot", padded(BODY_BYTES_MAX + 1), &["larger than 8388608 bytes"]),
        ("weg", Reply::status(410), &["410", "address"]),
        ("zoek", Reply::status(404), &["404", "address"]),
        ("verboden", Reply::status(403), &["403", "operator"]),
        ("stuk", Reply::status(500), &["500"]),
    ]
}

/// The `[[source]]` tables of some paths of a site.
fn tables(site: &Site, names: &[&str]) -> String {
    let table = |name: &&str| {
        let url = site.url(&format!("/{name}"));
        format!("[[source]]\nname = \"{name}\"\nactor = \"nieuws\"\nkind = \"feed\"\nurl = \"{url}\"\nevery = \"1s\"\n")
    };
    names.iter().map(table).collect()
}

async fn sources(gateway: &Gateway) -> Vec<Value> {
    gateway.cli(&["source", "list", "--json"]).await.well().json().as_array().unwrap().clone()
}

fn state<'a>(sources: &'a [Value], name: &str) -> &'a str {
    let found = sources.iter().find(|source| source["name"] == name).unwrap_or_else(|| panic!("no source {name}"));
    found["state"].as_str().unwrap()
}

/// Each source says what is wrong with it, and the words in the report name it.
fn check(sources: &[Value], url: impl Fn(&str) -> String, bad: &[(&str, &[&str])]) {
    let mut wrong = Vec::new();
    for (name, words) in bad {
        let state = state(sources, name);
        let reported = state.starts_with("failing (") || state.starts_with("stopped: ");
        let named = state.starts_with("stopped: ") || state.contains(&url(name));
        let last = state.rsplit(": ").next().unwrap_or_default();
        if state.matches(last).count() > 1 {
            wrong.push(format!("{name}: `{state}` says the same twice"));
        }
        if state.chars().any(char::is_control) {
            wrong.push(format!("{name}: {state:?} writes control characters of a stranger on the operator's terminal"));
        }
        if !reported || !named || !words.iter().all(|word| state.contains(word)) {
            wrong.push(format!("{name}: `{state}` does not say {words:?} of {}", url(name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The good source of a gateway still reaches a follower.
async fn still_works(gateway: &Gateway, site: &Site) -> Peer {
    let peer = Peer::start();
    peer.account("burger").follows(gateway).await;
    site.publish("daarna", "Het gaat gewoon door", "<p>Alles werkt.</p>");
    peer.takes("the Create", |a| a.activity["object"]["content"].as_str().is_some_and(|c| c.contains("gewoon door")))
        .await;
    peer
}

both! {
    async fn a_source_that_is_no_feed_is_reported_and_the_others_go_on(db: Database) {
        let site = Site::start();
        let bad = unreadable();
        for (name, reply, _) in &bad {
            site.answer(&format!("/{name}"), reply.clone());
        }
        site.answer("/net-niet-te-groot", padded(BODY_BYTES_MAX));
        let names: Vec<&str> = bad.iter().map(|(name, ..)| *name).chain(["net-niet-te-groot"]).collect();
        let gateway = Setup::new().further(&tables(&site, &names)).start(&db, &site).await;
        let told = sources(&gateway).await;
        let expected: Vec<(&str, &[&str])> = bad.iter().map(|(name, _, words)| (*name, *words)).collect();
        check(&told, |name| site.url(&format!("/{name}")), &expected);
        assert_eq!(state(&told, "persberichten"), "ok");
        assert_eq!(state(&told, "net-niet-te-groot"), "ok", "what is just small enough is read");
        assert_eq!(db.number("SELECT COUNT(*) FROM posts"), 0, "something was published from a bad source");
        let peer = still_works(&gateway, &site).await;

        // What is mended is read again.
        site.answer("/leeg", rss(GOOD));
        gateway.cli(&["source", "poll", "leeg"]).await.well();
        eventually("the mended source is ok", || async { (state(&sources(&gateway).await, "leeg") == "ok").then_some(()) }).await;
        assert_eq!(peer.count("Create"), 1, "the first items of a mended source are not news");
    }

    async fn a_good_source_that_turns_bad_loses_nothing_and_repeats_nothing(db: Database) {
        let world = World::with(db, Setup::new().policy("retract_on_gone = true\ngone_after = \"1s\"")).await;
        let (gateway, site, peer) = (&world.gateway, &world.site, &world.peer);
        world.published("eerst", "Dit was er eerst").await;
        let empty = GOOD.split("<item>").next().unwrap().to_owned() + "</channel></rss>";
        let turns = [
            rss(""),
            Reply::ok("text/html", "<!doctype html><title>Onderhoud</title>"),
            rss(&GOOD[..GOOD.len() / 2]),
            rss(empty),
            Reply::status(500),
        ];
        for (n, turn) in turns.into_iter().enumerate() {
            site.answer(FEED, turn);
            gateway.cli(&["source", "poll", "persberichten"]).await.well();
            let failing = || async { state(&sources(gateway).await, "persberichten").starts_with("failing").then_some(()) };
            eventually(&format!("turn {n} is reported"), failing).await;
            site.as_usual(FEED);
            site.publish(&format!("na-{n}"), &format!("Na storing {n}"), "<p>Weer daar.</p>");
            gateway.cli(&["source", "poll", "persberichten"]).await.well();
            world.created(&format!("Na storing {n}")).await;
        }
        assert_eq!(state(&sources(gateway).await, "persberichten"), "ok");
        let kinds: Vec<String> = peer.arrivals().iter().map(|a| a.kind().to_owned()).collect();
        assert_eq!(kinds, [vec!["Accept"], vec!["Create"; 6]].concat(), "nothing is withdrawn, edited or said twice");
    }

    async fn redirects_that_lead_nowhere_or_inside_are_not_followed(db: Database) {
        let (site, elsewhere) = (Site::start(), Forbidden::start());
        let to = |path: &str, target: &str| site.answer(path, Reply::redirect(302, target));
        to("/rond", "/om");
        to("/om", "/rond");
        (0..7).for_each(|n| to(&format!("/ver{n}"), &format!("/ver{}", n + 1)));
        to("/prive", "http://10.0.0.1/feed");
        to("/wolk", "http://169.254.169.254/latest/meta-data/");
        to("/buur", &elsewhere.url());
        to("/schijf", "file:///etc/passwd");
        to("/nergens", "http://");
        let names = ["rond", "ver0", "prive", "wolk", "buur", "schijf", "nergens", "direct"];
        let mut gateway = Installation::new();
        let config = Setup::new().further(&tables(&site, &names)).config(&db.url, &gateway.address.to_string(), &site);
        let (host, own) = (site.address.ip(), gateway.address.ip());
        let config = config.replace("allow_addresses = [\"127.0.0.0/8\"]", &format!("allow_addresses = [\"{host}/32\", \"{own}/32\"]"));
        let config = config.replace(&site.url("/direct"), &elsewhere.url());
        assert!(config.contains(&format!("{host}/32")) && config.contains(&elsewhere.url()), "{config}");
        gateway.configure(&config);
        gateway.serve().await;
        eventually("every source was polled", || async {
            (db.number("SELECT COUNT(*) FROM sources WHERE polled_at IS NULL") == 0).then_some(())
        }).await;
        let told = gateway.run(&["source", "list", "--json"]).well().json().as_array().unwrap().clone();
        let inside: &[&str] = &["may not be reached", "net.allow_addresses"];
        let neighbour = elsewhere.url();
        check(&told, |name| match name {
            "prive" => "http://10.0.0.1/feed".to_owned(),
            "wolk" => "http://169.254.169.254/".to_owned(),
            "buur" | "direct" => neighbour.clone(),
            "schijf" => "file:///etc/passwd".to_owned(),
            name => site.url(&format!("/{name}")),
        }, &[
            ("rond", &["circle"]),
            ("ver0", &["too many redirects"]),
            ("prive", inside),
            ("wolk", inside),
            ("buur", inside),
            ("direct", inside),
            ("schijf", &["only https and http"]),
            ("nergens", &["Location"]),
        ]);
        for name in ["prive", "wolk", "buur"] {
            let whence = site.url(&format!("/{name}"));
            assert!(state(&told, name).contains(&whence), "{name}: where it was sent from: {}", state(&told, name));
        }
        assert_eq!(state(&told, "persberichten"), "ok", "the address that is allowed is reached");
        assert_eq!(elsewhere.calls(), 0, "a forbidden address was connected to");
    }

    async fn a_source_that_is_slow_is_given_up_and_holds_up_nobody(db: Database) {
        let site = Site::start();
        let (silent, dripping) = (slow(false), slow(true));
        let table = |name: &str, address: SocketAddr| {
            format!("[[source]]\nname = \"{name}\"\nactor = \"nieuws\"\nkind = \"feed\"\nurl = \"http://{address}/\"\nevery = \"1s\"\n")
        };
        let further = table("zwijgt", silent) + &table("druppelt", dripping);
        let gateway = Gateway::start(&Setup::new().further(&further), &db, &site).await;
        eventually("the good source has its baseline", || async {
            (db.number("SELECT COUNT(*) FROM sources WHERE baseline_at IS NOT NULL") == 1).then_some(())
        }).await;
        still_works(&gateway, &site).await;
        let open = db.number("SELECT COUNT(*) FROM sources WHERE polled_at IS NULL");
        assert_eq!(open, 2, "the slow sources were given up before the good one was served, so this tells nothing");
        within(FETCH_LIMIT + PATIENCE, "the slow sources are given up", || async {
            (db.number("SELECT COUNT(*) FROM sources WHERE polled_at IS NULL") == 0).then_some(())
        }).await;
        let told = sources(&gateway).await;
        let address = |name: &str| format!("http://{}/", if name == "zwijgt" { silent } else { dripping });
        check(&told, address, &[("zwijgt", &["no complete answer within 30s"]), ("druppelt", &["no complete answer within 30s"])]);
    }
}

/// A server on a loopback address that the gateway may not reach. It counts who connects.
struct Forbidden {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl Forbidden {
    fn start() -> Self {
        let listener = TcpListener::bind(fresh_address()).unwrap();
        let (address, calls) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = calls.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let mut stream = stream;
                let _ = stream.read(&mut [0; 4096]);
                let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{GOOD}", GOOD.len());
            }
        });
        Self { address, calls }
    }

    fn url(&self) -> String {
        format!("http://{}/geheim", self.address)
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// A server that never answers, or that sends a byte now and then and never ends.
fn slow(drips: bool) -> SocketAddr {
    let listener = TcpListener::bind(fresh_address()).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let _ = stream.read(&mut [0; 4096]);
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/rss+xml\r\ncontent-length: 4000\r\n\r\n<rss";
                let mut alive = !drips || stream.write_all(head.as_bytes()).is_ok();
                while alive {
                    std::thread::sleep(Duration::from_millis(500));
                    alive = !drips || stream.write_all(b" ").is_ok();
                }
            });
        }
    });
    address
}
