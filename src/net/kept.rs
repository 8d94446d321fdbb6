//! Which hosts a connection is kept to. A connection that waits for the next activity costs 25 to 35 KB and a file; to twenty
//! thousand hosts that is more than all the rest of the gateway. So it is kept to those that were posted to first and often.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most hosts to which connections are kept.
const HOSTS_MAX: usize = 1_000;

/// The hosts to which connections are kept.
#[derive(Debug)]
pub(super) struct Kept {
    idle: Duration,
    hosts: Mutex<Hosts>,
}

#[derive(Debug, Default)]
struct Hosts {
    last: HashMap<String, Instant>,
    /// When the idle ones were last looked for: that costs more than a connection.
    swept: Option<Instant>,
}

/// How often idle ones are looked for while there is no room.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

impl Kept {
    /// Connections that are unused for `idle` are closed by the pool, and their hosts forgotten.
    pub(super) fn new(idle: Duration) -> Self {
        Self { idle, hosts: Mutex::default() }
    }

    /// Whether the connection to this host is to be kept after the request that is sent now.
    pub(super) fn keeps(&self, host: &str, now: Instant) -> bool {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = hosts.last.get_mut(host) {
            *last = now;
            return true;
        }
        if hosts.last.len() >= HOSTS_MAX && hosts.swept.is_none_or(|at| now.duration_since(at) >= SWEEP_EVERY) {
            hosts.swept = Some(now);
            hosts.last.retain(|_, at| now.duration_since(*at) < self.idle);
        }
        let room = hosts.last.len() < HOSTS_MAX;
        if room {
            hosts.last.insert(host.to_owned(), now);
        }
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_kept_to_so_many_hosts_until_they_are_idle() {
        let (kept, start) = (Kept::new(Duration::from_secs(60)), Instant::now());
        let name = |n: usize| format!("h{n}.example");
        assert!((0..HOSTS_MAX).all(|n| kept.keeps(&name(n), start)));
        assert!(!kept.keeps("one-too-many.example", start));
        let later = start + Duration::from_secs(59);
        assert!(kept.keeps(&name(0), later), "who has one keeps it");
        assert!(!kept.keeps("one-too-many.example", later));
        let idle = start + Duration::from_secs(61);
        assert!(kept.keeps("one-too-many.example", idle), "the others are closed by now");
        assert_eq!(kept.hosts.lock().unwrap().last.len(), 2);
    }
}
