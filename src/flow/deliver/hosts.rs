//! What is known of hosts while delivering: which fail, which are given a rest, which keep somebody waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::delivery::breaker::{Admission, Breaker, FAILURES_MAX};
use crate::time::Timestamp;

/// Most hosts that are remembered; beyond it the memory starts anew, which costs each dead host a few attempts.
const HOSTS_MAX: usize = 50_000;
/// How long the other inboxes of a host wait while one of its answers is awaited for long.
const REST: Duration = Duration::from_secs(5);

/// The hosts that are in some trouble. An open breaker is also in the database, for other processes and for the time after a
/// restart.
#[derive(Clone, Default)]
pub(super) struct Hosts {
    troubled: Arc<Mutex<HashMap<String, Host>>>,
}

#[derive(Clone, Copy, Default)]
struct Host {
    breaker: Breaker,
    /// Deliveries that wait for an answer for long.
    slow: usize,
}

impl Host {
    fn is_well(&self) -> bool {
        self.slow == 0 && self.breaker == Breaker::default()
    }
}

impl Hosts {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.troubled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something may be sent to a host now.
    pub(super) fn admit(&self, name: &str, now: Timestamp) -> Admission {
        let mut troubled = self.lock();
        let Some(host) = troubled.get_mut(name) else { return Admission::Send };
        if host.slow > 0 {
            return Admission::Wait { until: now.after(REST) };
        }
        let (breaker, admission) = host.breaker.ask(now);
        host.breaker = breaker;
        admission
    }

    /// A host took something. Returns whether its breaker was not closed until now.
    pub(super) fn succeeded(&self, name: &str) -> bool {
        let mut troubled = self.lock();
        let Some(host) = troubled.get_mut(name) else { return false };
        let was_open = !matches!(host.breaker, Breaker::Closed { .. });
        host.breaker = Breaker::default();
        if host.is_well() {
            troubled.remove(name);
        }
        was_open
    }

    /// A host failed. Gives its failures in a row, and until when its breaker is open, when it is.
    pub(super) fn failed(&self, name: &str, at: Timestamp) -> Option<(i32, Timestamp)> {
        let mut troubled = self.lock();
        if troubled.len() >= HOSTS_MAX {
            troubled.clear();
        }
        let host = troubled.entry(name.to_owned()).or_default();
        host.breaker = host.breaker.failed(at);
        match host.breaker {
            Breaker::Open { until } => Some((i32::try_from(FAILURES_MAX).unwrap_or(1), until)),
            Breaker::Closed { .. } | Breaker::HalfOpen => None,
        }
    }

    /// Notes that an answer of a host is awaited for long, until the guard is dropped.
    pub(super) fn slow(&self, name: &str) -> Slow {
        let mut troubled = self.lock();
        if troubled.len() < HOSTS_MAX {
            troubled.entry(name.to_owned()).or_default().slow += 1;
        }
        Slow { hosts: self.clone(), name: name.to_owned() }
    }

    /// Takes over which breakers are open in the database: another process may have opened or closed some, and a host that
    /// spoke to us closes its own.
    pub(super) fn take_over(&self, open: &[(String, Timestamp)], now: Timestamp) {
        let mut troubled = self.lock();
        for (name, host) in troubled.iter_mut() {
            let rests = matches!(host.breaker, Breaker::Open { until } if until > now);
            if rests && !open.iter().any(|(other, _)| other == name) {
                host.breaker = Breaker::default();
            }
        }
        troubled.retain(|_, host| !host.is_well());
        for (name, until) in open {
            let host = troubled.entry(name.clone()).or_default();
            if host.breaker != Breaker::HalfOpen {
                host.breaker = Breaker::Open { until: *until };
            }
        }
    }
}

/// A delivery waits for an answer for long while this lives.
pub(super) struct Slow {
    hosts: Hosts,
    name: String,
}

impl Drop for Slow {
    fn drop(&mut self) {
        let mut troubled = self.hosts.lock();
        if let Some(host) = troubled.get_mut(&self.name) {
            host.slow = host.slow.saturating_sub(1);
            if host.is_well() {
                troubled.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn a_host_that_keeps_somebody_waiting_gets_nothing_else() {
        let hosts = Hosts::default();
        let waits = hosts.slow("a.example");
        assert!(matches!(hosts.admit("a.example", NOW), Admission::Wait { .. }));
        assert_eq!(hosts.admit("b.example", NOW), Admission::Send);
        drop(waits);
        assert_eq!(hosts.admit("a.example", NOW), Admission::Send);
        assert!(hosts.lock().is_empty(), "what is well is forgotten");
    }

    #[test]
    fn of_a_host_that_is_given_a_rest_one_inbox_tries_when_it_is_over() {
        let hosts = Hosts::default();
        let opened: Vec<_> = (0..FAILURES_MAX).map(|_| hosts.failed("a.example", NOW)).collect();
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
