//! Hands: tasks that do one job after the other. A task is several kilobytes that have to be found, filled and given back; a
//! fan-out with a new one for each delivery spends as much on that as on building its requests.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

/// What a hand does.
pub(super) trait Job: Send + 'static {
    /// Does it.
    fn done(self) -> impl Future<Output = ()> + Send;
}

/// Those that have nothing to do; they end when this is dropped.
pub(super) struct Hands<J> {
    idle: Mutex<Vec<Arc<Hand<J>>>>,
    /// So many are kept.
    most: usize,
}

struct Hand<J> {
    job: Mutex<Option<J>>,
    called: Notify,
}

impl<J: Job> Hands<J> {
    /// Keeps so many that have nothing to do.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::default(), most })
    }

    /// Gives a job to the one that was done last, or to a new one when all are busy.
    pub(super) fn give(self: &Arc<Self>, job: J) {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(hand) => hand.call(Some(job)),
            None => drop(tokio::spawn(work(job, Arc::downgrade(self)))),
        }
    }

    /// Notes that one has nothing to do, if there is room for it.
    fn keep(&self, hand: &Arc<Hand<J>>) -> bool {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let room = idle.len() < self.most;
        if room {
            idle.push(hand.clone());
        }
        room
    }
}

impl<J> Drop for Hands<J> {
    fn drop(&mut self) {
        for hand in self.idle.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            hand.call(None);
        }
    }
}

impl<J> Hand<J> {
    fn call(&self, job: Option<J>) {
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = job;
        self.called.notify_one();
    }

    /// What it is called for; `None` when it is to end.
    async fn called(&self) -> Option<J> {
        self.called.notified().await;
        self.job.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

async fn work<J: Job>(first: J, hands: Weak<Hands<J>>) {
    let hand = Arc::new(Hand { job: Mutex::new(None), called: Notify::new() });
    let mut next = Some(first);
    while let Some(job) = next {
        job.done().await;
        if !hands.upgrade().is_some_and(|hands| hands.keep(&hand)) {
            return;
        }
        next = hand.called().await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    /// Tells in which task it is done, and waits until it may end.
    struct Told(mpsc::UnboundedSender<tokio::task::Id>, oneshot::Receiver<()>);

    impl Job for Told {
        async fn done(self) {
            self.0.send(tokio::task::id()).unwrap();
            let _ = self.1.await;
        }
    }

    /// Gives so many jobs at the same time, and the tasks that did them.
    async fn done_by(hands: &Arc<Hands<Told>>, jobs: usize) -> Vec<tokio::task::Id> {
        let (tell, mut told) = mpsc::unbounded_channel();
        let mut ends = Vec::new();
        for _ in 0..jobs {
            let (end, may_end) = oneshot::channel();
            hands.give(Told(tell.clone(), may_end));
            ends.push(end);
        }
        let mut ids = Vec::new();
        while ids.len() < jobs {
            ids.push(told.recv().await.unwrap());
        }
        drop(ends);
        settle().await;
        ids.sort_by_key(ToString::to_string);
        ids
    }

    /// Lets all others do what they can.
    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn alive() -> usize {
        tokio::runtime::Handle::current().metrics().num_alive_tasks()
    }

    #[tokio::test]
    async fn who_is_done_does_the_next_job_and_a_new_one_comes_only_when_all_are_busy() {
        let hands = Hands::new(4);
        let first = done_by(&hands, 1).await;
        assert_eq!(done_by(&hands, 1).await, first);
        let three = done_by(&hands, 3).await;
        assert!(three.contains(&first[0]));
        assert_eq!((done_by(&hands, 3).await, alive()), (three, 3));
    }

    #[tokio::test]
    async fn no_more_are_kept_than_the_limit_and_none_when_nobody_gives_jobs_any_more() {
        let hands = Hands::new(2);
        let five = done_by(&hands, 5).await;
        assert_eq!((five.len(), alive()), (5, 2));
        drop(hands);
        settle().await;
        assert_eq!(alive(), 0);
    }

    #[tokio::test]
    async fn who_is_busy_when_all_are_dismissed_finishes_its_job_first() {
        let hands = Hands::new(2);
        let (tell, mut told) = mpsc::unbounded_channel();
        let (end, may_end) = oneshot::channel();
        hands.give(Told(tell, may_end));
        told.recv().await.unwrap();
        drop(hands);
        settle().await;
        assert_eq!(alive(), 1);
        end.send(()).unwrap();
        settle().await;
        assert_eq!(alive(), 0);
    }
}
