//! Handlers over a real database: what servers and people get to see of a small world.

mod inboxes;
mod kept;
mod people;
mod reach;
mod servers;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderMap};
use actix_web::middleware::{Compress, from_fn};
use actix_web::test::{self as actix, TestRequest};
use actix_web::{App, body};
use tempfile::TempDir;

use crate::actor::ladder::Level;
use crate::actor::verification::{Evidence, Proof, ProofTimes, document_url};
use crate::actor::{Actor, ActorKind, Handle, Language, Profile};
use crate::flow::keyring::Keyring;
use crate::flow::provision::{self, ActorPlan, By};
use crate::flow::{FlowSettings, Gateway, Shared, now, publish};
use crate::ids::{MediaId, PostId};
use crate::net::{Client, NetSettings};
use crate::post::sanitize::SafeHtml;
use crate::post::{Content, Hashtag, Image, PostState};
use crate::store::posts::{self, Change, MediaRow, PendingChange, Post};
use crate::store::{Store, proofs};
use crate::urls::Base;
use crate::vault::MasterKey;
use crate::web::{Limits, Shelf, entry, hosts};

const AP: &str = "application/activity+json";
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
/// A PNG of one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xaeB`\x82";

/// A gateway with one verified actor, `@nieuws@agency.example`, on `social.example`.
struct World {
    gateway: Shared,
    shelf: Shelf,
    actor: Actor,
    dir: TempDir,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {} {}", self.status, self.body))
    }
}

impl World {
    async fn new() -> Self {
        Self::at("https://social.example", "agency.example").await
    }

    async fn at(base: &str, domain: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gateway = Arc::new(Gateway {
            store: Store::open(&format!("sqlite:{}", dir.path().join("heraut.db").display())).unwrap(),
            net: Client::new(&NetSettings::default()).unwrap(),
            base: Base::parse(base).unwrap(),
            mint: Arc::default(),
            keyring: Keyring::new(MasterKey::generate().unwrap()),
            settings: FlowSettings {
                media_dir: dir.path().to_owned(),
                concurrency: 1,
                delivery_timeout: Duration::from_secs(1),
                lease: Duration::from_secs(60),
                proof_times: ProofTimes {
                    recheck_every: Duration::from_secs(86_400),
                    grace: Duration::from_secs(86_400),
                    level: Level::Controlled,
                },
                allow_addresses: Vec::new(),
                bench_ed25519: false,
            },
            wake: Default::default(),
            remote: Default::default(),
        });
        provision::agency(&gateway, "agency", domain, By::Config).await.unwrap();
        let plan = ActorPlan {
            agency: "agency".to_owned(),
            handle: Handle::parse("nieuws").unwrap(),
            handle_domain: domain.to_owned(),
            kind: ActorKind::Organization,
            language: Language::parse("nl").unwrap(),
            profile: profile(),
        };
        let actor = provision::actor(&gateway, plan, By::Config).await.unwrap();
        let world = Self { shelf: Shelf::new(gateway.clone(), Limits::default()), gateway, actor, dir };
        world.prove(true).await;
        world
    }

