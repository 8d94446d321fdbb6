//! Heraut: a publishing gateway. The map, in the order in which things flow:
//!
//! source → item → post → activity → delivery, and back: inbox → message → desk.
//!
//! | module | is | may use |
//! |---|---|---|
//! | [`ids`], [`time`], [`urls`] | typed ids, instants, every URL that we mint | nothing of ours |
//! | [`source`] | what a source is and when it is due | `ids time urls` |
//! | [`actor`] | actors, keys, proofs, the `VerifiedActor` capability | `ids time urls` |
//! | [`post`] | item → post: revision, policy, compose, sanitise | `actor source` |
//! | [`activity`] | post → wire JSON, actor documents, collections | `post actor` |
//! | [`delivery`] | outcome → next attempt, breaker | `activity` |
//! | [`signature`] | HTTP signatures out and in | `actor` |
//! | [`inbox`] | incoming activity → effects | `activity actor` |
//! | [`hook`] | what is pushed to us: how it is told apart, answered and tried again | nothing of ours |
//! | [`register`] | lists of others that say which domain, organisation and account belong together | `time urls` |
//! | [`websub`] | what a feed's hub may do: which one, when it is believed, when it is asked again | `time` |
//! | [`metrics`] | what a process counts and times about itself | `delivery source time` |
//! | [`store`], [`net`] | the effects: database, guarded HTTP client; they never see each other | the core, `metrics` |
//! | [`flow`] | load → decide → commit → act | `store net metrics` and the core |
//! | [`web`] | HTTP in; reads through `store`, acts only through `flow` | `flow store metrics` and the core |
//! | [`config`] | the types of `config.toml` | the core |
//! | [`vault`] | sealing of private keys under the master key | `config` (secrets) |
//! | [`backup`] | the whole installation as one encrypted file, and back | `store vault config` (secrets) |
//! | [`telemetry`] | logs, traces | `metrics` (the target of spans) |
//! | [`app`], [`cli`] | the composition root; the command line | everything |
//!
//! The core (`source` to `inbox`) contains no async, database, network, clock or randomness: a tidy test asserts it.

pub mod activity;
pub mod actor;
pub mod app;
pub mod backup;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod flow;
pub mod hook;
pub mod ids;
pub mod inbox;
pub mod metrics;
pub mod net;
pub mod post;
pub mod register;
pub mod signature;
pub mod source;
pub mod store;
pub mod telemetry;
pub mod time;
pub mod urls;
pub mod vault;
pub mod web;
pub mod websub;
