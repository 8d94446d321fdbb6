//! What is known of hosts while delivering: which answer, which fail, which are given a rest, which keep somebody waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::delivery::breaker::{Admission, Breaker, FAILURES_MAX, STRANGER_FAILURES_MAX};
use crate::signature::Scheme;
use crate::time::Timestamp;

/// Most hosts that are remembered; beyond it the memory starts anew, which costs each dead host a few attempts.
const HOSTS_MAX: usize = 50_000;
/// So many answers of a host may be awaited aside that has not answered yet, or failed when it was last sent something. A host
/// that hangs takes no more places than that.
const WAITING_MAX: usize = 3;
/// How long another inbox of that host waits then.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a whole host is left alone at most because one of its inboxes asked for it; that inbox waits as long as it asked.
const ASKED_MAX: Duration = Duration::from_secs(3_600);
/// How long the other inboxes of a host wait while one of its answers is awaited for long.
const REST: Duration = Duration::from_secs(5);

/// How long what was learnt of a host's signatures is believed before what the database says: it is there by then.
const LEARNT_HOLDS: Duration = Duration::from_secs(10);
/// How long a host that refused both signatures is knocked at once only.
const KNOCK_AGAIN_AFTER: Duration = Duration::from_secs(3_600);

/// The hosts that were sent something. An open breaker is also in the database, for other processes and for the time after a
/// restart.
#[derive(Clone, Default)]
pub(super) struct Hosts {
    known: Arc<Mutex<HashMap<String, Host>>>,
}

#[derive(Clone, Copy, Default)]
struct Host {
    breaker: Breaker,
    /// Deliveries that wait aside for an answer.
    waiting: usize,
    /// Those of them that have waited for long.
    slow: usize,
    /// It answered when it was last sent something.
    answers: bool,
    /// It answered at some time.
    met: bool,
    /// How it is to be signed for, as learnt since it was last leased.
    learnt: Option<(Scheme, Timestamp)>,
    /// When it last refused both signatures.
    refused_both: Option<Timestamp>,
}

/// Where a delivery may wait for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In front.
    Front,
    /// Aside from the start: another one already waits for that host.
    Aside,
    /// Nowhere.
    Nowhere(Rest),
}

/// How a host failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// It gave no answer.
    Silent,
    /// It answered, with an error.
    Answered,
    /// It said when to come back.
    AskedToWait(Timestamp),
}

/// Who waits, until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// This inbox: several wait for its host already.
    Inbox(Timestamp),
    /// All inboxes of the host: it keeps somebody waiting for long.
    Host(Timestamp),
    /// All inboxes of the host: its breaker is open, as far as this process knows.
    Breaker(Timestamp),
}

