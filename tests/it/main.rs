//! The integration tests.

mod demo;
mod tidy;
