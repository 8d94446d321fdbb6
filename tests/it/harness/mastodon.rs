//! A server with Mastodon's client API that the test plays, written by Mastodon's own rules: tokens and scopes, the shapes of requests,
//! keys against repetition, limits with the words of Mastodon's errors, pictures that take their time. It is no Mastodon: what it does not
//! know, it refuses, and what a request says that Mastodon would not understand stands in `violations`.

mod rules;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::json;

use super::eventually;
use super::server::{Answer, Reply, Request, serve};

/// The token that is good at first, with all scopes.
pub const TOKEN: &str = "ZA-Yj3aBD8U8Cm7lKUp-lm9O9BmDgdhHzDeqsY8tlL0";
/// All scopes that a gateway needs.
pub const SCOPES: &[&str] = &["read:accounts", "read:statuses", "write:media", "write:statuses"];

/// A status.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub id: String,
    pub text: String,
    pub warning: String,
    pub sensitive: bool,
    pub language: String,
    pub visibility: String,
    pub media: Vec<String>,
    pub created_at: String,
    /// How often it was edited.
    pub edits: usize,
    pub deleted: bool,
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    pub media_type: String,
    pub bytes: Vec<u8>,
    pub description: String,
    /// How often it must be asked for until it is ready.
    pub slow: usize,
    pub failed: bool,
    pub status: Option<String>,
}

/// What happens to one request that makes a status, instead of what is usual.
#[derive(Debug, Clone)]
pub enum Trick {
    /// It is answered so, and nothing is made.
    Answer(Reply),
    /// The status is made, and the connection closed without a word.
    LoseAnswer,
    /// The status is made, and the answer never comes.
    Hang,
    /// The status is made, and the answer takes so long.
    Slow(Duration),
}

/// What the server takes.
#[derive(Debug, Clone)]
pub struct Takes {
    pub characters: usize,
    pub attachments: usize,
    pub description: usize,
    pub media_types: Vec<&'static str>,
    /// Whether there is an `/api/v2/instance`.
    pub second: bool,
}

#[derive(Default)]
struct State {
    tokens: HashMap<String, (String, Vec<&'static str>)>,
    statuses: Vec<Status>,
    media: HashMap<String, Media>,
    keys: HashMap<String, String>,
    tricks: VecDeque<Trick>,
    takes: Option<Takes>,
    slow_media: usize,
    fail_media: bool,
    away: Option<Reply>,
    requests: Vec<(String, String)>,
    made: Vec<String>,
    violations: Vec<String>,
    next: u64,
}

/// The running server; cheap to clone.
#[derive(Clone)]
pub struct Mastodon {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Mastodon {
    /// A server with one account `gemeente` and the token [`TOKEN`] for it.
    pub fn start() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = state.clone();
        let address = serve(Arc::new(move |request| {
            let shared = shared.clone();
            Box::pin(async move {
                let (answer, wait) = {
                    let mut state = shared.lock().unwrap();
                    answer(&mut state, &request)
                };
                tokio::time::sleep(wait).await;
                answer
            })
        }));
        let server = Self { address, state };
        server.lock().takes = Some(Takes {
            characters: 500,
            attachments: 4,
            description: 1_500,
            media_types: vec!["image/jpeg", "image/png", "image/gif", "image/webp"],
            second: true,
        });
        server.grants(TOKEN, "gemeente", SCOPES);
        server
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The tables of a configuration that name it as the target of `nieuws`.
    pub fn target(&self) -> String {
        format!(
            "[[target]]\nname = \"ons-account\"\nactor = \"nieuws\"\nkind = \"mastodon_account\"\nurl = \"{}\"\ntoken = \"{TOKEN}\"\n",
            self.url()
        )
    }

