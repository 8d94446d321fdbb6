use super::*;

/// Answers forms of four bytes on one connection, and gives the targets and bodies that it saw.
async fn forms(answers: Vec<String>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = request_head(&mut stream).await;
            let mut body = [0; 4];
            stream.read_exact(&mut body).await.unwrap();
            assert!(head.to_ascii_lowercase().contains("content-type: application/x-www-form-urlencoded"), "{head}");
            let line = head.lines().next().unwrap_or_default().to_owned();
            kept.lock().unwrap().push(format!("{line} {}", String::from_utf8_lossy(&body)));
            let _ = stream.write_all(&super::answer(&answer, "content-length: 0\r\n", b"")).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, seen)
}

fn moved(status: &str, to: &str) -> String {
    format!("{status} x\r\nlocation: {to}")
}

async fn submit(answers: Vec<String>) -> (Result<Posted, FetchError>, Vec<String>) {
    let (address, seen) = forms(answers).await;
    let url = Url::parse(&format!("http://{address}/0")).unwrap();
    let result = loopback().submit(&url, "a=b1".to_owned()).await;
    let seen = seen.lock().unwrap().clone();
    (result, seen)
}

#[tokio::test]
async fn a_form_is_sent_again_where_a_307_or_308_points_and_nowhere_else() {
    let (posted, seen) = submit(vec![moved("307", "/1"), moved("308", "/2"), "202 x".to_owned()]).await;
    assert_eq!(posted.unwrap().status, 202);
    let wanted: Vec<String> = (0..3).map(|n| format!("POST /{n} HTTP/1.1 a=b1")).collect();
    assert_eq!(seen, wanted);
    for status in ["301", "302", "303"] {
        let (posted, seen) = submit(vec![moved(status, "/1"), "202 x".to_owned()]).await;
        assert_eq!((posted.unwrap().status.to_string(), seen.len()), (status.to_owned(), 1));
    }
}

#[tokio::test]
async fn a_form_that_is_led_on_for_ever_or_to_a_forbidden_place_is_not() {
    let far = (1..=5).map(|n| moved("307", &format!("/{n}"))).collect();
    let table = [
        (far, 4, "too many redirects"),
        (vec![moved("307", "/0"), "202 x".to_owned()], 1, "circle"),
        (vec!["307 x".to_owned(), "202 x".to_owned()], 1, "Location"),
        (vec![moved("307", "http://169.254.169.254/latest")], 1, "169.254.169.254"),
        (vec![moved("307", "file:///etc/passwd")], 1, "file"),
    ];
    for (answers, hops, text) in table {
        let (posted, seen) = submit(answers).await;
        let error = posted.unwrap_err().to_string();
        assert_eq!(seen.len(), hops, "{error}");
        assert!(error.contains(text), "{text}: {error}");
    }
}
