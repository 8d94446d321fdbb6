//! A remote server: accounts with documents and inboxes, that checks signatures, answers as it is told, and remembers every
//! activity in the order in which they came.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use heraut::time::Timestamp;
use serde_json::{Value, json};

use super::account::Account;
use super::key::Key;
use super::server::{Answer, Reply, Request, serve};
use super::{ACTIVITY, eventually, http, verify};

/// What a peer does with what comes into its inboxes, if the signature holds.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers that.
    Answer(u16),
    /// Answers that, with headers.
    With(Reply),
    /// Answers that, after a while.
    Slow(Duration, u16),
    /// Closes the connection without a word.
    Close,
    /// Breaks the connection off.
    Reset,
    /// Never answers.
    Hang,
    /// Answers that, with a body that never ends.
    Endless(u16),
    /// Answers that, with a body that never ends and comes a byte at a time.
    Dripping(u16),
    /// Answers with a header that never ends.
    EndlessHeader,
}

/// What a server that [`Reads::Asks`] wants signed.
const ASKED: &str =
    r#"sig1=("@method" "@target-uri" "content-digest" "@authority");created;keyid;nonce="b3k2pp5k7z";tag="fediverse""#;

/// Something that came into an inbox.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// When it had come in whole.
    pub at: Instant,
    /// The path of the inbox.
    pub inbox: String,
    /// The port that it came from.
    pub port: u16,
    /// It was signed by RFC 9421, not by draft-cavage.
    pub by_rfc9421: bool,
    /// Its `Signature-Input`, where it was signed by RFC 9421.
    pub input: Option<String>,
    /// Its `Date`.
    pub date: String,
    /// What it says of followers, and whether the signature covers that.
    pub synchronization: Option<(String, bool)>,
    /// The bytes of the body.
    pub body: Vec<u8>,
    /// The body as JSON.
    pub activity: Value,
    /// Whether the signature holds, and is that of the activity's actor.
    pub verified: Result<(), String>,
    /// What the id of its object answered when it came, of a Create at a peer that looks.
    pub object_status: Option<u16>,
    /// When what was answered, if anything.
    pub answered: Option<(Instant, u16)>,
}

impl Arrival {
    /// The type of the activity.
    pub fn kind(&self) -> &str {
        self.activity["type"].as_str().unwrap_or_default()
    }

    /// The id of the activity.
    pub fn id(&self) -> &str {
        self.activity["id"].as_str().unwrap_or_default()
    }

    /// Whether it was taken with a 2xx.
    pub fn taken(&self) -> bool {
        matches!(self.answered, Some((_, 200..=299)))
    }
}

/// Which signatures a server reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// draft-cavage; others get a 401.
    Cavage,
    /// RFC 9421 alone; others get a 401.
    Rfc9421,
    /// RFC 9421 alone; others get a 401 with what is wanted (RFC 9421 §5.1).
    Asks,
    /// draft-cavage; it says 202 to others and drops them, as Pixelfed does.
    Swallows,
}

struct State {
    reads: Reads,
    /// It gives its documents only to who signs, as a server in secure mode does.
    is_secure: bool,
    /// It keeps one key per actor, and believes another only when an Update signed with that key brings it.
    keeps_keys: bool,
    /// It fetches the object of a Create before it answers.
    looks_up: bool,
    documents: HashMap<String, Value>,
    pages: HashMap<String, Reply>,
    script: VecDeque<Behaviour>,
    behaviour: Behaviour,
    arrivals: Vec<Arrival>,
    fetches: Vec<Request>,
    keys: HashMap<String, (String, String)>,
}

/// A remote server; cheap to clone.
#[derive(Clone)]
pub struct Peer {
    pub address: SocketAddr,
    root: String,
    state: Arc<Mutex<State>>,
}

