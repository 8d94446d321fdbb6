//! Sources that exist today, with what is wrong with each (`reference/connectors.md` A6), as data: `catalogue.toml`, part of the
//! program. Nothing is fetched here; addresses go out of date, which is why every entry says after how long its silence is odd.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::error::ConnectorError;
use crate::settings::refused;

/// Longest value that is filled into an address, in bytes.
pub const FILL_BYTES_MAX: usize = 200;

const TEXT: &str = include_str!("catalogue.toml");

/// All that is known.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Sources, those of one publisher together.
    #[serde(rename = "source")]
    pub sources: Vec<Entry>,
    /// Addresses that many still have, and that are dead.
    pub gone: Vec<Gone>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Short name: lower case and hyphens, unique, stable; also a good name for the source.
    pub name: String,
    /// What it is, for people, in its own language.
    pub title: String,
    /// Who publishes it.
    pub publisher: String,
    /// `language` of the source, BCP 47: none of them says it dependably itself.
    pub language: String,
    /// `kind` of the source: one of [`crate::CONNECTORS`].
    pub kind: String,
    /// `every` of the source, as the configuration writes it.
    pub every: String,
    /// After how many days without anything new something is wrong.
    pub stale_after_days: u32,
    /// It answers, but should not be relied on; its traps say why.
    #[serde(default)]
    pub doubtful: bool,
    /// Settings of the connector; texts may have `{name}` in them, see [`Entry::settings`].
    pub settings: Map<String, Value>,
    /// `policy` of the source, as the configuration writes it.
    #[serde(default)]
    pub policy: Map<String, Value>,
    /// What must be filled in.
    #[serde(default)]
    pub fill: Vec<Fill>,
    /// What is odd about it, as sentences for the operator.
    pub traps: Vec<String>,
}

/// A part of an address that whoever adds the source chooses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// Its name between braces.
    pub name: String,
    /// What to give.
    pub what: String,
    /// One that works.
    pub example: String,
}

/// Addresses that are dead.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gone {
    /// How they begin: host and path, without scheme.
    pub begins: String,
    /// Since when, as a date.
    pub since: String,
    /// Names of entries that take its place.
    pub instead: Vec<String>,
}

/// The catalogue. An error would be a mistake in the program; a test holds that there is none.
pub fn catalogue() -> Result<Catalogue, ConnectorError> {
    let unreadable =
        |problem: toml::de::Error| ConnectorError::Unreadable { what: "catalogue", problem: problem.to_string() };
    toml::from_str(TEXT).map_err(unreadable)
}

impl Catalogue {
    /// The entry of that name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.sources.iter().find(|entry| entry.name == name)
    }

    /// Entries in which each of these words stands, in any case; all, when there are none.
    pub fn search(&self, words: &str) -> Vec<&Entry> {
        let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
        let says = |entry: &&Entry| {
            let texts = [&entry.name, &entry.title, &entry.publisher, &entry.language, &entry.kind];
            let text = texts.map(|text| text.to_lowercase()).join(" ");
            words.iter().all(|word| text.contains(word.as_str()))
        };
        self.sources.iter().filter(says).collect()
    }

    /// Whether an address is known to be dead.
    pub fn gone(&self, url: &Url) -> Option<&Gone> {
        let address = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
        self.gone.iter().find(|gone| {
            let rest = address.strip_prefix(gone.begins.as_str());
            rest.is_some_and(|rest| gone.begins.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
        })
    }
}

impl Entry {
    /// Its settings with what was given in place of `{name}`, percent-encoded. Everything in [`Entry::fill`] must be given, and
    /// nothing else; an error names what.
    pub fn settings(&self, given: &[(&str, &str)]) -> Result<Value, ConnectorError> {
        if let Some((name, _)) = given.iter().find(|(name, _)| self.fill.iter().all(|fill| fill.name != *name)) {
            return Err(refused(name, format!("is nothing that `{}` asks for", self.name)));
        }
        let mut settings = self.settings.clone();
        for fill in &self.fill {
            let value = given.iter().find(|(name, _)| *name == fill.name).map(|(_, value)| value.trim());
            let value = value.filter(|value| !value.is_empty());
            let value = value.ok_or_else(|| {
                refused(&fill.name, format!("is missing; give {}, such as `{}`", fill.what, fill.example))
            })?;
            // Some stand inside JSON inside an address: a quote would end what it stands in; a slash leads elsewhere.
            if value.len() > FILL_BYTES_MAX
                || value.contains(['"', '\\', '/', '{', '}'])
                || value.contains(char::is_control)
            {
                return Err(refused(&fill.name, format!("must be {}, such as `{}`", fill.what, fill.example)));
            }
            if value.bytes().all(|byte| byte == b'.') {
                return Err(refused(&fill.name, "must be more than dots"));
            }
            let (place, encoded) = (format!("{{{}}}", fill.name), encoded(value));
            for setting in settings.values_mut() {
                if let Value::String(text) = setting {
                    *text = text.replace(&place, &encoded);
                }
            }
        }
        Ok(Value::Object(settings))
    }
}

