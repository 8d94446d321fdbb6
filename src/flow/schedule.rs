//! Which step runs when: loops that lease what is due, and the signal that ends them.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::flow::embargo::Finishing;
use crate::flow::hooks::work;
use crate::flow::websub::{self, ask};
use crate::flow::{Shared, deliver, micropub, now, poll, publish, registers, rotation, verify};
use crate::metrics::pulse::{self, Loop};
use crate::store::{host_signatures, remote};
use crate::websub::ENDED_KEPT;

/// How often a loop looks by itself when nobody wakes it.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Sources that are polled at the same time.
const POLLS_MAX: usize = 8;
/// Sources whose requests are worked on at the same time.
const HOOKS_MAX: usize = 4;
/// Hubs that are asked at the same time.
const ASKING_MAX: usize = 4;
/// How often it is looked for keys that are to sign.
const SWITCH_EVERY: Duration = Duration::from_secs(5);
/// How often old records are cleared away.
const CLEAR_EVERY: Duration = Duration::from_secs(3_600);
/// How long the id of a received activity is remembered against replays (`reference/federation.md` 6.1: a week or more).
const SEEN_KEPT: Duration = Duration::from_secs(14 * 86_400);

/// Tells loops to end. Cheap to clone.
#[derive(Clone)]
pub struct Stop {
    receiver: watch::Receiver<bool>,
}

/// Ends the loops that have the matching [`Stop`]; dropping the last of its clones ends them too.
#[derive(Clone)]
pub struct Stopper {
    sender: watch::Sender<bool>,
}

impl Stopper {
    /// A stopper and the signal that it gives.
    pub fn new() -> (Self, Stop) {
        let (sender, receiver) = watch::channel(false);
        (Self { sender }, Stop { receiver })
    }

    /// Ends the loops.
    pub fn stop(&self) {
        self.sender.send_replace(true);
    }
}

impl Stop {
    /// Whether it was given.
    pub fn is_set(&self) -> bool {
        *self.receiver.borrow() || self.receiver.has_changed().is_err()
    }

    /// Waits until the signal is given.
    pub async fn wait(&mut self) {
        // An error means that the stopper was dropped, which is the same signal.
        let _ = self.receiver.wait_for(|stop| *stop).await;
    }

    /// Sleeps, at most until the signal is given.
    pub async fn sleep(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            _ = self.receiver.wait_for(|stop| *stop) => {}
        }
    }
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Polls sources, asks hubs, works on what is pushed, checks proofs, publishes.
    pub ingest: bool,
    /// Delivers.
    pub deliver: bool,
}

/// Starts the loops of those roles. They end some time after `stop`.
pub fn start(gateway: &Shared, roles: Roles, stop: &Stop) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if roles.ingest {
        tasks.spawn(poll_loop(gateway.clone(), stop.clone()));
        tasks.spawn(hook_loop(gateway.clone(), stop.clone()));
        tasks.spawn(websub_loop(gateway.clone(), stop.clone()));
        tasks.spawn(publish_loop(gateway.clone(), stop.clone()));
        tasks.spawn(verify_loop(gateway.clone(), stop.clone()));
        tasks.spawn(clear_loop(gateway.clone(), stop.clone()));
    }
    if roles.deliver {
        tasks.spawn(deliver::run(gateway.clone(), stop.clone()));
    }
    tasks
}

async fn poll_loop(gateway: Shared, mut stop: Stop) {
    let mut polls = JoinSet::new();
    while !stop.is_set() {
        pulse::beat(Loop::Poll);
        while polls.len() >= POLLS_MAX {
            polls.join_next().await;
        }
        match poll::lease_due(&gateway).await {
            Ok(Some(source)) => {
                let gateway = gateway.clone();
                polls.spawn(async move { poll::run(&gateway, source).await });
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "sources cannot be leased"),
        }
        tokio::select! {
            () = stop.sleep(LOOK_EVERY) => {}
            () = gateway.wake.schedule.notified() => {}
            Some(_) = polls.join_next() => {}
        }
    }
    // A poll that is under way commits or not, in one transaction; its lease ends by itself.
    polls.shutdown().await;
}

