//! A small HTTP/1.1 server whose every byte the test decides.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::address;

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The port that it came from.
    pub port: u16,
}

impl Request {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What to send back; also what a request of ours got.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// 200 with a body.
    pub fn ok(media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }.with("content-type", media_type)
    }

    /// With that header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A redirect.
    pub fn redirect(status: u16, to: &str) -> Self {
        Self::status(status).with("location", to)
    }

    /// The value of a header; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {} {}", self.status, self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What to do with a request.
#[derive(Debug)]
pub enum Answer {
    Reply(Reply),
    /// Close the connection without a word.
    Close,
    /// Break the connection off, with an RST.
    Reset,
    /// Never answer, but keep the connection.
    Hang,
    /// Answer with this, and then with a body that never ends, as fast as it is taken.
    Endless(Reply),
    /// Answer with this, and then with a body that never ends, a byte at a time.
    Dripping(Reply),
    /// Answer with a header that never ends.
    EndlessHeader,
}

type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;
/// Answers requests.
pub type Handler = Arc<dyn Fn(Request) -> Answering + Send + Sync>;

/// Starts a server on an address of its own; it ends with the runtime.
pub fn serve(handler: Handler) -> SocketAddr {
    let listener = address::listener();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, handler.clone()));
        }
    });
    address
}

async fn connection(mut stream: TcpStream, handler: Handler) {
    let mut buffer = Vec::new();
    let port = stream.peer_addr().map_or(0, |address| address.port());
    while let Some(request) = read_request(&mut stream, &mut buffer, port).await {
        let is_last = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let (head, piece, pause) = match handler(request).await {
            Answer::Reply(reply) => {
                if stream.write_all(&render(&reply)).await.is_err() || is_last {
                    return;
                }
                continue;
            }
            Answer::Close => return,
            Answer::Reset => {
                // Fails only when the other side was first.
                let _ = stream.set_zero_linger();
                return;
            }
            Answer::Hang => return std::future::pending().await,
            Answer::Endless(reply) => (endless(&reply), vec![b'x'; 64 * 1024], Duration::ZERO),
            Answer::Dripping(reply) => (endless(&reply), vec![b'x'], Duration::from_millis(200)),
            Answer::EndlessHeader => (b"HTTP/1.1 200 X\r\nx-long: ".to_vec(), vec![b'x'; 64 * 1024], Duration::ZERO),
        };
        let mut sent = stream.write_all(&head).await;
        while sent.is_ok() {
            tokio::time::sleep(pause).await;
            sent = stream.write_all(&piece).await;
        }
        return;
    }
}

/// The head of an answer whose body is as long as a number can say.
fn endless(reply: &Reply) -> Vec<u8> {
    format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\n\r\n", reply.status, i64::MAX).into_bytes()
}

fn render(reply: &Reply) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} X\r\n", reply.status);
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !matches!(reply.status, 204 | 304) {
        head += &format!("content-length: {}\r\n", reply.body.len());
    }
    let mut bytes = (head + "\r\n").into_bytes();
    bytes.extend(&reply.body);
    bytes
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>, port: u16) -> Option<Request> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok()).unwrap_or(0);
    let end = head_end + 4 + length;
    while buffer.len() < end {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let rest = buffer.split_off(end);
    let body = buffer.split_off(head_end + 4);
    *buffer = rest;
    Some(Request { method, target, headers, body, port })
}
