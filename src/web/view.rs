//! What pages show, made from what the store has. Nothing here reads anything.

use askama::Template;
use url::Url;

use crate::activity::extension;
use crate::actor::Actor;
use crate::actor::verification::{Proof, ProofTimes, VerifiedActor};
use crate::post::text::{plain, shorten_plain};
use crate::store::posts::Post;
use crate::time::Timestamp;
use crate::urls::Base;
use crate::web::assets;
use crate::web::texts::Texts;

/// Longest title made from a text, in characters.
const TITLE_CHARS_MAX: usize = 80;
/// Longest description for previews, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// What the head and the foot of every page need.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The words.
    pub t: &'static Texts,
    /// Name of the site: its host.
    pub site: String,
    /// The root of the site.
    pub home: String,
    /// The style sheet, named by its content.
    pub style: String,
    /// Title of the page.
    pub title: String,
    /// One or two sentences for previews.
    pub description: String,
    /// The one URL of the page, where it has one.
    pub canonical: Option<String>,
    /// The id whose page this is.
    pub alternate: Option<String>,
    /// For OpenGraph: `website`, `profile` or `article`.
    pub kind: &'static str,
    /// A picture for previews: URL and alternative text.
    pub picture: Option<(String, String)>,
    /// Its width and height in pixels.
    pub picture_size: Option<(u32, u32)>,
    /// Language and country of the content, as OpenGraph writes them.
    pub locale: Option<String>,
    /// Feeds of who speaks here: media type and URL.
    pub feeds: Vec<(&'static str, String)>,
    /// Where other websites learn how to show the page.
    pub oembed: Option<String>,
    /// When it was last edited, RFC 3339.
    pub modified: Option<String>,
    /// `@name@domain` of who wrote it (`fediverse:creator`).
    pub creator: Option<String>,
    /// When it was published, RFC 3339.
    pub published: Option<String>,
    /// Search engines may list it.
    pub listed: bool,
    /// Where clients write to.
    pub micropub: Option<String>,
}

impl Frame {
    /// A page with that title, with nothing that depends on its subject.
    pub fn new(t: &'static Texts, base: &Base, title: impl Into<String>) -> Self {
        Self {
            t,
            site: base.authority(),
            home: base.root(),
            style: assets::style_path(),
            title: title.into(),
            description: String::new(),
            canonical: None,
            alternate: None,
            kind: "website",
            picture: None,
            picture_size: None,
            locale: None,
            feeds: Vec::new(),
            oembed: None,
            modified: None,
            creator: None,
            published: None,
            listed: true,
            micropub: None,
        }
    }
}

/// A language as OpenGraph wants it, with a country: the one of the tag, else the one where most of our readers speak it.
pub fn locale(tag: &str) -> Option<String> {
    let mut parts = tag.split('-');
    let language = parts.next().filter(|language| !language.is_empty())?;
    let named = parts.find(|part| part.len() == 2 && part.chars().all(|c| c.is_ascii_alphabetic()));
    let country = match language {
        _ if named.is_some() => named.map(str::to_ascii_uppercase)?,
        "nl" | "fy" => "NL".to_owned(),
        "en" => "GB".to_owned(),
        "de" => "DE".to_owned(),
        "fr" => "FR".to_owned(),
        _ => return None,
    };
    Some(format!("{language}_{country}"))
}

/// An instant: exact for machines, readable for people.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(source = r#"<time datetime="{{ iso }}">{{ shown }}</time>"#, ext = "html")]
pub struct When {
    iso: String,
    shown: String,
}

impl When {
    /// That instant in the language of those texts.
    pub fn new(t: &Texts, at: Timestamp) -> Self {
        Self { iso: at.to_rfc3339(), shown: t.instant(at) }
    }
}

/// Whether and why a reader can believe that an account is the agency's.
#[derive(Debug, Clone, Template)]
#[template(path = "verification.html")]
pub struct Verification {
    t: &'static Texts,
    /// The domain of the agency.
    pub domain: String,
    /// Its website.
    website: String,
    /// The page with the evidence.
    evidence: String,
    /// Set when a proof holds now.
    proof: Option<Held>,
}

#[derive(Debug, Clone)]
struct Held {
    on: When,
    late: bool,
}

