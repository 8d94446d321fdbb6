//! Heraut.
