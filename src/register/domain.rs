//! Domains, compared so that a look-alike never matches: by their letters in punycode, label by label from the right, and never
//! across a public suffix.

use std::net::IpAddr;

use url::Url;

/// Longest name of a host, in bytes (RFC 1035).
const NAME_BYTES_MAX: usize = 253;
/// The port that is left out.
pub(super) const HTTPS: u16 = 443;

/// A domain as it is compared: of a name or a URL, its host in lower case and punycode, with its port where it has an unusual
/// one. `None` when it is neither.
pub fn normal(text: &str) -> Option<String> {
    let text = text.trim();
    let url = match text.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            Url::parse(text)
        }
        Some(_) => return None,
        None if text.contains(['@', '\\', ' ', '?', '#']) => return None,
        None => Url::parse(&format!("https://{text}")),
    };
    let url = url.ok().filter(|url| url.username().is_empty() && url.password().is_none())?;
    let host = url.host_str()?;
    let host = host.strip_suffix('.').unwrap_or(host);
    let labels =
        !host.is_empty() && host.len() <= NAME_BYTES_MAX && (is_address(host) || host.split('.').all(is_label));
    // http on the port of https is asked for as https all the same.
    labels.then(|| match url.port().filter(|port| *port != HTTPS) {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    })
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn is_address(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

/// Whether anybody may have a name below it, so that it cannot be anybody's.
pub fn is_public_suffix(domain: &str) -> bool {
    !domain.contains(':') && !is_address(domain) && psl::domain(domain.as_bytes()).is_none()
}

/// The domains whose entry in a register is one for `domain`: itself, and what is above it, up to the one that was registered.
/// The nearest first. An address, and a domain with a port, have only themselves; a public suffix has none.
pub fn candidates(domain: &str) -> Vec<String> {
    let Some(domain) = normal(domain) else { return Vec::new() };
    if domain.contains(':') || is_address(&domain) {
        return vec![domain];
    }
    let Some(registered) = psl::domain_str(&domain) else { return Vec::new() };
    let mut found = Vec::new();
    let mut rest = domain.as_str();
    while rest.len() >= registered.len() {
        found.push(rest.to_owned());
        match rest.split_once('.') {
            Some((_, above)) => rest = above,
            None => break,
        }
    }
    found
}

/// Whether what a web server of `domain` says is said by whoever has `listed`: that very domain, or its `www`. Other sub-domains are
/// easily forgotten, and then taken over at the host that they point to.
pub fn is_main(listed: &str, domain: &str) -> bool {
    let domain = normal(domain).unwrap_or_default();
    domain == listed || domain.strip_prefix("www.") == Some(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_server_speaks_for_the_domain_that_is_listed_and_for_no_forgotten_sub_domain() {
        for (listed, domain, expected) in [
            ("stad.nl", "stad.nl", true),
            ("stad.nl", "Stad.NL.", true),
            ("stad.nl", "www.stad.nl", true),
            ("nieuws.stad.nl", "nieuws.stad.nl", true),
            ("127.0.0.1:8081", "127.0.0.1:8081", true),
            ("stad.nl", "actie2019.stad.nl", false),
            ("stad.nl", "www.actie2019.stad.nl", false),
            ("www.stad.nl", "stad.nl", false),
            ("stad.nl", "wwwstad.nl", false),
            ("stad.nl", "", false),
        ] {
            assert_eq!(is_main(listed, domain), expected, "{listed} {domain}");
        }
    }

    #[test]
    fn a_domain_has_one_form() {
        let table = [
            ("example.nl", Some("example.nl")),
            (" Example.NL. ", Some("example.nl")),
            ("https://www.example.nl/pad?x#y", Some("www.example.nl")),
            ("HTTP://www.example.nl:80/", Some("www.example.nl")),
            ("http://www.example.nl:443/", Some("www.example.nl")),
            ("http://127.0.0.1:8081/", Some("127.0.0.1:8081")),
            ("127.0.0.1:8081", Some("127.0.0.1:8081")),
            ("[::1]:8081", Some("[::1]:8081")),
            ("gemeente-é.nl", Some("xn--gemeente--j4a.nl")),
            ("ｅｘａｍｐｌｅ.nl", Some("example.nl")),
            ("example。nl", Some("example.nl")),
            ("", None),
            ("geen domein", None),
            ("jan@example.nl", None),
            ("https://jan@example.nl/", None),
            ("ftp://example.nl/", None),
            ("mailto:jan@example.nl", None),
            ("example..nl", None),
            ("a*b.nl", None),
        ];
        for (text, expected) in table {
            assert_eq!(normal(text).as_deref(), expected, "{text}");
        }
        assert_eq!(normal(&format!("{}.nl", "a".repeat(64))), None);
    }

    #[test]
    fn an_entry_counts_for_what_is_below_it_up_to_a_public_suffix() {
        let table: &[(&str, &[&str])] = &[
            ("example.nl", &["example.nl"]),
            ("nieuws.pers.example.nl", &["nieuws.pers.example.nl", "pers.example.nl", "example.nl"]),
            ("a.gemeente.co.uk", &["a.gemeente.co.uk", "gemeente.co.uk"]),
            ("voorbeeldstad.example", &["voorbeeldstad.example"]),
            ("stad.github.io", &["stad.github.io"]),
            ("nl", &[]),
            ("co.uk", &[]),
            ("github.io", &[]),
            ("127.0.0.1", &["127.0.0.1"]),
            ("127.0.0.1:8081", &["127.0.0.1:8081"]),
            ("example.nl:8443", &["example.nl:8443"]),
            ("geen domein", &[]),
        ];
        for (domain, expected) in table {
            assert_eq!(candidates(domain), *expected, "{domain}");
        }
        assert!(is_public_suffix("github.io") && is_public_suffix("nl"));
        assert!(!is_public_suffix("example.nl") && !is_public_suffix("127.0.0.1:8081"));
    }

    #[test]
    fn look_alikes_never_match() {
        let listed = ["overheid.nl", "gemeente.github.io", "paypal.nl"];
        let impostors = [
            "0verheid.nl",
            "оverheid.nl",
            "overheid.nl.evil.example",
            "xn--verheid-0fg.nl",
            "notoverheid.nl",
            "overheid.nl-nieuws.nl",
            "overheid.com",
            "overheid.nl.",
            "anders.github.io",
            "github.io",
            "pаypаl.nl",
            "nl",
        ];
        for impostor in impostors {
            let candidates = candidates(impostor);
            let found = listed.iter().any(|entry| candidates.iter().any(|candidate| candidate == entry));
            assert_eq!(found, impostor == "overheid.nl.", "{impostor}: {candidates:?}");
        }
    }
}
