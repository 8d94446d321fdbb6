//! Targets: accounts that an agency has on other servers, where its followers are, and to which its posts go too. Pure: what is said
//! within a server's limits, what its answers mean, what is done next about a post. Shapes: Mastodon's client API.

pub mod answer;
pub mod count;
pub mod limits;
pub mod plan;
pub mod recall;
pub mod wording;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// The kind of all targets that there are today: an account that is spoken to by Mastodon's client API.
pub const MASTODON_ACCOUNT: &str = "mastodon_account";
/// Longest address of a server, in bytes.
const URL_BYTES_MAX: usize = 512;
/// Longest access token that is taken, in bytes.
pub const TOKEN_BYTES_MAX: usize = 4_096;

/// Who sees a status in which timelines; the names are those of the client API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everyone, in all timelines.
    #[default]
    Public,
    /// Everyone, but not in public timelines.
    Unlisted,
    /// Followers.
    Private,
}

impl Visibility {
    /// The name in the client API, the database and the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unlisted => "unlisted",
            Self::Private => "private",
        }
    }

    /// The reverse of [`Visibility::name`].
    pub fn parse(text: &str) -> Result<Self, String> {
        [Self::Public, Self::Unlisted, Self::Private]
            .into_iter()
            .find(|visibility| visibility.name() == text)
            .ok_or_else(|| format!("`{text}` is no visibility; there is public, unlisted and private"))
    }
}

/// The account that a token is of, as the server says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id there.
    pub id: String,
    /// Its name there, such as `gemeente`.
    pub acct: String,
    /// Its page.
    #[serde(default)]
    pub url: String,
}

/// Reads the address of a server: scheme and host, without a path. Whether plain http may be used there, the client decides.
pub fn parse_server(text: &str) -> Result<Url, String> {
    let shape =
        || format!("`{text}` is not the address of a server; write scheme and host only, https://social.example.nl");
    if text.len() > URL_BYTES_MAX {
        return Err(shape());
    }
    let url = Url::parse(text.trim()).map_err(|_| shape())?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let named = matches!(url.host(), Some(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)));
    let open = url.username().is_empty() && url.password().is_none();
    if bare && named && open && matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(shape()) }
}

/// Whether a text can be an access token: it stands in a header.
pub fn check_token(token: &str) -> Result<(), String> {
    let visible = |c: char| c.is_ascii_graphic();
    if token.is_empty() {
        return Err("the access token is empty".to_owned());
    }
    if token.len() > TOKEN_BYTES_MAX || !token.chars().all(visible) {
        return Err(format!(
            "the access token has characters that no token has, or more than {TOKEN_BYTES_MAX}; give the token alone, in one line"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_scheme_and_host_and_nothing_else() {
        for good in ["https://social.overheid.nl", "https://social.example/", "http://127.0.0.1:3000"] {
            assert!(parse_server(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "social.example",
            "ftp://social.example",
            "https://social.example/@a",
            "https://a:b@social.example",
            "https://social.example/?a",
            "mailto:a@b.example",
        ] {
            assert!(parse_server(bad).is_err(), "{bad}");
        }
        assert!(parse_server(&format!("https://{}.example", "a".repeat(600))).is_err());
    }

    #[test]
    fn a_token_is_one_visible_word() {
        assert!(check_token("ZA-Yj3aBD8U8Cm7lKUp-lm9O9BmDgdhHzDeqsY8tlL0").is_ok());
        for bad in ["", "a b", "a\nb", "é", &"a".repeat(TOKEN_BYTES_MAX + 1)] {
            assert!(check_token(bad).is_err(), "{bad}");
        }
        assert!(check_token(&"a".repeat(TOKEN_BYTES_MAX)).is_ok());
    }
}
