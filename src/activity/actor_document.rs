//! Actor documents (`reference/federation.md` 1.1, 1.3, 1.7).
//!
//! One `publicKey` object, because an array breaks most peers; every collection on the host of the id, because Misskey and
//! Akkoma demand it; `manuallyApprovesFollowers` always, because Pixelfed takes its absence for true.

use serde_json::{Map, Value, json};

use crate::activity::{AS_CONTEXT, continuity, put, with_context};
use crate::actor::key::{KeySerial, PublicKeys};
use crate::actor::verification::InstanceActor;
use crate::actor::{Actor, ActorKind};
use crate::urls::{ActorUrl, Base};

/// By which a server says that it takes RFC 9421 (the registry of FEP-844e).
pub const RFC9421_FEATURE: &str = "https://datatracker.ietf.org/doc/html/rfc9421";
/// By which it says that it takes Ed25519 there.
pub const ED25519_FEATURE: &str = "https://datatracker.ietf.org/doc/html/rfc9421#name-eddsa-using-curve-edwards25";

/// The document of an actor, as answered on GET of its id.
pub fn actor_document(actor: &Actor, base: &Base) -> Value {
    with_context(actor_context_of(actor), actor_object(actor, base))
}

/// What of an actor's document everybody may read when the rest is for servers that sign: what checks its signatures, and what peers
/// demand of any actor (`reference/federation.md` 1.1); GoToSocial answers with a stub too (4.5).
const ALWAYS: [&str; 19] = [
    "@context",
    "id",
    "type",
    "preferredUsername",
    "webfinger",
    "url",
    "inbox",
    "outbox",
    "followers",
    "following",
    "endpoints",
    "manuallyApprovesFollowers",
    "published",
    "updated",
    "alsoKnownAs",
    "movedTo",
    "generator",
    "publicKey",
    "assertionMethod",
];

/// An actor's document without what only servers that sign may read.
pub fn key_document(mut document: Value) -> Value {
    if let Some(properties) = document.as_object_mut() {
        properties.retain(|name, _| ALWAYS.contains(&name.as_str()));
    }
    document
}

/// The document of the instance actor: an Application that follows nobody and publishes nothing.
pub fn instance_document(instance: &InstanceActor, base: &Base) -> Value {
    let name = instance_name(base);
    let mut document = Map::new();
    put(&mut document, "id", json!(instance.url.as_str()));
    put(&mut document, "type", json!(ActorKind::Application.name()));
    put(&mut document, "preferredUsername", json!(name));
    put(&mut document, "webfinger", json!(format!("{name}@{}", base.authority())));
    put(&mut document, "name", json!(name));
    put(&mut document, "url", json!(base.root()));
    endpoints(&mut document, &instance.url, base);
    put(&mut document, "manuallyApprovesFollowers", json!(true));
    put(&mut document, "discoverable", json!(false));
    put(&mut document, "indexable", json!(false));
    put(&mut document, "published", json!(instance.created_at.to_rfc3339()));
    put(&mut document, "implements", implements());
    put(&mut document, "generator", generator(base));
    keys(&mut document, &instance.url, &instance.keys);
    with_context(actor_context(), Value::Object(document))
}

/// The user name of the instance actor: the host, as with Mastodon.
pub(super) fn instance_name(base: &Base) -> String {
    base.authority().split(':').next().unwrap_or_default().to_owned()
}

/// The terms that an actor needs. All URLs are of the set that every peer has built in.
fn actor_context() -> Value {
    json!([
        AS_CONTEXT,
        "https://w3id.org/security/v1",
        "https://www.w3.org/ns/did/v1",
        "https://w3id.org/security/multikey/v1",
        "https://purl.archive.org/socialweb/webfinger",
        {
            "toot": "http://joinmastodon.org/ns#",
            "schema": "http://schema.org#",
            "PropertyValue": "schema:PropertyValue",
            "value": "schema:value",
            "discoverable": "toot:discoverable",
            "indexable": "toot:indexable",
            "manuallyApprovesFollowers": "as:manuallyApprovesFollowers",
            "featured": {"@id": "toot:featured", "@type": "@id"},
            "featuredTags": {"@id": "toot:featuredTags", "@type": "@id"},
            "attributionDomains": {"@id": "toot:attributionDomains", "@type": "@id"},
            "implements": "https://w3id.org/fep/844e/implements",
        },
    ])
}

/// The terms that this actor needs.
pub(super) fn actor_context_of(actor: &Actor) -> Value {
    let mut context = actor_context();
    continuity::terms(actor, &mut context);
    context
}

