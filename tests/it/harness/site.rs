//! The website of an agency: press releases as RSS with pictures, their pages, and the proof. Counts and remembers what it is
//! asked.

use std::collections::HashMap;
use std::io::Cursor;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use heraut::time::Timestamp;
use image::{ImageFormat, Rgb, RgbImage};
use tokio::sync::watch;

use super::server::{Answer, Reply, Request, serve};
use super::until;

/// Where the feed is.
pub const FEED: &str = "/nieuws.rss";
/// Where the proof is.
pub const PROOF: &str = "/.well-known/heraut-actor.json";

/// A picture of an article.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Its path; every path that ends in `.png` is one.
    pub path: String,
    pub alt: Option<String>,
}

/// A press release.
#[derive(Debug, Clone)]
pub struct Article {
    pub slug: String,
    pub title: String,
    /// HTML.
    pub text: String,
    pub published: Timestamp,
    pub categories: Vec<String>,
    pub picture: Option<Picture>,
}

impl Article {
    /// Published a moment ago.
    pub fn new(slug: &str, title: &str, text: &str) -> Self {
        Self {
            slug: slug.to_owned(),
            title: title.to_owned(),
            text: text.to_owned(),
            published: now().before(Duration::from_secs(2)),
            categories: Vec::new(),
            picture: None,
        }
    }
}

#[derive(Default)]
struct State {
    articles: Vec<Article>,
    offline: Vec<String>,
    proof: Option<String>,
    validators: Option<(String, String)>,
    overrides: HashMap<String, Reply>,
    link: Option<String>,
    channel: String,
    requests: Vec<Request>,
}

/// The running site; cheap to clone.
#[derive(Clone)]
pub struct Site {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// The path whose answers wait.
    waiting: Arc<watch::Sender<Option<String>>>,
}

