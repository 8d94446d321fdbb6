//! The small pieces that all handlers share: resources that are read, numbers in paths, and answers that take even time.

use std::future::Future;
use std::time::Duration;

use actix_web::http::{Method, header};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, guard, web};
use tokio::time::Instant;

use crate::web::problem::Problem;

/// What may be done with a resource that is read.
const READ: &str = "GET, HEAD, OPTIONS";
/// What may be done with an inbox.
const WRITE: &str = "POST, OPTIONS";
/// How long any "not found" takes about posts: longer than the database, so that a post under embargo, which is found and
/// then denied, cannot be told from one that does not exist.
const NOT_FOUND_AFTER: Duration = Duration::from_millis(10);

/// A resource for GET and HEAD; OPTIONS tells browsers that scripts of any site may read it; other methods get 405.
pub fn readable<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler))
        .default_service(web::to(|request: HttpRequest| other(request, READ)))
}

/// A resource for POST; other methods get 405.
pub fn postable<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::post().to(handler))
        .default_service(web::to(|request: HttpRequest| other(request, WRITE)))
}

fn other(request: HttpRequest, allow: &'static str) -> impl Future<Output = Result<HttpResponse, Problem>> {
    let answer = if request.method() != Method::OPTIONS {
        Err(Problem::Method(allow))
    } else {
        let mut response = HttpResponse::NoContent();
        response.insert_header((header::ALLOW, allow));
        if allow == READ {
            response
                .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
                .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, READ))
                .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "*"))
                .insert_header((header::ACCESS_CONTROL_MAX_AGE, "86400"));
        }
        Ok(response.finish())
    };
    std::future::ready(answer)
}

/// The number in a path, only in the one form in which we mint it: otherwise one thing would have many URLs.
pub fn number(text: &str) -> Result<i64, Problem> {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => Ok(number),
        _ => Err(Problem::NotFound),
    }
}

/// Makes every "not found" of a handler take the same time.
pub struct Evenly(Instant);

impl Evenly {
    /// Begins to count.
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// [`Problem::NotFound`], not before its time.
    pub async fn not_found(self) -> Problem {
        tokio::time::sleep_until(self.0 + NOT_FOUND_AFTER).await;
        Problem::NotFound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form() {
        let table = [("0", true), ("7", true), ("07", false), ("+7", false), ("7x", false), ("", false), (" 7", false)];
        for (text, good) in table {
            assert_eq!(number(text).is_ok(), good, "{text}");
        }
        assert_eq!(number("99999999999999999999"), Err(Problem::NotFound));
    }
}
