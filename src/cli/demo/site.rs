//! The website of the demo's agency: press releases as RSS with an image, their pages, and the well-known proof. It is an
//! ordinary website and knows nothing of Heraut but the proof file that it was asked to put there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{App, HttpResponse, HttpServer, web};
use image::{ImageFormat, Rgb, RgbImage};

use crate::time::Timestamp;

/// One press release.
#[derive(Debug, Clone)]
pub struct Release {
    /// The last part of its address.
    pub slug: &'static str,
    /// Its title.
    pub title: String,
    /// Its text, HTML.
    pub text: String,
    /// Alternative text of its picture.
    pub alt: &'static str,
    /// When it was published.
    pub published: Timestamp,
    /// Whether it is online.
    pub online: bool,
}

#[derive(Default)]
struct Contents {
    releases: Vec<Release>,
    proof: Option<String>,
}

/// The running site.
#[derive(Clone)]
pub struct Site {
    /// Where it is.
    pub address: SocketAddr,
    contents: Arc<Mutex<Contents>>,
}

impl Site {
    /// Starts the site on a free loopback port.
    pub fn start() -> std::io::Result<Self> {
        let contents: Arc<Mutex<Contents>> = Arc::default();
        let shared = web::Data::from(contents.clone());
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .route("/nieuws.rss", web::get().to(feed))
                .route("/nieuws/{slug}", web::get().to(page))
                .route("/beeld/dijk.png", web::get().to(picture))
                .route(crate::actor::verification::PROOF_PATH, web::get().to(proof))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))?;
        let address = server.addrs().first().copied().ok_or_else(|| std::io::Error::other("no address was bound"))?;
        tokio::spawn(server.run());
        Ok(Self { address, contents })
    }

    /// The root of the site.
    pub fn root(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a press release online.
    pub fn publish(&self, release: Release) {
        self.with(|contents| contents.releases.insert(0, release));
    }

    /// Changes a press release.
    pub fn edit(&self, slug: &str, change: impl Fn(&mut Release)) {
        self.with(|contents| contents.releases.iter_mut().filter(|r| r.slug == slug).for_each(&change));
    }

    /// Puts the proof file online.
    pub fn put_proof(&self, document: String) {
        self.with(|contents| contents.proof = Some(document));
    }

    fn with<T>(&self, f: impl FnOnce(&mut Contents) -> T) -> T {
        f(&mut self.contents.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn feed(contents: web::Data<Mutex<Contents>>, request: actix_web::HttpRequest) -> HttpResponse {
    let host = request.connection_info().host().to_owned();
    let contents = contents.lock().unwrap_or_else(PoisonError::into_inner);
    let items: String = contents.releases.iter().filter(|release| release.online).map(|r| item(&host, r)).collect();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <rss version=\"2.0\" xmlns:media=\"http://search.yahoo.com/mrss/\"><channel>\
         <title>Persberichten gemeente Voorbeeldstad</title><link>http://{host}/</link>\
         <description>Nieuws van de gemeente</description><language>nl</language>{items}</channel></rss>\n"
    );
    HttpResponse::Ok().content_type("application/rss+xml; charset=utf-8").body(body)
}

fn item(host: &str, release: &Release) -> String {
    let Release { slug, title, text, alt, published, .. } = release;
    format!(
        "<item><title>{title}</title><link>http://{host}/nieuws/{slug}</link>\
         <guid isPermaLink=\"true\">http://{host}/nieuws/{slug}</guid><pubDate>{}</pubDate>\
         <category>hoog water</category><description><![CDATA[{text}]]></description>\
         <media:content url=\"http://{host}/beeld/dijk.png\" medium=\"image\" type=\"image/png\">\
         <media:description>{alt}</media:description></media:content></item>",
        published.to_http_date()
    )
}

async fn page(contents: web::Data<Mutex<Contents>>, slug: web::Path<String>) -> HttpResponse {
    let contents = contents.lock().unwrap_or_else(PoisonError::into_inner);
    match contents.releases.iter().find(|release| release.online && release.slug == slug.as_str()) {
        Some(release) => HttpResponse::Ok().content_type("text/html; charset=utf-8").body(format!(
            "<!doctype html><html lang=\"nl\"><title>{0}</title><h1>{0}</h1>{1}",
            release.title, release.text
        )),
        None => HttpResponse::NotFound().body("Deze pagina bestaat niet (meer)."),
    }
}

async fn proof(contents: web::Data<Mutex<Contents>>) -> HttpResponse {
    let contents = contents.lock().unwrap_or_else(PoisonError::into_inner);
    match &contents.proof {
        Some(document) => HttpResponse::Ok().content_type("application/json").body(document.clone()),
        None => HttpResponse::NotFound().finish(),
    }
}

/// A dike under a clear sky, drawn on the spot.
async fn picture() -> HttpResponse {
    let image = RgbImage::from_fn(640, 360, |x, y| {
        let dike = 250_u32.saturating_sub((320_i32 - i32::try_from(x).unwrap_or(0)).unsigned_abs() / 4);
        let shade = u8::try_from(y / 4).unwrap_or(0);
        match y {
            y if y > 300 => Rgb([40, 90, 150 + shade / 4]),
            y if y > dike => Rgb([60, 130, 60]),
            _ => Rgb([150 + shade / 2, 200, 240]),
        }
    });
    let mut png = std::io::Cursor::new(Vec::new());
    match image.write_to(&mut png, ImageFormat::Png) {
        Ok(()) => HttpResponse::Ok().content_type("image/png").body(png.into_inner()),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}
