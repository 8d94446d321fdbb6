//! The server: HTTP/1.1 with keep-alive by hand, one thread.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::tls::Authority;
use super::{Conduct, Listening, Taken};

const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";
const TOO_MANY: &[u8] = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n";
const ERROR: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
const GONE: &[u8] = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
const HUGE: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-length: 1000000000000\r\n\r\n";
/// Ports that are tried before it is given up to find one that is free on all addresses.
const PORT_TRIES: usize = 50;
/// What is read at once.
const READ_BYTES: usize = 8 * 1024;

struct Page {
    media_type: String,
    etag: String,
    body: Vec<u8>,
}

#[derive(Default)]
struct State {
    healed: Cell<bool>,
    taken: Cell<Taken>,
    pages: RefCell<HashMap<String, Rc<Page>>>,
    authority: RefCell<Option<Authority>>,
}

/// Does what is said on standard input until it is closed.
pub fn play() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let state = Rc::new(State::default());
        let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        while let Some(line) = lines.recv().await {
            println!("{}", obey(&state, serde_json::from_str(&line).unwrap()));
        }
    });
    // What hangs is not waited for.
    std::process::exit(0);
}

fn obey(state: &Rc<State>, mut what: Value) -> Value {
    match what["do"].as_str().unwrap() {
        "listen" => json!({ "port": listen(state, &serde_json::from_value(what["what"].take()).unwrap()) }),
        "ca" => json!({ "pem": state.authority.borrow_mut().get_or_insert_with(Authority::new).pem() }),
        "put" => {
            let text = |key: &str| what[key].as_str().unwrap().to_owned();
            let body = text("body").into_bytes();
            let etag = format!("\"{}\"", hex::encode(&openssl::sha::sha256(&body)[..8]));
            let page = Page { media_type: text("type"), etag, body };
            state.pages.borrow_mut().insert(text("at"), Rc::new(page));
            json!({})
        }
        "heal" => {
            state.healed.set(what["healed"].as_bool().unwrap());
            json!({})
        }
        "forget" => {
            state.taken.set(Taken::default());
            json!({})
        }
        _ => serde_json::to_value(state.taken.get()).unwrap(),
    }
}

fn listen(state: &Rc<State>, what: &Listening) -> u16 {
    let (port, listeners) = (0..PORT_TRIES)
        .find_map(|_| {
            let port = rand::random_range(20_000..30_000);
            let bound = what.hosts.iter().map(|(host, _)| StdListener::bind((host.as_str(), port)));
            Some((port, bound.collect::<Result<Vec<StdListener>, _>>().ok()?))
        })
        .expect("a port that is free on all addresses; is the number of open files limited (ulimit -n)?");
    for (listener, (host, conduct)) in listeners.into_iter().zip(&what.hosts) {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let tls = what.tls.then(|| state.authority.borrow_mut().get_or_insert_with(Authority::new).acceptor(host));
        tokio::task::spawn_local(accept(state.clone(), listener, tls, *conduct));
    }
    port
}

async fn accept(state: Rc<State>, listener: TcpListener, tls: Option<TlsAcceptor>, conduct: Conduct) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        count(&state, |taken| taken.connections += 1);
        match &tls {
            None => drop(tokio::task::spawn_local(connection(state.clone(), stream, conduct))),
            Some(tls) => {
                let (state, handshake) = (state.clone(), tls.accept(stream));
                tokio::task::spawn_local(async move {
                    if let Ok(stream) = handshake.await {
                        connection(state, stream, conduct).await;
                    }
                });
            }
        }
    }
}

fn count(state: &State, change: impl FnOnce(&mut Taken)) {
    let mut taken = state.taken.get();
    change(&mut taken);
    state.taken.set(taken);
}

/// What was read of a request.
struct Request {
    /// Its first bytes up to the empty line.
    head: Vec<u8>,
    body_bytes: usize,
}

