//! `/metrics`: what a scrape sees of a gateway at work, and that the dashboard and the alerts of `ops/` name only what it shows.

use std::collections::BTreeSet;

use promql_parser::parser;
use serde::Deserialize;
use serde_json::Value;

use crate::harness::{Behaviour, Peer, Setup, World, both, eventually, get_as, until};

/// The names of the series that expressions of that text use.
fn names(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !word(c))
        .filter(|name| name.starts_with("heraut_") || name.starts_with("process_"))
        .map(ToOwned::to_owned)
        .collect()
}

/// The names of the series on a page.
fn shown(page: &str) -> BTreeSet<String> {
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// Waits until a series has that value or more.
async fn reaches(world: &World, series: &str, least: f64) {
    eventually(&format!("{series} reaches {least}"), || async {
        world.gateway.metric(series).await.is_some_and(|value| value >= least).then_some(())
    })
    .await;
}

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(rename = "for")]
    for_: String,
    labels: std::collections::BTreeMap<String, String>,
    annotations: std::collections::BTreeMap<String, String>,
}

const RULES: &str = include_str!("../../ops/prometheus-alerts.yml");
const DASHBOARD: &str = include_str!("../../ops/grafana-dashboard.json");

fn rules() -> Vec<Rule> {
    let rules: Rules = serde_yaml_ng::from_str(RULES).unwrap();
    assert!(rules.groups.iter().all(|group| !group.name.is_empty()));
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

/// Every expression of the dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            found.extend(map.get("expr").and_then(Value::as_str).map(ToOwned::to_owned));
            map.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

fn dashboard() -> Vec<String> {
    let mut found = Vec::new();
    expressions(&serde_json::from_str(DASHBOARD).unwrap(), &mut found);
    // Grafana puts its own lengths of time there.
    found.iter().map(|expr| expr.replace("$__rate_interval", "5m").replace("$agency", ".*")).collect()
}

#[test]
fn the_alert_rules_can_be_read_and_each_says_what_to_do() {
    let rules = rules();
    assert!(rules.len() >= 8);
    let mut seen = BTreeSet::new();
    for rule in rules {
        assert!(seen.insert(rule.alert.clone()), "{} is there twice", rule.alert);
        parser::parse(&rule.expr).unwrap_or_else(|e| panic!("{}: {e}: {}", rule.alert, rule.expr));
        assert!(rule.for_.ends_with(['s', 'm', 'h']), "{}: {}", rule.alert, rule.for_);
        assert!(matches!(rule.labels["severity"].as_str(), "critical" | "warning"), "{}", rule.alert);
        for annotation in ["summary", "description"] {
            assert!(rule.annotations[annotation].len() > 20, "{} has no {annotation}", rule.alert);
        }
    }
}

#[test]
fn a_loop_is_called_stuck_after_as_long_as_by_the_health_check() {
    use heraut::metrics::pulse::Loop;
    let stuck = rules().into_iter().find(|rule| rule.alert == "HerautLoopStuck").unwrap().expr;
    let patience = |which: Loop| which.patience().as_secs();
    for which in [Loop::Poll, Loop::Hooks] {
        assert!(stuck.contains(&format!("{{loop=~\"poll|hooks\"}} > {}", patience(which))), "{stuck}");
    }
    for which in [Loop::Websub, Loop::Publish, Loop::Verify, Loop::Deliver, Loop::Targets] {
        assert!(stuck.contains(&format!("{{loop!~\"poll|hooks\"}} > {}", patience(which))), "{stuck}");
    }
}

#[test]
fn the_expressions_of_the_dashboard_can_be_read() {
    let expressions = dashboard();
    assert!(expressions.len() >= 15);
    for expression in expressions {
        parser::parse(&expression).unwrap_or_else(|e| panic!("{e}: {expression}"));
    }
}

both! {
    async fn a_scrape_tells_what_was_delivered_what_is_owed_and_how_sources_and_proofs_do(db: Database) {
        let world = World::new(db).await;
        let down = Peer::start();
        down.account("ver").follows(&world.gateway).await;
        down.behaves(Behaviour::Answer(503));
        world.published("dijk", "De dijk").await;
        until("the other host failed", || !down.arrivals().is_empty()).await;
        reaches(&world, "heraut_deliveries_total{outcome=\"try_later\",reason=\"server_error\"}", 1.0).await;
        reaches(&world, "heraut_deliveries_total{outcome=\"delivered\",reason=\"\"}", 3.0).await;
        reaches(&world, "heraut_activities_published_total{kind=\"Create\"}", 1.0).await;
        reaches(&world, "heraut_deliveries_owed{agency=\"voorbeeldstad\",inbox=\"failing\"}", 1.0).await;
        reaches(&world, "heraut_deliveries_oldest_age_seconds{agency=\"voorbeeldstad\",inbox=\"failing\"}", 0.001).await;
        reaches(&world, "heraut_inboxes_failing", 1.0).await;
        reaches(&world, "heraut_polls_total{outcome=\"changed\"}", 1.0).await;
        reaches(&world, "heraut_sources{agency=\"voorbeeldstad\",state=\"ok\"}", 1.0).await;
        reaches(&world, "heraut_proof_holds{actor=\"nieuws\",agency=\"voorbeeldstad\"}", 1.0).await;
        reaches(&world, "heraut_database_hop_seconds_count{kind=\"write\"}", 1.0).await;
        reaches(&world, "heraut_http_request_seconds_count{class=\"2xx\",surface=\"inbox\"}", 1.0).await;
        reaches(&world, "heraut_delivery_slots", 1.0).await;
        reaches(&world, "process_resident_memory_bytes", 1e6).await;
        let page = world.gateway.metrics().await;
        assert!(page.contains("heraut_build_info{version=\"") && page.contains("heraut_database_up 1"), "{page}");
        for part in [down.authority(), world.peer.authority(), world.site.authority()] {
            assert!(!page.contains(&part), "{part}: hosts are no labels\n{page}");
        }
    }

    async fn metrics_are_never_on_the_public_listener(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let public = get_as(&world.gateway.url("/metrics"), "*/*").await;
        assert_eq!(public.status, 404, "{}", public.text());
        let own = get_as(&world.gateway.metrics_url("/metrics"), "*/*").await;
        assert_eq!((own.status, own.header("content-type")), (200, "text/plain; version=0.0.4"));
        let elsewhere = get_as(&world.gateway.metrics_url("/ap/instance"), "*/*").await;
        assert_eq!(elsewhere.status, 404, "nothing public is on the listener for metrics");
    }

    async fn the_dashboard_and_the_alerts_name_only_what_a_gateway_shows(db: Database) {
        let world = World::new(db).await;
        world.published("dijk", "De dijk").await;
        let mut wanted: BTreeSet<String> = rules().iter().flat_map(|rule| names(&rule.expr)).collect();
        wanted.extend(dashboard().iter().flat_map(|expression| names(expression)));
        assert!(wanted.len() > 20, "the expressions were not read: {wanted:?}");
        let missing = || async { wanted.difference(&shown(&world.gateway.metrics().await)).cloned().collect::<Vec<_>>() };
        eventually("every name is on the page", || async {
            let missing = missing().await;
            eprintln!("missing: {missing:?}");
            missing.is_empty().then_some(())
        })
        .await;
    }
}
