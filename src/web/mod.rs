//! HTTP in.

use std::net::SocketAddr;

use crate::flow::Shared;

/// Placeholder until the web branch lands.
pub fn serve(
    _gateway: Shared,
    _listen: &[SocketAddr],
    _workers: Option<usize>,
) -> std::io::Result<(actix_web::dev::Server, Vec<SocketAddr>)> {
    Err(std::io::Error::other("web"))
}
