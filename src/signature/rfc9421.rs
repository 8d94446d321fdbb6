//! HTTP Message Signatures (RFC 9421), in and out.
//!
//! In: [`parse`] reads every signature of a request and gives those that mean something for us: method and target are covered, a
//! body by its `content-digest`, and `created` says that it is fresh. The target is built from our configuration, never from a
//! header of the client: `Host` only chooses among the sites that we serve.
//!
//! Out: the profile of `reference/federation.md` 4.3, which Mastodon, Fedify and WordPress read.

mod base;
mod challenge;
mod dictionary;
mod read;
mod sign;

pub use crate::signature::rfc9421::challenge::Challenge;
pub(super) use crate::signature::rfc9421::read::is_cavage;
pub use crate::signature::rfc9421::read::parse;
pub use crate::signature::rfc9421::sign::sign;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
