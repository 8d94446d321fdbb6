use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::config::value::{parse_domain, parse_period, period_text};

mod example;

const MINIMAL: &str = "[server]\npublic_url = \"https://social.example.nl\"\n";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("/etc/heraut")).map_err(|e| e.to_string())
}

/// What is wrong with `text`, a line each.
fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err().lines().map(str::to_owned).collect()
}

#[test]
fn one_key_is_enough_and_the_rest_are_defaults() {
    let config = parse(MINIMAL).unwrap();
    assert_eq!(config.server.public_url.authority(), "social.example.nl");
    assert_eq!(config.server.listen, Server::listen_default());
    assert_eq!(config.database.url.expose(), "sqlite:/etc/heraut/heraut.db");
    assert_eq!(config.keys.master_key_file, Path::new("/etc/heraut/master.key"));
    assert_eq!(config.media.dir, Path::new("/etc/heraut/media"));
    assert_eq!(config.delivery, Delivery::default());
    assert!(config.agencies.is_empty() && config.actors.is_empty() && config.sources.is_empty());
}

#[test]
fn every_problem_is_reported_at_once_with_its_path() {
    let found = problems(
        r#"
        color = "blue"
        [server]
        listen = ["localhost"]
        port = 80
        [net]
        allow_addresses = ["10.0.0.0/8", "10.0.0.0/99"]
        [database]
        url = "mysql://me:hunter2@host/db"
        [delivery]
        timeout = "20"
        concurrency = 0
        [verification]
        grace = "1h"
        [[agency]]
        name = "a b"
        domain = "https://a.example"
        [[agency]]
        name = "twice"
        domain = "a.example"
        [[agency]]
        name = "twice"
        domain = "b.example"
        [[actor]]
        agency = "nobody"
        handle = "Nieuws"
        type = "Robot"
        fields = [["only one"]]
        icon = "/logo.png"
        [[source]]
        name = "s"
        actor = "ghost"
        every = "15m"
        cron = "* * * * *"
        timezone = "Europe/Nergens"
        language = "x"
        policy = 3
        "#,
    );
    let expected = [
        "color: is not a section",
        "net.allow_addresses[1]: `10.0.0.0/99` is neither an address nor a range",
        "server.public_url: is missing; write for example public_url = \"https://social.example.nl\"",
        "server.listen[0]: `localhost` is not an address with a port",
        "server.port: is not a key that is known here; known are public_url, listen,",
        "database.url: is neither",
        "delivery.concurrency: is to be from 1 to 1024",
        "delivery.timeout: `20` is not a length of time",
        "actor[0].agency: no [[agency]] has the name `nobody`; there is `a b`, `twice`",
        "source[0].actor: no [[actor]] has the handle `ghost`; there is `Nieuws`",
        "agency[2].name: `twice` stands there twice",
        "agency[0].name: `a b` is not a short name",
        "agency[0].domain: `https://a.example` is not a domain",
        "actor[0].handle: `Nieuws` is not a handle",
        "actor[0].type: unknown variant `Robot`, expected one of `Organization`",
        "actor[0].icon: `/logo.png` is not an absolute",
        "actor[0].fields: write each field as",
        "source[0].kind: is missing",
        "source[0].cron: stands beside `every`",
        "source[0].timezone: `Europe/Nergens` is not a time zone",
        "source[0].language: `x` is not a language tag",
        "source[0].policy: is of the type integer; write it as a table",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
    }
    assert!(!found.concat().contains("hunter2"), "the password of the database is shown");
}

#[test]
fn broken_toml_is_reported_with_line_and_column() {
    let found = problems("[server]\npublic_url = \"https://a.example\nlisten = 1\n");
    assert!(found[0].starts_with("line 2, column "), "{found:?}");
    let found = problems("[server]\npublic_url = \"https://a.example\"\npublic_url = 1\n");
    assert!(found[0].starts_with("line 3, column 1: duplicate key"), "{found:?}");
}

