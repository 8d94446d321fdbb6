//! Every URL that we mint or accept. Published URLs are opaque and outlive renames, because ministries are reorganised:
//! `/ap/…` for servers, `/@name` for people. No other module writes a path of ours.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::Url;

use crate::ids::{ActivityId, ActorId, MediaId, PostId, QuoteId};

/// Longest URL that we accept from outside, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;

/// Why a text is not a URL that we accept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlError {
    /// It is longer than [`URL_BYTES_MAX`].
    #[error("the URL is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// It does not parse as a URL.
    #[error("`{0}` is not a URL")]
    Malformed(String),
    /// Its scheme is neither http nor https.
    #[error("`{0}` has the scheme of something else; http or https is wanted")]
    Scheme(String),
    /// It carries a user name, a password or no host, or a fragment where none is allowed.
    #[error("`{0}` must have a host, no user name, no password and no fragment")]
    Shape(String),
}

fn accept(text: &str, fragment: bool) -> Result<Url, UrlError> {
    if text.len() > URL_BYTES_MAX {
        return Err(UrlError::TooLong);
    }
    let url = Url::parse(text).map_err(|_| UrlError::Malformed(text.to_owned()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(UrlError::Scheme(text.to_owned()));
    }
    let bare = url.host_str().is_some_and(|h| !h.is_empty()) && url.username().is_empty() && url.password().is_none();
    if !bare || (!fragment && url.fragment().is_some()) {
        return Err(UrlError::Shape(text.to_owned()));
    }
    Ok(url)
}

/// Host and port of a URL, lower-case, default port left out: what "same host" compares.
pub fn authority(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}

macro_rules! urls {
    ($($(#[$doc:meta])* $name:ident fragment=$fragment:literal),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Accepts an absolute http(s) URL with a host and no credentials, of at most [`URL_BYTES_MAX`] bytes. The text
            /// is kept byte for byte, because peers compare ids exactly.
            pub fn parse(text: &str) -> Result<Self, UrlError> {
                accept(text, $fragment).map(|_| Self(text.to_owned()))
            }

            /// The text, byte for byte as it was accepted.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Host and port, lower-case, default port left out.
            pub fn authority(&self) -> String {
                Url::parse(&self.0).map(|u| authority(&u)).unwrap_or_default()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = UrlError;
            fn try_from(text: String) -> Result<Self, UrlError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(url: $name) -> String {
                url.0
            }
        }
    )+};
}

urls! {
    /// The id of an actor, ours or remote.
    ActorUrl fragment=false,
    /// The id of an object (Note, Tombstone …), ours or remote.
    ObjectUrl fragment=false,
    /// The id of an activity. Remote servers do put fragments there (Mastodon's `#accepts/follows/1`).
    ActivityUrl fragment=true,
    /// A remote inbox, personal or shared.
    InboxUrl fragment=false,
    /// A key id, with its fragment where it has one.
    KeyUrl fragment=true,
}

impl ActorUrl {
    /// The root that an actor's URLs are minted under: that of its id, which never changes.
    pub fn base(&self) -> Base {
        let scheme = self.0.split("://").next().unwrap_or_default().to_ascii_lowercase();
        Base { scheme, authority: self.authority(), also: Arc::default() }
    }
}

impl KeyUrl {
    /// The document to fetch for this key: the id without its fragment.
    pub fn document(&self) -> String {
        self.0.split('#').next().unwrap_or_default().to_owned()
    }
}

/// What the instance actor says to relays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayActivity {
    /// It follows one.
    Follow,
    /// It takes that back.
    Undo,
    /// It answers a relay's own Follow.
    Accept,
    /// It tells of a post.
    Announce,
}

impl RelayActivity {
    fn path(self) -> &'static str {
        match self {
            Self::Follow => "/ap/instance/follows/",
            Self::Undo => "/ap/instance/undone/",
            Self::Accept => "/ap/instance/accepts/",
            Self::Announce => "/ap/instance/announces/",
        }
    }
}

/// The root of every URL that we mint: scheme and host, without a path. Each actor has the one that its own id is under
/// ([`ActorUrl::base`]); the installation's own is that of `server.public_url`. One that is made by [`Base::reading`] reads what
/// was minted under other roots of ours too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    scheme: String,
    authority: String,
    also: Arc<[Base]>,
}

