//! The steps that have effects. Each has the same four beats: load, decide (one pure call), commit (one transaction), act.
//! Effects follow the commit, so a crash between beats is always safe to repeat.

pub mod arrivals;
pub mod clock;
pub mod continuity;
pub mod deliver;
pub mod effects;
pub mod embargo;
pub mod forwarded;
pub mod gone;
pub mod groups;
pub mod hooks;
pub mod hosts;
pub mod intake;
pub mod keyring;
pub mod micropub;
pub mod mint;
pub mod picture;
pub mod pins;
pub mod poll;
pub mod preview;
pub mod probe;
pub mod provision;
pub mod publish;
pub mod quotes;
pub mod rates;
pub mod reading;
pub mod receive;
pub mod registers;
pub mod relays;
pub mod remote;
pub mod review;
pub mod rotation;
pub mod schedule;
pub mod subscribe;
pub mod survey;
pub mod targets;
pub mod tokens;
pub mod verify;
pub mod websub;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use tokio::sync::Notify;

use crate::actor::verification::ProofTimes;
pub use crate::flow::clock::now;
use crate::flow::keyring::Keyring;
use crate::flow::mint::Mint;
use crate::ids::AuditId;
use crate::net::Client;
use crate::store::Store;
use crate::store::audit::Entry;
use crate::store::listen::Topic;
use crate::urls::Base;

/// Everything that the steps share. One per process.
pub struct Gateway {
    /// The database.
    pub store: Store,
    /// The way out.
    pub net: Client,
    /// The root of our URLs.
    pub base: Base,
    /// The hosts that we answer for.
    pub hosts: hosts::Memory,
    /// Where new ids come from.
    pub mint: Arc<Mint>,
    /// Our private keys.
    pub keyring: Keyring,
    /// What an operator set.
    pub settings: FlowSettings,
    /// Tells sleeping loops that there is work.
    pub wake: Wake,
    /// What is remembered of remote actors: failures, keys.
    pub remote: remote::Memory,
}

/// What an operator set for the steps.
#[derive(Debug, Clone)]
pub struct FlowSettings {
    /// Where media files are kept.
    pub media_dir: PathBuf,
    /// Deliveries at the same time.
    pub concurrency: usize,
    /// Time for one delivery.
    pub delivery_timeout: Duration,
    /// How long a process holds an inbox while it delivers.
    pub lease: Duration,
    /// How long a proof holds.
    pub proof_times: ProofTimes,
    /// Ranges that may be reached although they are not public.
    pub allow_addresses: Vec<IpNet>,
    /// Documents for servers are given only to servers that sign their requests.
    pub authorized_fetch: bool,
    /// The servers of followers are told which of their accounts follow (FEP-8fcf).
    pub synchronize_followers: bool,
    /// Deliveries are signed by RFC 9421 with Ed25519: a benchmark measures that, nobody else sets it.
    pub bench_ed25519: bool,
}

/// Tells sleeping loops of this process that there is work; other processes are told through the database
/// ([`crate::store::listen`]). Losing a signal costs a second: every loop also looks by itself.
#[derive(Debug, Default)]
pub struct Wake {
    /// A delivery is owed.
    pub deliver: Notify,
    /// A post or a change may be published.
    pub publish: Notify,
    /// A source or a proof is due.
    pub schedule: Notify,
    /// A request was pushed to us.
    pub hooks: Notify,
    /// A hub is to be asked.
    pub websub: Notify,
    /// A target is owed something.
    pub targets: Notify,
}

/// Shared by all tasks of the process.
pub type Shared = Arc<Gateway>;

impl Wake {
    /// Passes on what another process told.
    pub fn hear(&self, topic: Topic) {
        match topic {
            Topic::Deliver => {
                self.deliver.notify_one();
                self.targets.notify_one();
            }
            Topic::Publish => self.publish.notify_one(),
            Topic::Schedule => self.schedule.notify_one(),
            Topic::Hooks => self.hooks.notify_one(),
        }
    }
}

impl Gateway {
    /// An entry for the audit log, about now.
    pub fn audit(&self, who: &str, act: &str, subject: String, detail: impl Into<String>) -> Entry {
        Entry {
            id: AuditId(self.mint.next()),
            at: now(),
            who: who.to_owned(),
            act: act.to_owned(),
            subject,
            detail: detail.into(),
        }
    }
}
