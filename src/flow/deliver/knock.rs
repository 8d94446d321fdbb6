//! Which signature a delivery carries, and when it is sent once more with the other (`docs/adr/0016-two-signatures.md`).
//!
//! Every host takes draft-cavage, so that comes first; Pixelfed answers 200 to RFC 9421 and drops what it cannot read, so a
//! refusal alone would never tell. RFC 9421 comes first only where the host itself showed that it takes it. Either way, one
//! refusal is answered with one knock by the other.

use std::time::{Duration, Instant};

use crate::activity::{CONTENT_TYPE, synchronization};
use crate::delivery::{Outcome, classify, unreachable};
use crate::flow::deliver::courier::{Courier, Step, said};
use crate::flow::deliver::payloads::Payload;
use crate::flow::deliver::recorder::Learnt;
use crate::flow::deliver::seats::Seat;
use crate::flow::now;
use crate::net::{FetchError, Posted};
use crate::signature::rfc9421::Challenge;
use crate::signature::{self, Scheme, SignatureError, SigningIdentity};
use crate::store::host_signatures::ShownBy;

type Headers = Result<Vec<(&'static str, String)>, SignatureError>;

/// How the second knock is signed.
enum Second {
    Scheme(Scheme),
    AsAsked(Challenge),
}

impl Courier {
    /// Sends an activity, and once more where the first signature was refused. Also gives what that showed of the host.
    pub(super) async fn send(
        &self,
        step: &Step<'_>,
        identity: &SigningIdentity,
        payload: &Payload,
        seat: &mut Seat,
    ) -> (Outcome, Option<Learnt>) {
        let host = &step.inbox.host;
        let body = (&payload.body, CONTENT_TYPE);
        let first = match self.gateway.settings.bench_ed25519 {
            true => Scheme::Ed25519,
            false => self.hosts.scheme(host, Scheme::of_code(step.inbox.scheme), now()),
        };
        let told = match payload.is_create {
            true => self.audiences.header(&self.gateway, payload.actor, host).await,
            false => None,
        };
        let also = told.as_deref().map(|value| (synchronization::HEADER, value));
        let sign = |scheme| signature::sign_post(identity, scheme, step.url, body, also, now());
        let (began, whole) = (Instant::now(), self.gateway.settings.delivery_timeout);
        let answer = self.try_once(step, sign(first), payload, whole, seat).await;
        let Some(second) = answer.as_ref().ok().and_then(|posted| self.second(host, first, posted)) else {
            return (outcome(answer), None);
        };
        let headers = match &second {
            Second::Scheme(scheme) => sign(*scheme),
            Second::AsAsked(challenge) => signature::sign_as_asked(identity, challenge, step.url, body, also, now()),
        };
        // In a box: it is rare, and would make every delivery larger.
        let again = Box::pin(self.try_once(step, headers, payload, whole.saturating_sub(began.elapsed()), seat)).await;
        if !again.as_ref().is_ok_and(|posted| (200..300).contains(&posted.status)) {
            if again.is_ok() {
                self.hosts.refused_both(host, now());
            }
            return (outcome(answer), None);
        }
        let (taken, learnt) = match second {
            Second::Scheme(Scheme::Cavage) => (Scheme::Cavage, Learnt::Refuses(host.clone())),
            Second::Scheme(scheme) => (scheme, Learnt::Takes(host.clone(), scheme, ShownBy::Knock)),
            Second::AsAsked(challenge) => {
                let scheme = if challenge.ed25519 { Scheme::Ed25519 } else { Scheme::Rfc9421 };
                (scheme, Learnt::Takes(host.clone(), scheme, ShownBy::Challenge))
            }
        };
        tracing::info!(delivery.inbox_host = host, scheme = ?taken, "a host took the other signature");
        self.hosts.learn(host, taken, now());
        (outcome(again), Some(learnt))
    }

    /// How to knock again, if at all.
    fn second(&self, host: &str, first: Scheme, posted: &Posted) -> Option<Second> {
        let refused = match first {
            Scheme::Cavage => matches!(posted.status, 400 | 401),
            Scheme::Rfc9421 | Scheme::Ed25519 => matches!(posted.status, 400 | 401 | 403),
        };
        if !refused || !self.hosts.may_knock_again(host, now()) {
            return None;
        }
        if let Some(challenge) = posted.accept_signature.as_deref().and_then(Challenge::read) {
            return Some(Second::AsAsked(challenge));
        }
        Some(Second::Scheme(if first == Scheme::Cavage { Scheme::Rfc9421 } else { Scheme::Cavage }))
    }

    async fn try_once(
        &self,
        step: &Step<'_>,
        headers: Headers,
        payload: &Payload,
        timeout: Duration,
        seat: &mut Seat,
    ) -> Result<Posted, String> {
        let headers = headers.map_err(|error| error.to_string())?;
        self.post(step, headers, payload, timeout, seat).await.map_err(|error: FetchError| error.to_string())
    }
}

fn outcome(answer: Result<Posted, String>) -> Outcome {
    let posted = match answer {
        Ok(posted) => posted,
        Err(why) => return unreachable(why),
    };
    match classify(posted.status, posted.retry_after.as_deref(), now()) {
        Outcome::TryLater { status, retry_after, why } => {
            Outcome::TryLater { status, retry_after, why: said(&why, &posted.body_start) }
        }
        other => other,
    }
}