impl Site {
    /// Starts a site with one old article, so that its feed is never empty.
    pub fn start() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let waiting = Arc::new(watch::Sender::new(None::<String>));
        let (shared, gate) = (state.clone(), waiting.clone());
        let address = serve(Arc::new(move |request| {
            let (shared, mut gate) = (shared.clone(), gate.subscribe());
            Box::pin(async move {
                let path = request.target.clone();
                let reply = answer(&mut shared.lock().unwrap(), request);
                // It fails when the site ends, and then nobody waits.
                let _ = gate.wait_for(|waits| waits.as_ref() != Some(&path)).await;
                Answer::Reply(reply)
            })
        }));
        let site = Self { address, state, waiting };
        let mut old = Article::new("oud", "Oud nieuws", "<p>Dit stond er al.</p>");
        old.published = now().before(Duration::from_secs(86_400));
        site.add(old);
        site
    }

    /// Host and port.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// A URL on this site.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The page of an article.
    pub fn page(&self, slug: &str) -> String {
        self.url(&format!("/nieuws/{slug}"))
    }

    /// Publishes an article, as the newest.
    pub fn add(&self, article: Article) {
        self.lock().articles.insert(0, article);
    }

    /// Publishes several articles at once: no poll sees some of them only.
    pub fn add_all(&self, articles: impl IntoIterator<Item = Article>) {
        let mut state = self.lock();
        articles.into_iter().for_each(|article| state.articles.insert(0, article));
    }

    /// Publishes an article.
    pub fn publish(&self, slug: &str, title: &str, text: &str) {
        self.add(Article::new(slug, title, text));
    }

    /// Changes an article.
    pub fn edit(&self, slug: &str, change: impl FnOnce(&mut Article)) {
        change(self.lock().articles.iter_mut().find(|article| article.slug == slug).unwrap());
    }

    /// Takes an article from the feed, and its page from the site: it answers 410.
    pub fn withdraw(&self, slug: &str) {
        self.drop_from_feed(slug);
        self.lock().offline.push(slug.to_owned());
    }

    /// Takes an article from the feed; its page stays.
    pub fn drop_from_feed(&self, slug: &str) {
        self.lock().articles.retain(|article| article.slug != slug);
    }

    /// Puts the proof there, or takes it away.
    pub fn prove(&self, proof: Option<&str>) {
        self.lock().proof = proof.map(ToOwned::to_owned);
    }

    /// Sends these as `ETag` and `Last-Modified` of the feed, and answers 304 to who sends the first back byte for byte.
    pub fn validate(&self, etag: &str, last_modified: &str) {
        self.lock().validators = Some((etag.to_owned(), last_modified.to_owned()));
    }

    /// Sends this as the `Link` header of the feed, and puts these elements at the head of its channel (`atom:` is declared).
    pub fn names(&self, link: Option<&str>, channel: &str) {
        let mut state = self.lock();
        state.link = link.map(ToOwned::to_owned);
        channel.clone_into(&mut state.channel);
    }

    /// The feed as it is now.
    pub fn document(&self) -> String {
        let state = self.lock();
        within(&state, feed(&self.authority(), &state.articles))
    }

    /// Answers a path so, whatever else there is.
    pub fn answer(&self, path: &str, reply: Reply) {
        self.lock().overrides.insert(path.to_owned(), reply);
    }

    /// Answers a path as usual again.
    pub fn as_usual(&self, path: &str) {
        self.lock().overrides.remove(path);
    }

    /// Lets those who ask for a path wait for their answers, which are made when they ask; `None` answers them.
    pub fn lets_wait(&self, path: Option<&str>) {
        self.waiting.send_replace(path.map(ToOwned::to_owned));
    }

    /// All requests for a path.
    pub fn requests(&self, path: &str) -> Vec<Request> {
        self.lock().requests.iter().filter(|request| request.target == path).cloned().collect()
    }

    /// How often the feed was asked for.
    pub fn polls(&self) -> usize {
        self.requests(FEED).len()
    }

    /// Waits until the feed has been asked for `n` more times: whatever was in it before has been dealt with when `n` is 2 or
    /// more, because a source is polled by one at a time.
    pub async fn polled(&self, n: usize) {
        let before = self.polls();
        until(&format!("the feed is polled {n} times more"), || self.polls() >= before + n).await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn answer(state: &mut State, request: Request) -> Reply {
    let path = request.target.clone();
    let host = request.header("host").unwrap_or_default().to_owned();
    let known = request.header("if-none-match").map(ToOwned::to_owned);
    state.requests.push(request);
    if let Some(reply) = state.overrides.get(&path) {
        return reply.clone();
    }
    match path.as_str() {
        FEED => feed_reply(state, &host, known.as_deref()),
        PROOF => match &state.proof {
            Some(proof) => Reply::ok("application/json", proof.as_str()),
            None => Reply::status(404),
        },
        path if path.ends_with(".png") => Reply::ok("image/png", picture(path)),
        path => match path.strip_prefix("/nieuws/") {
            Some(slug) if state.offline.iter().any(|s| s == slug) => Reply::status(410),
            Some(_) => Reply::ok("text/html; charset=utf-8", "<!doctype html><title>Bericht</title><p>Bericht"),
            None => Reply::status(404),
        },
    }
}

fn feed_reply(state: &State, host: &str, known: Option<&str>) -> Reply {
    let reply = Reply::ok("application/rss+xml; charset=utf-8", within(state, feed(host, &state.articles)));
    let reply = state.link.iter().fold(reply, |reply, link| reply.with("link", link));
    match &state.validators {
        Some((etag, _)) if known == Some(etag) => Reply::status(304).with("etag", etag),
        Some((etag, modified)) => reply.with("etag", etag).with("last-modified", modified),
        None => reply,
    }
}

/// The feed with what its channel says of itself.
fn within(state: &State, feed: String) -> String {
    if state.channel.is_empty() {
        return feed;
    }
    let channel = format!("xmlns:atom=\"http://www.w3.org/2005/Atom\"><channel>{}", state.channel);
    feed.replacen("><channel>", &format!(" {channel}"), 1)
}

/// The feed with these articles.
pub fn feed(host: &str, articles: &[Article]) -> String {
    let items: String = articles.iter().map(|article| item(host, article)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <rss version=\"2.0\" xmlns:media=\"http://search.yahoo.com/mrss/\"><channel>\
         <title>Persberichten</title><link>http://{host}/</link><description>Nieuws</description>\
         <language>nl</language>{items}</channel></rss>\n"
    )
}

fn item(host: &str, article: &Article) -> String {
    let Article { slug, title, text, .. } = article;
    let categories: String = article.categories.iter().map(|c| format!("<category>{c}</category>")).collect();
    let picture = article.picture.as_ref().map_or_else(String::new, |picture| {
        let alt = picture.alt.as_ref().map(|alt| format!("<media:description>{alt}</media:description>"));
        format!(
            "<media:content url=\"http://{host}{}\" medium=\"image\" type=\"image/png\">{}</media:content>",
            picture.path,
            alt.unwrap_or_default()
        )
    });
    format!(
        "<item><title>{title}</title><link>http://{host}/nieuws/{slug}</link>\
         <guid isPermaLink=\"true\">http://{host}/nieuws/{slug}</guid><pubDate>{}</pubDate>{categories}\
         <description><![CDATA[{text}]]></description>{picture}</item>",
        article.published.to_http_date()
    )
}

/// A picture that differs by its name.
fn picture(name: &str) -> Vec<u8> {
    let shade = u8::try_from(name.len() * 7 % 256).unwrap();
    let picture =
        RgbImage::from_fn(64, 48, |x, y| Rgb([u8::try_from(x * 4).unwrap(), u8::try_from(y * 5).unwrap(), shade]));
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

fn now() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}