async fn connection<S: AsyncRead + AsyncWrite + Linger + Unpin>(state: Rc<State>, mut stream: S, conduct: Conduct) {
    let mut buffer = Vec::with_capacity(READ_BYTES);
    while let Some(request) = read(&mut stream, &mut buffer).await {
        if request.head.starts_with(b"GET") {
            let answer = page(&state, &request.head);
            if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
                return;
            }
            continue;
        }
        if conduct == Conduct::Take {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
            count(&state, |taken| {
                taken.posts += 1;
                taken.bytes += u64::try_from(request.body_bytes).unwrap();
                taken.first = if taken.posts == 1 { now } else { taken.first };
                taken.last = now;
            });
        } else {
            count(&state, |taken| taken.other += 1);
        }
        let conduct_now = if state.healed.get() { Conduct::Take } else { conduct };
        if !answer(&mut stream, conduct_now).await {
            return;
        }
    }
}

/// Answers a POST. Returns whether the connection goes on.
async fn answer<S: AsyncWrite + Linger + Unpin>(stream: &mut S, conduct: Conduct) -> bool {
    let bytes = match conduct {
        Conduct::Take => ACCEPTED,
        Conduct::TooMany => TOO_MANY,
        Conduct::Error => ERROR,
        Conduct::Gone => GONE,
        Conduct::Hang => return std::future::pending().await,
        Conduct::Reset => {
            stream.reset_on_close();
            return false;
        }
        Conduct::Slow => {
            for byte in ACCEPTED.chunks(1) {
                if stream.write_all(byte).await.is_err() || stream.flush().await.is_err() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            return true;
        }
        Conduct::Huge => {
            let piece = vec![b'x'; 64 * 1024];
            let mut sent = stream.write_all(HUGE).await;
            while sent.is_ok() {
                sent = stream.write_all(&piece).await;
            }
            return false;
        }
    };
    stream.write_all(bytes).await.is_ok() && stream.flush().await.is_ok()
}

/// The next request; `None` when there is none any more.
async fn read<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<Request> {
    let mut searched = 0;
    let head_end = loop {
        if let Some(at) = buffer[searched..].windows(4).position(|w| w == b"\r\n\r\n") {
            break searched + at + 4;
        }
        searched = buffer.len().saturating_sub(3);
        buffer.reserve(READ_BYTES);
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = buffer[..head_end].to_vec();
    let body_bytes = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while buffer.len() < head_end + body_bytes {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    buffer.drain(..head_end + body_bytes);
    Some(Request { head, body_bytes })
}

fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = std::str::from_utf8(value).ok()?.strip_prefix(':')?;
        found.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim())
    })
}

fn page(state: &State, head: &[u8]) -> Vec<u8> {
    count(state, |taken| taken.gets += 1);
    let path = head.split(|byte| *byte == b' ').nth(1).and_then(|path| std::str::from_utf8(path).ok()).unwrap_or("/");
    let host = header(head, "host").unwrap_or_default();
    let pages = state.pages.borrow();
    let Some(page) = pages.get(&format!("{host}{path}")).or_else(|| pages.get(&format!("*{path}"))) else {
        return NOT_FOUND.to_vec();
    };
    let Page { media_type, etag, body } = &**page;
    if header(head, "if-none-match") == Some(etag) {
        return format!("HTTP/1.1 304 Not Modified\r\netag: {etag}\r\n\r\n").into_bytes();
    }
    let length = body.len();
    let mut answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\netag: {etag}\r\ncontent-length: {length}\r\n\r\n")
            .into_bytes();
    answer.extend(body);
    answer
}

/// A connection that can be reset instead of closed.
trait Linger {
    fn reset_on_close(&self);
}

impl Linger for TcpStream {
    fn reset_on_close(&self) {
        let _ = self.set_zero_linger();
    }
}

impl Linger for tokio_rustls::server::TlsStream<TcpStream> {
    fn reset_on_close(&self) {
        self.get_ref().0.reset_on_close();
    }
}
