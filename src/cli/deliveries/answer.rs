//! The words of `heraut deliveries`: what was found, as sentences that say what is, why, what comes next and what to do.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::delivery::retry::{GIVE_UP_AFTER, PARK_AFTER};
use crate::ids::PostId;
use crate::store::deliveries::DeliveryState;
use crate::store::reports::{Failing, HostInboxes, Lacking, Reason, Sum};
use crate::time::Timestamp;

/// Due for longer than this without anybody who delivers: nobody seems to.
const LATE_AFTER: Duration = Duration::from_secs(60);

/// What was found about a question.
pub(super) struct Facts {
    /// When it was looked.
    pub(super) at: Timestamp,
    /// The post that was asked for.
    pub(super) post: Option<PostId>,
    /// The host that was asked for.
    pub(super) host: Option<Host>,
    /// Deliveries by type and state.
    pub(super) sums: Vec<Sum>,
    /// Why some were not taken.
    pub(super) reasons: Vec<Reason>,
    /// The hosts that lack something.
    pub(super) lacking: Vec<Lacking>,
    /// All deliveries by state.
    pub(super) totals: Vec<(i16, i64)>,
}

/// What was found about a host.
pub(super) struct Host {
    /// Its name.
    pub(super) name: String,
    /// How its inboxes do.
    pub(super) inboxes: HostInboxes,
    /// How the inbox fails that fails most.
    pub(super) failure: Option<Failing>,
    /// Until when its breaker is open.
    pub(super) breaker_until: Option<Timestamp>,
    /// How many follow from there.
    pub(super) followers: i64,
    /// Known hosts of a similar name, where this one is not known.
    pub(super) similar: Vec<String>,
}

/// The answer, a sentence a line.
pub(super) fn lines(facts: &Facts, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(host) = &facts.host {
        lines.extend(condition(host, facts, now));
    }
    if facts.post.is_some() || facts.host.is_some() {
        lines.extend(summaries(facts));
    } else {
        lines.push(overall(&facts.totals));
    }
    lines.extend(reasons(facts));
    if facts.host.is_none() {
        lines.extend(hosts(facts));
    }
    lines.extend(advice(facts, now));
    lines
}

/// What scripts read besides the receipts.
pub(super) fn json(facts: &Facts) -> Value {
    let mut value =
        json!({ "asked_at": facts.at, "sums": sums_json(facts), "reasons": facts.reasons, "lacking": facts.lacking });
    if let (Some(object), Some(host)) = (value.as_object_mut(), &facts.host) {
        let failure = host.failure.as_ref();
        object.insert(
            "host".to_owned(),
            json!({
                "name": host.name,
                "followers": host.followers,
                "inboxes": host.inboxes.inboxes,
                "failing": host.inboxes.failing,
                "parked": host.inboxes.parked,
                "failing_since": host.inboxes.failing_since,
                "next_at": host.inboxes.due,
                "last_ok_at": host.inboxes.ok_at,
                "breaker": if host.breaker_until.is_some() { "open" } else { "closed" },
                "breaker_open_until": host.breaker_until,
                "failures": failure.map(|f| f.failures),
                "last_status": failure.and_then(|f| f.status),
                "last_error": failure.and_then(|f| f.error.clone()),
                "similar": host.similar,
            }),
        );
    }
    value
}

fn sums_json(facts: &Facts) -> Vec<Value> {
    let sum = |s: &Sum| {
        json!({ "kind": s.kind, "state": DeliveryState::from_code(s.state), "n": s.n, "oldest": s.oldest,
                "settled": s.settled, "sending": if s.state == 0 { s.sending } else { 0 },
                "next_at": if s.state == 0 { s.due } else { None } })
    };
    facts.sums.iter().map(sum).collect()
}

