//! Incoming activities.
