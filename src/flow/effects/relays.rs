//! What relays say to the instance actor, inside the transaction that stores it.

use crate::flow::effects::Desk;
use crate::inbox::decide::Effect;
use crate::store::{Queried, relays, to_json};

impl Desk<'_, '_> {
    /// A relay answered our Follow, or follows us.
    pub(super) fn hear_relay(&mut self, effect: &Effect) -> Queried<()> {
        match effect {
            Effect::RelayAnswered { relay, by, accepted, reason } => {
                let told = (by.as_str(), reason.as_deref());
                if !relays::answered(self.db, *relay, *accepted, told, self.at)? {
                    return Ok(());
                }
                let act = if *accepted { "relay.accepted" } else { "relay.refused" };
                if *accepted {
                    tracing::info!(remote.actor = %by, "a relay accepted");
                } else {
                    tracing::warn!(remote.actor = %by, reason = reason.as_deref().unwrap_or_default(), "a relay refused");
                }
                self.note(by.as_str(), act, format!("relay:{relay}"), reason.clone().unwrap_or_default())
            }
            Effect::RelayFollows { relay, follow } => relays::follows(self.db, *relay, &to_json(follow)?, self.at),
            _ => Ok(()),
        }
    }
}
