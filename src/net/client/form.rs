//! Sends a form, and sends it again where a 307 or 308 points. Other redirects would make a GET of it, and are not followed.

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::{Client, Posted};
use crate::net::error::{FetchError, RedirectProblem, shown};
use crate::urls::URL_BYTES_MAX;

/// Most redirects of a form that are followed.
pub const FORM_REDIRECTS_MAX: usize = 3;
/// Time for a form with its redirects.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);

impl Client {
    /// Posts a form (`application/x-www-form-urlencoded`). Every hop is checked like the first.
    pub async fn submit(&self, url: &Url, form: String) -> Result<Posted, FetchError> {
        let (client, url) = (self.clone(), url.clone());
        let shown = shown(&url);
        let exchange = async move { client.submit_on(url, form).await };
        match &self.home {
            Some(home) => home.spawn(exchange).await.unwrap_or(Err(FetchError::Stopped { url: shown })),
            None => exchange.await,
        }
    }

    async fn submit_on(&self, mut url: Url, form: String) -> Result<Posted, FetchError> {
        let body = Bytes::from(form);
        let mut before: Vec<Url> = Vec::new();
        let until = tokio::time::Instant::now() + FORM_TIMEOUT;
        loop {
            let headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
            let left = until.saturating_duration_since(tokio::time::Instant::now());
            let posted = self.post_once(&url, headers, body.clone(), left).await?;
            if !matches!(posted.status, 307 | 308) {
                return Ok(posted);
            }
            let refuse = |next: Option<&Url>, problem| FetchError::Redirects {
                chain: before.iter().chain([&url]).chain(next).map(shown).collect(),
                problem,
            };
            let location = posted.location.as_deref().filter(|text| text.len() <= URL_BYTES_MAX);
            let Some(next) = location.and_then(|text| url.join(text.trim()).ok()) else {
                return Err(refuse(None, RedirectProblem::NoLocation));
            };
            if before.len() >= FORM_REDIRECTS_MAX {
                return Err(refuse(Some(&next), RedirectProblem::TooMany));
            }
            if next == url || before.contains(&next) {
                return Err(refuse(Some(&next), RedirectProblem::Loop));
            }
            before.push(std::mem::replace(&mut url, next));
        }
    }
}
