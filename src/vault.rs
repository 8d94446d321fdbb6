//! Sealing of private keys under the master key.
