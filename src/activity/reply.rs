//! Answers to what others ask: Accept and Reject of Follow and QuoteRequest (ActivityPub §7.5, FEP-044f).
//!
//! An answer embeds what it answers with the same id, type, actor and objects, because peers match by those; it leaves out the
//! rest, above all `@context`: a foreign context would have to be fetched by whoever reads our answer.

use serde_json::{Map, Value, json};

use crate::activity::{AS_CONTEXT, envelope, put};
use crate::actor::Actor;
use crate::ids::{ActivityId, PostId, QuoteId};
use crate::urls::{Base, ObjectUrl};

/// `Accept` of a Follow (§7.5). It is not addressed to anyone but the follower.
pub fn accept_follow(actor: &Actor, base: &Base, follow: &Value, id: ActivityId) -> Vec<u8> {
    answer("Accept", json!(AS_CONTEXT), actor, base, id, follow, None)
}

/// `Reject` of a Follow, also of one accepted before: it ends the following.
pub fn reject_follow(actor: &Actor, base: &Base, follow: &Value, id: ActivityId) -> Vec<u8> {
    answer("Reject", json!(AS_CONTEXT), actor, base, id, follow, None)
}

/// `Accept` of a QuoteRequest (FEP-044f); `result` is the authorization.
pub fn accept_quote(actor: &Actor, base: &Base, request: &Value, quote: QuoteId, id: ActivityId) -> Vec<u8> {
    let result = base.quote_authorization(quote);
    answer("Accept", quote_request_context(), actor, base, id, request, Some(result.as_str()))
}

/// `Reject` of a QuoteRequest (FEP-044f).
pub fn reject_quote(actor: &Actor, base: &Base, request: &Value, id: ActivityId) -> Vec<u8> {
    answer("Reject", quote_request_context(), actor, base, id, request, None)
}

/// The QuoteAuthorization (FEP-044f) as answered on GET of its id: `interacting_object` is the quoting post, `post` ours.
pub fn quote_authorization(
    actor: &Actor,
    base: &Base,
    quote: QuoteId,
    interacting_object: &ObjectUrl,
    post: PostId,
) -> Value {
    json!({
        "@context": [AS_CONTEXT, {
            "QuoteAuthorization": "https://w3id.org/fep/044f#QuoteAuthorization",
            "gts": "https://gotosocial.org/ns#",
            "interactingObject": {"@id": "gts:interactingObject", "@type": "@id"},
            "interactionTarget": {"@id": "gts:interactionTarget", "@type": "@id"},
        }],
        "id": base.quote_authorization(quote).as_str(),
        "type": "QuoteAuthorization",
        "attributedTo": actor.url.as_str(),
        "interactingObject": interacting_object.as_str(),
        "interactionTarget": base.object(post).as_str(),
    })
}

fn quote_request_context() -> Value {
    json!([AS_CONTEXT, {"QuoteRequest": "https://w3id.org/fep/044f#QuoteRequest"}])
}

fn answer(
    kind: &str,
    context: Value,
    actor: &Actor,
    base: &Base,
    id: ActivityId,
    asked: &Value,
    result: Option<&str>,
) -> Vec<u8> {
    let asked = essence(asked);
    let mut activity = envelope(kind, context, actor, base, id);
    if let Some(asker) = asked.get("actor") {
        put(&mut activity, "to", json!([asker]));
    }
    put(&mut activity, "object", asked);
    if let Some(result) = result {
        put(&mut activity, "result", json!(result));
    }
    Value::Object(activity).to_string().into_bytes()
}

/// What peers match an answer by: `id`, `type`, `actor`, `object`, `instrument`, each embedded object reduced to its id.
pub fn essence(asked: &Value) -> Value {
    let mut kept = Map::new();
    for key in ["id", "type", "actor", "object", "instrument"] {
        if let Some(text) = asked.get(key).and_then(id_of) {
            put(&mut kept, key, json!(text));
        }
    }
    Value::Object(kept)
}

/// A text, or the id of an object, also as the only one of an array.
fn id_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Object(object) => object.get("id").and_then(Value::as_str),
        Value::Array(items) => items.first().and_then(id_of),
        _ => None,
    }
}
