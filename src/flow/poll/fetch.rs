//! Fetches what a connector asks for, with the tokens that it wants sent and nobody is to see.

use heraut_connectors::contract::{Request, Secret};
use url::Url;

use crate::flow::Gateway;
use crate::flow::poll::READER;
use crate::net::{FetchError, Fetched, Get};
use crate::store::sources::Source;

/// Fetches what a connector asks for; with `conditional`, only if it changed since the last poll.
pub async fn fetch(
    gateway: &Gateway,
    source: &Source,
    request: &Request,
    conditional: bool,
) -> Result<Fetched, FetchError> {
    let mut get = Get::new(request.address(), request.accept);
    // What carries a token must not be led elsewhere with it.
    get.same_host_redirects = !request.headers.is_empty() || !request.query.is_empty();
    get.headers.extend(request.headers.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned())));
    if conditional && source.progress.reader == READER {
        let validators =
            [("if-none-match", &source.progress.etag), ("if-modified-since", &source.progress.last_modified)];
        for (name, value) in validators {
            get.headers.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
        }
    }
    let mut fetched = gateway.net.get(get).await?;
    fetched.url = without(fetched.url, &request.query);
    Ok(fetched)
}

/// A URL without the parameters of those names: from here on it may be shown, stored and given to connectors.
fn without(mut url: Url, secret: &[(String, Secret)]) -> Url {
    if secret.is_empty() {
        return url;
    }
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !secret.iter().any(|(other, _)| name == other))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_parameter_is_sent_and_not_shown() {
        for (url, shown) in [
            ("https://cms.example/list?page=2", "https://cms.example/list?page=2"),
            ("https://cms.example/list", "https://cms.example/list"),
        ] {
            let request = Request::get(Url::parse(url).unwrap(), "*/*").parameter("token", "geheim&x");
            assert!(request.address().as_str().contains("token=geheim%26x"));
            assert_eq!(without(request.address(), &request.query).as_str(), shown);
        }
    }
}
