//! Registers that are read: what is bad never takes the place of what is good, and is told.

use serde_json::{Value, json};

use heraut::register::{BYTES_MAX, ENTRIES_MAX};

use crate::harness::{Gateway, Reply, Setup, Site, both, eventually};
use crate::ladder::{CITY, register, verify};

async fn row(gateway: &Gateway) -> Value {
    gateway.cli(&["register", "list", "--json"]).await.well().json()[0].clone()
}

/// A list of that many domains besides that of the site.
fn list(site: &Site, more: usize) -> String {
    let rows: String = (0..more).map(|n| format!("d{n}.example;{CITY}\n")).collect();
    format!("domain;organisation\n{};{CITY}\n{rows}", site.authority())
}

both! {
    async fn a_file_that_is_broken_or_lost_most_never_replaces_the_last_good_one(db: Database) {
        let site = Site::start();
        site.answer("/register.csv", Reply::ok("text/csv", list(&site, 40)));
        let gateway = Setup::new().further(&register(&site, "eigen", "list", "/register.csv")).start(&db, &site).await;
        let good = row(&gateway).await;
        assert_eq!((&good["entries"], &good["failure"]), (&json!(42), &Value::Null), "{good}");
        let table = [
            ("nothing", Reply::ok("text/csv", ""), "names neither"),
            ("a heading alone", Reply::ok("text/csv", "domain;organisation\n"), "it has no entries"),
            ("an error page", Reply::ok("text/html", "<html><body>Onderhoud</body></html>"), "not a list"),
            ("a row cut short", Reply::ok("text/csv", "domain;organisation\na.example;u:1\nb.exa"), "may be cut short"),
            ("a row of another form", Reply::ok("text/csv", "domain;organisation\na.example\n"), "not well-formed"),
            ("half of it", Reply::ok("text/csv", list(&site, 5)), "--accept-smaller"),
            ("an error", Reply::status(500), "answered 500"),
            ("nothing there", Reply::status(404), "answered 404"),
            ("JSON cut short", Reply::ok("application/json", "{\"organisations\": [{\"uri\": \"u:1\""), "not a list"),
        ];
        for (what, reply, told) in table {
            site.answer("/register.csv", reply);
            let read = gateway.cli(&["register", "read", "eigen"]).await;
            assert!(read.code == 1 && read.stderr.contains(told), "{what}: {read:?}");
            let now = row(&gateway).await;
            assert_eq!((&now["entries"], &now["sha256"]), (&good["entries"], &good["sha256"]), "{what}");
            assert!(now["failure"].as_str().unwrap().contains(told), "{what}: {now}");
            assert_eq!(verify(&gateway).await["verified"], true, "{what}: no wrong freeze");
        }
        let check = gateway.cli(&["check"]).await;
        assert!(check.stdout.contains("WRONG register: the register `eigen` was not read"), "{}", check.stdout);

        site.answer("/register.csv", Reply::ok("text/csv", list(&site, 5)));
        gateway.cli(&["register", "read", "eigen", "--accept-smaller"]).await.well();
        let smaller = row(&gateway).await;
        assert_eq!((&smaller["entries"], &smaller["failure"]), (&json!(7), &Value::Null), "{smaller}");
        assert_eq!(db.number("SELECT COUNT(*) FROM register_entries"), 7, "what counts no more is gone");
    }

    async fn a_register_is_read_on_its_schedule_and_asked_only_for_what_is_new(db: Database) {
        let site = Site::start();
        let reply = |n| Reply::ok("text/csv", list(&site, n)).with("etag", &format!("\"{n}\""));
        site.answer("/register.csv", reply(1));
        let further = format!("{}every = \"1s\"\n", register(&site, "eigen", "list", "/register.csv"));
        let gateway = Setup::new().further(&further).start(&db, &site).await;
        eventually("it is asked whether it changed", || async {
            let asked = site.requests("/register.csv");
            asked.iter().any(|request| request.header("if-none-match") == Some("\"1\"")).then_some(())
        })
        .await;
        site.answer("/register.csv", reply(3));
        eventually("the change is read", || async { (row(&gateway).await["entries"] == json!(5)).then_some(()) }).await;
        site.answer("/register.csv", Reply::ok("text/csv", "domain\nkapot\";x\n"));
        eventually("that it is broken is told", || async {
            gateway.log().contains("a register was not read").then_some(())
        })
        .await;
        assert_eq!(row(&gateway).await["entries"], 5);
    }

    async fn a_file_on_this_machine_is_read_and_one_that_is_gone_is_told(db: Database) {
        let (site, folder) = (Site::start(), tempfile::tempdir().unwrap());
        let file = folder.path().join("register.csv");
        std::fs::write(&file, list(&site, 2)).unwrap();
        let further = format!("[[register]]\nname = \"eigen\"\nkind = \"list\"\nfile = \"{}\"\n", file.display());
        let gateway = Setup::new().further(&further).start(&db, &site).await;
        assert_eq!(row(&gateway).await["entries"], 4);
        std::fs::remove_file(&file).unwrap();
        let gone = gateway.cli(&["register", "read", "eigen"]).await;
        assert!(gone.code == 1 && gone.stderr.contains("cannot be read"), "{gone:?}");
        assert_eq!(verify(&gateway).await["verified"], true);
    }

    async fn a_large_register_is_stored_in_portions_and_one_beyond_the_limits_is_refused_and_freezes_nobody(db: Database) {
        const LARGE: usize = 100_000;
        let (site, folder) = (Site::start(), tempfile::tempdir().unwrap());
        let (file, other) = (folder.path().join("register.csv"), folder.path().join("other.csv"));
        let put = |text: String| {
            std::fs::write(&other, text).unwrap();
            std::fs::rename(&other, &file).unwrap();
        };
        put(list(&site, 0));
        let further =
            format!("[[register]]\nname = \"eigen\"\nkind = \"list\"\nfile = \"{}\"\nevery = \"1s\"\n", file.display());
        let gateway = Setup::new().further(&further).start(&db, &site).await;
        let small = peak(&gateway);
        put(list(&site, LARGE));
        let good = eventually("the large one is read", || async {
            let row = row(&gateway).await;
            let entries = row["entries"].as_u64().unwrap();
            assert!([2, LARGE as u64 + 2].contains(&entries), "what counts is all of one or all of the other: {row}");
            (entries > 2).then_some(row)
        })
        .await;
        let grown = peak(&gateway).saturating_sub(small);
        eprintln!("{LARGE} entries took at most {} KiB more", grown / 1_024);
        assert!(grown < 96 * 1_024 * 1_024, "{grown} bytes for a file of some megabytes");
        assert_eq!(verify(&gateway).await["verified"], true);

        let too_large = std::fs::File::create(&other).unwrap();
        too_large.set_len(BYTES_MAX as u64 + 1).unwrap();
        std::fs::rename(&other, &file).unwrap();
        let refused = |part: &'static str| {
            let (gateway, good) = (&gateway, &good);
            async move {
                let now = eventually("that it is refused is told", || async {
                    let row = row(gateway).await;
                    row["failure"].as_str().is_some_and(|failure| failure.contains(part)).then_some(row)
                })
                .await;
                assert_eq!((&now["entries"], &now["sha256"]), (&good["entries"], &good["sha256"]), "{now}");
                assert_eq!(verify(gateway).await["verified"], true, "no wrong freeze");
                assert_eq!(gateway.metric("heraut_registers_failing").await, Some(1.0));
            }
        };
        refused("bytes; at most 134217728 are read").await;
        let rows: String = (0..=ENTRIES_MAX).map(|n| format!(";u:{n}\n")).collect();
        put(format!("domain;organisation\n{};{CITY}\n{rows}", site.authority()));
        refused("it has more than 1000000 entries").await;
        assert_eq!(db.number("SELECT COUNT(*) FROM register_entries"), LARGE as i64 + 2, "nothing of it was stored");
    }
}

/// The most memory that the process ever had, in bytes.
fn peak(gateway: &Gateway) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.process().pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}
