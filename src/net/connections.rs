//! Connections that activities are posted over: one request after the other, kept while they are used.
//!
//! A fan-out is thousands of small requests to hosts that are met again and again, so the way of one counts: here a connection is
//! driven by who waits for its answer, and no task of its own has to be woken for it. Names are checked in the resolver that the
//! connection uses, as everywhere in [`crate::net`].

use std::collections::HashMap;
use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::net::guard::GuardedResolver;

/// How long a connection is kept that nobody uses: about as long as servers keep theirs.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// How often those are looked for, and those that the other side has closed.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
/// Unused connections kept to one host; deliveries to one inbox are in order, so few are needed.
const IDLE_PER_HOST_MAX: usize = 4;
/// Bytes of an answer that are kept, for receipts.
const BODY_START_BYTES: usize = 512;
/// Bytes of an answer that are read before the connection is given up.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long the body of an answer may hold up the worker, and no longer than the whole answer may take.
const BODY_WAIT: Duration = Duration::from_secs(2);
/// Largest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

pub(super) type Problem = Box<dyn StdError + Send + Sync>;
pub(super) type Post = Request<Full<Bytes>>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no connection.
    Connect(Problem),
    /// There was one, and it broke off, or what came is not HTTP.
    Exchange(Problem),
    /// There was none, or no answer, in this time.
    Timeout(Duration),
}

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its status and headers; the body has been taken out.
    pub(super) head: http::response::Parts,
    /// The first 512 bytes of its body, lossy.
    pub(super) body_start: String,
}

/// Connections of one scheme; the resolver knows which addresses that scheme may reach.
pub(super) struct Connections {
    connector: HttpsConnector<HttpConnector<GuardedResolver>>,
    connect_timeout: Duration,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    lines: HashMap<String, Vec<(Instant, Box<Line>)>>,
    swept: bool,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// Makes them with a resolver and TLS; a connection that takes longer than `connect_timeout` with its handshake is given up.
    pub(super) fn new(resolver: GuardedResolver, tls: rustls::ClientConfig, connect_timeout: Duration) -> Arc<Self> {
        let mut http = HttpConnector::new_with_resolver(resolver);
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        Arc::new(Self { connector: connector.wrap_connector(http), connect_timeout, idle: Mutex::default() })
    }

    /// Sends a request to `origin` (`https://host:port`) and waits at most `limit` for the answer, over a connection that is kept afterwards
    /// if `keep`. A kept connection that the other side has closed meanwhile is not used: nothing is sent twice. Once its status is
    /// here an answer is one, whatever comes of its body by then.
    pub(super) async fn send(
        self: &Arc<Self>,
        origin: &str,
        request: Post,
        keep: bool,
        limit: Duration,
    ) -> Result<Answer, Trouble> {
        let deadline = Instant::now() + limit;
        match tokio::time::timeout(limit, self.answer(origin, request)).await {
            Ok(Ok((line, answer))) => Ok(self.finish(origin, line, answer, keep, deadline).await),
            Ok(Err(trouble)) => Err(trouble),
            Err(_) => Err(Trouble::Timeout(limit)),
        }
    }

    async fn answer(&self, origin: &str, mut request: Post) -> Result<(Box<Line>, Response<Incoming>), Trouble> {
        while let Some(mut line) = self.take(origin) {
            match line.send(request).await {
                Ok(answer) => return Ok((line, answer)),
                Err(Unsent::Back(again)) => request = *again,
                Err(Unsent::Lost(error)) => return Err(Trouble::Exchange(error.into())),
            }
        }
        // In a box, because every delivery would have room for a handshake in it otherwise.
        let connecting = Box::pin(self.connect(origin));
        let mut line = match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(line) => line.map_err(Trouble::Connect)?,
            Err(_) => return Err(Trouble::Timeout(self.connect_timeout)),
        };
        match line.send(request).await {
            Ok(answer) => Ok((line, answer)),
            Err(Unsent::Back(_)) => Err(Trouble::Exchange("the server closed the connection at once".into())),
            Err(Unsent::Lost(error)) => Err(Trouble::Exchange(error.into())),
        }
    }

    async fn connect(&self, origin: &str) -> Result<Box<Line>, Problem> {
        let uri = http::Uri::try_from(origin)?;
        let mut connector = self.connector.clone();
        poll_fn(|cx| connector.poll_ready(cx)).await?;
        let stream = connector.call(uri).await?;
        let (sender, connection) =
            http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake::<Stream, Full<Bytes>>(stream).await?;
        Ok(Box::new(Line { sender, connection: Some(connection) }))
    }

    async fn finish(
        self: &Arc<Self>,
        origin: &str,
        mut line: Box<Line>,
        answer: Response<Incoming>,
        keep: bool,
        deadline: Instant,
    ) -> Answer {
        let (head, body) = answer.into_parts();
        let (body_start, whole) =
            if body.is_end_stream() { (String::new(), true) } else { line.body_start(body, deadline).await };
        if keep && whole && line.takes_another() {
            self.put(origin, line);
        }
        Answer { head, body_start }
    }

    fn take(&self, origin: &str) -> Option<Box<Line>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.lines.get_mut(origin)?.pop().map(|(_, line)| line)
    }

    fn put(self: &Arc<Self>, origin: &str, line: Box<Line>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match idle.lines.get_mut(origin) {
            Some(lines) if lines.len() >= IDLE_PER_HOST_MAX => {}
            Some(lines) => lines.push((now, line)),
            None => drop(idle.lines.insert(origin.to_owned(), vec![(now, line)])),
        }
        if !std::mem::replace(&mut idle.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }
}

