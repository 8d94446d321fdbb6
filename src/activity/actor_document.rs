//! Actor documents (`reference/federation.md` 1.1, 1.3, 1.7).

use serde_json::Value;

use crate::actor::Actor;
use crate::actor::verification::InstanceActor;
use crate::urls::Base;

/// The document of an actor, as answered on GET of its id.
pub fn actor_document(actor: &Actor, base: &Base) -> Value {
    let _ = (actor, base);
    todo!()
}

/// The document of the instance actor: an Application that follows nobody and publishes nothing.
pub fn instance_document(instance: &InstanceActor, base: &Base) -> Value {
    let _ = (instance, base);
    todo!()
}