impl Hosts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is known of a host.
    fn change<T>(&self, name: &str, change: impl FnOnce(&mut Host) -> T) -> T {
        let mut known = self.lock();
        if let Some(host) = known.get_mut(name) {
            return change(host);
        }
        if known.len() >= HOSTS_MAX {
            known.clear();
        }
        change(known.entry(name.to_owned()).or_default())
    }

    /// Where what is sent to a host now waits for its answer.
    pub(super) fn place(&self, name: &str, now: Timestamp) -> Place {
        let host = self.lock().get(name).copied().unwrap_or_default();
        match host {
            Host { slow: 1.., .. } => Place::Nowhere(Rest::Host(now.after(REST))),
            Host { answers: true, .. } | Host { waiting: 0, .. } => Place::Front,
            Host { waiting: ..WAITING_MAX, .. } => Place::Aside,
            Host { .. } => Place::Nowhere(Rest::Inbox(now.after(PATIENCE))),
        }
    }

    /// Whether something may be sent to a host now, as far as its breaker goes.
    pub(super) fn admit(&self, name: &str, now: Timestamp) -> Admission {
        let mut known = self.lock();
        let Some(host) = known.get_mut(name) else { return Admission::Send };
        let (breaker, admission) = host.breaker.ask(now);
        host.breaker = breaker;
        admission
    }

    /// A host took something. Returns whether its breaker was not closed until now.
    pub(super) fn succeeded(&self, name: &str) -> bool {
        self.change(name, |host| {
            let was_open = !matches!(host.breaker, Breaker::Closed { .. });
            (host.breaker, host.answers, host.met) = (Breaker::default(), true, true);
            was_open
        })
    }

    /// A host failed. Gives its failures in a row, and until when its breaker is open, when it is.
    pub(super) fn failed(&self, name: &str, how: Failed, at: Timestamp) -> Option<(i32, Timestamp)> {
        let breaker = self.change(name, |host| {
            let most = if how == Failed::Silent && !host.met { STRANGER_FAILURES_MAX } else { FAILURES_MAX };
            host.breaker = match how {
                Failed::AskedToWait(until) => host.breaker.asked_to_wait(until.min(at.after(ASKED_MAX))),
                Failed::Silent | Failed::Answered => host.breaker.failed(at, most),
            };
            host.answers = false;
            host.breaker
        });
        match breaker {
            Breaker::Open { until } => Some((i32::try_from(FAILURES_MAX).unwrap_or(1), until)),
            Breaker::Closed { .. } | Breaker::HalfOpen { .. } => None,
        }
    }

    /// How what is sent to a host is signed first: `known` is what the database said when its inbox was leased.
    pub(super) fn scheme(&self, name: &str, known: Scheme, now: Timestamp) -> Scheme {
        let known_here = self.lock();
        match known_here.get(name).and_then(|host| host.learnt) {
            Some((learnt, at)) if at.after(LEARNT_HOLDS) > now => learnt,
            _ => known,
        }
    }

    /// A host took a signature of this kind after it refused the other.
    pub(super) fn learn(&self, name: &str, scheme: Scheme, now: Timestamp) {
        self.change(name, |host| host.learnt = Some((scheme, now)));
    }

    /// A host refused both signatures: that is not about signatures, and it is not knocked at twice for a while.
    pub(super) fn refused_both(&self, name: &str, now: Timestamp) {
        self.change(name, |host| host.refused_both = Some(now));
    }

    /// Whether a host may be knocked at a second time.
    pub(super) fn may_knock_again(&self, name: &str, now: Timestamp) -> bool {
        let known = self.lock();
        known.get(name).and_then(|host| host.refused_both).is_none_or(|at| at.after(KNOCK_AGAIN_AFTER) <= now)
    }

    /// Notes that an answer of a host is awaited aside, until the guard is dropped.
    pub(super) fn wait(&self, name: &str) -> Waiting {
        self.change(name, |host| host.waiting += 1);
        Waiting { hosts: self.clone(), name: name.to_owned(), is_slow: false }
    }

    /// Takes over which breakers are open in the database: another process may have opened or closed some, and a host that
    /// spoke to us closes its own.
    pub(super) fn take_over(&self, open: &[(String, Timestamp)], now: Timestamp) {
        let mut known = self.lock();
        for (name, host) in known.iter_mut() {
            let rests = matches!(host.breaker, Breaker::Open { until } if until > now);
            if rests && !open.iter().any(|(other, _)| other == name) {
                host.breaker = Breaker::default();
            }
        }
        for (name, until) in open {
            let host = known.entry(name.clone()).or_default();
            if !matches!(host.breaker, Breaker::HalfOpen { .. }) {
                host.breaker = Breaker::Open { until: *until };
            }
        }
    }
}

/// A delivery waits aside for an answer while this lives.
pub(super) struct Waiting {
    hosts: Hosts,
    name: String,
    is_slow: bool,
}