impl Base {
    /// Accepts an absolute http(s) URL whose path is empty or `/`, without query and fragment.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = accept(text, false)?;
        if url.path() != "/" || url.query().is_some() {
            return Err(UrlError::Shape(text.to_owned()));
        }
        Ok(Self::root_of(&url))
    }

    fn root_of(url: &Url) -> Self {
        Self { scheme: url.scheme().to_owned(), authority: authority(url), also: Arc::default() }
    }

    /// The same root, which also reads what was minted under these.
    pub fn reading(&self, others: impl IntoIterator<Item = Self>) -> Self {
        Self { also: others.into_iter().filter(|other| other.root() != self.root()).collect(), ..self.clone() }
    }

    /// `https`, or `http` in a trial.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Host and port as in a handle or a `Host` header.
    pub fn authority(&self) -> String {
        self.authority.clone()
    }

    /// Whether it is https.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// Whether `url` is one of ours.
    pub fn owns(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| {
            let root = Self::root_of(&url).root();
            self.roots().any(|ours| ours == root)
        })
    }

    /// Every root that is read.
    fn roots(&self) -> impl Iterator<Item = String> {
        std::iter::once(self.root()).chain(self.also.iter().map(Self::root))
    }

    fn mint(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.authority)
    }

    /// What comes after a path of ours, under any root that is read.
    fn after<'u>(&self, url: &'u str, path: &str) -> Option<&'u str> {
        std::iter::once(self).chain(self.also.iter()).find_map(|base| url.strip_prefix(&base.mint(path)))
    }

    /// Root of the site.
    pub fn root(&self) -> String {
        self.mint("/")
    }
    /// `/ap/a/<n>`: the id of an actor.
    pub fn actor(&self, id: ActorId) -> ActorUrl {
        ActorUrl(self.mint(&format!("/ap/a/{id}")))
    }
    /// `/ap/instance`: the id of the instance actor, which signs our fetches.
    pub fn instance_actor(&self) -> ActorUrl {
        ActorUrl(self.mint("/ap/instance"))
    }
    /// `/ap/instance/follows/<n>` and the like: ids of what the instance actor says to relays; nothing is read there.
    pub fn relay_activity(&self, kind: RelayActivity, number: i64) -> String {
        self.mint(&format!("{}{number}", kind.path()))
    }
    /// The number of our Follow of a relay, if `url` is its id.
    pub fn read_relay_follow(&self, url: &str) -> Option<i64> {
        self.number(url, RelayActivity::Follow.path())
    }
    /// `/ap/inbox`: the shared inbox of all our actors.
    pub fn shared_inbox(&self) -> InboxUrl {
        InboxUrl(self.mint("/ap/inbox"))
    }
    /// `/ap/probe/<ticket>`: what `heraut check` sends, to see how it comes in.
    pub fn probe(&self, ticket: &str) -> String {
        self.mint(&format!("/ap/probe/{ticket}"))
    }
    /// `/ap/o/<n>`: the id of a Note.
    pub fn object(&self, id: PostId) -> ObjectUrl {
        ObjectUrl(self.mint(&format!("/ap/o/{id}")))
    }
    /// `/ap/x/<n>`: the id of an activity.
    pub fn activity(&self, id: ActivityId) -> ActivityUrl {
        ActivityUrl(self.mint(&format!("/ap/x/{id}")))
    }
    /// `/ap/q/<n>`: the id of a QuoteAuthorization (FEP-044f).
    pub fn quote_authorization(&self, id: QuoteId) -> ObjectUrl {
        ObjectUrl(self.mint(&format!("/ap/q/{id}")))
    }
    /// `/media/<n>.<extension>`: a file that we serve; the name never changes its content.
    pub fn media(&self, id: MediaId, extension: &str) -> String {
        self.mint(&format!("/media/{id}.{extension}"))
    }
    /// `/micropub`: where clients write to.
    pub fn micropub(&self) -> String {
        self.mint("/micropub")
    }
    /// `/micropub/media`: where clients send pictures to.
    pub fn micropub_media(&self) -> String {
        self.mint("/micropub/media")
    }
    /// `/micropub/media/<name>`: a picture that a client sent.
    pub fn upload(&self, name: &str) -> String {
        self.mint(&format!("/micropub/media/{name}"))
    }
    /// The name of the picture that a client sent, if `url` is the address of one.
    pub fn read_upload<'u>(&self, url: &'u str) -> Option<&'u str> {
        self.after(url, "/micropub/media/")
    }
    /// `/assets/avatar.png`: the picture of actors that have none of their own.
    pub fn avatar(&self) -> String {
        self.mint("/assets/avatar.png")
    }
    /// `/tags/<name>`: where a hashtag links to.
    pub fn hashtag(&self, name: &str) -> String {
        let name = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        self.mint(&format!("/tags/{name}"))
    }
    /// `/@name`: the page of an actor.
    pub fn actor_page(&self, handle: &str) -> String {
        self.mint(&format!("/@{handle}"))
    }
    /// `/@name/<n>`: the page of a post.
    pub fn post_page(&self, handle: &str, id: PostId) -> String {
        self.mint(&format!("/@{handle}/{id}"))
    }
    /// `/@name/feed.<format>`: the posts of an actor as `rss`, `atom` or `json`.
    pub fn feed(&self, handle: &str, format: &str) -> String {
        self.mint(&format!("/@{handle}/feed.{format}"))
    }
    /// `/@name/follow`: where readers find the way to their own server.
    pub fn follow_page(&self, handle: &str) -> String {
        self.mint(&format!("/@{handle}/follow"))
    }
    /// `/oembed?url=…`: how other websites show one of our pages.
    pub fn oembed(&self, page: &str) -> String {
        let page = percent_encoding::utf8_percent_encode(page, percent_encoding::NON_ALPHANUMERIC);
        self.mint(&format!("/oembed?format=json&url={page}"))
    }
    /// `/websub/<secret>`: where a hub delivers to.
    pub fn websub(&self, secret: &str) -> String {
        self.mint(&format!("/websub/{secret}"))
    }
    /// A collection or endpoint below an actor: `inbox`, `outbox`, `followers`, `following`, `featured`, `tags`.
    pub fn below(&self, actor: &ActorUrl, name: &str) -> String {
        format!("{actor}/{name}")
    }

    /// Which of our actors `url` is the id of.
    pub fn read_actor(&self, url: &str) -> Option<ActorId> {
        self.number(url, "/ap/a/").map(ActorId)
    }
    /// Which of our posts `url` names, by its id or by its page.
    pub fn read_post(&self, url: &str) -> Option<PostId> {
        if let Some(n) = self.number(url, "/ap/o/") {
            return Some(PostId(n));
        }
        let path = self.after(url, "/@")?;
        path.split_once('/').and_then(|(_, n)| n.parse().ok())
    }

    /// The handle whose page `url` is, byte for byte.
    pub fn read_actor_page<'u>(&self, url: &'u str) -> Option<&'u str> {
        self.after(url, "/@").filter(|handle| !handle.is_empty() && !handle.contains('/'))
    }

    /// Whether that is the id of a post of ours, byte for byte.
    pub fn is_object(&self, url: &ObjectUrl, id: PostId) -> bool {
        self.after(url.as_str(), "/ap/o/").is_some_and(|number| number == id.to_string())
    }

    fn number(&self, url: &str, prefix: &str) -> Option<i64> {
        self.after(url, prefix)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_an_actor_is_that_of_its_id() {
        for (id, root) in [
            ("https://social.example/ap/a/7", "https://social.example/"),
            ("https://social.example:8443/ap/a/7", "https://social.example:8443/"),
            ("http://127.0.0.1:8080/ap/a/7", "http://127.0.0.1:8080/"),
        ] {
            assert_eq!(ActorUrl::parse(id).unwrap().base(), Base::parse(root).unwrap(), "{id}");
        }
    }

    #[test]
    fn a_base_reads_what_other_roots_of_ours_minted_and_nothing_else() {
        let home = Base::parse("https://social.example").unwrap();
        let own = Base::parse("https://social.stad.example").unwrap();
        let both = home.reading([own.clone(), home.clone()]);
        assert_eq!(both.actor(ActorId(7)).as_str(), "https://social.example/ap/a/7", "mints under its own");
        let table = [
            ("https://social.example/ap/a/7", true),
            ("https://social.stad.example/ap/a/7", true),
            ("http://social.stad.example/ap/a/7", false),
            ("https://social.stad.example.evil.example/ap/a/7", false),
            ("https://stad.example/ap/a/7", false),
        ];
        for (url, ours) in table {
            assert_eq!(both.read_actor(url), ours.then_some(ActorId(7)), "{url}");
            assert_eq!(both.owns(url), ours, "{url}");
        }
        assert_eq!(both.read_post("https://social.stad.example/@nieuws/9"), Some(PostId(9)));
        assert_eq!(home.read_actor("https://social.stad.example/ap/a/7"), None);
        let is_nine = |url: &str| both.is_object(&ObjectUrl::parse(url).unwrap(), PostId(9));
        assert!(is_nine("https://social.example/ap/o/9") && is_nine("https://social.stad.example/ap/o/9"));
        assert!(!is_nine("https://social.stad.example/ap/o/09") && !is_nine("https://social.stad.example/@nieuws/9"));
    }
}
