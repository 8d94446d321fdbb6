//! What a configured source is, and when it is due. Pure: instants are arguments.

pub mod politeness;
pub mod schedule;
pub mod span;
