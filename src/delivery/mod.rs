//! Outcome to next attempt.
