//! Where a page redirects to, without going there: the last thing that Mastodon tries when it verifies a link.

use reqwest::header::LOCATION;
use url::Url;

use super::{Client, TOTAL_TIMEOUT};
use crate::net::error::{FetchError, classify, shown};

impl Client {
    /// The `Location` of the answer to a HEAD, as it was sent, whatever its status. Follows nothing.
    pub async fn location(&self, url: &Url) -> Result<Option<String>, FetchError> {
        let (client, url) = (self.clone(), url.clone());
        let address = shown(&url);
        let exchange = async move {
            let sending = client.client_for(&url, &[])?.head(url.clone()).send();
            let response = match tokio::time::timeout(TOTAL_TIMEOUT, sending).await {
                Ok(result) => result.map_err(|error| classify(error, &url, &[]))?,
                Err(_) => return Err(FetchError::Timeout { url: shown(&url), limit: TOTAL_TIMEOUT }),
            };
            Ok(response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned))
        };
        match &self.home {
            Some(home) => home.spawn(exchange).await.unwrap_or(Err(FetchError::Stopped { url: address })),
            None => exchange.await,
        }
    }
}
