//! What a delivery costs, through the whole path: store, lease, sign, send, record.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod chaos;
mod fan_out;
#[path = "../harness/mod.rs"]
mod harness;
mod processes;

fn main() {
    harness::run(&[
        ("http_sqlite", fan_out::http_sqlite),
        ("many_sqlite", fan_out::many_sqlite),
        ("tls_pooled_sqlite", fan_out::tls_pooled_sqlite),
        ("tls_fresh_sqlite", fan_out::tls_fresh_sqlite),
        ("ed25519_sqlite", fan_out::ed25519_sqlite),
        ("http_postgres", fan_out::http_postgres),
        ("many_postgres", fan_out::many_postgres),
        ("tls_pooled_postgres", fan_out::tls_pooled_postgres),
        ("tls_fresh_postgres", fan_out::tls_fresh_postgres),
        ("chaos", chaos::chaos),
        ("two_processes", processes::two_processes),
    ]);
}