/// RFC 3986 §2.3: all but unreserved characters, so that it fits a path and a query.
fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::CONNECTORS;

    /// Hosts of `reference/connectors.md` A6.
    const HOSTS: &[&str] = &[
        "www.rijksoverheid.nl",
        "feeds.rijksoverheid.nl",
        "opendata.rijksoverheid.nl",
        "cdn.knmi.nl",
        "rss.politie.nl",
        "www.rivm.nl",
        "www.cbs.nl",
        "www.belastingdienst.nl",
        "www.gov.uk",
        "ec.europa.eu",
    ];

    /// Keys of `[source.policy]` that stand here.
    const POLICY: &[&str] = &["hosts", "retract_on_gone", "gone_after", "approval", "age_max_days"];

    fn filled(entry: &Entry) -> Value {
        let given: Vec<(&str, &str)> =
            entry.fill.iter().map(|fill| (fill.name.as_str(), fill.example.as_str())).collect();
        entry.settings(&given).unwrap()
    }

    #[test]
    fn every_entry_configures_its_connector() {
        let catalogue = catalogue().unwrap();
        assert!(catalogue.sources.len() > 10);
        for entry in &catalogue.sources {
            let kind =
                CONNECTORS.iter().find(|kind| kind.name() == entry.kind).unwrap_or_else(|| panic!("{}", entry.kind));
            let settings = filled(entry);
            let connector = kind.configure(&settings).unwrap_or_else(|problem| panic!("{}: {problem}", entry.name));
            let url = connector.request().unwrap().url;
            assert!(url.scheme() == "https" && HOSTS.contains(&url.host_str().unwrap()), "{}: {url}", entry.name);
            assert!(
                !settings.to_string().contains('{') || !url.as_str().contains('{'),
                "{}: not all is filled in",
                entry.name
            );
            let hosts = entry.policy["hosts"].as_array().unwrap();
            let known = |host: &Value| HOSTS.iter().any(|known| known.ends_with(host.as_str().unwrap()));
            assert!(!hosts.is_empty() && hosts.iter().all(known), "{}: {hosts:?}", entry.name);
            assert!(entry.policy.keys().all(|key| POLICY.contains(&key.as_str())), "{}", entry.name);
            assert_eq!(crate::draft::text::language(&entry.language), Some(entry.language.clone()));
            assert!(entry.stale_after_days > 0 && !entry.traps.is_empty(), "{}", entry.name);
        }
    }

    #[test]
    fn names_are_unique_and_what_is_gone_leads_to_them() {
        let catalogue = catalogue().unwrap();
        let names: HashSet<&str> = catalogue.sources.iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names.len(), catalogue.sources.len());
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{names:?}");
        assert!(catalogue.gone.iter().flat_map(|gone| &gone.instead).all(|name| names.contains(name.as_str())));
        assert!(catalogue.gone.iter().all(|gone| HOSTS.contains(&gone.begins.split('/').next().unwrap())));
    }

    #[test]
    fn the_traps_that_have_settings_have_them() {
        let catalogue = catalogue().unwrap();
        let warnings = catalogue.find("knmi-waarschuwingen").unwrap();
        assert_eq!((warnings.settings["state"].as_str(), warnings.doubtful), (Some("title"), true));
        for entry in catalogue.search("politie") {
            assert_eq!(entry.policy["retract_on_gone"], Value::Bool(true), "{}", entry.name);
        }
        for name in ["politie-vermist", "politie-gezocht", "politie-alles"] {
            assert_eq!(catalogue.find(name).unwrap().policy["approval"], Value::Bool(true), "{name}");
        }
    }

    #[test]
    fn a_search_finds_entries_with_all_its_words() {
        let catalogue = catalogue().unwrap();
        let found = |words: &str| catalogue.search(words).iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
        assert_eq!(found("KNMI waarschuwingen"), ["knmi-waarschuwingen"]);
        assert_eq!(found("sitemap"), ["rijksoverheid-nieuws"]);
        assert_eq!((found("").len(), found("bestaat niet").len()), (catalogue.sources.len(), 0));
    }

    #[test]
    fn dead_addresses_are_known_and_living_ones_are_not() {
        let catalogue = catalogue().unwrap();
        let gone = |url: &str| catalogue.gone(&Url::parse(url).unwrap()).is_some();
        assert!(gone("https://feeds.rijksoverheid.nl/nieuws.rss"));
        assert!(gone("http://opendata.rijksoverheid.nl/v1/documents?rows=20"));
        assert!(gone("https://opendata.rijksoverheid.nl/v1/infotypes/news"));
        assert!(!gone("https://opendata.rijksoverheid.nl/v1/infotypes/schoolholidays"));
        assert!(!gone("https://www.rijksoverheid.nl/news/sitemap.xml"));
    }

    #[test]
    fn what_is_filled_in_cannot_lead_elsewhere() {
        let catalogue = catalogue().unwrap();
        let police = catalogue.find("politie-gemeente").unwrap();
        let settings = police.settings(&[("provincie", "noord-holland"), ("gemeente", "'s-hertogen bosch")]).unwrap();
        let wanted = "https://rss.politie.nl/rss/ab/gemeenten/noord-holland/%27s-hertogen%20bosch.xml";
        assert_eq!(settings["url"], wanted);
        let long = "a".repeat(FILL_BYTES_MAX);
        assert!(police.settings(&[("provincie", "x"), ("gemeente", &long)]).is_ok());
        let longer = format!("{long}a");
        for (given, key) in [
            (&[("provincie", "x")][..], "gemeente"),
            (&[("provincie", "x"), ("gemeente", " ")], "gemeente"),
            (&[("provincie", ".."), ("gemeente", "x")], "provincie"),
            (&[("provincie", "a/b"), ("gemeente", "x")], "provincie"),
            (&[("provincie", "x"), ("gemeente", "\"")], "gemeente"),
            (&[("provincie", "x"), ("gemeente", &longer)], "gemeente"),
            (&[("provincie", "x"), ("gemeente", "x"), ("thema", "x")], "thema"),
        ] {
            let Err(ConnectorError::Settings { key: found, .. }) = police.settings(given) else { panic!("{given:?}") };
            assert_eq!(found, key);
        }
    }
}