#[test]
fn plain_http_is_accepted_only_for_a_listed_address() {
    let table = [
        ("http://127.0.0.1:8080", true),
        ("http://127.0.0.2:8080", false),
        ("http://localhost:8080", false),
        ("http://social.example.nl", false),
        ("https://social.example.nl", true),
        ("https://social.example.nl/path", false),
        ("ftp://social.example.nl", false),
    ];
    for (url, good) in table {
        let text = format!("[server]\npublic_url = \"{url}\"\n[net]\nallow_addresses = [\"127.0.0.1\"]\n");
        assert_eq!(parse(&text).is_ok(), good, "{url}: {:?}", parse(&text));
    }
}

#[test]
fn what_a_source_says_beyond_our_keys_goes_to_its_connector() {
    let text = format!(
        "{MINIMAL}{}",
        r#"
        [[agency]]
        name = "a"
        domain = "A.example:8443"
        [[actor]]
        agency = "a"
        handle = "nieuws"
        fields = [{ name = "Site", value = "https://a.example" }]
        [[source]]
        name = "s"
        actor = "nieuws"
        kind = "feed"
        url = "https://a.example/rss"
        policy = { flood_fuse = 3 }
        "#
    );
    let config = parse(&text).unwrap();
    let source = &config.sources[0];
    assert_eq!(source.settings, json!({"url": "https://a.example/rss"}));
    assert_eq!(source.policy.flood_fuse, 3);
    assert_eq!((source.timezone, source.every.as_deref()), (chrono_tz::Europe::Amsterdam, None));
    let actor = &config.actors[0];
    assert_eq!(actor.fields, [("Site".to_owned(), "https://a.example".to_owned())]);
    assert_eq!((actor.name.as_str(), actor.language.as_str()), ("nieuws", "nl"));
    assert_eq!(config.handle_domain(actor), "social.example.nl");
    assert_eq!(config.agencies[0].domain, "a.example:8443");
}

#[test]
fn a_source_is_checked_by_its_connector_and_its_schedule() {
    let table = [
        ("kind = \"teletext\"", "source[0].kind: `teletext` is no kind of source; there is "),
        ("kind = \"feed\"\nurl = \"https://a.example/rss\"\nsecret = \"x\"", "source[0].kind: "),
        (
            "kind = \"cloudevents\"\nsecret = \"x\"\nsecret_file = \"y\"",
            "source[0].secret: is given in more than one way",
        ),
        ("kind = \"cloudevents\"\nsignature = \"githab\"", "source[0].signature: `githab` is no profile"),
        ("kind = \"cloudevents\"\nsignature = { window_s = 0 }", "source[0].signature.window_s: "),
        ("kind = \"feed\"", "source[0].url: "),
        ("kind = \"feed\"\nurl = \"https://a.example/rss\"\nurll = 1", "source[0].urll: "),
        ("kind = \"feed\"\nurl = \"https://a.example/rss\"\nevery = \"8d\"", "source[0].every: "),
        ("kind = \"feed\"\nurl = \"https://a.example/rss\"\ncron = \"0 7 31 2 *\"", "source[0].cron: "),
        (
            "kind = \"feed\"\nurl = \"https://a.example/rss\"\npolicy = { fuse = 1 }",
            "source[0].policy: unknown field `fuse`",
        ),
        (
            "kind = \"feed\"\nurl = \"https://a.example/rss\"\npolicy = { spread = \"61m\" }",
            "source[0].policy: `spread` is at most `1h`",
        ),
    ];
    for (lines, expected) in table {
        let found = problems(&format!(
            "{MINIMAL}[[agency]]\nname = \"a\"\ndomain = \"a.example\"\n[[actor]]\nagency = \"a\"\nhandle = \"nieuws\"\n\
             [[source]]\nname = \"s\"\nactor = \"nieuws\"\n{lines}\n"
        ));
        assert_eq!(found.len(), 1, "{lines}: {found:?}");
        assert!(found[0].starts_with(expected), "{lines}: {found:?}");
    }
}