impl Peer {
    /// Starts a server that takes everything with a 202.
    pub fn start() -> Self {
        let state = State {
            reads: Reads::Cavage,
            is_secure: false,
            keeps_keys: false,
            looks_up: false,
            documents: HashMap::new(),
            pages: HashMap::new(),
            script: VecDeque::new(),
            behaviour: Behaviour::Answer(202),
            arrivals: Vec::new(),
            fetches: Vec::new(),
            keys: HashMap::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let address = serve(Arc::new(move |request| {
            let shared = shared.clone();
            Box::pin(async move { answer(&shared, request).await })
        }));
        Self { address, root: format!("http://{address}"), state }
    }

    /// The same server, as others see it who come through a [`Front`](super::Front) with that root.
    pub fn seen_at(mut self, root: &str) -> Self {
        root.clone_into(&mut self.root);
        self
    }

    /// Host and port.
    pub fn authority(&self) -> String {
        self.root.split("://").last().unwrap_or_default().to_owned()
    }

    /// A URL on this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    /// An account that names the server's shared inbox.
    pub fn account(&self, name: &str) -> Account {
        let account = self.lone_account(name);
        let shared = self.url("/inbox");
        account.change(|document| document["endpoints"] = json!({ "sharedInbox": shared }));
        account
    }

    /// An account with an inbox of its own only.
    pub fn lone_account(&self, name: &str) -> Account {
        let id = self.url(&format!("/users/{name}"));
        let document = json!({
            "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
            "id": id,
            "type": "Person",
            "preferredUsername": name,
            "name": format!("Burger {name}"),
            "inbox": format!("{id}/inbox"),
            "outbox": format!("{id}/outbox"),
            "followers": format!("{id}/followers"),
            "publicKey": { "id": format!("{id}#main-key"), "owner": id, "publicKeyPem": Key::USUAL.pem() },
        });
        self.put(&format!("/users/{name}"), document);
        Account::new(self.clone(), id)
    }

    /// Puts a document there, or another in its place.
    pub fn put(&self, path: &str, document: Value) {
        self.lock().documents.insert(path.to_owned(), document);
    }

    /// Answers a GET of that path in that way.
    pub fn page(&self, path: &str, reply: Reply) {
        self.lock().pages.insert(path.to_owned(), reply);
    }

    /// Changes a document.
    pub fn change(&self, path: &str, change: impl FnOnce(&mut Value)) {
        change(self.lock().documents.get_mut(path).unwrap());
    }

    /// From now on reads these signatures.
    pub fn reads(&self, reads: Reads) {
        self.lock().reads = reads;
    }

    /// From now on gives its documents only to who signs the GET.
    pub fn is_secure(&self) {
        self.lock().is_secure = true;
    }

    /// From now on never looks for a key that it has.
    pub fn keeps_keys(&self) {
        self.lock().keeps_keys = true;
    }

    /// From now on fetches the object of a Create before it answers.
    pub fn looks_up(&self) {
        self.lock().looks_up = true;
    }

    /// From now on behaves so.
    pub fn behaves(&self, behaviour: Behaviour) {
        self.lock().behaviour = behaviour;
    }

    /// Behaves so towards the next few activities, one after the other, and then as before.
    pub fn first(&self, script: impl IntoIterator<Item = Behaviour>) {
        self.lock().script.extend(script);
    }

    /// All that came, in order.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.lock().arrivals.clone()
    }

    /// All that was taken, in order.
    pub fn taken(&self) -> Vec<Arrival> {
        self.arrivals().into_iter().filter(Arrival::taken).collect()
    }

    /// How much came that is so.
    pub fn number(&self, wanted: impl Fn(&Arrival) -> bool) -> usize {
        self.lock().arrivals.iter().filter(|arrival| wanted(arrival)).count()
    }

    /// How many activities of that type were taken.
    pub fn count(&self, kind: &str) -> usize {
        self.taken().iter().filter(|arrival| arrival.kind() == kind).count()
    }

    /// What was fetched from here.
    pub fn fetches(&self) -> Vec<Request> {
        self.lock().fetches.clone()
    }