impl Verification {
    /// What holds at `now`; judged as for publishing, by [`VerifiedActor::prove`].
    pub fn new(t: &'static Texts, actor: &Actor, proof: &Proof, times: &ProofTimes, now: Timestamp) -> Self {
        let holds = VerifiedActor::prove(actor.clone(), proof, times, now).is_ok();
        let held_at = proof.held_at.filter(|_| holds);
        let held = held_at.map(|at| Held { on: When::new(t, at), late: proof.failure.is_some() });
        let domain = actor.agency.domain.clone();
        let evidence = format!("/@{}/proof", actor.handle);
        Self { t, website: format!("https://{domain}/"), evidence, domain, proof: held }
    }

    /// Whether a proof holds now.
    pub fn holds(&self) -> bool {
        self.proof.is_some()
    }
}

/// A field of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The value is a link; then it carries `rel="me"`.
    pub link: bool,
}

/// An actor as its page and lists show it.
#[derive(Debug, Clone)]
pub struct ActorView {
    /// Display name.
    pub name: String,
    /// `@name@domain`.
    pub handle: String,
    /// URL of its page.
    pub page: String,
    /// Its picture, if it is on our own host: a page loads nothing from elsewhere.
    pub icon: Option<String>,
    /// The first letter of its name, where there is no picture.
    pub letter: String,
    /// Paragraphs of its summary.
    pub summary: Vec<String>,
    /// Language of its texts.
    pub lang: String,
    /// Its fields.
    pub fields: Vec<Field>,
    /// Whose it is.
    pub verification: Verification,
}

impl ActorView {
    /// That actor, judged already.
    pub fn new(actor: &Actor, base: &Base, verification: Verification) -> Self {
        let profile = &actor.profile;
        let name = display_name(actor).to_owned();
        let paragraphs = profile.summary.split("\n\n").map(str::trim).filter(|text| !text.is_empty());
        Self {
            letter: name.chars().next().map(|c| c.to_uppercase().collect()).unwrap_or_default(),
            name,
            handle: actor.full_handle(),
            page: base.actor_page(actor.handle.as_str()),
            icon: profile.icon.clone().filter(|url| base.owns(url)),
            summary: paragraphs.map(str::to_owned).collect(),
            lang: actor.language.as_str().to_owned(),
            fields: profile.fields.iter().map(|(name, value)| field(name, value)).collect(),
            verification,
        }
    }
}

/// The display name, or the handle where there is none.
pub fn display_name(actor: &Actor) -> &str {
    if actor.profile.name.is_empty() { actor.handle.as_str() } else { &actor.profile.name }
}

/// A value that is a URL becomes a link, by the same rule as in the actor document.
fn field(name: &str, value: &str) -> Field {
    let value = value.trim();
    let web = Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    Field { name: name.to_owned(), value: value.to_owned(), link: web && !value.contains(char::is_whitespace) }
}

/// A picture of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Its URL.
    pub url: String,
    /// Its alternative text.
    pub alt: Option<String>,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// A post as its page and lists show it.
#[derive(Debug, Clone, Template)]
#[template(path = "post_part.html")]
pub struct PostView {
    /// The words around it.
    pub t: &'static Texts,
    /// Level of its heading: 1 on its own page, 2 or 3 in lists.
    pub level: u8,
    /// Its number, to tie the parts together.
    pub number: i64,
    /// URL of its page.
    pub page: String,
    /// Its heading: the title, or the beginning of the text.
    pub title: String,
    /// The heading is shown; a heading that the text repeats is for screen readers only.
    pub title_shown: bool,
    /// The text, without the title where that is shown as the heading.
    pub html: String,
    /// A description for previews; the warning, where there is one.
    pub description: String,
    /// Language of the text.
    pub lang: String,
    /// Content warning.
    pub warning: Option<String>,
    /// Pictures.
    pub pictures: Vec<Picture>,
    /// When it was published.
    pub published: When,
    /// When it was last edited.
    pub edited: Option<When>,
    /// The source article: URL and host.
    pub source: Option<(String, String)>,
    /// Name and page of who wrote it, in lists of several actors.
    pub author: Option<(String, String)>,
}

