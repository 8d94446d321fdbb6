//! Who may quote a post, and that a quote may no longer stand (FEP-044f).

use serde_json::{Value, json};

use crate::activity::{AS_CONTEXT, PUBLIC, envelope, followers_of, put};
use crate::actor::Actor;
use crate::actor::reach::QuotePolicy;
use crate::actor::verification::VerifiedActor;
use crate::ids::{ActivityId, QuoteId};
use crate::time::Timestamp;
use crate::urls::{ActorUrl, Base};

/// The value of `canQuote`. Nobody is the author alone: an empty list would mean that nothing is said.
pub(super) fn can_quote(actor: &Actor, base: &Base) -> Value {
    match actor.profile.quotes {
        QuotePolicy::Everyone => json!({"automaticApproval": [PUBLIC]}),
        QuotePolicy::Followers => json!({"automaticApproval": [followers_of(&actor.url, base)]}),
        QuotePolicy::Nobody => json!({"automaticApproval": [actor.url.as_str()]}),
        QuotePolicy::Approval => json!({"automaticApproval": [actor.url.as_str()], "manualApproval": [PUBLIC]}),
    }
}

/// `Delete` of a QuoteAuthorization: the quote may no longer be shown with our post. To everyone who may show it, and to who
/// quoted.
pub fn revoke_quote(
    actor: &VerifiedActor,
    base: &Base,
    quote: QuoteId,
    author: &ActorUrl,
    id: ActivityId,
    now: Timestamp,
) -> Vec<u8> {
    let actor = actor.actor();
    let mut activity = envelope("Delete", json!(AS_CONTEXT), actor, base, id);
    put(&mut activity, "published", json!(now.to_rfc3339()));
    put(&mut activity, "to", json!([PUBLIC]));
    put(&mut activity, "cc", json!([followers_of(&actor.url, base), author.as_str()]));
    put(&mut activity, "object", json!(base.quote_authorization(quote).as_str()));
    Value::Object(activity).to_string().into_bytes()
}
