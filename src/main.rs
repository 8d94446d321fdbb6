//! Heraut.
fn main() {}
