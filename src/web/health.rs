//! Whether the process lives, and whether it can serve. For load balancers: answered under any `Host`, never cached.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::flow::Gateway;
use crate::store::actors;
use crate::web::caching;
use crate::web::problem::Problem;

/// Time in which the database must answer.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(1);

/// `/health/live`: the process answers.
pub async fn live() -> HttpResponse {
    up()
}

/// `/health/ready`: the database answers within a second.
pub async fn ready(gateway: web::Data<Gateway>) -> Result<HttpResponse, Problem> {
    let query = gateway.store.read("answer a health check", actors::count);
    match tokio::time::timeout(DATABASE_TIMEOUT, query).await {
        Ok(Ok(_)) => Ok(up()),
        Ok(Err(error)) => Err(Problem::Unavailable.because(&error)),
        Err(error) => Err(Problem::Unavailable.because(&error)),
    }
}

fn up() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, caching::NEVER)).json(json!({"status": "up"}))
}
