//! Asks the server of a reader where they can follow one of our actors. Anybody can make us ask, so it is asked through the guarded
//! client, little at once, and not often of one server or for one reader.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use url::Url;

use crate::activity::subscribe::Reader;
use crate::flow::Gateway;
use crate::flow::rates::Rates;
use crate::flow::verify::with_causes;
use crate::net::Get;

/// Servers that are asked at the same time; who comes then is told to wait.
const AT_ONCE: usize = 16;
/// How often one server is asked, and how often somebody at one address may ask, a second; ten times as often for a moment.
const EACH_PER_SECOND: u32 = 1;
/// How often is asked altogether, a second.
const ALL_PER_SECOND: u32 = 20;
/// Largest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Most redirects: a domain that sends WebFinger on to its server.
const REDIRECTS_MAX: u8 = 3;
/// Time for an answer: a person waits.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often was asked lately; one per process.
pub struct Lookups {
    gate: Semaphore,
    servers: Rates,
    readers: Rates,
    all: Rates,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// There they can follow.
    At(Url),
    /// The server does not say.
    Nowhere,
    /// There were too many questions; nothing was asked.
    Busy,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            gate: Semaphore::new(AT_ONCE),
            servers: Rates::new(EACH_PER_SECOND),
            readers: Rates::new(EACH_PER_SECOND),
            all: Rates::new(ALL_PER_SECOND),
        }
    }
}

impl Lookups {
    /// Asks the server of a reader at `from` where they can follow `object`.
    pub async fn find(&self, gateway: &Gateway, reader: &Reader, from: Option<IpAddr>, object: &str) -> Found {
        let now = Instant::now();
        let from = from.map(|address| address.to_string()).unwrap_or_default();
        let may = self.readers.take(&from, now).is_ok()
            && self.servers.take(reader.server(), now).is_ok()
            && self.all.take("all", now).is_ok();
        let Ok(_slot) = self.gate.try_acquire() else { return Found::Busy };
        if !may {
            return Found::Busy;
        }
        let Some(url) = reader.question() else { return Found::Nowhere };
        let get = Get {
            redirects_max: REDIRECTS_MAX,
            bytes_max: ANSWER_BYTES_MAX,
            timeout: TIMEOUT,
            ..Get::new(url, "application/jrd+json, application/json")
        };
        match gateway.net.get(get).await {
            Ok(answer) if answer.status == 200 => {
                reader.target(&answer.body, &answer.url, object).map_or(Found::Nowhere, Found::At)
            }
            Ok(_) => Found::Nowhere,
            Err(error) => {
                tracing::debug!(
                    remote.host = reader.server(),
                    error = with_causes(&error),
                    "a reader's server was not read"
                );
                Found::Nowhere
            }
        }
    }
}
