//! The server of the demo's follower: it follows, and believes only what is signed by the key that the actor's own document
//! gives.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::Context;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use url::Url;

use crate::activity::CONTENT_TYPE;
use crate::actor::key::{PublicKeys, RsaPrivateKey};
use crate::actor::verification::InstanceActor;
use crate::flow::now;
use crate::inbox::remote::read_actor;
use crate::net::{Client, Get};
use crate::signature::digest::Digested;
use crate::signature::{ReceivedRequest, RsaPublicKey, SigningIdentity, cavage};
use crate::urls::ActorUrl;
use crate::vault;

/// Something that came into the follower's inbox, its signature verified.
#[derive(Debug, Clone)]
pub struct Received {
    /// The activity.
    pub activity: Value,
    /// The key that signed it.
    pub key_id: String,
}

struct Server {
    authority: String,
    name: &'static str,
    pem: String,
    net: Client,
    inbox: mpsc::UnboundedSender<Result<Received, String>>,
}

/// The running follower.
pub struct Follower {
    /// Its id.
    pub actor: ActorUrl,
    identity: SigningIdentity,
    net: Client,
    /// What comes in: a verified activity, or why it was not believed.
    pub inbox: mpsc::UnboundedReceiver<Result<Received, String>>,
}

impl Follower {
    /// Starts the follower's server on a free loopback port.
    pub fn start(net: Client) -> anyhow::Result<Self> {
        let (sender, inbox) = mpsc::unbounded_channel();
        let keys = vault::generate_rsa_2048()?;
        let private = RsaPrivateKey::from_pkcs8_der(keys.private_pkcs8.expose())?;
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let address: SocketAddr = listener.local_addr()?;
        let server = Server {
            authority: address.to_string(),
            name: "burger",
            pem: keys.public_pem.clone(),
            net: net.clone(),
            inbox: sender,
        };
        let shared = web::Data::new(server);
        let running = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .app_data(web::PayloadConfig::new(1024 * 1024))
                .route("/users/burger", web::get().to(document))
                .route("/inbox", web::post().to(receive))
        })
        .workers(1)
        .disable_signals()
        .listen(listener)?;
        tokio::spawn(running.run());
        let actor = ActorUrl::parse(&format!("http://{address}/users/burger"))?;
        let keys = PublicKeys::first(keys.public_pem, String::new());
        let own = InstanceActor { url: actor.clone(), keys, created_at: now() };
        Ok(Self { actor, identity: SigningIdentity::instance(&own, Arc::new(private)), net, inbox })
    }

    /// Sends a signed Follow. Returns the HTTP status that was answered.
    pub async fn follow(&self, actor: &ActorUrl, inbox: &str) -> anyhow::Result<u16> {
        let follow = json!({
            "@context": "https://www.w3.org/ns/activitystreams",
            "id": format!("{}#follows/1", self.actor),
            "type": "Follow",
            "actor": self.actor,
            "object": actor,
        });
        let body = Digested::new(serde_json::to_vec(&follow)?.into());
        let url = Url::parse(inbox)?;
        let headers = cavage::sign(&self.identity, "POST", &url, Some(&body), CONTENT_TYPE, now())?;
        let posted = self.net.post(&url, headers, body.bytes().clone(), std::time::Duration::from_secs(10)).await?;
        Ok(posted.status)
    }

    /// What a GET of an id answers to this follower: its status and its JSON.
    pub async fn look(&self, url: &str) -> anyhow::Result<(u16, Value)> {
        let fetched = self.net.get(Get::new(Url::parse(url)?, CONTENT_TYPE)).await?;
        let value =
            serde_json::from_slice(&fetched.body).with_context(|| format!("{url} does not answer with JSON"))?;
        Ok((fetched.status, value))
    }
}

async fn document(server: web::Data<Server>) -> HttpResponse {
    let root = format!("http://{}", server.authority);
    let id = format!("{root}/users/{}", server.name);
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(
        json!({
            "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
            "id": id,
            "type": "Person",
            "preferredUsername": server.name,
            "inbox": format!("{root}/inbox"),
            "outbox": format!("{id}/outbox"),
            "publicKey": { "id": format!("{id}#main-key"), "owner": id, "publicKeyPem": server.pem },
        })
        .to_string(),
    )
}

async fn receive(server: web::Data<Server>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let verified = verify(&server, request.path(), &headers, &body).await;
    let status = if verified.is_ok() { 202 } else { 401 };
    let told = server.inbox.send(verified.map_err(|e| format!("{e:#}")));
    match (told, actix_web::http::StatusCode::from_u16(status)) {
        (Ok(()), Ok(status)) => HttpResponse::build(status).finish(),
        _ => HttpResponse::ServiceUnavailable().finish(),
    }
}

async fn verify(server: &Server, path: &str, headers: &[(String, String)], body: &[u8]) -> anyhow::Result<Received> {
    let request = ReceivedRequest { method: "POST", path_and_query: path, headers, body };
    let signature = cavage::parse(&request, &[&server.authority], now())?;
    let document = signature.key_id().document();
    let fetched = server.net.get(Get::new(Url::parse(&document)?, CONTENT_TYPE)).await?;
    let owner = read_actor(&fetched.body, &document, Some(signature.key_id()))?;
    let key = owner.key.context("the actor has no key")?;
    cavage::verify(&signature, &RsaPublicKey::from_pem(&key.pem)?)?;
    let activity: Value = serde_json::from_slice(body)?;
    anyhow::ensure!(
        activity.get("actor").and_then(Value::as_str) == Some(owner.url.as_str()),
        "signed by somebody else"
    );
    Ok(Received { activity, key_id: signature.key_id().to_string() })
}
