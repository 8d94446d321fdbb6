use super::*;
use bytes::Bytes;

fn call(address: SocketAddr, method: Method, bytes_max: u64) -> Call {
    Call {
        method,
        url: Url::parse(&format!("http://{address}/api")).unwrap(),
        headers: vec![("authorization", "Bearer geheim".to_owned())],
        body: Bytes::from_static(b"{}"),
        bytes_max,
        timeout: Duration::from_secs(30),
    }
}

#[tokio::test]
async fn a_call_has_its_method_and_its_whole_answer_up_to_the_limit() {
    let body = vec![b'x'; 100];
    let answers = (0..5).map(|_| answer("207 x", "x-one: 1\r\n", &body)).collect();
    let (address, seen) = serve(answers).await;
    for (method, name) in
        [(Method::Get, "GET"), (Method::Post, "POST"), (Method::Put, "PUT"), (Method::Delete, "DELETE")]
    {
        let told = loopback().call(call(address, method, 100)).await.unwrap();
        assert_eq!((told.status, told.header("x-one"), told.body.len()), (207, Some("1"), 100));
        let head = seen.lock().unwrap().last().unwrap().clone();
        assert!(head.starts_with(&format!("{name} /api ")) && head.contains("authorization: Bearer geheim"), "{head}");
    }
    let larger = loopback().call(call(address, Method::Get, 99)).await;
    assert!(matches!(larger, Err(FetchError::TooLarge { bytes_max: 99, .. })), "{larger:?}");
}

#[tokio::test]
async fn a_call_follows_no_redirect_and_reaches_no_forbidden_place() {
    let (address, seen) = serve(vec![answer("307 x", "location: http://127.0.0.1:1/\r\n", b"")]).await;
    let told = loopback().call(call(address, Method::Post, 100)).await.unwrap();
    assert_eq!((told.status, seen.lock().unwrap().len()), (307, 1));
    let forbidden = client(&[]).call(call(address, Method::Post, 100)).await;
    assert!(matches!(forbidden, Err(FetchError::Forbidden { .. })), "{forbidden:?}");
}
