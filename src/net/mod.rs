//! The one way out: a guarded HTTP client. Every request that the gateway makes goes through [`Client`].
//!
//! Invariants:
//! - The address that was checked is the address that is connected to: names are checked inside the resolver that the
//!   connection uses, literal addresses before the request, and both again on every redirect. Nothing is resolved twice.
//! - https reaches public addresses and the ranges of `net.allow_addresses`; plain http reaches only those ranges.
//! - Size is counted after decompression, time covers the whole exchange with its redirects.
//! - No proxy from the environment, no cookies, no `Referer`, no redirect that is not ours; headers are never logged.

pub mod client;
mod connections;
pub mod dns;
pub mod error;
pub mod guard;
mod kept;

pub use client::{CALL_BYTES_MAX, Call, Client, Fetched, Get, Method, NetSettings, Posted, SignHop};
pub use error::{FetchError, NetError};
