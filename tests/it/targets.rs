//! Accounts on other servers to which posts go too. The server is one that the test plays, see `harness/mastodon.rs`.

mod accounts;
mod crashes;
mod publishing;
mod tokens;
