use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use bytes::Bytes;

use super::*;

fn answer(bytes: usize) -> Arc<Answer> {
    Arc::new(Answer::new(StatusCode::OK, &HeaderMap::new(), Bytes::from(vec![b'x'; bytes])))
}

fn total(shelves: &Shelves) -> (usize, usize) {
    let all = shelves.first.iter().chain(&shelves.second);
    (shelves.first.len() + shelves.second.len(), all.map(|(key, answer)| key.bytes() + answer.bytes()).sum())
}

#[test]
fn no_more_answers_are_kept_than_allowed() {
    let mut shelves = Shelves::new(100, usize::MAX);
    for n in 0..1_000 {
        shelves.put(Key::test(&format!("/@a/{n}")), answer(1));
        assert!(total(&shelves).0 <= 100);
    }
    assert!(total(&shelves).0 >= 50);
}

#[test]
fn no_more_bytes_are_kept_than_allowed() {
    let mut shelves = Shelves::new(usize::MAX, 100_000);
    for n in 0..1_000 {
        shelves.put(Key::test(&format!("/@a/{n}")), answer(n));
        assert!(total(&shelves).1 <= 100_000);
    }
    shelves.put(Key::test("/huge"), answer(50_000));
    assert!(shelves.find(&Key::test("/huge")).is_none(), "what would fill a shelf alone is not kept");
}

#[test]
fn an_answer_that_takes_the_place_of_another_is_counted_once() {
    let mut shelves = Shelves::new(100, 100_000);
    for _ in 0..1_000 {
        shelves.put(Key::test("/@a"), answer(1_000));
    }
    assert_eq!(total(&shelves).0, 1);
    assert_eq!(total(&shelves).1, shelves.first_bytes);
}

#[test]
fn what_is_asked_for_stays_while_others_come_and_go() {
    let mut shelves = Shelves::new(10, usize::MAX);
    shelves.put(Key::test("/@crisis"), answer(1));
    for n in 0..1_000 {
        shelves.put(Key::test(&format!("/@a/{n}")), answer(1));
        let (found, fading) = shelves.find(&Key::test("/@crisis")).unwrap();
        if fading {
            shelves.put(Key::test("/@crisis"), found);
        }
    }
}
