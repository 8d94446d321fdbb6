//! Typed ids. An id is a 63-bit number: milliseconds since 2024 in the high 42 bits, randomness in the low 21. It is small as a
//! key, sorts by time, needs no round trip to the database, is minted by any process, and tells the outside nothing about how
//! many posts exist (an embargoed post must not show as a gap). In JSON it is a string, because JavaScript rounds numbers of
//! this size. See `docs/adr/0002-ids.md`.

use std::fmt;

use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use serde::{Deserialize, Serialize};

/// First instant that an id can carry: 2024-01-01T00:00:00Z in epoch milliseconds.
pub const ID_EPOCH_MS: i64 = 1_704_067_200_000;

/// Bits of randomness in an id.
pub const ID_RANDOM_BITS: u32 = 21;

/// Composes the number of an id from an instant and a random number. The result is positive and sorts by time.
pub fn compose(now_ms: i64, random: u32) -> i64 {
    let since = (now_ms - ID_EPOCH_MS).clamp(0, (1 << 42) - 1);
    (since << ID_RANDOM_BITS) | i64::from(random & ((1 << ID_RANDOM_BITS) - 1))
}

/// When an id was composed, in epoch milliseconds.
pub fn composed_ms(id: i64) -> i64 {
    (id >> ID_RANDOM_BITS).saturating_add(ID_EPOCH_MS)
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, AsExpression, FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.parse().map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = std::num::ParseIntError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl<DB: diesel::backend::Backend> diesel::deserialize::FromSql<diesel::sql_types::BigInt, DB> for $name
        where
            i64: diesel::deserialize::FromSql<diesel::sql_types::BigInt, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
                i64::from_sql(bytes).map(Self)
            }
        }

        impl<DB: diesel::backend::Backend> diesel::serialize::ToSql<diesel::sql_types::BigInt, DB> for $name
        where
            i64: diesel::serialize::ToSql<diesel::sql_types::BigInt, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, DB>) -> diesel::serialize::Result {
                self.0.to_sql(out)
            }
        }
    )+};
}

ids! {
    /// An agency: the organisation that speaks.
    AgencyId,
    /// One of our actors.
    ActorId,
    /// A key of one of our actors.
    KeyRowId,
    /// A proof that an agency controls its domain.
    ProofId,
    /// A configured source.
    SourceId,
    /// An item as a source said it.
    ItemId,
    /// A post; also the number in its public URLs.
    PostId,
    /// A media file that we serve.
    MediaId,
    /// A stored activity; also the number in its public URL.
    ActivityId,
    /// A remote inbox.
    InboxId,
    /// A follower of one of our actors.
    FollowerId,
    /// An inbound message.
    MessageId,
    /// An inbound reaction.
    ReactionId,
    /// A quote that we authorised; also the number in its public URL.
    QuoteId,
    /// An entry of the audit log.
    AuditId,
    /// A secret of a source.
    SecretId,
    /// A request that was pushed to us; its receipt.
    ReceiptId,
    /// A token by which a client writes to a source.
    TokenId,
    /// A subscription at a hub.
    SubscriptionId,
    /// A relay.
    RelayId,
    /// An account on another server to which posts go too.
    TargetId,
}
