//! Who reads: the signature of a GET, where one is demanded (authorized fetch, `docs/adr/0019-readers.md`; FEP-8fcf). It is
//! judged as that of a POST to an inbox is: the same schemes and windows, keys fetched by the instance actor within the same limits.

use std::sync::Arc;
use std::time::Instant;

use crate::flow::rates::Rates;
use crate::flow::receive::{KEY_RETRY_S, NoSender, Refusal, sender};
use crate::flow::remote::{RemoteFetchError, Signer};
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, now};
use crate::signature::{self, ParsedSignature, ReceivedRequest, SignatureError, Site};
use crate::store::{Db, remote};

/// A GET, as it came in.
#[derive(Debug, Clone)]
pub struct Question {
    /// Which of our hosts was asked.
    pub site: Site,
    /// The method, upper-case: `GET` or `HEAD`.
    pub method: String,
    /// The request target as the client wrote it: path, and query with its `?` if there is one.
    pub path_and_query: String,
    /// Header names in lower case, and values, in order; repeated headers repeated.
    pub headers: Vec<(String, String)>,
}

/// Says who reads; one per process.
pub struct Readers {
    rates: Rates,
}

impl Readers {
    /// Lets each host read so many documents a second; 0 is any number.
    pub fn new(per_host_s: u32) -> Self {
        Self { rates: Rates::new(per_host_s) }
    }

    /// The actor whose key signed the request: mostly the instance actor of a server.
    pub async fn identify(&self, gateway: &Gateway, question: &Question) -> Result<Arc<Signer>, Refusal> {
        let received = ReceivedRequest {
            method: &question.method,
            path_and_query: &question.path_and_query,
            headers: &question.headers,
            body: &[],
        };
        let signatures =
            signature::parse(&received, std::slice::from_ref(&question.site), now()).map_err(|error| match error {
                SignatureError::Unsigned => unsigned(gateway),
                error => error.into(),
            })?;
        let (reader, _) = match sender(gateway, &signatures).await {
            Ok(found) => found,
            Err(None) => return Err(unsigned(gateway)),
            Err(Some((signature, problem))) => return Err(unknown(&signature, problem)),
        };
        let host = reader.actor.url.authority();
        if let Err(wait_s) = self.rates.take(&host, Instant::now()) {
            let detail = format!("{host} reads more documents than are given to one server");
            return Err(Refusal { status: 429, detail, retry_after_s: Some(wait_s) });
        }
        keep(gateway, &reader).await?;
        Ok(reader)
    }
}

/// A server that signs its reading reads again: its key is kept, or it would be fetched each minute.
async fn keep(gateway: &Gateway, reader: &Signer) -> Result<(), Refusal> {
    let Some(fetched_at) = reader.to_be_stored() else { return Ok(()) };
    let actor = reader.actor.clone();
    let keep = move |db: &mut Db<'_>| remote::upsert(db, &actor, fetched_at);
    gateway.store.write("keep a reader", keep).await?;
    reader.mark_stored();
    Ok(())
}

fn unsigned(gateway: &Gateway) -> Refusal {
    let detail = format!(
        "this is given only to servers that sign their requests: sign the GET with the key of your server's actor, by \
         draft-cavage-http-signatures-12 over (request-target), host and date, or by RFC 9421 over @method and @target-uri. Keys of \
         actors and {} are read without; people ask for text/html and are sent to the page",
        gateway.base.instance_actor()
    );
    Refusal::new(401, detail)
}

fn unknown(signature: &ParsedSignature, problem: NoSender) -> Refusal {
    let key = signature.key_id();
    match problem {
        NoSender::Signature(error) => error.into(),
        NoSender::Fetch(RemoteFetchError::Store(error)) => error.into(),
        NoSender::Fetch(RemoteFetchError::Keyring(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the instance actor cannot sign");
            Refusal::later()
        }
        NoSender::Fetch(RemoteFetchError::Unavailable { .. }) => {
            let detail = format!("the key {key} cannot be fetched now");
            Refusal { status: 503, detail, retry_after_s: Some(KEY_RETRY_S) }
        }
        NoSender::Fetch(other) => Refusal::new(401, format!("the key {key} is not usable: {}", with_causes(&other))),
    }
}
