use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

mod form;
mod tls;

fn client(allowed: &[&str]) -> Client {
    Client::new(&NetSettings {
        allow_addresses: allowed.iter().map(|n| n.parse().unwrap()).collect(),
        extra_ca_file: None,
        user_agent: "heraut/test".to_owned(),
        ..NetSettings::default()
    })
    .unwrap()
}

fn loopback() -> Client {
    client(&["127.0.0.1/32"])
}

/// Reads one request up to its empty line.
async fn request_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

/// A server on loopback that gives each connection the next answer, then closes; returns its address and the heads it saw.
async fn serve(answers: Vec<Vec<u8>>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heads = Arc::clone(&seen);
    tokio::spawn(async move {
        let mut answers = VecDeque::from(answers);
        while let Some(answer) = answers.pop_front() {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = request_head(&mut stream).await;
            heads.lock().unwrap().push(head);
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, seen)
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn redirect(status: &str, to: &str) -> Vec<u8> {
    answer(status, &format!("location: {to}\r\ncontent-length: 0\r\n"), b"")
}

fn to(address: SocketAddr, path: &str) -> Get {
    Get::new(Url::parse(&format!("http://{address}{path}")).unwrap(), "*/*")
}

/// 1 GiB of zeros as gzip: fixed Huffman codes, the literal 0 and then copies of 258 bytes at distance 1, 13 bits each.
fn gzip_bomb() -> Vec<u8> {
    let mut bits: Vec<bool> = vec![true, true, false]; // last block, fixed codes
    let code = |bits: &mut Vec<bool>, value: u16, length: u32| {
        bits.extend((0..length).rev().map(|i| value >> i & 1 == 1));
    };
    code(&mut bits, 0b0011_0000, 8);
    for _ in 0..(1 << 30) / 258 {
        code(&mut bits, 0b1100_0101, 8);
        code(&mut bits, 0, 5);
    }
    code(&mut bits, 0, 7);
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    bytes.extend(bits.chunks(8).map(|c| c.iter().enumerate().map(|(i, b)| u8::from(*b) << i).sum::<u8>()));
    bytes
}

/// Brotli (RFC 7932) with one uncompressed block.
fn brotli(text: &[u8]) -> Vec<u8> {
    let header = (u32::try_from(text.len()).unwrap() - 1) << 4 | 1 << 20;
    let mut bytes = header.to_le_bytes()[..3].to_vec();
    bytes.extend_from_slice(text);
    bytes.push(3);
    bytes
}

#[tokio::test]
async fn an_answer_arrives_whole_with_its_status_and_headers() {
    let body = answer("404 Not Found", "X-Note: A\r\ncontent-length: 4\r\n", b"gone");
    let (address, heads) = serve(vec![body]).await;
    let mut request = to(address, "/a?token=1#part");
    request.headers.push(("if-none-match".to_owned(), "\"v1\"".to_owned()));
    request.sign = Some(Arc::new(|url: &Url| vec![("signature", format!("for {url}"))]));
    let fetched = loopback().get(request).await.unwrap();
    assert_eq!((fetched.status, fetched.body.as_slice(), fetched.header("x-note")), (404, &b"gone"[..], Some("A")));
    assert!(!fetched.permanent_redirects);
    let head = heads.lock().unwrap()[0].clone();
    for line in [
        "GET /a?token=1 HTTP/1.1".to_owned(),
        "accept: */*".to_owned(),
        "user-agent: heraut/test".to_owned(),
        "if-none-match: \"v1\"".to_owned(),
        format!("signature: for http://{address}/a?token=1"),
    ] {
        assert!(head.contains(&line), "{line} is missing in {head}");
    }
    assert!(!head.contains("referer"), "{head}");
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_arrives_and_one_byte_more_is_refused() {
    let body = vec![b'x'; 8 * 1024 * 1024 + 1];
    for declared in [true, false] {
        let length = |n: usize| if declared { format!("content-length: {n}\r\n") } else { String::new() };
        let fits = answer("200 OK", &length(body.len() - 1), &body[1..]);
        let (address, _) = serve(vec![fits, answer("200 OK", &length(body.len()), &body)]).await;
        let fetched = loopback().get(to(address, "/fits")).await.unwrap();
        assert_eq!(fetched.body.len(), 8 * 1024 * 1024);
        let error = loopback().get(to(address, "/large")).await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { bytes_max: BODY_BYTES_MAX, .. }), "{error:?}");
        assert!(error.to_string().contains("8388608 bytes") && error.is_permanent(), "{error}");
    }
}

#[tokio::test]
async fn a_gzip_bomb_stops_at_the_cap() {
    let (address, _) = serve(vec![answer("200 OK", "content-encoding: gzip\r\n", &gzip_bomb())]).await;
    let error = loopback().get(to(address, "/")).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn brotli_is_decompressed_and_counted_after_decompression() {
    let packed = answer("200 OK", "content-encoding: br\r\n", &brotli(b"Gemeente Voorbeeldstad"));
    let (address, heads) = serve(vec![packed.clone(), packed]).await;
    assert_eq!(loopback().get(to(address, "/")).await.unwrap().body, b"Gemeente Voorbeeldstad");
    let head = heads.lock().unwrap()[0].clone();
    assert!(head.contains("accept-encoding: gzip,br\r\n"), "{head}");
    let small = Get { bytes_max: 10, ..to(address, "/") };
    assert!(matches!(loopback().get(small).await, Err(FetchError::TooLarge { bytes_max: 10, .. })));
}

#[tokio::test]
async fn redirects_are_followed_and_say_whether_all_were_permanent() {
    for (first, second, permanent) in
        [("301 x", "308 x", true), ("301 x", "302 x", false), ("307 x", "308 x", false), ("303 x", "301 x", false)]
    {
        let (address, heads) =
            serve(vec![redirect(first, "/b"), redirect(second, "c?x#y"), answer("200 OK", "", b"end")]).await;
        let fetched = loopback().get(to(address, "/a")).await.unwrap();
        assert_eq!(fetched.url.as_str(), format!("http://{address}/c?x"));
        assert_eq!((fetched.permanent_redirects, fetched.body.as_slice()), (permanent, &b"end"[..]));
        assert_eq!(heads.lock().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn each_hop_is_signed_for_its_own_url_and_credentials_stay_at_home() {
    let (other, other_heads) = serve(vec![answer("200 OK", "", b"")]).await;
    let (home, _) = serve(vec![redirect("302 x", &format!("http://{other}/b"))]).await;
    let mut request = to(home, "/a");
    request.headers = vec![("Authorization".into(), "Bearer x".into()), ("x-kept".into(), "y".into())];
    request.sign = Some(Arc::new(|url: &Url| vec![("signature", url.path().to_owned())]));
    loopback().get(request).await.unwrap();
    let head = other_heads.lock().unwrap()[0].clone();
    assert!(head.contains("signature: /b") && head.contains("x-kept: y"), "{head}");
    assert!(!head.contains("authorization"), "{head}");
}

#[tokio::test]
async fn redirects_that_are_not_followed_name_the_chain() {
    let many: Vec<_> = (0..9).map(|n| redirect("302 x", &format!("/{n}"))).collect();
    let elsewhere = "http://127.0.0.1:1/b";
    let long = format!("/{}", "x".repeat(URL_BYTES_MAX));
    let table = [
        (vec![redirect("301 x", "/b"), redirect("301 x", "/a")], false, RedirectProblem::Loop),
        (vec![redirect("301 x", "/a#other")], false, RedirectProblem::Loop),
        (many, false, RedirectProblem::TooMany),
        (vec![redirect("301 x", elsewhere)], true, RedirectProblem::OtherHost),
        (vec![answer("302 x", "", b"")], false, RedirectProblem::NoLocation),
        (vec![redirect("302 x", "http://[")], false, RedirectProblem::NoLocation),
        (vec![redirect("302 x", &long)], false, RedirectProblem::NoLocation),
    ];
    for (answers, same_host_redirects, expected) in table {
        let (address, _) = serve(answers).await;
        let error = loopback().get(Get { same_host_redirects, ..to(address, "/a") }).await.unwrap_err();
        let FetchError::Redirects { chain, problem } = &error else { panic!("{error:?}") };
        assert_eq!(*problem, expected, "{error}");
        assert_eq!(chain[0], format!("http://{address}/a"), "{error}");
        assert!(error.to_string().contains(&chain.join(" → ")), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_place_names_it_and_is_not_taken() {
    let table = ["http://127.0.0.2/", "http://10.1.2.3/", "https://10.1.2.3/", "https://[::1]/", "http://203.0.113.7/"];
    for target in table {
        let (address, _) = serve(vec![redirect("302 x", target)]).await;
        let error = loopback().get(to(address, "/a")).await.unwrap_err();
        assert!(matches!(error, FetchError::Forbidden { .. }) && error.is_permanent(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(target) && text.contains("net.allow_addresses"), "{text}");
        assert!(text.contains(&format!("redirected from http://{address}/a")), "{text}");
    }
    for (target, scheme) in [("file:///etc/passwd", "file"), ("gopher://127.0.0.1/", "gopher"), ("data:,x", "data")] {
        let (address, _) = serve(vec![redirect("302 x", target)]).await;
        let error = loopback().get(to(address, "/a")).await.unwrap_err();
        assert!(matches!(&error, FetchError::Scheme { scheme: s, .. } if s == scheme), "{error:?}");
    }
}

#[tokio::test]
async fn names_are_checked_in_the_resolver_and_literals_before_the_request() {
    let (address, heads) = serve(vec![answer("200 OK", "", b"")]).await;
    let name = Url::parse(&format!("http://localhost:{}/?token=secret", address.port())).unwrap();
    for (client, url) in [
        (client(&[]), name.clone()),
        (client(&["10.0.0.0/8"]), name.clone()),
        (client(&[]), to(address, "/").url),
        (client(&[]), Url::parse(&format!("https://localhost:{}/", address.port())).unwrap()),
    ] {
        let error = client.get(Get::new(url.clone(), "*/*")).await.unwrap_err();
        assert!(matches!(&error, FetchError::Forbidden { address, .. } if address.is_loopback()), "{url}: {error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
        let error = client.post(&url, Vec::new(), Bytes::new(), TOTAL_TIMEOUT).await.unwrap_err();
        assert!(matches!(error, FetchError::Forbidden { .. }), "{url}: {error:?}");
    }
    assert!(heads.lock().unwrap().is_empty());
    assert_eq!(loopback().get(Get::new(name, "*/*")).await.unwrap().status, 200);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_before_anything_is_sent() {
    let get = |url: &str| Get::new(Url::parse(url).unwrap(), "*/*");
    let error = loopback().get(get("http://user:pass@127.0.0.1/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Shape { .. }) && !error.to_string().contains("pass@"), "{error}");
    let error = loopback().get(get("ftp://127.0.0.1/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Scheme { .. }) && error.is_permanent(), "{error}");
    let mut broken = get("http://127.0.0.1/");
    broken.headers.push(("x-a".to_owned(), "secret\r\nx-b: c".to_owned()));
    let error = loopback().get(broken).await.unwrap_err();
    assert!(matches!(error, FetchError::Header { .. }) && !error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn network_trouble_is_told_apart_and_may_pass() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = loopback().get(to(closed, "/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Connect { .. }) && !error.is_permanent(), "{error:?}");

    // A label of more than 63 bytes fails in the system's resolver: no query leaves the machine.
    let unknown = Url::parse(&format!("http://{}.invalid/", "x".repeat(64))).unwrap();
    let unknown = Get::new(unknown, "*/*");
    let error = loopback().get(unknown).await.unwrap_err();
    assert!(matches!(error, FetchError::Dns { .. }) && !error.is_permanent(), "{error:?}");

    let lying = answer("200 OK", "content-length: 100\r\n", b"only this");
    let (address, _) = serve(vec![lying, b"SSH-2.0-x\r\n\r\n".to_vec()]).await;
    for _ in 0..2 {
        let error = loopback().get(to(address, "/")).await.unwrap_err();
        assert!(matches!(error, FetchError::Protocol { .. }) && !error.is_permanent(), "{error:?}");
    }
}

#[tokio::test]
async fn a_slow_body_ends_at_the_total_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        request_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await.unwrap();
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let timeout = Duration::from_millis(300);
    let error = loopback().get(Get { timeout, ..to(address, "/") }).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout { limit, .. } if limit == timeout), "{error:?}");
}

#[tokio::test]
async fn a_post_sends_its_bytes_and_keeps_the_start_of_the_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/inbox", listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut requests = Vec::new();
        for status in ["202 Accepted", "302 Found\r\nlocation: /x", "429 x\r\nretry-after: 120"] {
            let head = request_head(&mut stream).await;
            let mut body = [0; 4];
            stream.read_exact(&mut body).await.unwrap();
            requests.push((head, body));
            let long = "é".repeat(2_000);
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{long}", long.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    let client = loopback();
    for (status, retry_after) in [(202, None), (302, None), (429, Some("120".to_owned()))] {
        let headers = vec![("content-type", "application/activity+json".to_owned())];
        let posted = client.post(&url, headers, Bytes::from_static(b"{1:}"), TOTAL_TIMEOUT).await.unwrap();
        assert_eq!((posted.status, posted.retry_after), (status, retry_after));
        assert_eq!(posted.body_start, "é".repeat(256));
    }
    // One connection served all three: an answer's body does not cost the connection.
    for (head, body) in server.await.unwrap() {
        assert!(head.starts_with("POST /inbox ") && head.contains("content-type: application/activity+json"), "{head}");
        assert_eq!(&body, b"{1:}");
    }
}
