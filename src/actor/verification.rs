//! Proofs, and the capability that they give.
