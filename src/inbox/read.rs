//! Body bytes to [`Incoming`].

use crate::inbox::{InboxError, Incoming};
use crate::urls::ActorUrl;

/// Reads an inbox body whose signature has been verified with a key of `key_owner`; `reference/federation.md` 6.1, checks 1, 7,
/// 8 and 10.
pub fn read(body: &[u8], key_owner: &ActorUrl) -> Result<Incoming, InboxError> {
    let _ = (body, key_owner);
    todo!()
}

/// The actor whom a body says that it deletes, if it is the Delete of an account by itself. May be asked before the signature
/// is verified, only to answer 202 when the key cannot be had any more because the account is gone.
pub fn deletes_its_actor(body: &[u8]) -> Option<ActorUrl> {
    let _ = body;
    todo!()
}
