//! New ids: by the clock and by chance, never the same twice in a process.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::ids;

/// Makes new ids. Each is larger than the one before, also when the clock is set back.
#[derive(Debug, Default)]
pub struct Mint {
    last: AtomicI64,
}

impl Mint {
    /// A number that this process has not given before.
    pub fn next(&self) -> i64 {
        let fresh = ids::compose(super::now().0, rand::random());
        let next = |last: i64| Some(fresh.max(last.saturating_add(1)));
        match self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(last) => fresh.max(last.saturating_add(1)),
            Err(_) => fresh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_only_grow() {
        let mint = Mint::default();
        let made: Vec<i64> = (0..10_000).map(|_| mint.next()).collect();
        assert!(made.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
