//! An HTTP proxy before a gateway, that does to requests what proxies do when they are set up wrong.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::http::try_request;
use super::server::{Answer, Reply, Request, serve};

/// What a proxy does.
#[derive(Debug, Clone)]
pub enum Meddling {
    /// Passes all on as it came.
    Nothing,
    /// Takes a header away. `Host` it then makes itself, as nginx does.
    TakesAway(&'static str),
    /// Gives a header another value.
    Changes(&'static str, &'static str),
    /// Writes JSON anew.
    WritesBodies,
    /// Passes nothing on of what begins so, and answers 403.
    Forbids(&'static str),
    /// Answers by itself.
    Answers(Reply),
}

struct State {
    to: Option<SocketAddr>,
    meddling: Meddling,
}

/// A proxy; cheap to clone.
#[derive(Clone)]
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Proxy {
    /// Starts one that is before nothing yet.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State { to: None, meddling: Meddling::Nothing }));
        let shared = state.clone();
        let address = serve(Arc::new(move |request| {
            let (to, meddling) = {
                let state = shared.lock().unwrap();
                (state.to, state.meddling.clone())
            };
            Box::pin(async move { Answer::Reply(pass(to, meddling, request).await) })
        }));
        Self { address, state }
    }

    /// The root that others see.
    pub fn root(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stands before that server from now on.
    pub fn before(&self, server: &str) {
        self.state.lock().unwrap().to = Some(server.parse().unwrap());
    }

    /// Does that from now on.
    pub fn does(&self, meddling: Meddling) {
        self.state.lock().unwrap().meddling = meddling;
    }
}

async fn pass(to: Option<SocketAddr>, meddling: Meddling, mut request: Request) -> Reply {
    match meddling {
        Meddling::Nothing => {}
        Meddling::TakesAway(name) => request.headers.retain(|(n, _)| n != name),
        Meddling::Changes(name, value) => {
            request.headers.iter_mut().filter(|(n, _)| n == name).for_each(|(_, v)| value.clone_into(v));
        }
        Meddling::WritesBodies => {
            if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&request.body) {
                request.body = json.to_string().into_bytes();
                request.headers.retain(|(n, _)| n != "content-length");
            }
        }
        Meddling::Forbids(path) if request.target.starts_with(path) => return Reply::status(403),
        Meddling::Forbids(_) => {}
        Meddling::Answers(reply) => return reply,
    }
    let Some(to) = to else { return Reply::status(502) };
    let headers: Vec<(&str, &str)> = request.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let answer = try_request(&request.method, &format!("http://{to}{}", request.target), &headers, &request.body).await;
    let Ok(mut reply) = answer else { return Reply::status(502) };
    reply.headers.retain(|(n, _)| !["content-length", "transfer-encoding", "connection"].contains(&n.as_str()));
    reply
}