/// The actor without context.
pub(super) fn actor_object(actor: &Actor, base: &Base) -> Value {
    let profile = &actor.profile;
    let handle = actor.handle.as_str();
    let name = if profile.name.is_empty() { handle } else { profile.name.as_str() };
    let mut document = Map::new();
    put(&mut document, "id", json!(actor.url.as_str()));
    put(&mut document, "type", json!(actor.kind.name()));
    put(&mut document, "preferredUsername", json!(handle));
    put(&mut document, "webfinger", json!(format!("{handle}@{}", actor.handle_domain)));
    put(&mut document, "name", json!(name));
    put(&mut document, "summary", json!(paragraphs(&profile.summary)));
    put(&mut document, "url", json!(base.actor_page(handle)));
    endpoints(&mut document, &actor.url, base);
    put(&mut document, "featured", json!(base.below(&actor.url, "featured")));
    put(&mut document, "featuredTags", json!(base.below(&actor.url, "tags")));
    put(&mut document, "manuallyApprovesFollowers", json!(false));
    put(&mut document, "discoverable", json!(profile.discoverable));
    put(&mut document, "indexable", json!(profile.indexable));
    put(&mut document, "published", json!(actor.created_at.to_rfc3339()));
    put(&mut document, "updated", json!(actor.updated_at.to_rfc3339()));
    // Bridgy Fed wants a picture before it bridges, and an account without one looks like a fake.
    put(&mut document, "icon", image(&profile.icon.clone().unwrap_or_else(|| base.avatar())));
    if let Some(header) = &profile.image {
        put(&mut document, "image", image(header));
    }
    put(
        &mut document,
        "attachment",
        profile
            .fields
            .iter()
            .map(|(name, value)| json!({"type": "PropertyValue", "name": name, "value": field_value(value)}))
            .collect(),
    );
    put(&mut document, "attributionDomains", json!(actor.attribution_domains()));
    put(&mut document, "generator", generator(base));
    continuity::properties(actor, &mut document);
    keys(&mut document, &actor.url, &actor.keys);
    Value::Object(document)
}

/// The server as an application (FEP-844e): what it takes.
fn generator(base: &Base) -> Value {
    json!({"type": "Application", "id": base.instance_actor().as_str(), "implements": implements()})
}

fn implements() -> Value {
    json!([
        {"href": RFC9421_FEATURE, "name": "RFC-9421: HTTP Message Signatures"},
        {"href": ED25519_FEATURE, "name": "RFC-9421 signatures using the Ed25519 algorithm"},
    ])
}

fn endpoints(document: &mut Map<String, Value>, actor: &ActorUrl, base: &Base) {
    for name in ["inbox", "outbox", "followers", "following"] {
        put(document, name, json!(base.below(actor, name)));
    }
    put(document, "endpoints", json!({"sharedInbox": base.shared_inbox().as_str()}));
}

fn keys(document: &mut Map<String, Value>, actor: &ActorUrl, keys: &PublicKeys) {
    put(
        document,
        "publicKey",
        json!({
            "id": keys.serial.rsa_key_id(actor),
            "owner": actor.as_str(),
            "publicKeyPem": keys.rsa_pem,
        }),
    );
    // One `publicKey`, or most peers break; but Ed25519 keys are a list, and what an earlier one signed goes on holding.
    let beside = keys.beside.iter().map(|beside| (beside.serial, &beside.ed25519_multibase));
    let multikey = |(serial, multibase): (KeySerial, &String)| {
        json!({
            "id": serial.ed25519_key_id(actor),
            "type": "Multikey",
            "controller": actor.as_str(),
            "publicKeyMultibase": multibase,
        })
    };
    let all = std::iter::once((keys.serial, &keys.ed25519_multibase)).chain(beside);
    put(document, "assertionMethod", all.map(multikey).collect());
}

fn image(url: &str) -> Value {
    json!({"type": "Image", "mediaType": image_type(url), "url": url})
}

/// The media type that the name of an image tells.
pub(super) fn image_type(url: &str) -> &'static str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    match path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "webp" => "image/webp",
        "gif" => "image/gif",
        _ => "image/jpeg",
    }
}

/// Plain text to paragraphs; blank lines part them, other line ends become `br`.
fn paragraphs(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.split("\n\n")
        .map(str::trim)
        .filter(|paragraph| !paragraph.is_empty())
        .map(|paragraph| format!("<p>{}</p>", escape(paragraph).replace('\n', "<br>")))
        .collect()
}

/// A URL becomes a lone `a` whose text equals its `href`: the only form that Mastodon verifies (1.4). Anything else is text.
fn field_value(value: &str) -> String {
    let value = value.trim();
    let escaped = escape(value);
    let lower = value.to_ascii_lowercase();
    if (lower.starts_with("https://") || lower.starts_with("http://")) && !value.contains(char::is_whitespace) {
        return format!("<a href=\"{escaped}\" rel=\"me\">{escaped}</a>");
    }
    escaped
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