    /// Stores that the proof held just now, or that there never was one.
    async fn prove(&self, holds: bool) {
        let (actor, at) = (self.actor.id, now());
        let evidence = Evidence { url: document_url(&self.actor.agency), sha256: "0".repeat(64), fetched_at: at };
        let proof = match holds {
            true => Proof { evidence: Some(evidence), held_at: Some(at), checked_at: Some(at), ..Proof::default() },
            false => Proof::default(),
        };
        let write = move |db: &mut crate::store::Db<'_>| {
            proofs::ensure(db, actor, at)?;
            proofs::record(db, actor, &proof, at.after(Duration::from_secs(3600)))
        };
        self.gateway.store.write("store a proof", write).await.unwrap();
    }

    /// Stores a post in that state and publishes what is due.
    async fn post(&self, state: PostState, content: Content) -> PostId {
        let id = PostId(self.gateway.mint.next());
        let post = Post {
            id,
            actor_id: self.actor.id,
            source_id: None,
            state,
            content,
            revision: 1,
            published_at: None,
            updated_at: None,
            created_at: now(),
            dispatch: Default::default(),
        };
        self.gateway.store.write("store a post", move |db| posts::insert(db, &post)).await.unwrap();
        publish::run_due(&self.gateway).await.unwrap();
        id
    }

    async fn published(&self, title: &str) -> PostId {
        self.post(PostState::Ready, content(title)).await
    }

    async fn change(&self, post_id: PostId, change: Change) {
        let pending = PendingChange { post_id, change, held: None, images_due: false };
        let at = now();
        let write = move |db: &mut crate::store::Db<'_>| posts::put_change(db, &pending, at, at);
        self.gateway.store.write("put a change", write).await.unwrap();
        publish::run_due(&self.gateway).await.unwrap();
    }

    /// Stores a picture of our own, to be shown by a post that is made with it.
    async fn picture(&self, alt: Option<&str>, bytes: &[u8], size: (u32, u32)) -> Image {
        let id = MediaId(self.gateway.mint.next());
        std::fs::write(self.dir.path().join(format!("{id}.png")), bytes).unwrap();
        let sha256 = hex::encode(openssl::sha::sha256(bytes));
        let row = MediaRow {
            id,
            post_id: None,
            source_url: "https://agency.example/a.png".to_owned(),
            sha256: sha256.clone(),
            media_type: "image/png".to_owned(),
            extension: "png".to_owned(),
            width: size.0 as i32,
            height: size.1 as i32,
            blurhash: "LEHV6nWB2yk8pyo0adR*.7kCMdnj".to_owned(),
            created_at: now(),
        };
        let image = Image {
            id,
            source_url: row.source_url.clone(),
            media_type: row.media_type.clone(),
            width: size.0,
            height: size.1,
            blurhash: row.blurhash.clone(),
            alt: alt.map(str::to_owned),
            sha256,
        };
        self.gateway.store.write("store a picture", move |db| posts::insert_media(db, &row)).await.unwrap();
        image
    }

    async fn ask(&self, request: TestRequest) -> Answer {
        let shelf = self.shelf.clone();
        let app = App::new()
            .configure(move |config| shelf.configure(config))
            .wrap(Compress::default())
            .wrap(from_fn(hosts::check))
            .wrap(from_fn(entry::enter));
        let app = actix::init_service(app).await;
        let response = actix::call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let Ok(body) = body::to_bytes(response.into_body()).await else { panic!("the body broke off") };
        Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }

    /// GET of a path or of one of our URLs.
    async fn get(&self, url: &str, accept: &str) -> Answer {
        self.ask(self.request(url).insert_header((header::ACCEPT, accept))).await
    }

    fn request(&self, url: &str) -> TestRequest {
        let root = self.gateway.base.root();
        let path = url.strip_prefix(root.trim_end_matches('/')).unwrap_or(url);
        TestRequest::with_uri(path).insert_header((header::HOST, self.gateway.base.authority()))
    }
}

fn profile() -> Profile {
    Profile {
        name: "Gemeente Voorbeeldstad".to_owned(),
        summary: "Nieuws van de gemeente.\n\nWij lezen reacties op werkdagen.".to_owned(),
        icon: None,
        image: None,
        fields: vec![
            ("Website".to_owned(), "https://agency.example/".to_owned()),
            ("Adres".to_owned(), "Plein 1, <Voorbeeldstad>".to_owned()),
        ],
        discoverable: true,
        indexable: true,
        ..Profile::default()
    }
}

/// HTML as our database has it.
fn safe(html: &str) -> SafeHtml {
    serde_json::from_value(serde_json::json!(html)).unwrap()
}

fn content(title: &str) -> Content {
    Content {
        title: Some(title.to_owned()),
        html: safe(&format!("<p>{title}</p><p>De tekst van het bericht.</p>")),
        language: Language::parse("nl").unwrap(),
        link: Some("https://www.agency.example/nieuws/1".to_owned()),
        hashtags: vec![Hashtag("HoogWater".to_owned())],
        images: Vec::new(),
        warning: None,
        flags: Vec::new(),
    }
}
