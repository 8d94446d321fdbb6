//! The integration tests: the real binary on both databases, between a site and servers of others that the tests play.
//!
//! A test name is a sentence. What every peer must be able to count on stands in `tests/conformance`, a test for each point.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

mod alerts;
mod answers;
mod authorized_fetch;
mod backup;
mod bad_input;
mod chaos;
mod checks;
mod clocks;
#[path = "../conformance/mod.rs"]
mod conformance;
mod continuity;
mod crash;
mod delivery;
mod demo;
mod directus;
mod embargo;
mod fairness;
mod faults;
mod fedify;
mod followers_synchronization;
mod following;
mod forwarding;
mod handover;
mod harness;
mod health;
mod hooks;
mod hooks_answers;
mod hooks_secrets;
mod imports;
mod installation;
mod intake;
mod ladder;
mod ladder_dns;
mod lists;
mod locks;
mod messages;
mod metrics;
mod micropub;
mod migrations;
mod own_hosts;
mod pasture;
mod polling;
mod processes;
mod publishing;
mod quotes;
mod reach;
mod reading;
mod receiving;
mod registers;
mod relays;
mod script;
mod shutdown;
mod signatures;
mod stores;
mod strapi;
mod systems;
mod targets;
mod tidy;
mod traces;
mod turns;
mod vendors;
mod verification;
mod websub;
mod websub_hub;
mod wordpress;
