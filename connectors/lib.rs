//! The connectors of Heraut: what an outside source says, as [`item::Item`]s.
//!
//! Invariants: nothing here fetches, stores, sleeps or signs; same bytes, same items; malformed input is an error and never a
//! panic. Adding a connector is one folder and one line in [`CONNECTORS`]; see `README.md` beside this file.

pub mod contract;
pub mod error;
pub mod feed;
pub mod item;
#[cfg(test)]
mod kit;

/// Every kind of connector there is.
pub static CONNECTORS: &[&dyn contract::Kind] = &[&feed::Feed];
