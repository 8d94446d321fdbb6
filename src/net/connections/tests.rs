use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::net::dns::Dns;
use crate::net::guard::{Guard, Scheme};

const OK: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(20);
/// How long the server leaves a connection open after the last answer: so it is kept here before it is closed there.
const STAYS: Duration = Duration::from_millis(100);

/// What a server on loopback does with each connection: the answers that it gives, and then it closes.
struct Server {
    origin: String,
    /// For each request, the connection that it came over.
    requests: Arc<Mutex<Vec<usize>>>,
}

impl Server {
    async fn new(connections: Vec<Vec<String>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            for (n, answers) in connections.into_iter().enumerate() {
                let (mut stream, _) = listener.accept().await.unwrap();
                let seen = seen.clone();
                tokio::spawn(async move {
                    for answer in answers {
                        let mut request = Vec::new();
                        while !request.ends_with(b"\r\n\r\nbody") {
                            match stream.read_u8().await {
                                Ok(byte) => request.push(byte),
                                Err(_) => return,
                            }
                        }
                        seen.lock().unwrap().push(n);
                        stream.write_all(answer.as_bytes()).await.unwrap();
                    }
                    tokio::time::sleep(STAYS).await;
                });
            }
        });
        Self { origin, requests }
    }

    fn requests(&self) -> Vec<usize> {
        self.requests.lock().unwrap().clone()
    }
}

fn connections() -> Arc<Connections> {
    let guard = Arc::new(Guard::new(vec!["127.0.0.1/32".parse().unwrap()]));
    let dns = Arc::new(Dns::new(&[], None).unwrap());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Connections::new(GuardedResolver { guard, scheme: Scheme::Http, dns }, tls, Duration::from_secs(5))
}

fn post() -> Post {
    Request::post("/inbox").header("host", "x.example").body(Full::new(Bytes::from_static(b"body"))).unwrap()
}

fn idle(connections: &Connections) -> usize {
    connections.idle.lock().unwrap().lines.values().map(Vec::len).sum()
}

/// Waits until the other side's closing has arrived here.
async fn closed() {
    tokio::time::sleep(3 * STAYS).await;
}

