//! How much a remote host may say: a bucket per host that fills by a fixed rate and holds [`BURST_S`] seconds of it. It is
//! asked after the signature was verified, so nobody can use up what belongs to another host.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How many seconds of its rate a host may use at once.
pub const BURST_S: u32 = 10;
/// Most hosts that are counted; further ones take the place of those whose bucket is full, or are not counted.
const HOSTS_MAX: usize = 10_000;

/// The buckets of all hosts that spoke lately.
pub struct Rates {
    per_host_s: u32,
    buckets: Mutex<HashMap<String, Bucket>>,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl Rates {
    /// Lets each host say so many activities a second; 0 is any number.
    pub fn new(per_host_s: u32) -> Self {
        Self { per_host_s, buckets: Mutex::default() }
    }

    /// Whether a host may say one thing more now. If not, after how many whole seconds it may.
    pub fn take(&self, host: &str, now: Instant) -> Result<(), u32> {
        if self.per_host_s == 0 {
            return Ok(());
        }
        let (rate, most) = (f64::from(self.per_host_s), f64::from(self.per_host_s) * f64::from(BURST_S));
        let refilled = |bucket: &Bucket| (bucket.left + now.duration_since(bucket.at).as_secs_f64() * rate).min(most);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(host) {
            let left = refilled(bucket);
            let enough = left >= 1.0;
            *bucket = Bucket { left: if enough { left - 1.0 } else { left }, at: now };
            // Half of what is allowed at once must be there again, or all would come back for one.
            let wait = (most / 2.0 - left) / rate;
            return if enough { Ok(()) } else { Err(wait.ceil().max(1.0) as u32) };
        }
        if buckets.len() >= HOSTS_MAX {
            buckets.retain(|_, bucket| refilled(bucket) < most);
        }
        if buckets.len() < HOSTS_MAX {
            buckets.insert(host.to_owned(), Bucket { left: most - 1.0, at: now });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_host_is_heard_up_to_its_limit_and_again_as_time_goes_by() {
        let (rates, begun) = (Rates::new(2), Instant::now());
        for n in 0..20 {
            assert_eq!(rates.take("a.example", begun), Ok(()), "{n}");
        }
        assert_eq!(rates.take("a.example", begun), Err(5));
        assert_eq!(rates.take("b.example", begun), Ok(()), "another host is not concerned");
        let later = begun + Duration::from_secs(1);
        assert_eq!(rates.take("a.example", later), Ok(()));
        assert_eq!(rates.take("a.example", later), Ok(()));
        assert!(rates.take("a.example", later).is_err());
    }

    #[test]
    fn nothing_is_counted_where_there_is_no_limit() {
        let rates = Rates::new(0);
        assert!((0..10_000).all(|_| rates.take("a.example", Instant::now()).is_ok()));
    }

    #[test]
    fn no_more_hosts_are_counted_than_allowed() {
        let (rates, now) = (Rates::new(1), Instant::now());
        for n in 0..HOSTS_MAX * 2 {
            assert_eq!(rates.take(&format!("{n}.example"), now), Ok(()));
        }
        assert!(rates.buckets.lock().unwrap().len() <= HOSTS_MAX);
        let later = now + Duration::from_secs(60);
        assert_eq!(rates.take("late.example", later), Ok(()));
        assert_eq!(rates.buckets.lock().unwrap().len(), 1, "hosts that were silent make room");
    }
}
