//! What hosts have shown of the signatures that they take. A host is sent RFC 9421 first only while its row says so; the row is
//! read with the lease of an inbox ([`crate::store::inboxes::lease`]).

use std::time::Duration;

use diesel::prelude::*;

use crate::on;
use crate::signature::Scheme;
use crate::store::first::FirstRow as _;
use crate::store::schema::host_signatures;
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// How long what a host showed by itself holds; it is renewed whenever it shows it again.
const SHOWN_HOLDS: Duration = Duration::from_secs(30 * 86_400);
/// How long the answer to a second knock holds: a host may have refused the first for another reason, and swallow the second.
const KNOCKED_HOLDS: Duration = Duration::from_secs(86_400);
/// How long a host that refused RFC 9421 is not sent it again, whatever it shows.
const REFUSED_HOLDS: Duration = Duration::from_secs(7 * 86_400);
/// What was shown so lately need not be written again.
const RENEW_AFTER: Duration = Duration::from_secs(86_400);

/// How a host showed that it takes RFC 9421.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShownBy {
    /// It sent us a request that was signed so, and that verified.
    Request,
    /// One of its actors says so (FEP-844e).
    Document,
    /// It asked for it by `Accept-Signature`.
    Challenge,
    /// It refused draft-cavage and then took this.
    Knock,
}

impl ShownBy {
    /// The word that is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Document => "document",
            Self::Challenge => "challenge",
            Self::Knock => "knock",
        }
    }

    fn holds(self) -> Duration {
        match self {
            Self::Knock => KNOCKED_HOLDS,
            _ => SHOWN_HOLDS,
        }
    }
}

/// What is known of a host.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, serde::Serialize)]
#[diesel(table_name = host_signatures)]
pub struct HostSignature {
    /// The host.
    pub host: String,
    /// [`Scheme::code`] of what it takes.
    pub scheme: i16,
    /// [`ShownBy::name`].
    pub shown_by: String,
    /// When it showed it last.
    pub shown_at: Timestamp,
    /// Until when that holds.
    pub holds_until: Timestamp,
    /// When it last refused RFC 9421.
    pub refused_at: Option<Timestamp>,
}

/// Notes what a host showed, unless it refused RFC 9421 a while ago or the same is known already.
pub fn note(db: &mut Db<'_>, host: &str, scheme: Scheme, by: ShownBy, now: Timestamp) -> Queried<()> {
    let known = of_host(db, host)?;
    let mut code = scheme.code();
    if let Some(known) = &known {
        if known.refused_at.is_some_and(|at| at.after(REFUSED_HOLDS) > now) {
            return Ok(());
        }
        if known.holds_until > now {
            if known.scheme >= code && (known.shown_at.after(RENEW_AFTER) > now || by == ShownBy::Knock) {
                return Ok(());
            }
            code = code.max(known.scheme);
        }
    }
    let holds = (
        host_signatures::scheme.eq(code),
        host_signatures::shown_by.eq(by.name()),
        host_signatures::shown_at.eq(now),
        host_signatures::holds_until.eq(now.after(by.holds())),
        host_signatures::refused_at.eq(None::<Timestamp>),
    );
    put(db, host, holds)
}

/// A host refused RFC 9421: it is not sent that again for a while.
pub fn refused(db: &mut Db<'_>, host: &str, now: Timestamp) -> Queried<()> {
    let holds = (
        host_signatures::scheme.eq(Scheme::Cavage.code()),
        host_signatures::shown_by.eq("refusal"),
        host_signatures::shown_at.eq(now),
        host_signatures::holds_until.eq(now),
        host_signatures::refused_at.eq(Some(now)),
    );
    put(db, host, holds)
}

type Holds = (
    diesel::dsl::Eq<host_signatures::scheme, i16>,
    diesel::dsl::Eq<host_signatures::shown_by, &'static str>,
    diesel::dsl::Eq<host_signatures::shown_at, Timestamp>,
    diesel::dsl::Eq<host_signatures::holds_until, Timestamp>,
    diesel::dsl::Eq<host_signatures::refused_at, Option<Timestamp>>,
);

fn put(db: &mut Db<'_>, host: &str, holds: Holds) -> Queried<()> {
    on!(db, c => diesel::insert_into(host_signatures::table)
        .values((host_signatures::host.eq(host), holds))
        .on_conflict(host_signatures::host)
        .do_update()
        .set(holds)
        .execute(c))
    .map(|_| ())
}

/// What is known of a host.
pub fn of_host(db: &mut Db<'_>, host: &str) -> Queried<Option<HostSignature>> {
    on!(db, c => host_signatures::table.find(host).select(HostSignature::as_select()).first_row(c).optional())
}

/// Forgets what has not held for long.
pub fn clear(db: &mut Db<'_>, now: Timestamp) -> Queried<usize> {
    let before = now.before(REFUSED_HOLDS);
    on!(db, c => diesel::delete(host_signatures::table.filter(host_signatures::holds_until.lt(before))).execute(c))
}
