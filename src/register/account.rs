//! Addresses of accounts, compared whatever the hand that wrote them: registers have a slash too many, http, or `www.`-less
//! capitals. Names of accounts are never compared.

use url::Url;

use crate::register::domain::HTTPS;
use crate::urls::URL_BYTES_MAX;

/// The address of an account as it is compared: https, host in lower case and punycode, no query, no fragment, no slash at the
/// end, the path of a profile (`/@name`) in lower case. `None` when it is no web address.
pub fn normal(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > URL_BYTES_MAX {
        return None;
    }
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let host = url.host_str()?;
    let host = host.trim_end_matches('.');
    let port = url.port().filter(|port| *port != HTTPS).map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().trim_end_matches('/').replace("%40", "@");
    let path = if path.starts_with("/@") { path.to_lowercase() } else { path };
    (!host.is_empty()).then(|| format!("https://{host}{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form_and_different_ones_stay_different() {
        let table = [
            ("https://social.example.nl/@nieuws", Some("https://social.example.nl/@nieuws")),
            (" http://Social.Example.nl/@Nieuws/?x=1#y ", Some("https://social.example.nl/@nieuws")),
            ("https://social.example.nl:443/%40nieuws", Some("https://social.example.nl/@nieuws")),
            ("https://social.example.nl./@nieuws", Some("https://social.example.nl/@nieuws")),
            ("http://social.example.nl:443/@nieuws", Some("https://social.example.nl/@nieuws")),
            ("http://127.0.0.1:8080/@nieuws", Some("https://127.0.0.1:8080/@nieuws")),
            ("https://social.example.nl/ap/a/7", Some("https://social.example.nl/ap/a/7")),
            ("https://social.example.nl/users/Nieuws", Some("https://social.example.nl/users/Nieuws")),
            ("https://social.example.nl/@nieuws2", Some("https://social.example.nl/@nieuws2")),
            ("https://social.example.nl/@nieuws/1", Some("https://social.example.nl/@nieuws/1")),
            ("https://jan@social.example.nl/@nieuws", None),
            ("@nieuws@social.example.nl", None),
            ("nieuws", None),
            ("social.example.nl/@nieuws", None),
            ("javascript:alert(1)", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(normal(text).as_deref(), expected, "{text}");
        }
    }
}
