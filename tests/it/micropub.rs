//! Clients that write posts by Micropub: what the gateway answers, and what a follower gets of it.

mod answers;
mod life;
mod pictures;
mod suite;
mod tokens;
