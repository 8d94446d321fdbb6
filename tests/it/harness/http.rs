//! A small HTTP/1.1 client: sends exactly the headers and bytes that it is given, follows nothing.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::server::Reply;
use super::{ACTIVITY, PATIENCE};

/// GET as a peer.
pub async fn get(url: &str) -> Reply {
    get_as(url, ACTIVITY).await
}

/// GET with an `Accept`.
pub async fn get_as(url: &str, accept: &str) -> Reply {
    request("GET", url, &[("accept", accept)], b"").await
}

/// Sends a request; a server that does not answer fails the test.
pub async fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    try_request(method, url, headers, body).await.unwrap_or_else(|e| panic!("{method} {url}: {e}"))
}

/// Sends a request. `host`, `content-length` and `connection` are added where they are not given.
pub async fn try_request(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Reply> {
    let exchange = exchange(method, url, headers, body);
    tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| io::Error::other("no answer in time"))?
}

async fn exchange(method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Reply> {
    let parsed = Url::parse(url).map_err(io::Error::other)?;
    let authority = parsed.host_str().unwrap_or_default().to_owned()
        + &parsed.port().map(|port| format!(":{port}")).unwrap_or_default();
    let target = &parsed[url::Position::BeforePath..url::Position::AfterQuery];
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    let length = body.len().to_string();
    for (name, value) in [("host", authority.as_str()), ("content-length", &length), ("connection", "close")] {
        if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name)) {
            head += &format!("{name}: {value}\r\n");
        }
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(&authority).await?;
    stream.write_all((head + "\r\n").as_bytes()).await?;
    // A server may answer and close before it has read a body that it does not want.
    let written = stream.write_all(body).await;
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes).await;
    match parse(&bytes) {
        Some(reply) => Ok(reply),
        None => Err(written.and(read.map(|_| ())).err().unwrap_or_else(|| io::Error::other("no whole answer"))),
    }
}

fn parse(bytes: &[u8]) -> Option<Reply> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut reply = Reply { status, headers, body: bytes[end + 4..].to_vec() };
    if reply.header("transfer-encoding").eq_ignore_ascii_case("chunked") {
        reply.body = dechunk(&reply.body)?;
    }
    Some(reply)
}

fn dechunk(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = bytes.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend(bytes.get(line + 2..line + 2 + size)?);
        bytes = bytes.get(line + 4 + size..)?;
    }
}