#[tokio::test]
async fn requests_follow_each_other_over_one_connection() {
    let server = Server::new(vec![vec![OK.to_owned(); 4]]).await;
    let connections = connections();
    for _ in 0..3 {
        assert_eq!(connections.send(&server.origin, post(), true, LIMIT).await.unwrap().head.status, 202);
    }
    assert_eq!((server.requests(), idle(&connections)), (vec![0, 0, 0], 1));
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced_and_nothing_is_sent_twice() {
    let server = Server::new(vec![vec![OK.to_owned()], vec![OK.to_owned()]]).await;
    let connections = connections();
    for _ in 0..2 {
        assert_eq!(connections.send(&server.origin, post(), true, LIMIT).await.unwrap().head.status, 202);
        closed().await;
    }
    assert_eq!(server.requests(), [0, 1]);
}

#[tokio::test]
async fn what_may_have_arrived_is_not_sent_again() {
    let server = Server::new(vec![vec![OK.to_owned(), String::new()], vec![OK.to_owned()]]).await;
    let connections = connections();
    assert!(connections.send(&server.origin, post(), true, LIMIT).await.is_ok());
    let trouble = connections.send(&server.origin, post(), true, LIMIT).await.err();
    assert!(matches!(trouble, Some(Trouble::Exchange(_))), "{trouble:?}");
    assert_eq!(server.requests(), [0, 0]);
}

#[tokio::test]
async fn a_connection_is_kept_only_where_both_sides_want_it_and_nothing_is_left_in_it() {
    let close = "HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned();
    let long = |bytes: usize| format!("HTTP/1.1 202 Accepted\r\ncontent-length: {bytes}\r\n\r\n{}", "x".repeat(bytes));
    let table = [
        (OK.to_owned(), true, 0, 1),
        (OK.to_owned(), false, 0, 0),
        (close, true, 0, 0),
        (long(100), true, 100, 1),
        (long(BODY_BYTES_MAX), true, BODY_START_BYTES, 1),
        (long(4 * BODY_BYTES_MAX), true, BODY_START_BYTES, 0),
    ];
    for (answer, keep, start, kept) in table {
        let head: String = answer.chars().take(80).collect();
        let server = Server::new(vec![vec![answer, OK.to_owned()], vec![OK.to_owned()]]).await;
        let connections = connections();
        let answer = connections.send(&server.origin, post(), keep, LIMIT).await.unwrap();
        assert_eq!((answer.body_start.len(), idle(&connections)), (start, kept), "{head}");
    }
}

#[tokio::test]
async fn an_answer_with_a_head_beyond_the_limit_or_that_is_no_http_is_an_error() {
    let head = |bytes: usize| format!("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nx: {}\r\n\r\n", "x".repeat(bytes));
    for (answer, taken) in
        [(head(HEAD_BYTES_MAX / 2), true), (head(HEAD_BYTES_MAX * 2), false), ("SSH-2.0-x\r\n\r\n".to_owned(), false)]
    {
        let server = Server::new(vec![vec![answer]]).await;
        let sent = connections().send(&server.origin, post(), true, LIMIT).await;
        assert_eq!(sent.is_ok(), taken);
        assert!(matches!(sent, Ok(_) | Err(Trouble::Exchange(_))));
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_holds_nobody_up_for_long() {
    let half = "HTTP/1.1 202 Accepted\r\ncontent-length: 10\r\n\r\nhalf".to_owned();
    let server = Server::new(vec![vec![half, OK.to_owned()]]).await;
    let connections = connections();
    let began = Instant::now();
    let answer = connections.send(&server.origin, post(), true, LIMIT).await.unwrap();
    assert_eq!((answer.head.status.as_u16(), answer.body_start.as_str(), idle(&connections)), (202, "half", 0));
    assert!(began.elapsed() >= BODY_WAIT && began.elapsed() < BODY_WAIT + Duration::from_secs(5));
}

#[tokio::test]
async fn what_was_answered_in_time_is_answered_also_when_its_body_is_not_there_in_time() {
    let half = "HTTP/1.1 202 Accepted\r\ncontent-length: 10\r\n\r\nhalf".to_owned();
    let server = Server::new(vec![vec![half.clone(), OK.to_owned()], vec![String::new(), OK.to_owned()]]).await;
    let connections = connections();
    let limit = BODY_WAIT / 2;
    let began = Instant::now();
    let answer = connections.send(&server.origin, post(), true, limit).await.unwrap();
    assert_eq!((answer.head.status.as_u16(), answer.body_start.as_str()), (202, "half"));
    assert!(began.elapsed() >= limit && began.elapsed() < BODY_WAIT);
    let trouble = connections.send(&server.origin, post(), true, limit).await.err();
    assert!(matches!(trouble, Some(Trouble::Timeout(within)) if within == limit), "{trouble:?}");
}

#[tokio::test]
async fn connections_that_nobody_uses_or_that_were_closed_are_forgotten() {
    let server = Server::new(vec![vec![OK.to_owned()], vec![OK.to_owned(); 9]]).await;
    let connections = connections();
    connections.send(&server.origin, post(), true, LIMIT).await.ok().unwrap();
    closed().await;
    let sweep = |at| connections.idle.lock().unwrap().sweep(at);
    sweep(Instant::now());
    assert_eq!(idle(&connections), 0, "it was closed");
    connections.send(&server.origin, post(), true, LIMIT).await.ok().unwrap();
    sweep(Instant::now() + IDLE_MAX - Duration::from_secs(5));
    assert_eq!(idle(&connections), 1);
    sweep(Instant::now() + IDLE_MAX);
    assert_eq!(idle(&connections), 0, "nobody uses it");
}

#[tokio::test]
async fn no_more_connections_are_kept_to_a_host_than_the_limit() {
    let server = Server::new(vec![vec![OK.to_owned(); 2]; 2 * IDLE_PER_HOST_MAX]).await;
    let connections = connections();
    let at_once = (0..2 * IDLE_PER_HOST_MAX).map(|_| connections.send(&server.origin, post(), true, LIMIT));
    assert!(futures::future::join_all(at_once).await.iter().all(Result::is_ok));
    assert!((1..=IDLE_PER_HOST_MAX).contains(&idle(&connections)));
}

#[tokio::test]
async fn a_host_that_nobody_listens_at_is_told_apart() {
    let origin = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let trouble = connections().send(&origin, post(), true, LIMIT).await.err();
    assert!(matches!(trouble, Some(Trouble::Connect(_))), "{trouble:?}");
}