/// One line a type of activity: delivered 4,812 of 4,900, refused 12, owed 76; the oldest …, next ….
fn summaries(facts: &Facts) -> Vec<String> {
    let what = match (&facts.post, &facts.host) {
        (Some(post), Some(host)) => format!("post {post} to {}", host.name),
        (Some(post), None) => format!("post {post}"),
        (None, Some(host)) => host.name.clone(),
        (None, None) => String::new(),
    };
    if facts.sums.is_empty() {
        return vec![match &facts.post {
            Some(_) => {
                format!("{what}: no delivery was ever owed; nobody there followed when it was published, or it was not")
            }
            None => format!("{what}: no delivery was ever owed"),
        }];
    }
    let mut by_kind: BTreeMap<&str, Vec<&Sum>> = BTreeMap::new();
    facts.sums.iter().for_each(|sum| by_kind.entry(&sum.kind).or_default().push(sum));
    let mut kinds: Vec<_> = by_kind.into_iter().collect();
    // In the order of a post's life; answers to followers come after.
    let rank = |kind: &str| ["Create", "Update", "Delete"].iter().position(|k| *k == kind).unwrap_or(3);
    kinds.sort_by_key(|(kind, _)| rank(kind));
    kinds.iter().map(|(kind, sums)| format!("{what}: {kind} {}", summary(sums))).collect()
}

fn summary(sums: &[&Sum]) -> String {
    let of = |state: DeliveryState| sums.iter().find(|sum| sum.state == state.code());
    let n = |state| of(state).map_or(0, |sum| sum.n);
    let all: i64 = sums.iter().map(|sum| sum.n).sum();
    let mut text = format!("delivered {} of {}", number(n(DeliveryState::Delivered)), number(all));
    let others = [
        (DeliveryState::Refused, "refused"),
        (DeliveryState::GaveUp, "given up"),
        (DeliveryState::Held, "held"),
        (DeliveryState::Owed, "owed"),
    ];
    for (state, word) in others.into_iter().filter(|(state, _)| n(*state) > 0) {
        text += &format!(", {word} {}", number(n(state)));
    }
    if let Some(owed) = of(DeliveryState::Owed) {
        text += &format!("; the oldest owed since {}", owed.oldest);
        if owed.sending > 0 {
            text += &format!("; {} being sent now", number(owed.sending));
        }
        text += &owed.due.map_or_else(String::new, |due| format!("; next at {due}"));
    }
    text
}

fn overall(totals: &[(i16, i64)]) -> String {
    let told: Vec<String> = totals
        .iter()
        .map(|(code, n)| {
            let word = match DeliveryState::from_code(*code) {
                DeliveryState::Owed => "owed",
                DeliveryState::Delivered => "delivered",
                DeliveryState::Refused => "refused",
                DeliveryState::GaveUp => "given up",
                DeliveryState::Held => "held",
            };
            format!("{word} {}", number(*n))
        })
        .collect();
    if told.is_empty() {
        "no delivery was ever owed".to_owned()
    } else {
        format!("all deliveries: {}", told.join(", "))
    }
}

/// How the host does: breaker, since when, what it said last, when it is tried next.
fn condition(host: &Host, facts: &Facts, now: Timestamp) -> Vec<String> {
    let Host { name, inboxes, failure, breaker_until, followers, similar } = host;
    if inboxes.inboxes == 0 {
        let known = if similar.is_empty() { String::new() } else { format!("; did you mean {}?", similar.join(", ")) };
        return vec![format!("{name}: no inbox there is known: nobody there ever followed one of our actors{known}")];
    }
    let mut lines = Vec::new();
    let count = format!("{} of its {}", number(inboxes.failing), plural(inboxes.inboxes, "inbox", "inboxes"));
    let next = match inboxes.due {
        Some(due) => format!("; tried next at {due}{}", in_time(due, now)),
        None if inboxes.leased > 0 => "; being tried now".to_owned(),
        None => String::new(),
    };
    let said = match failure {
        Some(Failing { failures, status, error }) => {
            let status = status.map_or_else(|| "no answer".to_owned(), |s| format!("status {s}"));
            let error = error.clone().unwrap_or_default();
            format!("; last of {}: {status}: {error}", plural(i64::from(*failures), "failure", "failures in a row"))
        }
        None => String::new(),
    };
    match (inboxes.failing_since, inboxes.parked) {
        (Some(since), 0) => lines.push(format!("{name}: fails since {since} ({}), at {count}{said}{next}", ago(since, now))),
        (Some(since), parked) => lines.push(format!(
            "{name}: fails since {since} ({}), at {count}; {} parked after {} days of failures and probed once a day, and at \
             once when it speaks to us{said}{next}",
            ago(since, now),
            if parked == 1 { "1 is".to_owned() } else { format!("{} are", number(parked)) },
            PARK_AFTER.as_secs() / 86_400
        )),
        (None, _) => lines.push(format!(
            "{name}: healthy{}",
            inboxes.ok_at.map_or_else(String::new, |at| format!("; it last took something at {at} ({})", ago(at, now)))
        )),
    }
    if let Some(until) = breaker_until {
        lines.push(format!(
            "{name}: its breaker is open until {until}: several inboxes failed, so none is tried before"
        ));
    }
    if *followers == 0 && facts.post.is_none() {
        lines.push(format!("{name}: nobody there follows now"));
    }
    lines
}