#[test]
fn paths_are_relative_to_the_folder_of_the_file() {
    let table = [
        ("sqlite:heraut.db", "sqlite:/etc/heraut/heraut.db"),
        ("sqlite:///var/h.db", "sqlite:/var/h.db"),
        ("sqlite:/var/h.db", "sqlite:/var/h.db"),
        ("postgres://u:p@h/n", "postgres://u:p@h/n"),
    ];
    for (written, read) in table {
        let config = parse(&format!("{MINIMAL}[database]\nurl = \"{written}\"\n")).unwrap();
        assert_eq!(config.database.url.expose(), read);
    }
    let config = parse(&format!("{MINIMAL}[net]\nextra_ca_file = \"ca.pem\"\n")).unwrap();
    assert_eq!(config.net.extra_ca_file.as_deref(), Some(Path::new("/etc/heraut/ca.pem")));
}

#[test]
fn secrets_are_not_shown() {
    let text = format!(
        "{MINIMAL}{}",
        r#"
        [database]
        url = "postgres://u:hunter2@h/n"
        [[agency]]
        name = "a"
        domain = "a.example"
        [[actor]]
        agency = "a"
        handle = "nieuws"
        [[source]]
        name = "s"
        actor = "nieuws"
        kind = "feed"
        url = "https://a.example/rss?token=hunter2"
        "#
    );
    let config = parse(&text).unwrap();
    let shown = format!("{config:?}{}", serde_json::to_string(&config).unwrap());
    assert!(shown.contains("url") && !shown.contains("hunter2"), "{shown}");
    assert_eq!(config.sources[0].settings, json!({"url": "https://a.example/rss?token=hunter2"}));
}

#[test]
fn a_file_that_is_not_there_is_said_with_the_way_out() {
    let error = Config::load(Path::new("/nonexistent/config.toml")).unwrap_err();
    assert!(error.to_string().contains("heraut init"), "{error}");
}

#[test]
fn the_starter_loads_and_its_hidden_part_too() {
    let text = starter("https://social.example.nl");
    assert_eq!(parse(&text).unwrap(), parse(MINIMAL).unwrap());
    let config = parse(&example::uncommented(&text)).unwrap();
    assert_eq!((config.agencies.len(), config.actors.len(), config.sources.len()), (1, 1, 1));
}

#[test]
fn lengths_of_time_are_read_and_written() {
    let table = [("90s", 90), ("15m", 900), ("24h", 86_400), ("3d", 259_200), ("1h30m", 5_400), (" 0s ", 0)];
    for (text, seconds) in table {
        let period = parse_period(text).unwrap();
        assert_eq!(period, Duration::from_secs(seconds), "{text}");
        assert_eq!(parse_period(&period_text(period)).unwrap(), period, "{text}");
    }
    for text in ["", "15", "m", "1.5h", "-1s", "15 m", "1w", "15é", "99999999999999999999s", "9999999999999999d"] {
        assert!(parse_period(text).is_err(), "{text}");
    }
}

#[test]
fn domains_are_read_to_one_form() {
    for (text, domain) in
        [("Example.NL", "example.nl"), ("a.nl:8443", "a.nl:8443"), ("münchen.de", "xn--mnchen-3ya.de")]
    {
        assert_eq!(parse_domain(text).as_deref(), Ok(domain));
    }
    for text in ["", "https://a.nl", "a.nl/", "a.nl/x", "me@a.nl", "a b.nl", "a.nl?x", "a.nl#x", "a.nl:x", "\\a"] {
        assert!(parse_domain(text).is_err(), "{text}");
    }
}

#[test]
fn a_pushed_source_is_looked_at_daily_and_shows_no_secret() {
    let text = format!(
        "{MINIMAL}
        [[agency]]
        name = \"a\"
        domain = \"a.example\"
        [[actor]]
        agency = \"a\"
        handle = \"nieuws\"
        [[source]]
        name = \"cms\"
        actor = \"nieuws\"
        kind = \"cloudevents\"
        secret = \"the-secret-itself\"
        token_env = \"HERAUT_TEST_TOKEN\"
        previous_secret_file = \"old\"
        "
    );
    let source = parse(&text).unwrap().sources.remove(0);
    assert_eq!(source.schedule, crate::source::schedule::Schedule::every("1d").unwrap());
    assert!(source.enabled);
    let shown = format!("{source:?} {}", serde_json::to_string(&source).unwrap());
    assert!(!shown.contains("the-secret-itself"), "{shown}");
    for key in ["\"secret\"", "\"token_env\"", "\"previous_secret_file\""] {
        assert!(shown.contains(key), "{key}: {shown}");
    }
    assert!(source.hook.secret.unwrap().read().is_ok());
    let missing = [source.hook.token.unwrap().read(), source.hook.previous_secret.unwrap().read()];
    assert!(missing.iter().all(Result::is_err));
}

