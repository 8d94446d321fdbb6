//! How far an actor wants to be carried: who may quote it, which hashtags it shows, which websites name it as their author.

use serde::{Deserialize, Serialize};

/// Most featured hashtags of an actor (Mastodon: 10).
pub const FEATURED_TAGS_MAX: usize = 10;
/// Longest featured hashtag, in characters; peers show longer ones badly.
pub const FEATURED_TAG_CHARS_MAX: usize = 60;
/// Most websites that may name an actor as their author; Mastodon keeps 256, and nobody has that many.
pub const ATTRIBUTION_DOMAINS_MAX: usize = 100;

/// Who may quote the posts of an actor (FEP-044f).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QuotePolicy {
    /// Everyone, at once.
    #[default]
    Everyone,
    /// Who follows the actor, at once; nobody else.
    Followers,
    /// Nobody.
    Nobody,
    /// Everyone may ask, and a person answers.
    Approval,
}

impl QuotePolicy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Everyone, Self::Followers, Self::Nobody, Self::Approval];

    /// As the configuration and the command line write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Followers => "followers",
            Self::Nobody => "nobody",
            Self::Approval => "approval",
        }
    }

    /// The reverse of [`QuotePolicy::name`]; the error says what there is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|policy| policy.name() == text);
        found.ok_or_else(|| format!("`{text}` is none of everyone, followers, nobody, approval"))
    }
}

/// Reads a featured hashtag, with or without `#`: letters, digits and `_`, not digits alone, as Mastodon takes it.
pub fn parse_featured_tag(text: &str) -> Result<String, String> {
    let tag = text.trim().trim_start_matches('#');
    let good = tag.chars().all(|c| c.is_alphanumeric() || c == '_') && tag.chars().any(|c| !c.is_numeric());
    if !good || tag.chars().count() > FEATURED_TAG_CHARS_MAX {
        return Err(format!(
            "`{text}` is not a hashtag; use at most {FEATURED_TAG_CHARS_MAX} letters, digits and underscores, not digits alone"
        ));
    }
    Ok(tag.to_owned())
}

/// Reads the domain of a website, without scheme, port or path, to lower case. One label alone is refused: it would stand for all
/// domains below a public suffix.
pub fn parse_attribution_domain(text: &str) -> Result<String, String> {
    let domain = text.trim().trim_end_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let good = domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label);
    if good {
        Ok(domain)
    } else {
        Err(format!("`{text}` is not a domain; write for example voorbeeldstad.nl, in ASCII"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_a_name_of_its_own() {
        for policy in QuotePolicy::ALL {
            assert_eq!(QuotePolicy::parse(policy.name()), Ok(policy));
            assert_eq!(serde_json::to_value(policy).unwrap(), policy.name());
        }
        assert!(QuotePolicy::parse("all").is_err());
    }

    #[test]
    fn a_featured_tag_is_one_word() {
        let long = "a".repeat(FEATURED_TAG_CHARS_MAX);
        let table = [
            ("HoogWater", Some("HoogWater")),
            ("#HoogWater", Some("HoogWater")),
            ("Brexit2020", Some("Brexit2020")),
            (long.as_str(), Some(long.as_str())),
            ("2026", None),
            ("hoog water", None),
            ("", None),
            ("#", None),
            ("a/b", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_featured_tag(text).ok().as_deref(), expected, "{text}");
        }
        assert!(parse_featured_tag(&"a".repeat(FEATURED_TAG_CHARS_MAX + 1)).is_err());
    }

    #[test]
    fn an_attribution_domain_has_whole_labels() {
        let table = [
            ("Voorbeeldstad.nl", Some("voorbeeldstad.nl")),
            ("www.voorbeeldstad.nl.", Some("www.voorbeeldstad.nl")),
            ("xn--nieuws-z2a.nl", Some("xn--nieuws-z2a.nl")),
            ("nl", None),
            ("https://voorbeeldstad.nl", None),
            ("voorbeeldstad.nl/nieuws", None),
            ("voorbeeldstad.nl:8080", None),
            ("-a.nl", None),
            ("a..nl", None),
            ("*.nl", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_attribution_domain(text).ok().as_deref(), expected, "{text}");
        }
    }
}