async fn hook_loop(gateway: Shared, mut stop: Stop) {
    if let Err(error) = work::look_again(&gateway).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "sources were not made due to look for what they missed"
        );
    }
    let mut works = JoinSet::new();
    while !stop.is_set() {
        pulse::beat(Loop::Hooks);
        while works.len() >= HOOKS_MAX {
            works.join_next().await;
        }
        match work::lease_due(&gateway).await {
            Ok(Some(lease)) => {
                let gateway = gateway.clone();
                works.spawn(async move { work::run(&gateway, lease).await });
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "requests cannot be leased"),
        }
        tokio::select! {
            () = stop.sleep(LOOK_EVERY) => {}
            () = gateway.wake.hooks.notified() => {}
            Some(_) = works.join_next() => {}
        }
    }
    // What is under way commits or not, in one transaction each; its lease ends by itself.
    works.shutdown().await;
}

async fn websub_loop(gateway: Shared, mut stop: Stop) {
    if let Err(error) = websub::look_again(&gateway).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "sources were not made due to look for what their hubs told meanwhile"
        );
    }
    let mut asking = JoinSet::new();
    while !stop.is_set() {
        pulse::beat(Loop::Websub);
        while asking.len() >= ASKING_MAX {
            asking.join_next().await;
        }
        match ask::lease_due(&gateway).await {
            Ok(Some(held)) => {
                let gateway = gateway.clone();
                asking.spawn(async move { ask::run(&gateway, held).await });
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "subscriptions cannot be leased"),
        }
        tokio::select! {
            () = stop.sleep(LOOK_EVERY) => {}
            () = gateway.wake.websub.notified() => {}
            Some(_) = asking.join_next() => {}
        }
    }
    // What a hub was asked is noted before it is asked; its lease ends by itself.
    asking.shutdown().await;
}

async fn publish_loop(gateway: Shared, mut stop: Stop) {
    let mut embargoes = Finishing::default();
    let mut looked: Option<Instant> = None;
    while !stop.is_set() {
        pulse::beat(Loop::Publish);
        if looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY / 2) {
            looked = Some(Instant::now());
            if let Err(error) = embargoes.begin(&gateway).await {
                tracing::error!(error = &error as &dyn std::error::Error, "embargoes that are over were not ended");
            }
        }
        match publish::run_due(&gateway).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "posts that are due were not published")
            }
        }
        tokio::select! {
            () = stop.sleep(LOOK_EVERY) => {}
            () = gateway.wake.publish.notified() => {}
        }
    }
}

async fn verify_loop(gateway: Shared, mut stop: Stop) {
    let mut reading = JoinSet::new();
    let mut switched: Option<Instant> = None;
    while !stop.is_set() {
        pulse::beat(Loop::Verify);
        // Beside the proofs, one at a time: a large register takes a while.
        if reading.try_join_next().is_some() || reading.is_empty() {
            let gateway = gateway.clone();
            reading.spawn(async move { registers::run_due(&gateway).await });
        }
        if switched.is_none_or(|at| at.elapsed() >= SWITCH_EVERY) {
            switched = Some(Instant::now());
            if let Err(error) = rotation::run_due(&gateway).await {
                tracing::error!(error = &error as &dyn std::error::Error, "keys that are to sign do not yet");
            }
        }
        match verify::run_due(&gateway).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "proofs cannot be checked"),
        }
        stop.sleep(LOOK_EVERY).await;
    }
    // What was read of a register so far does not count; its lease ends by itself.
    reading.shutdown().await;
}

async fn clear_loop(gateway: Shared, mut stop: Stop) {
    while !stop.is_set() {
        let before = now().before(SEEN_KEPT);
        let clear = move |db: &mut crate::store::Db<'_>| remote::forget_seen(db, before);
        if let Err(error) = gateway.store.write("clear old activity ids away", clear).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "old records were not cleared away");
        }
        let clear = |db: &mut crate::store::Db<'_>| host_signatures::clear(db, now());
        if let Err(error) = gateway.store.write("clear what hosts showed once", clear).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what hosts showed once was not cleared away");
        }
        if let Err(error) = rotation::clear(&gateway).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "old keys were not forgotten");
        }
        if let Err(error) = websub::clear(&gateway, ENDED_KEPT).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "old subscriptions were not cleared away");
        }
        if let Err(error) = work::clear(&gateway).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "old requests were not cleared away");
        }
        if let Err(error) = micropub::clear(&gateway).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "what clients sent was not cleared away");
        }
        stop.sleep(CLEAR_EVERY).await;
    }
}
