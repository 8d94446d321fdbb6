//! Deliveries: one activity owed to one inbox, and its outcome, kept as a receipt.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt};

use crate::ids::{ActivityId, ActorId, InboxId, PostId};
use crate::on;
use crate::store::inboxes;
use crate::store::schema::{activities, deliveries, inboxes as inboxes_table};
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// Where a delivery is in its life; stored as a small number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum DeliveryState {
    /// To be sent.
    Owed = 0,
    /// The inbox answered 2xx.
    Delivered = 1,
    /// The inbox refused it for good.
    Refused = 2,
    /// The inbox was away for too long.
    GaveUp = 3,
    /// We hold it: the actor has no proof that holds.
    Held = 4,
}

impl DeliveryState {
    /// The number in the database.
    pub fn code(self) -> i16 {
        self as i16
    }

    /// The reverse of [`DeliveryState::code`]; an unknown number reads as owed, so that nothing is lost.
    pub fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Delivered,
            2 => Self::Refused,
            3 => Self::GaveUp,
            4 => Self::Held,
            _ => Self::Owed,
        }
    }
}

/// What a worker needs to send one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Owed {
    /// The activity.
    pub activity_id: ActivityId,
    /// Who says it.
    pub actor_id: ActorId,
    /// Attempts so far.
    pub attempts: i32,
    /// Since when it is owed.
    pub created_at: Timestamp,
    /// The bytes to send.
    pub bytes: Vec<u8>,
}

/// A receipt: who got what, who refused, what is due when.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Receipt {
    /// The post, when the activity is about one.
    pub post_id: Option<PostId>,
    /// The activity.
    pub activity_id: ActivityId,
    /// Its type: Create, Update …
    pub kind: String,
    /// The inbox.
    pub inbox: String,
    /// Its host.
    pub host: String,
    /// The outcome so far.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: i32,
    /// The last HTTP status.
    pub status: Option<i32>,
    /// What went wrong last.
    pub error: Option<String>,
    /// When it was first owed.
    pub created_at: Timestamp,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// When the inbox is tried next.
    pub next_at: Option<Timestamp>,
}

/// Which receipts are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Which {
    /// Only of this post.
    pub post: Option<PostId>,
    /// Only to this host.
    pub host: Option<String>,
    /// At most so many.
    pub limit: i64,
}

/// Owes `activity` to every inbox that has a follower of `actor`, and, when it is about `post`, to every inbox that was owed
/// anything about that post before, so that edits and withdrawals also reach those who unfollowed since. One statement each,
/// whatever the number of followers; repeating it changes nothing.
pub fn fan_out(
    db: &mut Db<'_>,
    activity: ActivityId,
    actor: ActorId,
    post: Option<PostId>,
    now: Timestamp,
) -> Queried<usize> {
    const FOLLOWERS: &str = "INSERT INTO deliveries (inbox_id, activity_id, state, attempts, created_at) \
        SELECT DISTINCT f.inbox_id, CAST($1 AS BIGINT), 0, 0, CAST($2 AS BIGINT) FROM followers f WHERE f.actor_id = $3 \
        ON CONFLICT DO NOTHING";
    const OWED_BEFORE: &str = "INSERT INTO deliveries (inbox_id, activity_id, state, attempts, created_at) \
        SELECT DISTINCT d.inbox_id, CAST($1 AS BIGINT), 0, 0, CAST($2 AS BIGINT) FROM deliveries d \
        JOIN activities a ON a.id = d.activity_id WHERE a.post_id = $3 AND a.id <> $1 ON CONFLICT DO NOTHING";
    const WAKE: &str = "UPDATE inboxes SET due_at = $1 WHERE due_at IS NULL AND id IN \
        (SELECT inbox_id FROM deliveries WHERE activity_id = $2)";
    let mut owed = on!(db, c => diesel::sql_query(FOLLOWERS)
        .bind::<BigInt, _>(activity).bind::<BigInt, _>(now).bind::<BigInt, _>(actor).execute(c))?;
    if let Some(post) = post {
        owed += on!(db, c => diesel::sql_query(OWED_BEFORE)
            .bind::<BigInt, _>(activity).bind::<BigInt, _>(now).bind::<BigInt, _>(post).execute(c))?;
    }
    inboxes::lock_owed(db, activity)?;
    on!(db, c => diesel::sql_query(WAKE).bind::<BigInt, _>(now).bind::<BigInt, _>(activity).execute(c))?;
    Ok(owed)
}

/// Owes `activity` to these inboxes.
pub fn owe(db: &mut Db<'_>, activity: ActivityId, to: &[InboxId], now: Timestamp) -> Queried<()> {
    put(db, activity, to, now)?;
    inboxes::wake(db, to, now)
}

/// As [`owe`], but leaves [`inboxes::wake`] to the caller, who must call it in the same transaction.
pub fn put(db: &mut Db<'_>, activity: ActivityId, to: &[InboxId], now: Timestamp) -> Queried<()> {
    for inbox in to {
        on!(db, c => diesel::insert_into(deliveries::table)
            .values((
                deliveries::inbox_id.eq(inbox),
                deliveries::activity_id.eq(activity),
                deliveries::state.eq(DeliveryState::Owed.code()),
                deliveries::attempts.eq(0),
                deliveries::created_at.eq(now),
            ))
            .on_conflict_do_nothing()
            .execute(c))?;
    }
    Ok(())
}

/// The oldest deliveries owed to an inbox, in the order of their activities.
pub fn oldest_owed(db: &mut Db<'_>, inbox: InboxId, limit: i64) -> Queried<Vec<Owed>> {
    on!(db, c => deliveries::table
        .inner_join(activities::table.on(activities::id.eq(deliveries::activity_id)))
        .filter(deliveries::inbox_id.eq(inbox).and(deliveries::state.eq(DeliveryState::Owed.code())))
        .order(deliveries::activity_id)
        .limit(limit)
        .select((
            deliveries::activity_id,
            activities::actor_id,
            deliveries::attempts,
            deliveries::created_at,
            activities::bytes,
        ))
        .load(c))
}

