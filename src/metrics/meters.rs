//! The series of this process, each made once.

use std::sync::LazyLock;

use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use crate::metrics::Hop;
use crate::source::politeness::PollOutcome;

/// Seconds, for an answer of another server.
const ANSWER_S: &[f64] = &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0];
/// Seconds, from owed to delivered: at once, or after days of a dead host.
const LATENCY_S: &[f64] =
    &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0];
/// Seconds, for a poll with its images.
const POLL_S: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 150.0];
/// Seconds, for an answer of ours.
const REQUEST_S: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// Seconds, for a hop to the database.
const HOP_S: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Why an inbox refused for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Forbidden,
    NotFound,
    Gone,
    Other,
}

impl Refused {
    pub(super) fn of(status: u16) -> Self {
        match status {
            403 => Self::Forbidden,
            404 => Self::NotFound,
            410 => Self::Gone,
            _ => Self::Other,
        }
    }
}

/// Why an attempt is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Later {
    NoAnswer,
    Redirect,
    Signature,
    Throttled,
    ServerError,
    Other,
}

impl Later {
    pub(super) fn of(status: Option<u16>) -> Self {
        match status {
            None => Self::NoAnswer,
            Some(300..=399) => Self::Redirect,
            Some(401) => Self::Signature,
            Some(429) => Self::Throttled,
            Some(500..=599) => Self::ServerError,
            Some(_) => Self::Other,
        }
    }
}

/// The parts of our HTTP that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    ActivityPub,
    Inbox,
    Discovery,
    Pages,
    Media,
    Health,
    Hooks,
    Tools,
    Api,
    Desk,
    None,
}

const SURFACES: usize = 11;
const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Surface {
    pub(super) fn of(path: &str) -> Self {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        match first {
            "ap" if path.ends_with("/inbox") => Self::Inbox,
            "ap" => Self::ActivityPub,
            ".well-known" | "nodeinfo" => Self::Discovery,
            "media" | "assets" | "favicon.ico" | "robots.txt" => Self::Media,
            "health" => Self::Health,
            "hooks" | "websub" => Self::Hooks,
            "api" | "oauth" | "micropub" => Self::Tools,
            "gateway" => Self::Api,
            "desk" => Self::Desk,
            "" | "tags" | "about-bot" => Self::Pages,
            name if name.starts_with('@') => Self::Pages,
            _ => Self::None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::ActivityPub => "activitypub",
            Self::Inbox => "inbox",
            Self::Discovery => "discovery",
            Self::Pages => "pages",
            Self::Media => "media",
            Self::Health => "health",
            Self::Hooks => "hooks",
            Self::Tools => "tools",
            Self::Api => "api",
            Self::Desk => "desk",
            Self::None => "none",
        }
    }
}

/// What a request that was pushed to us is answered.
const HOOK_ANSWERS: [&str; 11] = [
    "accepted",
    "known",
    "no-source",
    "closed",
    "unverified",
    "unreadable",
    "conflict",
    "media-type",
    "too-many",
    "full",
    "later",
];

/// What happens between us and hubs.
const WEBSUB_EVENTS: [&str; 15] = [
    "asked",
    "failed",
    "confirmed",
    "denied",
    "unasked",
    "accepted",
    "known",
    "unverified",
    "media-type",
    "too-large",
    "too-many",
    "over",
    "unknown",
    "later",
    "missed",
];

/// What happens between us and targets.
const TARGET_EVENTS: [&str; 8] = ["created", "edited", "deleted", "found", "later", "refused", "barred", "held"];

/// Every series of this process.
pub(super) struct Meters {
    pub(super) registry: Registry,
    pub(super) delivered: IntCounter,
    pub(super) held: IntCounter,
    pub(super) gave_up: IntCounter,
    refused: [IntCounter; 4],
    try_later: [IntCounter; 6],
    no_answer: [IntCounter; 5],
    pub(super) answer: Histogram,
    pub(super) latency: Histogram,
    pub(super) slots: IntGauge,
    pub(super) slots_used: IntGauge,
    published: [IntCounter; 3],
    hooks: [IntCounter; HOOK_ANSWERS.len()],
    websub: [IntCounter; WEBSUB_EVENTS.len()],
    targets: [IntCounter; TARGET_EVENTS.len()],
    pub(super) poll: Histogram,
    polls: [IntCounter; 7],
    reads: Histogram,
    writes: Histogram,
    reads_failed: IntCounter,
    writes_failed: IntCounter,
    pub(super) connections_used: IntGauge,
    pub(super) connections_idle: IntGauge,
    pub(super) connections_max: IntGauge,
    requests: HistogramVec,
    request: [[std::sync::OnceLock<Histogram>; STATUS_CLASSES.len()]; SURFACES],
    other: Histogram,
}

