//! Whether the loops of this process turn. Each says so at every turn; health asks how long ago that was.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A loop of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loop {
    /// Leases sources that are due and has them polled.
    Poll,
    /// Leases sources whose requests wait and has them worked on.
    Hooks,
    /// Asks hubs.
    Websub,
    /// Publishes what is due.
    Publish,
    /// Checks proofs.
    Verify,
    /// Leases inboxes that are due and has them delivered to.
    Deliver,
    /// Leases targets that are due and has posts said there.
    Targets,
}

const LOOPS: [Loop; 7] =
    [Loop::Poll, Loop::Hooks, Loop::Websub, Loop::Publish, Loop::Verify, Loop::Deliver, Loop::Targets];

impl Loop {
    /// Its name in metrics and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Hooks => "hooks",
            Self::Websub => "websub",
            Self::Publish => "publish",
            Self::Verify => "verify",
            Self::Deliver => "deliver",
            Self::Targets => "targets",
        }
    }

    /// After how long without a turn it is taken for stuck: longer than anything that a turn may wait for. A poll with many
    /// images can keep the poll loop waiting for a free place, and so can reading back the loop of requests.
    pub fn patience(self) -> Duration {
        match self {
            Self::Poll | Self::Hooks => Duration::from_secs(900),
            Self::Websub | Self::Publish | Self::Verify | Self::Deliver | Self::Targets => Duration::from_secs(300),
        }
    }
}

/// When each loop last turned; one for the process ([`here`]), more in tests.
#[derive(Debug)]
pub struct Pulse {
    epoch: Instant,
    /// Milliseconds since the epoch plus one; 0 is a loop that does not run here.
    turned: [AtomicU64; LOOPS.len()],
    stopping: AtomicBool,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { epoch: Instant::now(), turned: Default::default(), stopping: AtomicBool::new(false) }
    }
}

impl Pulse {
    /// The loop turns now.
    pub fn beat(&self, which: Loop) {
        self.beat_at(which, Instant::now());
    }

    fn beat_at(&self, which: Loop, at: Instant) {
        if let Some(turned) = self.turned.get(which as usize) {
            let ms = at.saturating_duration_since(self.epoch).as_millis();
            turned.store(u64::try_from(ms).unwrap_or(u64::MAX - 1).saturating_add(1), Ordering::Relaxed);
        }
    }

    /// The loops that run here, and how long ago each turned.
    pub fn ages(&self, at: Instant) -> Vec<(Loop, Duration)> {
        let since = u64::try_from(at.saturating_duration_since(self.epoch).as_millis()).unwrap_or(u64::MAX);
        let runs = LOOPS.iter().zip(&self.turned).map(|(which, turned)| (*which, turned.load(Ordering::Relaxed)));
        runs.filter(|(_, turned)| *turned > 0)
            .map(|(which, turned)| (which, Duration::from_millis(since.saturating_sub(turned - 1))))
            .collect()
    }

    /// The loops that have not turned for longer than their patience.
    pub fn stuck(&self, at: Instant) -> Vec<(Loop, Duration)> {
        self.ages(at).into_iter().filter(|(which, age)| *age > which.patience()).collect()
    }

    /// The process was told to stop.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Whether the process was told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

static HERE: LazyLock<Pulse> = LazyLock::new(Pulse::default);

/// The pulse of this process.
pub fn here() -> &'static Pulse {
    &HERE
}

/// A loop of this process turns now.
pub fn beat(which: Loop) {
    HERE.beat(which);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_does_not_run_here_is_not_missed_and_one_that_turns_no_more_is() {
        let pulse = Pulse::default();
        let begun = Instant::now();
        assert!(pulse.ages(begun).is_empty());
        pulse.beat_at(Loop::Poll, begun);
        pulse.beat_at(Loop::Deliver, begun);
        let later = begun + Loop::Deliver.patience() + Duration::from_secs(1);
        assert_eq!(pulse.ages(later).iter().map(|(which, _)| *which).collect::<Vec<_>>(), [Loop::Poll, Loop::Deliver]);
        let stuck = pulse.stuck(later);
        assert_eq!(stuck.iter().map(|(which, _)| *which).collect::<Vec<_>>(), [Loop::Deliver]);
        pulse.beat_at(Loop::Deliver, later);
        assert!(pulse.stuck(later).is_empty());
    }
}