impl PostView {
    /// A public post of `actor`.
    pub fn new(t: &'static Texts, base: &Base, actor: &Actor, post: &Post, level: u8) -> Self {
        let content = &post.content;
        let Headed { title, shown: title_shown, html, excerpt } = headed(t, actor, post);
        let pictures = content.images.iter().map(|image| Picture {
            url: base.media(image.id, extension(&image.media_type)),
            alt: image.alt.clone(),
            width: image.width,
            height: image.height,
        });
        let published = post.published_at.unwrap_or(post.created_at);
        Self {
            t,
            level,
            number: post.id.0,
            page: base.post_page(actor.handle.as_str(), post.id),
            title,
            title_shown,
            html,
            description: content.warning.clone().unwrap_or(excerpt),
            lang: content.language.as_str().to_owned(),
            warning: content.warning.clone(),
            pictures: pictures.collect(),
            published: When::new(t, published),
            edited: post.updated_at.map(|at| When::new(t, at)),
            source: content.link.as_deref().and_then(source),
            author: None,
        }
    }

    /// With the name of who wrote it.
    pub fn by(self, actor: &Actor, base: &Base) -> Self {
        let author = (display_name(actor).to_owned(), base.actor_page(actor.handle.as_str()));
        Self { author: Some(author), ..self }
    }
}

/// A text under its heading.
struct Headed {
    title: String,
    shown: bool,
    html: String,
    /// The text of `html` on one line, shortened.
    excerpt: String,
}

fn headed(t: &Texts, actor: &Actor, post: &Post) -> Headed {
    let content = &post.content;
    let (html, text) = (content.html.as_str(), plain(&content.html));
    let title = content.title.as_deref().map(words).filter(|title| !title.is_empty());
    // A text behind a warning is not given away in the heading.
    let title = content.warning.clone().or(title);
    if let Some((rest_html, rest)) = title.as_deref().and_then(|title| without_first(html, &text, title)) {
        let excerpt = shorten_plain(&words(rest), DESCRIPTION_CHARS_MAX);
        return Headed { title: title.unwrap_or_default(), shown: true, html: rest_html.to_owned(), excerpt };
    }
    let line = words(&text);
    let title = title.or_else(|| Some(shorten_plain(&line, TITLE_CHARS_MAX)).filter(|start| !start.is_empty()));
    Headed {
        title: title.unwrap_or_else(|| format!("{} {}", t.post_by, display_name(actor))),
        shown: false,
        html: html.to_owned(),
        excerpt: shorten_plain(&line, DESCRIPTION_CHARS_MAX),
    }
}

/// HTML and text after the first paragraph, if that says just the title.
fn without_first<'a>(html: &'a str, text: &'a str, title: &str) -> Option<(&'a str, &'a str)> {
    let (first, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let end = html.strip_prefix("<p>")?.find("</p>")?.checked_add("<p></p>".len())?;
    let (_, rest_html) = html.split_at_checked(end)?;
    (words(first) == title).then_some((rest_html, rest))
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn source(link: &str) -> Option<(String, String)> {
    let url = Url::parse(link).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let host = url.host_str()?;
    Some((link.to_owned(), host.strip_prefix("www.").unwrap_or(host).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_link_when_it_is_a_web_address() {
        let table = [
            ("https://agency.example/", true),
            (" https://agency.example/ ", true),
            ("javascript:alert(1)", false),
            ("agency.example", false),
            ("https://agency.example and more", false),
            ("mailto:info@agency.example", false),
        ];
        for (value, link) in table {
            assert_eq!(field("Website", value).link, link, "{value}");
        }
    }

    #[test]
    fn a_locale_has_a_country() {
        let table = [
            ("nl", Some("nl_NL")),
            ("nl-BE", Some("nl_BE")),
            ("en-us", Some("en_US")),
            ("sr-Latn-RS", Some("sr_RS")),
            ("pap", None),
            ("", None),
        ];
        for (tag, expected) in table {
            assert_eq!(locale(tag).as_deref(), expected, "{tag}");
        }
    }

    #[test]
    fn the_source_is_named_by_its_host() {
        let named = |link| source(link).map(|(_, host)| host);
        assert_eq!(named("https://www.agency.example/a"), Some("agency.example".to_owned()));
        assert_eq!(named("javascript:alert(1)"), None);
    }
}