    /// Waits for something that came, was proven and was taken.
    pub async fn takes(&self, what: &str, wanted: impl Fn(&Arrival) -> bool) -> Arrival {
        let found = eventually(&format!("{} takes {what}", self.address), || {
            std::future::ready(self.taken().into_iter().find(|arrival| wanted(arrival)))
        })
        .await;
        assert_eq!(found.verified, Ok(()), "{what} came to {}", self.address);
        found
    }

    /// Waits for the `n`-th activity of a type.
    pub async fn takes_nth(&self, kind: &str, n: usize) -> Arrival {
        let found = eventually(&format!("{} takes {n} of {kind}", self.address), || {
            std::future::ready(self.taken().into_iter().filter(|arrival| arrival.kind() == kind).nth(n - 1))
        })
        .await;
        assert_eq!(found.verified, Ok(()), "{kind} {n} came to {}", self.address);
        found
    }

    /// Waits for the first activity of a type.
    pub async fn takes_a(&self, kind: &str) -> Arrival {
        self.takes_nth(kind, 1).await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

async fn answer(state: &Mutex<State>, request: Request) -> Answer {
    if request.method == "POST" {
        return receive(state, request).await;
    }
    let secure = state.lock().unwrap().is_secure;
    let refused = if secure { signed_get(&request).await.err() } else { None };
    let mut state = state.lock().unwrap();
    let path = request.target.split('?').next().unwrap_or_default().to_owned();
    state.fetches.push(request);
    if let Some(why) = refused {
        return Answer::Reply(Reply { body: why.into_bytes(), ..Reply::status(401) });
    }
    if let Some(page) = state.pages.get(&path) {
        return Answer::Reply(page.clone());
    }
    Answer::Reply(match state.documents.get(&path) {
        Some(document) => Reply::ok(ACTIVITY, document.to_string()),
        None => Reply::status(404),
    })
}

async fn receive(state: &Mutex<State>, request: Request) -> Answer {
    let verified = verified(state, &request).await;
    let by_rfc9421 = request.header("signature-input").is_some();
    let activity: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let looks_up = state.lock().unwrap().looks_up && activity["type"] == "Create";
    let object_status = match activity["object"]["id"].as_str().filter(|_| looks_up) {
        Some(id) => http::try_request("GET", id, &[("accept", ACTIVITY)], b"").await.ok().map(|reply| reply.status),
        None => None,
    };
    let (index, behaviour) = {
        let mut state = state.lock().unwrap();
        let asks = !by_rfc9421 && state.reads == Reads::Asks;
        let swallowed = by_rfc9421 && state.reads == Reads::Swallows;
        state.arrivals.push(Arrival {
            at: Instant::now(),
            inbox: request.target.clone(),
            by_rfc9421,
            port: request.port,
            input: request.header("signature-input").map(str::to_owned),
            date: request.header("date").unwrap_or_default().to_owned(),
            synchronization: synchronization(&request),
            activity,
            object_status,
            body: request.body,
            verified: verified.clone(),
            answered: None,
        });
        let behaviour = match verified {
            Ok(()) => state.script.pop_front().unwrap_or_else(|| state.behaviour.clone()),
            Err(_) if swallowed => Behaviour::Answer(202),
            Err(_) if asks => Behaviour::With(Reply::status(401).with("accept-signature", ASKED)),
            Err(_) => Behaviour::Answer(401),
        };
        (state.arrivals.len() - 1, behaviour)
    };
    let answer = match behaviour {
        Behaviour::Answer(status) => Answer::Reply(Reply::status(status)),
        Behaviour::With(reply) => Answer::Reply(reply),
        Behaviour::Slow(wait, status) => {
            tokio::time::sleep(wait).await;
            Answer::Reply(Reply::status(status))
        }
        Behaviour::Close => Answer::Close,
        Behaviour::Reset => Answer::Reset,
        Behaviour::Hang => Answer::Hang,
        Behaviour::Endless(status) => Answer::Endless(Reply::status(status)),
        Behaviour::Dripping(status) => Answer::Dripping(Reply::status(status)),
        Behaviour::EndlessHeader => Answer::EndlessHeader,
    };
    if let Answer::Reply(reply) | Answer::Endless(reply) | Answer::Dripping(reply) = &answer {
        state.lock().unwrap().arrivals[index].answered = Some((Instant::now(), reply.status));
    }
    answer
}

fn synchronization(request: &Request) -> Option<(String, bool)> {
    let value = request.header("collection-synchronization")?.to_owned();
    let signed = ["signature", "signature-input"].into_iter().filter_map(|name| request.header(name));
    let covered = signed.into_iter().any(|text| text.contains("collection-synchronization"));
    Some((value, covered))
}

/// Whether the signature holds with the key that the signer's own document gives, and the signer is the activity's actor.
async fn verified(state: &Mutex<State>, request: &Request) -> Result<(), String> {
    let signature = request.header("signature").ok_or("not signed")?;
    let input = request.header("signature-input");
    let (reads, keeps_keys) = {
        let state = state.lock().unwrap();
        (state.reads, state.keeps_keys)
    };
    if input.is_some() != matches!(reads, Reads::Rfc9421 | Reads::Asks) {
        return Err("not signed in a way that is read here".to_owned());
    }
    let key_id = match input {
        Some(input) => verify::key_id(input)?,
        None => verify::parameters(signature).get("keyId").map(ToString::to_string).ok_or("no keyId")?,
    };
    let kept_as = if keeps_keys { key_id.split('#').next().unwrap_or_default().to_owned() } else { key_id.clone() };
    let known = state.lock().unwrap().keys.get(&kept_as).cloned();
    let (owner, pem) = match known {
        Some(known) => known,
        None => {
            let found = fetch_key(&key_id).await?;
            state.lock().unwrap().keys.insert(kept_as.clone(), found.clone());
            found
        }
    };
    let authority = request.header("host").unwrap_or_default().to_owned();
    let now = Timestamp(chrono::Utc::now().timestamp_millis());
    match input {
        Some(input) => verify::check_rfc9421(request, &authority, input, &pem, now)?,
        None => verify::check(request, &authority, &pem, now)?,
    }
    let activity: Value = serde_json::from_slice(&request.body).map_err(|e| e.to_string())?;
    if keeps_keys && activity["type"] == "Update" && activity["object"]["id"] == json!(owner) {
        let new = activity["object"]["publicKey"]["publicKeyPem"].as_str().unwrap_or_default().to_owned();
        state.lock().unwrap().keys.insert(kept_as, (owner.clone(), new));
    }
    if activity["actor"] == json!(owner) { Ok(()) } else { Err(format!("{owner} signed {activity}")) }
}

/// Whether a GET is signed with a key that can be read without a signature: that of an instance actor.
async fn signed_get(request: &Request) -> Result<(), String> {
    let signature = request.header("signature").ok_or("not signed")?;
    let key_id = verify::parameters(signature).get("keyId").map(ToString::to_string).ok_or("no keyId")?;
    let (_, pem) = fetch_key(&key_id).await?;
    let authority = request.header("host").unwrap_or_default().to_owned();
    verify::check(request, &authority, &pem, Timestamp(chrono::Utc::now().timestamp_millis()))
}

async fn fetch_key(key_id: &str) -> Result<(String, String), String> {
    let document = key_id.split('#').next().unwrap_or_default();
    let accept = [("accept", ACTIVITY)];
    let reply = http::try_request("GET", document, &accept, b"").await.map_err(|e| e.to_string())?;
    let key = reply.json()["publicKey"].clone();
    if reply.status != 200 || key["id"] != json!(key_id) || key["owner"] != json!(document) {
        return Err(format!("{document} answers {} with the key {key}", reply.status));
    }
    Ok((document.to_owned(), key["publicKeyPem"].as_str().unwrap_or_default().to_owned()))
}
