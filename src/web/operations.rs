//! What operators' machines ask, on a listener of its own: `/metrics`, and the health checks also for processes that serve no
//! other HTTP. None of it is to be seen from outside, so `/metrics` is never on the public listener.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header;
use actix_web::{App, HttpResponse, HttpServer, web};

use crate::flow::Shared;
use crate::flow::survey::Surveyor;
use crate::metrics;
use crate::web::problem::Problem;
use crate::web::routes::readable;
use crate::web::{caching, health};

/// Most connections at once: a few scrapers and probes.
const CONNECTIONS_MAX: usize = 256;
/// Time for the head of a request to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// `/metrics`, in the Prometheus text format.
pub async fn scrape(surveyor: web::Data<Surveyor>) -> Result<HttpResponse, Problem> {
    let page = surveyor.page().await.map_err(|problem| Problem::Internal.because(&io::Error::other(problem)))?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, metrics::CONTENT_TYPE))
        .insert_header((header::CACHE_CONTROL, caching::NEVER))
        .body(page))
}

/// Binds that address and makes the server, with one thread. Gives also the address that it is bound to. It handles no signals.
pub fn serve(gateway: Shared, listen: SocketAddr, shutdown: Duration) -> io::Result<(Server, SocketAddr)> {
    let surveyor = web::Data::new(Surveyor::new(gateway.clone()));
    let gateway = web::Data::from(gateway);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(surveyor.clone())
            .app_data(gateway.clone())
            .service(readable("/metrics", scrape))
            .service(readable("/health/live", health::live))
            .service(readable("/health/ready", health::ready))
    })
    .workers(1)
    .max_connections(CONNECTIONS_MAX)
    .client_request_timeout(HEAD_TIMEOUT)
    .shutdown_timeout(shutdown.as_secs())
    .disable_signals()
    .bind(listen)?;
    let bound = server.addrs().first().copied().unwrap_or(listen);
    Ok((server.run(), bound))
}
