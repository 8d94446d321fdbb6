//! Relays: servers that pass public posts on to servers that follow nobody of ours.

use serde::{Deserialize, Serialize};

/// How a relay is talked to (FEP-ae0c).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RelayStyle {
    /// As Mastodon does: it is named by its inbox, follows by a Follow of the public collection, and is sent the activities of actors.
    Mastodon,
    /// As Pleroma does: it is named by its actor, is followed as an actor is, and is told by Announces of the instance actor.
    LitePub,
}

impl RelayStyle {
    /// As the configuration, the command line and the database write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mastodon => "mastodon",
            Self::LitePub => "litepub",
        }
    }

    /// The reverse of [`RelayStyle::name`]; the error says what there is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = [Self::Mastodon, Self::LitePub].into_iter().find(|style| style.name() == text);
        found.ok_or_else(|| format!("`{text}` is no style of a relay; there is mastodon, litepub"))
    }

    /// That of a relay that is named by this address: who gives an inbox means Mastodon's.
    pub fn of_address(url: &str) -> Self {
        if url.trim_end_matches('/').ends_with("/inbox") { Self::Mastodon } else { Self::LitePub }
    }
}

/// How far it has come with a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RelayState {
    /// It is to be asked.
    Asking,
    /// It was asked, and has not answered.
    Asked,
    /// It passes on what it is sent.
    Accepted,
    /// It does not want us, or no more.
    Refused,
    /// It is to be told that we leave.
    Leaving,
}

impl RelayState {
    /// As the database and the command line write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Asked => "asked",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Leaving => "leaving",
        }
    }

    /// The reverse of [`RelayState::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Asking, Self::Asked, Self::Accepted, Self::Refused, Self::Leaving];
        all.into_iter().find(|state| state.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_what_they_name() {
        for style in [RelayStyle::Mastodon, RelayStyle::LitePub] {
            assert_eq!(RelayStyle::parse(style.name()), Ok(style));
        }
        assert!(RelayStyle::parse("pleroma").unwrap_err().contains("litepub"));
        assert_eq!(RelayState::from_name("accepted"), Some(RelayState::Accepted));
        assert_eq!(RelayState::from_name("x"), None);
    }

    #[test]
    fn who_names_an_inbox_means_a_relay_of_mastodons_style() {
        let table = [
            ("https://relay.example/inbox", RelayStyle::Mastodon),
            ("https://relay.example/inbox/", RelayStyle::Mastodon),
            ("https://relay.example/relay", RelayStyle::LitePub),
            ("https://relay.example/actor", RelayStyle::LitePub),
        ];
        for (url, style) in table {
            assert_eq!(RelayStyle::of_address(url), style, "{url}");
        }
    }
}