    /// Makes a token good, for an account, with scopes.
    pub fn grants(&self, token: &str, account: &str, scopes: &[&'static str]) {
        self.lock().tokens.insert(token.to_owned(), (account.to_owned(), scopes.to_vec()));
    }

    /// Makes a token good no more.
    pub fn revokes(&self, token: &str) {
        self.lock().tokens.remove(token);
    }

    /// Changes what it takes.
    pub fn takes(&self, change: impl FnOnce(&mut Takes)) {
        change(self.lock().takes.as_mut().unwrap());
    }

    /// Pictures are ready after so many questions.
    pub fn slow_media(&self, questions: usize) {
        self.lock().slow_media = questions;
    }

    /// Pictures cannot be made ready.
    pub fn fail_media(&self, fail: bool) {
        self.lock().fail_media = fail;
    }

    /// Plays a trick on the next request that makes a status.
    pub fn plays(&self, trick: Trick) {
        self.lock().tricks.push_back(trick);
    }

    /// Answers everything so; `None` is as usual.
    pub fn away(&self, reply: Option<Reply>) {
        self.lock().away = reply;
    }

    /// Forgets the keys against repetition, as Mastodon does after an hour.
    pub fn forgets_keys(&self) {
        self.lock().keys.clear();
    }

    /// A person publishes on the account by hand.
    pub fn by_hand(&self, text: &str) {
        let state = &mut *self.lock();
        rules::make(state, text, &json!({}), "public", Vec::new());
    }

    /// A person deletes what the account published.
    pub fn deletes_by_hand(&self) {
        self.lock().statuses.iter_mut().for_each(|status| status.deleted = true);
    }

    /// All statuses that were ever made, oldest first.
    pub fn statuses(&self) -> Vec<Status> {
        self.lock().statuses.clone()
    }

    /// Those that stand there.
    pub fn standing(&self) -> Vec<Status> {
        self.statuses().into_iter().filter(|status| !status.deleted).collect()
    }

    /// A picture.
    pub fn media(&self, id: &str) -> Media {
        self.lock().media[id].clone()
    }

    /// The keys of all requests that were to make a status.
    pub fn keys_used(&self) -> Vec<String> {
        self.lock().made.clone()
    }

    /// How often it was asked that: method and path.
    pub fn asked(&self, method: &str, path: &str) -> usize {
        self.lock().requests.iter().filter(|(m, p)| m == method && p.starts_with(path)).count()
    }

    /// What requests said that Mastodon would not understand.
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// Waits until so many statuses stand there, and gives them; nothing that was said may have been odd.
    pub async fn has(&self, n: usize) -> Vec<Status> {
        let found = eventually(&format!("{n} statuses stand on the account"), || {
            std::future::ready(Some(self.standing()).filter(|statuses| statuses.len() == n))
        })
        .await;
        assert_eq!(self.violations(), Vec::<String>::new());
        found
    }
}

/// What is answered, and after how long.
fn answer(state: &mut State, request: &Request) -> (Answer, Duration) {
    let path = request.target.split('?').next().unwrap().to_owned();
    state.requests.push((request.method.clone(), path.clone()));
    if let Some(reply) = &state.away {
        return (Answer::Reply(reply.clone()), Duration::ZERO);
    }
    let trick = if (request.method.as_str(), path.as_str()) == ("POST", "/api/v1/statuses") {
        state.tricks.pop_front()
    } else {
        None
    };
    if (request.method.as_str(), path.as_str()) == ("POST", "/api/v1/statuses") {
        let key = request.header("idempotency-key").unwrap_or_default().to_owned();
        if key.is_empty() {
            state.violations.push("a status without a key against repetition".to_owned());
        }
        state.made.push(key);
    }
    if let Some(Trick::Answer(reply)) = trick {
        return (Answer::Reply(reply), Duration::ZERO);
    }
    let reply = rules::reply(state, request, &path)
        .with("content-type", "application/json; charset=utf-8")
        .with("x-ratelimit-limit", "300")
        .with("x-ratelimit-remaining", "299")
        .with("x-ratelimit-reset", "2099-01-01T00:00:00.000000Z");
    match trick {
        Some(Trick::LoseAnswer) => (Answer::Close, Duration::ZERO),
        Some(Trick::Hang) => (Answer::Hang, Duration::ZERO),
        Some(Trick::Slow(wait)) => (Answer::Reply(reply), wait),
        _ => (Answer::Reply(reply), Duration::ZERO),
    }
}