impl Waiting {
    /// It has waited for long: nothing else is sent to that host until it is over.
    pub(super) fn is_long(&mut self) {
        if let Some(host) = self.hosts.lock().get_mut(&self.name) {
            host.slow += 1;
            self.is_slow = true;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(host) = self.hosts.lock().get_mut(&self.name) {
            host.waiting = host.waiting.saturating_sub(1);
            host.slow = host.slow.saturating_sub(usize::from(self.is_slow));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::breaker::PAUSE;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn a_host_that_keeps_somebody_waiting_gets_no_seat_in_front_then_nothing_at_all() {
        let hosts = Hosts::default();
        let place = || hosts.place("a.example", NOW);
        assert_eq!(place(), Place::Front);
        let mut waiting: Vec<Waiting> = vec![hosts.wait("a.example")];
        assert_eq!((place(), hosts.place("b.example", NOW)), (Place::Aside, Place::Front));
        waiting.resize_with(WAITING_MAX, || hosts.wait("a.example"));
        assert_eq!(place(), Place::Nowhere(Rest::Inbox(NOW.after(PATIENCE))));
        waiting.truncate(1);
        assert_eq!(place(), Place::Aside);
        waiting[0].is_long();
        assert_eq!(place(), Place::Nowhere(Rest::Host(NOW.after(REST))));
        drop(waiting);
        assert_eq!(place(), Place::Front);
    }

    #[test]
    fn a_host_that_answered_last_time_may_be_far_away_and_have_many_inboxes() {
        let hosts = Hosts::default();
        let place = || hosts.place("a.example", NOW);
        hosts.succeeded("a.example");
        let mut waiting: Vec<Waiting> = (0..WAITING_MAX).map(|_| hosts.wait("a.example")).collect();
        assert_eq!(place(), Place::Front);
        let _ = hosts.failed("a.example", Failed::Answered, NOW);
        assert_eq!(place(), Place::Nowhere(Rest::Inbox(NOW.after(PATIENCE))), "it is not what it was");
        hosts.succeeded("a.example");
        waiting[0].is_long();
        assert_eq!(place(), Place::Nowhere(Rest::Host(NOW.after(REST))));
    }

    #[test]
    fn a_stranger_that_does_not_answer_is_given_a_rest_sooner() {
        let hosts = Hosts::default();
        let opens_after = |name: &str, how| (1..).find(|_| hosts.failed(name, how, NOW).is_some()).unwrap();
        assert_eq!(opens_after("stranger.example", Failed::Silent), STRANGER_FAILURES_MAX);
        assert_eq!(opens_after("ill.example", Failed::Answered), FAILURES_MAX);
        hosts.succeeded("known.example");
        assert_eq!(opens_after("known.example", Failed::Silent), FAILURES_MAX);
        let until = NOW.after(PAUSE * 2);
        let asked = hosts.failed("busy.example", Failed::AskedToWait(until), NOW);
        assert_eq!(asked.unwrap().1, until);
        assert_eq!(hosts.admit("busy.example", NOW), Admission::Wait { until });
    }

    #[test]
    fn no_more_hosts_are_remembered_than_there_is_room_for() {
        let hosts = Hosts::default();
        let waiting = hosts.wait("first.example");
        (0..HOSTS_MAX).for_each(|n| assert!(!hosts.succeeded(&format!("h{n}.example"))));
        drop(waiting);
        assert!(hosts.lock().len() <= HOSTS_MAX);
    }

    #[test]
    fn a_probe_that_was_not_sent_does_not_close_a_host_for_good() {
        let hosts = Hosts::default();
        for _ in 0..FAILURES_MAX {
            let _ = hosts.failed("a.example", Failed::Answered, NOW);
        }
        let first = NOW.after(PAUSE);
        assert_eq!(hosts.admit("a.example", first), Admission::Probe);
        hosts.take_over(&[], first);
        assert_eq!(hosts.admit("a.example", first), Admission::Wait { until: first.after(PAUSE) });
        assert_eq!(hosts.admit("a.example", first.after(PAUSE)), Admission::Probe);
    }

    #[test]
    fn of_a_host_that_is_given_a_rest_one_inbox_tries_when_it_is_over() {
        let hosts = Hosts::default();
        let opened: Vec<_> = (0..FAILURES_MAX).map(|_| hosts.failed("a.example", Failed::Answered, NOW)).collect();
        let (_, until) = opened.last().unwrap().unwrap();
        assert_eq!(hosts.admit("a.example", NOW), Admission::Wait { until });
        assert_eq!(hosts.admit("a.example", until), Admission::Probe);
        assert!(matches!(hosts.admit("a.example", until), Admission::Wait { .. }));
        assert!(hosts.succeeded("a.example"), "its breaker was open");
        assert_eq!(hosts.admit("a.example", until), Admission::Send);
    }

    #[test]
    fn breakers_are_those_of_the_database() {
        let hosts = Hosts::default();
        let until = NOW.after(Duration::from_secs(60));
        hosts.take_over(&[("a.example".to_owned(), until)], NOW);
        assert_eq!(hosts.admit("a.example", NOW), Admission::Wait { until });
        hosts.take_over(&[], NOW);
        assert_eq!(hosts.admit("a.example", NOW), Admission::Send, "it spoke to us, and its row is gone");
    }
}