/// Records the outcome of one attempt. Settles the delivery unless `state` is `Owed`.
pub fn record(
    db: &mut Db<'_>,
    inbox: InboxId,
    activity: ActivityId,
    state: DeliveryState,
    status: Option<i32>,
    error: Option<&str>,
    now: Timestamp,
) -> Queried<()> {
    let settled =
        matches!(state, DeliveryState::Delivered | DeliveryState::Refused | DeliveryState::GaveUp).then_some(now);
    on!(db, c => diesel::update(deliveries::table.find((inbox, activity)))
        .set((
            deliveries::state.eq(state.code()),
            deliveries::attempts.eq(deliveries::attempts + 1),
            deliveries::status.eq(status),
            deliveries::error.eq(error),
            deliveries::settled_at.eq(settled),
        ))
        .execute(c))
    .map(|_| ())
}

/// Holds every delivery of an actor that is still owed to an inbox. Nothing is sent until [`release_held`].
pub fn hold(db: &mut Db<'_>, inbox: InboxId, actor: ActorId, why: &str) -> Queried<()> {
    let of_actor = activities::table.filter(activities::actor_id.eq(actor)).select(activities::id);
    on!(db, c => diesel::update(deliveries::table.filter(
            deliveries::inbox_id.eq(inbox)
                .and(deliveries::state.eq(DeliveryState::Owed.code()))
                .and(deliveries::activity_id.eq_any(of_actor))))
        .set((deliveries::state.eq(DeliveryState::Held.code()), deliveries::error.eq(Some(why))))
        .execute(c))
    .map(|_| ())
}

/// The actor's proof holds again: what was held is owed again. Returns how many.
pub fn release_held(db: &mut Db<'_>, actor: ActorId, now: Timestamp) -> Queried<usize> {
    const WAKE: &str = "UPDATE inboxes SET due_at = $1 WHERE due_at IS NULL AND id IN (SELECT d.inbox_id FROM deliveries d \
        JOIN activities a ON a.id = d.activity_id WHERE a.actor_id = $2 AND d.state = $3)";
    inboxes::lock_held(db, actor)?;
    on!(db, c => diesel::sql_query(WAKE)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(actor)
        .bind::<SmallInt, _>(DeliveryState::Held.code())
        .execute(c))?;
    let of_actor = activities::table.filter(activities::actor_id.eq(actor)).select(activities::id);
    on!(db, c => diesel::update(deliveries::table.filter(
            deliveries::state.eq(DeliveryState::Held.code()).and(deliveries::activity_id.eq_any(of_actor))))
        .set((deliveries::state.eq(DeliveryState::Owed.code()), deliveries::error.eq(None::<String>)))
        .execute(c))
}

/// Gives up what an inbox has been owed since before `since`. Returns how many.
pub fn give_up(db: &mut Db<'_>, inbox: InboxId, since: Timestamp, now: Timestamp) -> Queried<usize> {
    on!(db, c => diesel::update(deliveries::table.filter(
            deliveries::inbox_id.eq(inbox)
                .and(deliveries::state.eq(DeliveryState::Owed.code()))
                .and(deliveries::created_at.lt(since))))
        .set((deliveries::state.eq(DeliveryState::GaveUp.code()), deliveries::settled_at.eq(Some(now))))
        .execute(c))
}

/// Receipts, newest activity first.
pub fn receipts(db: &mut Db<'_>, which: &Which) -> Queried<Vec<Receipt>> {
    let rows: Vec<ReceiptRow> = on!(db, c => {
        let mut query = deliveries::table
            .inner_join(activities::table.on(activities::id.eq(deliveries::activity_id)))
            .inner_join(inboxes_table::table.on(inboxes_table::id.eq(deliveries::inbox_id)))
            .select((
                (activities::id, activities::post_id, activities::kind),
                (inboxes_table::url, inboxes_table::host, inboxes_table::due_at),
                (
                    deliveries::state, deliveries::attempts, deliveries::status, deliveries::error,
                    deliveries::created_at, deliveries::settled_at,
                ),
            ))
            .into_boxed();
        if let Some(post) = which.post {
            query = query.filter(activities::post_id.eq(Some(post)));
        }
        if let Some(host) = &which.host {
            query = query.filter(inboxes_table::host.eq(host.clone()));
        }
        query.order((activities::id.desc(), inboxes_table::url)).limit(which.limit).load(c)
    })?;
    Ok(rows.into_iter().map(receipt).collect())
}

type ReceiptRow = (
    (ActivityId, Option<PostId>, String),
    (String, String, Option<Timestamp>),
    (i16, i32, Option<i32>, Option<String>, Timestamp, Option<Timestamp>),
);

fn receipt(((activity_id, post_id, kind), (inbox, host, due_at), rest): ReceiptRow) -> Receipt {
    let (code, attempts, status, error, created_at, settled_at) = rest;
    let state = DeliveryState::from_code(code);
    let next_at = if state == DeliveryState::Owed { due_at } else { None };
    Receipt { post_id, activity_id, kind, inbox, host, state, attempts, status, error, created_at, settled_at, next_at }
}

/// How many deliveries are in each state, for `heraut deliveries` and health.
pub fn totals(db: &mut Db<'_>) -> Queried<Vec<(i16, i64)>> {
    on!(db, c => deliveries::table
        .group_by(deliveries::state)
        .select((deliveries::state, diesel::dsl::count_star()))
        .order(deliveries::state)
        .load(c))
}