fn reasons(facts: &Facts) -> Vec<String> {
    let of = |reason: &Reason| {
        let word = match DeliveryState::from_code(reason.state) {
            DeliveryState::Owed => "owed",
            DeliveryState::Refused => "refused",
            DeliveryState::GaveUp => "given up",
            DeliveryState::Held => "held",
            DeliveryState::Delivered => "delivered",
        };
        format!("why: {} {word}: {}", number(reason.n), reason.error)
    };
    facts.reasons.iter().map(of).collect()
}

/// The hosts that lack something.
fn hosts(facts: &Facts) -> Vec<String> {
    let of = |lacking: &Lacking| {
        let word = match DeliveryState::from_code(lacking.state) {
            DeliveryState::Refused => "refused",
            DeliveryState::GaveUp => "given up",
            DeliveryState::Held => "held",
            _ => "owed",
        };
        let error = lacking.error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
        format!("host {}: {word} {}{error}", lacking.host, number(lacking.n))
    };
    facts.lacking.iter().map(of).collect()
}

/// What an operator can do.
fn advice(facts: &Facts, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let n = |state: DeliveryState| -> i64 { facts.sums.iter().filter(|s| s.state == state.code()).map(|s| s.n).sum() };
    if n(DeliveryState::Held) > 0 {
        lines.push("do: the actor has no proof that holds; `heraut actor list`, `heraut actor verify <handle>`; it resumes by itself".to_owned());
    }
    if facts.reasons.iter().any(|reason| reason.state == DeliveryState::Refused.code()) {
        lines.push(
            "do: what is refused is not sent again. 403 mostly means that the host blocks this gateway or the actor: ask its \
             moderators; 404 and 410 that the account there is gone"
                .to_owned(),
        );
    }
    if n(DeliveryState::GaveUp) > 0 {
        let days = (PARK_AFTER + GIVE_UP_AFTER).as_secs() / 86_400;
        lines.push(format!(
            "do: nothing; the host was away for more than {days} days, and what it missed is not sent again"
        ));
    }
    let Some(host) = &facts.host else { return lines };
    let owed = n(DeliveryState::Owed) > 0;
    match &host.failure {
        Some(failing) if owed => lines.push(format!("do: {}", remedy(failing.status))),
        None if owed && host.breaker_until.is_none() => {
            let late = host.inboxes.due.is_some_and(|due| due.after(LATE_AFTER) < now);
            lines.push(if late && host.inboxes.leased == 0 {
                "do: it is due, but nobody delivers: is `heraut serve` with the role deliver running?".to_owned()
            } else {
                "do: nothing; it is on its way".to_owned()
            });
        }
        _ => {}
    }
    lines
}

/// What to do about what a failing host says.
fn remedy(status: Option<i32>) -> &'static str {
    match status {
        None => {
            "look whether the host is up; if other hosts fail too, look at the DNS and the firewall of this machine. It is tried again by itself"
        }
        Some(300..=399) => {
            "nothing; the host moved, and the account's new inbox comes with its next activity. It is tried again by itself"
        }
        Some(401) => {
            "run `heraut check`: the host does not take our signature, so it may not be able to fetch the actor, or this machine's clock is off"
        }
        Some(429) => "nothing; the host takes no more for now. It is tried again by itself, when the host asked for it",
        Some(_) => "nothing here; the host has an error of its own. It is tried again by itself",
    }
}

/// 4812 as 4,812.
fn number(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if n < 0 { format!("-{text}") } else { text }
}

fn plural(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// A length of time in its largest unit.
fn length(time: Duration) -> String {
    match time.as_secs() {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

fn ago(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", length(now.since(then)))
}

fn in_time(then: Timestamp, now: Timestamp) -> String {
    if then > now { format!(" (in {})", length(then.since(now))) } else { " (now)".to_owned() }
}

#[cfg(test)]
mod tests;