static METERS: LazyLock<Result<Meters, prometheus::Error>> = LazyLock::new(Meters::new);

/// The series; none if they could not be made, which a test rules out.
pub(super) fn meters() -> Option<&'static Meters> {
    METERS.as_ref().ok()
}

/// Whether the series could be made; a misspelt name would be the reason why not.
pub fn check() -> Result<(), String> {
    METERS.as_ref().map(|_| ()).map_err(ToString::to_string)
}

impl Meters {
    pub(super) fn refused(&self, why: Refused) -> &IntCounter {
        let [forbidden, not_found, gone, other] = &self.refused;
        match why {
            Refused::Forbidden => forbidden,
            Refused::NotFound => not_found,
            Refused::Gone => gone,
            Refused::Other => other,
        }
    }

    pub(super) fn try_later(&self, why: Later) -> &IntCounter {
        let [no_answer, redirect, signature, throttled, server_error, other] = &self.try_later;
        match why {
            Later::NoAnswer => no_answer,
            Later::Redirect => redirect,
            Later::Signature => signature,
            Later::Throttled => throttled,
            Later::ServerError => server_error,
            Later::Other => other,
        }
    }

    pub(super) fn no_answer(&self, cause: &str) -> &IntCounter {
        let [dns, connect, tls, timeout, other] = &self.no_answer;
        match cause {
            "dns" => dns,
            "connect" => connect,
            "tls" => tls,
            "timeout" => timeout,
            _ => other,
        }
    }

    pub(super) fn published(&self, kind: &str) -> Option<&IntCounter> {
        let [create, update, delete] = &self.published;
        match kind {
            "Create" => Some(create),
            "Update" => Some(update),
            "Delete" => Some(delete),
            _ => None,
        }
    }

    pub(super) fn hook(&self, answer: &str) -> Option<&IntCounter> {
        HOOK_ANSWERS.iter().zip(&self.hooks).find(|(known, _)| **known == answer).map(|(_, counter)| counter)
    }

    pub(super) fn websub(&self, event: &str) -> Option<&IntCounter> {
        WEBSUB_EVENTS.iter().zip(&self.websub).find(|(known, _)| **known == event).map(|(_, counter)| counter)
    }

    pub(super) fn target(&self, event: &str) -> Option<&IntCounter> {
        TARGET_EVENTS.iter().zip(&self.targets).find(|(known, _)| **known == event).map(|(_, counter)| counter)
    }

    pub(super) fn polled(&self, outcome: PollOutcome) -> &IntCounter {
        let [changed, not_modified, throttled, not_found, gone, expired, failed] = &self.polls;
        match outcome {
            PollOutcome::Changed => changed,
            PollOutcome::NotModified => not_modified,
            PollOutcome::Throttled => throttled,
            PollOutcome::NotFound => not_found,
            PollOutcome::Gone => gone,
            PollOutcome::Expired => expired,
            PollOutcome::Failed => failed,
        }
    }

    pub(super) fn hop(&self, hop: Hop) -> &Histogram {
        match hop {
            Hop::Read => &self.reads,
            Hop::Write => &self.writes,
        }
    }

    pub(super) fn hop_failed(&self, hop: Hop) -> &IntCounter {
        match hop {
            Hop::Read => &self.reads_failed,
            Hop::Write => &self.writes_failed,
        }
    }

    /// The series of a surface and status class; it appears with the first request.
    pub(super) fn request(&self, surface: Surface, status: u16) -> &Histogram {
        let class = usize::from(status / 100).saturating_sub(1);
        let cell = self.request.get(surface as usize).and_then(|classes| classes.get(class));
        let name = STATUS_CLASSES.get(class).copied().unwrap_or("other");
        cell.map_or(&self.other, |cell| cell.get_or_init(|| self.requests.with_label_values(&[surface.name(), name])))
    }

    fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let make = Make(&registry);
        build_info(&make)?;
        let outcomes = make.counters(
            "heraut_deliveries_total",
            "Attempts to deliver, by outcome; and deliveries given up.",
            &["outcome", "reason"],
        )?;
        let outcome = |outcome: &str, reason: &str| outcomes.with_label_values(&[outcome, reason]);
        let no_answer = make.counters(
            "heraut_delivery_no_answer_total",
            "POSTs to inboxes that got no answer, by what failed.",
            &["cause"],
        )?;
        let polls = make.counters("heraut_polls_total", "Polls of sources, by outcome.", &["outcome"])?;
        let hops = make.histograms(
            "heraut_database_hop_seconds",
            "Time of a hop to the database, waiting for a connection included.",
            HOP_S,
            &["kind"],
        )?;
        let failed = make.counters("heraut_database_errors_total", "Hops to the database that failed.", &["kind"])?;
        let connections =
            make.gauges("heraut_database_connections", "Connections of this process to the database.", &["state"])?;
        let requests = make.histograms(
            "heraut_http_request_seconds",
            "Time to answer a request, by surface and class of the status.",
            REQUEST_S,
            &["surface", "class"],
        )?;
        Ok(Self {
            delivered: outcome("delivered", ""),
            held: outcome("held", "unverified"),
            gave_up: outcome("gave_up", ""),
            refused: ["forbidden", "not_found", "gone", "other"].map(|reason| outcome("refused", reason)),
            try_later: ["no_answer", "redirect", "signature", "throttled", "server_error", "other"]
                .map(|reason| outcome("try_later", reason)),
            no_answer: ["dns", "connect", "tls", "timeout", "other"].map(|cause| no_answer.with_label_values(&[cause])),
            answer: make.histogram(
                "heraut_delivery_answer_seconds",
                "Time from a POST to an inbox to its answer, or to giving up on one.",
                ANSWER_S,
            )?,
            latency: make.histogram(
                "heraut_delivery_latency_seconds",
                "Time from when a delivery was owed, that is from publishing, to when it was delivered.",
                LATENCY_S,
            )?,
            slots: make.gauge("heraut_delivery_slots", "Deliveries that may be under way at once.")?,
            slots_used: make.gauge("heraut_delivery_slots_used", "Inboxes that are being delivered to.")?,
            published: published(&make)?,
            hooks: hook_answers(&make)?,
            websub: websub_events(&make)?,
            targets: target_events(&make)?,
            poll: make.histogram("heraut_poll_seconds", "Time of a poll, with its images.", POLL_S)?,
            polls: ["changed", "not_modified", "throttled", "not_found", "gone", "expired", "failed"]
                .map(|outcome| polls.with_label_values(&[outcome])),
            reads: hops.with_label_values(&["read"]),
            writes: hops.with_label_values(&["write"]),
            reads_failed: failed.with_label_values(&["read"]),
            writes_failed: failed.with_label_values(&["write"]),
            connections_used: connections.with_label_values(&["used"]),
            connections_idle: connections.with_label_values(&["idle"]),
            connections_max: make
                .gauge("heraut_database_connections_max", "Most connections of this process to the database.")?,
            other: requests.with_label_values(&["none", "other"]),
            requests,
            request: Default::default(),
            registry,
        })
    }
}

fn published(make: &Make<'_>) -> Result<[IntCounter; 3], prometheus::Error> {
    let kinds = ["Create", "Update", "Delete"];
    make.each("heraut_activities_published_total", "Activities published.", "kind", kinds)
}

fn hook_answers(make: &Make<'_>) -> Result<[IntCounter; HOOK_ANSWERS.len()], prometheus::Error> {
    make.each("heraut_hooks_total", "Requests that were pushed to us, by answer.", "answer", HOOK_ANSWERS)
}

fn websub_events(make: &Make<'_>) -> Result<[IntCounter; WEBSUB_EVENTS.len()], prometheus::Error> {
    make.each("heraut_websub_total", "What happened between us and hubs, by event.", "event", WEBSUB_EVENTS)
}

fn target_events(make: &Make<'_>) -> Result<[IntCounter; TARGET_EVENTS.len()], prometheus::Error> {
    make.each("heraut_targets_total", "What happened between us and targets, by outcome.", "outcome", TARGET_EVENTS)
}

/// The facts of the process itself.
fn build_info(make: &Make<'_>) -> Result<(), prometheus::Error> {
    let opts = Opts::new("heraut_build_info", "Always 1; the label says what runs.")
        .const_label("version", env!("CARGO_PKG_VERSION"));
    let info = Gauge::with_opts(opts)?;
    info.set(1.0);
    make.0.register(Box::new(info))?;
    #[cfg(target_os = "linux")]
    make.0.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
    Ok(())
}

/// Makes series and registers them.
struct Make<'r>(&'r Registry);

impl Make<'_> {
    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
        let made = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    /// A counter for each value of a label.
    fn each<const N: usize>(
        &self,
        name: &str,
        help: &str,
        label: &str,
        values: [&str; N],
    ) -> Result<[IntCounter; N], prometheus::Error> {
        let made = self.counters(name, help, &[label])?;
        Ok(values.map(|value| made.with_label_values(&[value])))
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let made = IntGauge::new(name, help)?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, prometheus::Error> {
        let made = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        let made = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
        labels: &[&str],
    ) -> Result<HistogramVec, prometheus::Error> {
        let made = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels)?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }
}
