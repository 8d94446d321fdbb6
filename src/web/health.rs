//! Whether the process lives, and whether it can serve. For load balancers and supervisors: answered under any `Host`, never
//! cached, and on the metrics listener too. What is wrong is said as problem+json, without words of the database's own.

use std::time::{Duration, Instant};

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::flow::Gateway;
use crate::flow::verify::with_causes;
use crate::metrics::pulse;
use crate::store::survey;
use crate::web::{caching, problem};

/// Time in which the database must answer.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(1);
/// Seconds after which a client may ask again.
const RETRY_AFTER_S: u32 = 5;

/// `/health/live`: the process answers, and the loops of its roles turn. If not, it is to be started anew.
pub async fn live() -> HttpResponse {
    match stuck() {
        None => up(),
        Some(why) => down("not-live", &why),
    }
}

/// `/health/ready`: it lives, is not stopping, and the database answers within a second and has had all migrations. If not, it
/// is to be left alone for a while.
pub async fn ready(gateway: web::Data<Gateway>) -> HttpResponse {
    if pulse::here().is_stopping() {
        return down("not-ready", "the process was told to stop");
    }
    if let Some(why) = stuck() {
        return down("not-ready", &why);
    }
    let query = gateway.store.read("answer a health check", survey::pending_migrations);
    match tokio::time::timeout(DATABASE_TIMEOUT, query).await {
        Ok(Ok(pending)) if pending.is_empty() => up(),
        Ok(Ok(pending)) => {
            let pending = pending.join(", ");
            down("not-ready", &format!("the database has not had the migrations {pending}; run `heraut migrate`"))
        }
        Ok(Err(error)) => {
            tracing::warn!(error = with_causes(&error), "the process is not ready: the database fails");
            down("not-ready", "the database fails; the log says how")
        }
        Err(_) => {
            tracing::warn!(timeout_s = DATABASE_TIMEOUT.as_secs(), "the process is not ready: the database is silent");
            down("not-ready", &format!("the database does not answer within {} s", DATABASE_TIMEOUT.as_secs()))
        }
    }
}

/// The loops that turn no more, as a sentence.
fn stuck() -> Option<String> {
    let stuck = pulse::here().stuck(Instant::now());
    let told: Vec<String> = stuck
        .iter()
        .map(|(which, age)| format!("the {} loop has not turned for {} s", which.name(), age.as_secs()))
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

fn up() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, caching::NEVER)).json(json!({"status": "up"}))
}

fn down(code: &str, detail: &str) -> HttpResponse {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": code,
        "detail": detail,
    });
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, problem::CONTENT_TYPE))
        .insert_header((header::CACHE_CONTROL, caching::NEVER))
        .insert_header((header::RETRY_AFTER, RETRY_AFTER_S.to_string()))
        .body(body.to_string())
}