#[test]
fn of_the_kinds_that_are_read_a_list_of_files_has_a_token_and_no_other_secret() {
    let of = |kind: &str, keys: &str| {
        let url = "url = \"https://a.example/lijst.json\"";
        let text = "[[agency]]\nname = \"a\"\ndomain = \"a.example\"\n[[actor]]\nagency = \"a\"\nhandle = \"nieuws\"\n";
        let source = format!("[[source]]\nname = \"s\"\nactor = \"nieuws\"\nkind = \"{kind}\"\n{url}\n{keys}\n");
        parse(&format!("{MINIMAL}\n{text}{source}"))
    };
    for key in ["token = \"geheim-token\"", "token_file = \"lijst.token\"", "token_env = \"LIJST_TOKEN\""] {
        let source = of("import", key).unwrap().sources.remove(0);
        assert!(source.hook.token.is_some() && !format!("{source:?}").contains("geheim-token"), "{key}");
        assert!(source.settings.get("token").is_none(), "the token is no setting: {key}");
        assert!(of("feed", key).is_err(), "{key}");
    }
    assert!(of("import", "secret = \"0123456789abcdef\"").is_err());
    assert!(of("import", "token = \"a\"\nsignature = \"github\"").is_err());
}

#[test]
fn a_source_says_itself_when_it_is_stale() {
    let text = "[[agency]]\nname = \"a\"\ndomain = \"a.example\"\n[[actor]]\nagency = \"a\"\nhandle = \"nieuws\"\n";
    let of = |key: &str| {
        parse(&format!(
            "{MINIMAL}\n{text}[[source]]\nname = \"s\"\nactor = \"nieuws\"\nkind = \"feed\"\nurl = \"https://a.example/a.rss\"\n{key}\n"
        ))
    };
    assert_eq!(of("").unwrap().sources[0].stale_after, None);
    let said = of("stale_after = \"60d\"").unwrap().sources[0].stale_after;
    assert_eq!(said.map(|span| span.duration().as_secs()), Some(60 * 86_400));
    assert!(of("stale_after = \"sixty\"").is_err());
}

#[test]
fn a_level_that_nobody_could_reach_and_a_register_that_is_nowhere_are_problems() {
    let register = |keys: &str| format!("[[register]]\nname = \"r\"\n{keys}\n");
    let table = [
        ("[verification]\nlevel = 1\n".to_owned(), "verification.level"),
        ("[verification]\nlevel = 5\n".to_owned(), "verification.level"),
        ("[verification]\nlevel = 4\n".to_owned(), "no [[register]] names accounts"),
        (
            format!("[verification]\nlevel = 4\n{}", register("kind = \"rio\"\nfile = \"r\"")),
            "no [[register]] names accounts",
        ),
        (register("kind = \"excel\"\nfile = \"r\""), "there is roo, rio, list"),
        (register("kind = \"list\""), "write where the register is"),
        (register("kind = \"list\"\nfile = \"r\"\nurl = \"https://r.example/\""), "keep one of them"),
        (register("kind = \"list\"\nurl = \"http://r.example/\""), "is not https"),
        (register("kind = \"list\"\nfile = \"r\"\nevery = \"8d\""), "register[0].every"),
        ("[net]\ndns = [\"dns.example\"]\n".to_owned(), "net.dns[0]"),
        ("[[agency]]\nname = \"a\"\ndomain = \"a.example\"\norganisation = \"gm 1\"\n".to_owned(), "is not a URI"),
    ];
    for (text, part) in table {
        let found = problems(&format!("{MINIMAL}{text}"));
        assert!(found.iter().any(|line| line.contains(part)), "{text}: {found:?}");
    }
    let roo = register("kind = \"roo\"\nurl = \"https://r.example/\"");
    let good = parse(&format!("{MINIMAL}[verification]\nlevel = 4\n{roo}")).unwrap();
    assert_eq!((good.verification.level.number(), good.registers.len()), (4, 1));
}
