//! Seats: how many inboxes are served at the same time. Whoever waits long for an answer steps aside, so that servers that hang
//! do not keep others from theirs.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::flow::schedule::Stop;
use crate::metrics;

/// Seats aside, for each seat in front. A delivery that waits costs memory, mostly that of its connection, and little else.
const ASIDE_PER_SEAT: usize = 8;
/// One in so many seats is for inboxes that failed before.
const RETRIES_SHARE: usize = 4;

/// All seats of a process.
pub(super) struct Seats {
    front: Arc<Semaphore>,
    retries: Arc<Semaphore>,
    aside: Arc<Semaphore>,
    sizes: [usize; 3],
}

/// A seat; it is free again when this is dropped.
pub(super) struct Seat {
    /// `None` if seats are no longer given.
    permit: Option<OwnedSemaphorePermit>,
    /// Counts it among those in use, unless it is aside.
    counted: Option<metrics::Slot>,
    aside: Arc<Semaphore>,
}

impl Seats {
    /// So many in front, and some more for retries and aside.
    pub(super) fn new(front: usize) -> Self {
        let front = front.max(1);
        let sizes = [front, (front / RETRIES_SHARE).max(1), front * ASIDE_PER_SEAT];
        let [front, retries, aside] = sizes.map(|size| Arc::new(Semaphore::new(size)));
        Self { front, retries, aside, sizes }
    }

    /// How many seats there are, those aside not counted.
    pub(super) fn count(&self) -> usize {
        let [front, retries, _] = self.sizes;
        front + retries
    }

    /// How many seats there are in front.
    pub(super) fn in_front(&self) -> usize {
        let [front, ..] = self.sizes;
        front
    }

    /// How many inboxes that failed before may be leased now. None while too many already wait aside: those that never failed
    /// need that room more.
    pub(super) fn free_for_retries(&self) -> usize {
        let [_, _, aside] = self.sizes;
        if self.aside.available_permits() * 2 < aside { 0 } else { self.retries.available_permits() }
    }

    /// Waits for a seat; `None` when told to stop.
    pub(super) async fn take(&self, retry: bool, stop: &mut Stop) -> Option<Seat> {
        let seats = if retry { &self.retries } else { &self.front };
        tokio::select! {
            permit = seats.clone().acquire_owned() => {
                Some(Seat { permit: permit.ok(), counted: Some(metrics::slot()), aside: self.aside.clone() })
            }
            () = stop.wait() => None,
        }
    }

    /// A seat aside, if one is free.
    pub(super) fn take_aside(&self) -> Option<Seat> {
        let permit = self.aside.clone().try_acquire_owned().ok()?;
        Some(Seat { permit: Some(permit), counted: None, aside: self.aside.clone() })
    }

    /// Waits until nobody sits any more.
    pub(super) async fn all_left(&self) {
        for (seats, size) in [&self.front, &self.retries, &self.aside].into_iter().zip(self.sizes) {
            let _ = seats.acquire_many(u32::try_from(size).unwrap_or(u32::MAX)).await;
        }
    }
}

impl Seat {
    /// Gives the seat in front to somebody else and waits aside, if there is room; otherwise keeps it.
    pub(super) fn step_aside(&mut self) {
        if self.counted.is_none() {
            return; // it is aside
        }
        if let Ok(permit) = self.aside.clone().try_acquire_owned() {
            (self.permit, self.counted) = (Some(permit), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::schedule::Stopper;

    #[tokio::test]
    async fn who_waits_long_makes_room_for_others_until_there_is_no_room_aside() {
        let (_stopper, mut stop) = Stopper::new();
        let seats = Seats::new(1);
        let mut slow = Vec::new();
        for _ in 0..ASIDE_PER_SEAT {
            let mut seat = seats.take(false, &mut stop).await.unwrap();
            seat.step_aside();
            slow.push(seat);
        }
        let mut last = seats.take(false, &mut stop).await.unwrap();
        last.step_aside();
        assert_eq!(seats.front.available_permits(), 0, "no room aside: it keeps its seat");
        assert!(seats.take_aside().is_none());
        assert_eq!(seats.free_for_retries(), 0, "and nobody who failed before is let in");
        drop((slow, last));
        seats.all_left().await;
        assert_eq!(seats.free_for_retries(), 1);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_seat_when_told_to_stop() {
        let (stopper, mut stop) = Stopper::new();
        let seats = Seats::new(1);
        let _taken = seats.take(false, &mut stop).await.unwrap();
        stopper.stop();
        assert!(seats.take(false, &mut stop).await.is_none());
    }
}
