//! Actor documents (`reference/federation.md` 1.1, 1.3, 1.7).
//!
//! One `publicKey` object, because an array breaks most peers; every collection on the host of the id, because Misskey and
//! Akkoma demand it; `manuallyApprovesFollowers` always, because Pixelfed takes its absence for true.

use serde_json::{Value, json};

use crate::activity::{AS_CONTEXT, with_context};
use crate::actor::key::{PublicKeys, ed25519_key_id, main_key_id};
use crate::actor::verification::InstanceActor;
use crate::actor::{Actor, ActorKind};
use crate::urls::{ActorUrl, Base};

/// The document of an actor, as answered on GET of its id.
pub fn actor_document(actor: &Actor, base: &Base) -> Value {
    with_context(actor_context(), actor_object(actor, base))
}

/// The document of the instance actor: an Application that follows nobody and publishes nothing.
pub fn instance_document(instance: &InstanceActor, base: &Base) -> Value {
    let name = instance_name(base);
    let mut document = json!({
        "id": instance.url.as_str(),
        "type": ActorKind::Application.name(),
        "preferredUsername": name,
        "webfinger": format!("{name}@{}", base.authority()),
        "name": name,
        "url": base.root(),
    });
    endpoints(&mut document, &instance.url, base);
    document["manuallyApprovesFollowers"] = json!(true);
    document["discoverable"] = json!(false);
    document["indexable"] = json!(false);
    document["published"] = json!(instance.created_at.to_rfc3339());
    keys(&mut document, &instance.url, &instance.keys);
    with_context(actor_context(), document)
}

/// The user name of the instance actor: the host, as with Mastodon.
pub(super) fn instance_name(base: &Base) -> String {
    base.authority().split(':').next().unwrap_or_default().to_owned()
}

/// The terms that an actor needs. All URLs are of the set that every peer has built in.
pub(super) fn actor_context() -> Value {
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
            "attributionDomains": {"@id": "toot:attributionDomains", "@type": "@id"},
        },
    ])
}

/// The actor without context.
pub(super) fn actor_object(actor: &Actor, base: &Base) -> Value {
    let profile = &actor.profile;
    let handle = actor.handle.as_str();
    let name = if profile.name.is_empty() { handle } else { profile.name.as_str() };
    let mut document = json!({
        "id": actor.url.as_str(),
        "type": actor.kind.name(),
        "preferredUsername": handle,
        "webfinger": format!("{handle}@{}", actor.handle_domain),
        "name": name,
        "summary": paragraphs(&profile.summary),
        "url": base.actor_page(handle),
    });
    endpoints(&mut document, &actor.url, base);
    document["featured"] = json!(base.below(&actor.url, "featured"));
    document["manuallyApprovesFollowers"] = json!(false);
    document["discoverable"] = json!(profile.discoverable);
    document["indexable"] = json!(profile.indexable);
    document["published"] = json!(actor.created_at.to_rfc3339());
    document["updated"] = json!(actor.updated_at.to_rfc3339());
    if let Some(icon) = &profile.icon {
        document["icon"] = image(icon);
    }
    if let Some(header) = &profile.image {
        document["image"] = image(header);
    }
    document["attachment"] = profile
        .fields
        .iter()
        .map(|(name, value)| json!({"type": "PropertyValue", "name": name, "value": field_value(value)}))
        .collect();
    document["attributionDomains"] = json!([without_port(&actor.agency.domain)]);
    keys(&mut document, &actor.url, &actor.keys);
    document
}

fn endpoints(document: &mut Value, actor: &ActorUrl, base: &Base) {
    for name in ["inbox", "outbox", "followers", "following"] {
        document[name] = json!(base.below(actor, name));
    }
    document["endpoints"] = json!({"sharedInbox": base.shared_inbox().as_str()});
}

fn keys(document: &mut Value, actor: &ActorUrl, keys: &PublicKeys) {
    document["publicKey"] = json!({
        "id": main_key_id(actor),
        "owner": actor.as_str(),
        "publicKeyPem": keys.rsa_pem,
    });
    document["assertionMethod"] = json!([{
        "id": ed25519_key_id(actor),
        "type": "Multikey",
        "controller": actor.as_str(),
        "publicKeyMultibase": keys.ed25519_multibase,
    }]);
}

/// An Image with the media type that its name tells.
fn image(url: &str) -> Value {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let media_type = match path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "webp" => "image/webp",
        "gif" => "image/gif",
        _ => "image/jpeg",
    };
    json!({"type": "Image", "mediaType": media_type, "url": url})
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

fn without_port(domain: &str) -> &str {
    domain.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
