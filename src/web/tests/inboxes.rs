//! What an inbox refuses before the flow sees it, and that what the flow refuses comes through.

use actix_web::http::Method;

use super::*;
use crate::inbox::INBOX_BODY_BYTES_MAX;
use crate::web::problem;

async fn send(world: &World, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let request = world.request(path).method(Method::POST).insert_header((header::CONTENT_TYPE, content_type));
    world.ask(request.set_payload(body)).await
}

#[actix_web::test]
async fn c38_an_inbox_says_what_is_wrong_and_never_410() {
    let world = World::new().await;
    let own = format!("{}/inbox", world.actor.url);
    let small = br#"{"type":"Follow"}"#.to_vec();
    let large = vec![b' '; INBOX_BODY_BYTES_MAX + 1];
    for inbox in ["/ap/inbox", "/ap/instance/inbox", own.as_str()] {
        let table = [
            ("unsigned", AP, small.clone(), 401),
            ("oversize", AP, large.clone(), 413),
            ("a wrong type", "application/json", small.clone(), 415),
            ("a form", "multipart/form-data; boundary=x", small.clone(), 415),
        ];
        for (what, content_type, body, status) in table {
            let answer = send(&world, inbox, content_type, body).await;
            assert_eq!(answer.status, status, "{what} to {inbox}: {}", answer.body);
            assert_eq!(answer.header(header::CONTENT_TYPE), problem::CONTENT_TYPE, "{what}");
        }
    }
    assert_eq!(send(&world, "/ap/a/1/inbox", AP, small).await.status, 404);
}

#[actix_web::test]
async fn c38_a_body_that_only_says_how_large_it_is_is_refused_too() {
    let world = World::new().await;
    let request = world
        .request("/ap/inbox")
        .method(Method::POST)
        .insert_header((header::CONTENT_TYPE, AP))
        .insert_header((header::CONTENT_LENGTH, "99999999999"));
    assert_eq!(world.ask(request).await.status, 413);
}

#[actix_web::test]
async fn a_compressed_body_is_not_taken() {
    let world = World::new().await;
    let request = world
        .request("/ap/inbox")
        .method(Method::POST)
        .insert_header((header::CONTENT_TYPE, AP))
        .insert_header((header::CONTENT_ENCODING, "gzip"));
    assert_eq!(world.ask(request).await.status, 415);
}
