//! Bad input of every kind: each gets a clear error, nothing is lost, nothing crashes.

mod feeds;
mod inbox;
mod items;
mod outage;
mod start;
