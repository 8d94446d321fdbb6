//! Post to wire JSON.