/// Closes connections that nobody used for long, and forgets those that the other side closed, as long as the client lives.
async fn sweep(connections: Weak<Connections>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(connections) = connections.upgrade() else { return };
        connections.idle.lock().unwrap_or_else(PoisonError::into_inner).sweep(Instant::now());
    }
}

impl Idle {
    fn sweep(&mut self, now: Instant) {
        self.lines.retain(|_, lines| {
            lines.retain_mut(|(since, line)| now.duration_since(*since) < IDLE_MAX && line.is_open());
            !lines.is_empty()
        });
    }
}

/// A connection, and what is sent over it.
struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    /// `None` when it has ended. Then it has to be gone, because a request that still waits in it is given back only so.
    connection: Option<http1::Connection<Stream, Full<Bytes>>>,
}

/// A request that has no answer.
enum Unsent {
    /// Nothing of it was sent.
    Back(Box<Post>),
    /// Some of it may have been sent.
    Lost(hyper::Error),
}

impl Line {
    async fn send(&mut self, request: Post) -> Result<Response<Incoming>, Unsent> {
        let Self { sender, connection } = self;
        let sending = sender.try_send_request(request);
        driven(connection, sending).await.map_err(|mut error| match error.take_message() {
            Some(request) => Unsent::Back(Box::new(request)),
            None => Unsent::Lost(error.into_error()),
        })
    }

    /// The first bytes of a body, lossy, and whether it came whole. What goes wrong here is of no interest: the status is known.
    async fn body_start(&mut self, mut body: Incoming, deadline: Instant) -> (String, bool) {
        let mut start = Vec::new();
        let mut seen = 0usize;
        let reading = async {
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                let Some(piece) = frame.data_ref() else { continue };
                seen = seen.saturating_add(piece.len());
                let room = BODY_START_BYTES.saturating_sub(start.len());
                start.extend(piece.iter().take(room));
                if seen > BODY_BYTES_MAX {
                    return false;
                }
            }
            true
        };
        let reading = driven(&mut self.connection, reading);
        let wait = BODY_WAIT.min(deadline.saturating_duration_since(Instant::now()));
        let whole = tokio::time::timeout(wait, reading).await.unwrap_or(false);
        (String::from_utf8_lossy(&start).into_owned(), whole)
    }

    /// Whether another request may be sent over it.
    fn takes_another(&mut self) -> bool {
        self.sender.is_ready() || (self.is_open() && self.sender.is_ready())
    }

    /// Whether the other side has kept it open while it was unused.
    fn is_open(&mut self) -> bool {
        drive(&mut self.connection, &mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && !self.sender.is_closed()
    }
}

/// Waits for `work` while driving the connection that it needs. What ends a connection is told to whom it concerns: `work`.
async fn driven<T>(
    connection: &mut Option<http1::Connection<Stream, Full<Bytes>>>,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        drive(connection, cx);
        work.as_mut().poll(cx)
    })
    .await
}

fn drive(connection: &mut Option<http1::Connection<Stream, Full<Bytes>>>, cx: &mut Context<'_>) {
    if connection.as_mut().is_some_and(|open| Pin::new(open).poll(cx).is_ready()) {
        *connection = None;
    }
}

#[cfg(test)]
mod tests;
