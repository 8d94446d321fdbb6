//! The settings of one source, read key by key; what nobody asked for is refused at the end.

use serde_json::{Map, Value};
use url::Url;

use crate::contract::Secret;
use crate::error::ConnectorError;

/// Longest text of a setting, in bytes: a template may be long, a whole document is a mistake.
pub const SETTING_BYTES_MAX: usize = 16 * 1_024;

/// Settings on their way to a connector. Keys are taken out one by one; [`Settings::finish`] refuses what is left.
#[derive(Debug)]
pub struct Settings {
    left: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Settings {
    /// Of a source.
    pub fn new(settings: &Value) -> Result<Self, ConnectorError> {
        match settings {
            Value::Object(map) => Ok(Self { left: map.clone(), known: Vec::new() }),
            _ => Err(refused("settings", "must be a table")),
        }
    }

    /// Takes a key out, whatever it holds.
    pub fn value(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.left.remove(key).filter(|value| !value.is_null())
    }

    /// A text that is not blank, trimmed.
    pub fn text(&mut self, key: &'static str) -> Result<Option<String>, ConnectorError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() > SETTING_BYTES_MAX => {
                Err(refused(key, format!("is longer than {SETTING_BYTES_MAX} bytes")))
            }
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.trim().to_owned())),
            Some(_) => Err(refused(key, "must be a text that is not empty")),
        }
    }

    /// The same, and it must be there; `what` says what it is.
    pub fn required(&mut self, key: &'static str, what: &str) -> Result<String, ConnectorError> {
        self.text(key)?.ok_or_else(|| refused(key, format!("is missing; give {what}")))
    }

    /// An absolute http(s) address.
    pub fn url(&mut self, key: &'static str) -> Result<Option<Url>, ConnectorError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let url = Url::parse(&text)
            .map_err(|problem| refused(key, format!("`{text}` is no address ({problem}); give https://…")))?;
        match url.scheme() {
            "http" | "https" if url.has_host() => Ok(Some(url)),
            other => Err(refused(key, format!("`{text}` begins with `{other}:`; only http and https are read"))),
        }
    }

    /// The same, as the base of relative addresses; against the one that stands for none, relative addresses lead nowhere.
    pub fn base(&mut self, key: &'static str) -> Result<Url, ConnectorError> {
        match self.url(key)? {
            Some(url) => Ok(url),
            None => Url::parse("about:blank").map_err(|problem| refused(key, problem.to_string())),
        }
    }

    /// The address of a site, below which other addresses are: it must be there, and ends in a slash.
    pub fn site(&mut self, key: &'static str) -> Result<Url, ConnectorError> {
        let url = self.url(key)?.ok_or_else(|| refused(key, "is missing; give the address of the site, https://…"))?;
        Ok(folder(url))
    }

    /// Whether something is switched on; `false` when nothing is said.
    pub fn flag(&mut self, key: &'static str) -> Result<bool, ConnectorError> {
        match self.value(key) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(on),
            Some(_) => Err(refused(key, "must be true or false")),
        }
    }

    /// A list of texts; `None` when nothing is said.
    pub fn texts(&mut self, key: &'static str) -> Result<Option<Vec<String>>, ConnectorError> {
        let problem = || refused(key, "must be a list of texts, such as [\"news\"]");
        match self.value(key) {
            None => Ok(None),
            Some(Value::Array(list)) if list.len() <= 100 => {
                let texts = list.into_iter().map(|value| match value {
                    Value::String(text) if !text.trim().is_empty() && text.len() <= SETTING_BYTES_MAX => Ok(text),
                    _ => Err(problem()),
                });
                texts.collect::<Result<Vec<String>, _>>().map(Some)
            }
            Some(_) => Err(problem()),
        }
    }

    /// The token for the API of the CMS: the key `token`, which the gateway fills in from where secrets are kept.
    pub fn token(&mut self) -> Result<Option<Secret>, ConnectorError> {
        match self.value("token") {
            None => Ok(None),
            Some(Value::String(token)) if !token.trim().is_empty() => Ok(Some(Secret::from(token.trim()))),
            Some(_) => Err(refused("token", "must be a text that is not empty")),
        }
    }

    /// Refuses what nobody asked for, by name.
    pub fn finish(self) -> Result<(), ConnectorError> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(key) => Err(refused(key, format!("is not known here; these are: {}", self.known.join(", ")))),
        }
    }
}

/// The same address without query and fragment, ending in a slash.
pub fn folder(mut url: Url) -> Url {
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

/// A setting that is refused, and why.
pub fn refused(key: &str, problem: impl Into<String>) -> ConnectorError {
    ConnectorError::Settings { key: key.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_taken_by_type_and_refused_by_name() {
        let mut settings =
            Settings::new(&json!({"site": " https://a.example/ ", "on": true, "list": ["x"], "n": 1})).unwrap();
        assert_eq!(settings.url("site").unwrap().unwrap().as_str(), "https://a.example/");
        assert!(settings.flag("on").unwrap() && !settings.flag("off").unwrap());
        assert_eq!(settings.texts("list").unwrap(), Some(vec!["x".to_owned()]));
        let Err(ConnectorError::Settings { key, problem }) = settings.finish() else { panic!("taken") };
        assert!(key == "n" && problem.contains("site, on, off, list"), "{problem}");
    }

    #[test]
    fn a_wrong_type_names_its_key() {
        let all = json!({"a": 1, "b": "ftp://x.example/", "c": "yes", "d": "x", "e": "", "token": 1, "f": "x".repeat(SETTING_BYTES_MAX + 1)});
        let mut settings = Settings::new(&all).unwrap();
        for problem in [
            settings.text("a").unwrap_err(),
            settings.url("b").unwrap_err(),
            settings.flag("c").unwrap_err(),
            settings.texts("d").unwrap_err(),
            settings.required("e", "x").unwrap_err(),
            settings.required("g", "x").unwrap_err(),
            settings.token().unwrap_err(),
            settings.site("h").unwrap_err(),
            settings.text("f").unwrap_err(),
        ] {
            assert!(matches!(problem, ConnectorError::Settings { .. }), "{problem}");
        }
        settings.finish().unwrap();
        assert!(Settings::new(&json!([])).is_err());
        let mut settings = Settings::new(&json!({"site": "https://a.example/blog?x=1#y"})).unwrap();
        assert_eq!(settings.site("site").unwrap().as_str(), "https://a.example/blog/");
    }
}
