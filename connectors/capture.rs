//! A pushed request in a file: for fixtures, and to look at what a system sends before anything is published.
//!
//! Two forms are read. JSON: `{"headers": {…}, "query": "…", "body": …}`, where a body that is no text is written as JSON. And the
//! bytes of an HTTP request as a proxy or `nc -l` shows them: request line, headers, an empty line, the body.

use serde_json::Value;

use crate::contract::{DELIVERY_BYTES_MAX, Delivery};
use crate::error::ConnectorError;
use crate::item::EpochMs;

const WHAT: &str = "captured request";

/// Most headers of a request that are kept.
const HEADERS_MAX: usize = 100;

/// Reads a captured request, as if it came in at `received_at`.
pub fn read(bytes: &[u8], received_at: EpochMs) -> Result<Delivery, ConnectorError> {
    if bytes.trim_ascii().is_empty() {
        return Err(ConnectorError::Empty);
    }
    let json: Option<Value> = serde_json::from_slice(bytes).ok();
    let delivery = match json {
        Some(value) => of_json(&value, bytes)?,
        None => of_http(bytes)?,
    };
    if delivery.body.len() > DELIVERY_BYTES_MAX {
        let problem = format!("its body has {} bytes, {DELIVERY_BYTES_MAX} are taken", delivery.body.len());
        return Err(unreadable(problem));
    }
    Ok(Delivery { received_at, ..delivery })
}

fn unreadable(problem: impl Into<String>) -> ConnectorError {
    ConnectorError::Unreadable { what: WHAT, problem: problem.into() }
}

fn of_json(value: &Value, bytes: &[u8]) -> Result<Delivery, ConnectorError> {
    let Some(Value::Object(headers)) = value.get("headers") else {
        // The body alone, as the log of a CMS shows it.
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        return Ok(Delivery { headers, body: bytes.to_vec(), ..Delivery::default() });
    };
    let headers = headers.iter().take(HEADERS_MAX).map(|(name, value)| {
        let value = value.as_str().ok_or_else(|| unreadable(format!("the header `{name}` is no text")))?;
        Ok((name.to_ascii_lowercase(), value.to_owned()))
    });
    let headers = headers.collect::<Result<Vec<_>, ConnectorError>>()?;
    let body = match value.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(json) => serde_json::to_vec(json).map_err(|error| unreadable(error.to_string()))?,
    };
    let query = value.get("query").and_then(Value::as_str).map(|query| query.trim_start_matches('?').to_owned());
    Ok(Delivery { headers, query, body, received_at: 0 })
}

fn of_http(bytes: &[u8]) -> Result<Delivery, ConnectorError> {
    let ends = [&b"\r\n\r\n"[..], b"\n\n"].map(|end| (find(bytes, end), end.len()));
    let end = ends.iter().filter_map(|(at, length)| at.map(|at| (at, *length))).min();
    let (at, length) = end.ok_or_else(|| unreadable("it is neither JSON nor an HTTP request with an empty line"))?;
    let head = String::from_utf8_lossy(bytes.get(..at).unwrap_or_default()).into_owned();
    let mut lines = head.lines();
    let target = lines.next().and_then(|line| {
        let mut parts = line.split(' ');
        let (_, target, version) = (parts.next()?, parts.next()?, parts.next()?);
        version.starts_with("HTTP/").then_some(target)
    });
    let target = target.ok_or_else(|| unreadable("its first line is not that of an HTTP request"))?;
    let headers = lines.take(HEADERS_MAX).filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    Ok(Delivery {
        headers: headers.collect(),
        query: target.split_once('?').map(|(_, query)| query.to_owned()),
        body: bytes.get(at + length..).unwrap_or_default().to_vec(),
        received_at: 0,
    })
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_the_same_delivery() {
        let json =
            br#"{"headers": {"Content-Type": "application/json", "X-Event": "a"}, "query": "?x=1", "body": {"id": 1}}"#;
        let http = b"POST /hooks/a?x=1 HTTP/1.1\r\ncontent-type: application/json\r\nX-Event:a\r\n\r\n{\"id\":1}";
        let (json, http) = (read(json, 5).unwrap(), read(http, 5).unwrap());
        assert_eq!(json, http);
        assert_eq!((json.header("x-event"), json.query.as_deref(), json.received_at), (Some("a"), Some("x=1"), 5));
        let body = read(b"{\"id\":1}", 5).unwrap();
        assert_eq!((body.body, body.headers.len()), (json.body, 1));
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for bad in ["", " ", "hello", "hello\n\nbody", r#"{"headers": {"a": 1}}"#] {
            assert!(read(bad.as_bytes(), 0).is_err(), "{bad}");
        }
        let long = |n: usize| format!("POST / HTTP/1.1\n\n{}", "x".repeat(n));
        assert!(read(long(DELIVERY_BYTES_MAX).as_bytes(), 0).is_ok());
        assert!(read(long(DELIVERY_BYTES_MAX + 1).as_bytes(), 0).is_err());
    }
}
