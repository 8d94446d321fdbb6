//! What an item says, as one number: equal digests mean that there is nothing to publish.

use heraut_connectors::item::{Item, RawHtml};
use openssl::sha::Sha256;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::post::sanitize::build::read;
use crate::post::sanitize::sanitize;
use crate::post::sanitize::tree::{Block, Piece};
use crate::post::text::plain_of;

/// SHA-256, lower-case hex, over what an item says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A digest read back from our own database.
    pub fn from_stored(hex: String) -> Self {
        Self(hex)
    }
}

/// The digest of what an item says: title, lead and body as plain text, where their links lead (without parameters, which
/// trackers change on every fetch), the page's own URL, media with alternative texts, language, content warning. Not dates, authors or
/// categories, unless a person said them ([`Item::original`]). Markup, white space and signatures in media URLs do not change it.
/// That a draft is one no more does.
pub fn digest(item: &Item) -> Digest {
    let mut fields = Fields(Sha256::new());
    fields.add("title", item.title.as_deref().unwrap_or_default().trim());
    fields.html("summary", item.summary.as_ref());
    fields.html("body", item.body.as_ref());
    fields.add("url", &place(item.canonical_url.as_deref().unwrap_or_default()));
    fields.add("language", &item.language.as_deref().unwrap_or_default().to_ascii_lowercase());
    if let Some(warning) = &item.content_warning {
        fields.add("warning", warning.trim());
    }
    for file in item.media.iter().chain(&item.links) {
        fields.add("media", &unsigned(&file.url));
        fields.add("alt", file.alt.as_deref().unwrap_or_default().trim());
    }
    if item.original.is_some() {
        item.categories.iter().for_each(|category| fields.add("category", &category.term));
    }
    if item.draft {
        fields.add("draft", "");
    }
    Digest(hex::encode(fields.0.finish()))
}

struct Fields(Sha256);

impl Fields {
    /// Name and length stand before each value, so that no two lists of fields look the same.
    fn add(&mut self, name: &str, value: &str) {
        self.0.update(format!("{name}:{}:", value.len()).as_bytes());
        self.0.update(value.as_bytes());
    }

    fn html(&mut self, name: &str, html: Option<&RawHtml>) {
        let Some(html) = html else { return self.add(name, "") };
        let blocks = read(sanitize(html, None).as_str(), None);
        let text = plain_of(&blocks);
        self.add(name, &text.split_whitespace().collect::<Vec<_>>().join(" "));
        self.links(&blocks);
    }

    fn links(&mut self, blocks: &[Block]) {
        for block in blocks {
            match block {
                Block::Paragraph(line) => self.line(line),
                Block::Quote(inner) => self.links(inner),
                Block::List { entries, .. } => {
                    for entry in entries {
                        self.line(&entry.line);
                        self.links(&entry.nested);
                    }
                }
            }
        }
    }

    fn line(&mut self, line: &[Piece]) {
        for piece in line {
            if let Piece::Text(_, marks) = piece
                && let Some(href) = &marks.href
            {
                self.add("link", &place(href));
            }
        }
    }
}

/// Host and path: what stays of an address when trackers and the scheme change.
fn place(address: &str) -> String {
    match Url::parse(address) {
        Ok(url) => format!("{}{}", url.host_str().unwrap_or_default(), url.path()),
        Err(_) => address.to_owned(),
    }
}

/// The address of a file without the parameters by which stores sign it for a while.
fn unsigned(address: &str) -> String {
    const SIGNING: &[&str] = &[
        "awsaccesskeyid",
        "expires",
        "googleaccessid",
        "key-pair-id",
        "policy",
        "se",
        "sig",
        "signature",
        "sp",
        "sr",
        "st",
        "sv",
        "token",
    ];
    let Ok(mut url) = Url::parse(address) else { return address.to_owned() };
    let signs = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.starts_with("x-amz-") || name.starts_with("x-goog-") || SIGNING.contains(&name.as_str())
    };
    let kept: Vec<(String, String)> =
        url.query_pairs().filter(|(name, _)| !signs(name)).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    url.into()
}
