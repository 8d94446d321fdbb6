//! Deliveries: one activity owed to one inbox, and its outcome, kept as a receipt.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text};

use crate::ids::{ActivityId, ActorId, AgencyId, InboxId, PostId};
use crate::on;
use crate::post::lane::{Dispatch, Lane};
use crate::store::listen::{self, Topic};
use crate::store::schema::{activities, deliveries, inboxes as inboxes_table};
use crate::store::statement::statement;
use crate::store::{Db, Queried, inboxes, relays, to_json, turns};
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
    /// A worker has the inbox in hand: it is being sent what it is owed, in order.
    pub sending: bool,
    /// When the inbox is tried next; `None` while a worker has it in hand.
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

/// An activity to owe to everyone concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FanOut {
    /// The activity.
    pub activity: ActivityId,
    /// Who says it.
    pub actor: ActorId,
    /// The post that it is about.
    pub post: Option<PostId>,
    /// Its lane, and over how long it spreads.
    pub dispatch: Dispatch,
    /// Now.
    pub at: Timestamp,
}

impl FanOut {
    /// What an actor says of itself, to its followers.
    pub fn of_actor(activity: ActivityId, actor: ActorId, at: Timestamp) -> Self {
        Self { activity, actor, post: None, dispatch: Dispatch::default(), at }
    }
}

/// Owes an activity to every inbox that has a follower of its actor, and, when it is about a post, to every inbox that was owed
/// anything about that post before, so that edits and withdrawals also reach those who unfollowed since; and then to the relays of its
/// agency, where a Create goes to those of LitePub's style as an Announce ([`relays::announce`]). One statement each,
/// whatever the number of followers; repeating it changes nothing. Returns to how many inboxes it is owed.
///
/// Each host's first inbox comes before any host's second one: a host that hangs is known by then.
pub fn fan_out(db: &mut Db<'_>, what: &FanOut) -> Queried<usize> {
    fan_out_also(db, what, None)
}

/// As [`fan_out`], and to one inbox more.
pub fn fan_out_also(db: &mut Db<'_>, what: &FanOut, also: Option<InboxId>) -> Queried<usize> {
    const OWE: &str = "INSERT INTO deliveries (activity_id, inbox_id, turn, state, attempts, created_at) \
        SELECT $1, s.id, $2 + ROW_NUMBER() OVER (ORDER BY s.nth, s.id), 0, 0, $3 FROM (\
          SELECT i.id AS id, ROW_NUMBER() OVER (PARTITION BY i.host ORDER BY i.id) AS nth FROM inboxes i WHERE i.id IN (\
            SELECT f.inbox_id FROM followers f WHERE f.actor_id = $4 \
            UNION SELECT d.inbox_id FROM activities a JOIN deliveries d ON d.activity_id = a.id \
            WHERE a.post_id = $5 AND a.id <> $1 \
            UNION SELECT o.id FROM inboxes o WHERE o.id = $6 \
            UNION SELECT r.inbox_id FROM actors ac JOIN relay_agencies l ON l.agency_id = ac.agency_id \
            JOIN relays r ON r.id = l.relay_id WHERE ac.id = $4 AND $5 IS NOT NULL AND r.state = 'accepted' \
            AND (r.style = 'mastodon' OR EXISTS (SELECT 1 FROM activities k WHERE k.id = $1 AND k.kind <> 'Create')))) s \
        WHERE 1 = 1 ORDER BY s.id ON CONFLICT DO NOTHING";
    let joined = turns::join(db, what.actor, what.dispatch.lane)?;
    let owed = on!(db, c => statement(OWE)
        .bind::<BigInt, _>(what.activity)
        .bind::<BigInt, _>(joined.turn(0))
        .bind::<BigInt, _>(what.at)
        .bind::<BigInt, _>(what.actor)
        .bind::<Nullable<BigInt>, _>(what.post)
        .bind::<Nullable<BigInt>, _>(also)
        .execute(c))?;
    let places = i64::try_from(owed).unwrap_or(i64::MAX);
    turns::take(db, joined, places)?;
    if let Some(post) = what.post {
        relays::announce(db, what.actor, post, what.activity, what.at)?;
    }
    inboxes::line_up(db, what.activity, what.dispatch.spread, (joined.turn(0), places), what.at)?;
    listen::tell(db, Topic::Deliver)?;
    Ok(owed)
}

/// An answer, not news, that an actor owes to the one inbox that waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Who answers.
    pub actor: ActorId,
    /// The activity.
    pub activity: ActivityId,
    /// The inbox.
    pub inbox: InboxId,
}

/// Owes answers, of one agency in this order. To be called once in a transaction: it takes the places in line of all agencies, and
/// then the inboxes, as everybody does who takes both.
pub fn owe_answers(db: &mut Db<'_>, answers: &[Answer], now: Timestamp) -> Queried<()> {
    let actors: BTreeSet<ActorId> = answers.iter().map(|answer| answer.actor).collect();
    let (agencies, joined) = turns::join_all(db, &actors.into_iter().collect::<Vec<_>>(), Lane::Answer)?;
    let mut places: HashMap<AgencyId, i64> = HashMap::new();
    let mut turns = Vec::with_capacity(answers.len());
    for Answer { actor, activity, inbox } in answers {
        let agency = agencies.get(actor).ok_or(DieselError::NotFound)?;
        let joined = joined.get(agency).ok_or(DieselError::NotFound)?;
        let place = places.entry(*agency).or_default();
        *place += 1;
        let turn = joined.turn(*place);
        turns.push((*inbox, turn));
        on!(db, c => diesel::insert_into(deliveries::table)
            .values((
                deliveries::activity_id.eq(activity),
                deliveries::inbox_id.eq(inbox),
                deliveries::turn.eq(turn),
                deliveries::state.eq(DeliveryState::Owed.code()),
                deliveries::attempts.eq(0),
                deliveries::created_at.eq(now),
            ))
            .on_conflict_do_nothing()
            .execute(c))?;
    }
    for (agency, joined) in joined {
        turns::take(db, joined, places.get(&agency).copied().unwrap_or_default())?;
    }
    inboxes::line_up_with(db, &turns, now)?;
    listen::tell(db, Topic::Deliver)
}

/// What is owed to each of these inboxes: at most `limit` activities each, in turn. An inbox that is to be warned gets nothing
/// else now: for the rest it stands in line again, behind all that are still to be warned.
pub fn owed_to(db: &mut Db<'_>, inboxes: &[InboxId], limit: i64) -> Queried<HashMap<InboxId, Vec<ActivityId>>> {
    // SQLite finds what is owed in the partial index only if the state stands in the text. Up to the last turn that is within the
    // limit, rather than so many rows, it reads nothing but that index; others may share that turn.
    const LITE: &str = "SELECT d.inbox_id, d.activity_id, d.turn FROM json_each($1) j CROSS JOIN deliveries d \
        WHERE d.inbox_id = j.value AND d.state = 0 AND d.turn <= COALESCE((SELECT o.turn FROM deliveries o \
        WHERE o.inbox_id = j.value AND o.state = 0 ORDER BY o.turn LIMIT 1 OFFSET $2 - 1), 9223372036854775807)";
    const PG: &str = "SELECT d.inbox_id, d.activity_id, d.turn FROM unnest($1) AS j(id) CROSS JOIN LATERAL \
        (SELECT o.inbox_id, o.activity_id, o.turn FROM deliveries o WHERE o.inbox_id = j.id AND o.state = 0 \
        ORDER BY o.turn, o.activity_id LIMIT $2) d";
    let mut rows: Vec<OwedRow> = match db {
        Db::Lite(c) => statement(LITE).bind::<Text, _>(json_ids(inboxes)?).bind::<BigInt, _>(limit).load(&mut **c)?,
        Db::Pg(c) => statement(PG).bind::<Array<BigInt>, _>(inboxes).bind::<BigInt, _>(limit).load(&mut **c)?,
    };
    rows.sort_unstable_by_key(|row| (row.turn, row.activity_id));
    let most = usize::try_from(limit).unwrap_or_default();
    let mut owed: HashMap<InboxId, Vec<ActivityId>> = HashMap::with_capacity(inboxes.len());
    let mut warned: HashSet<InboxId> = HashSet::new();
    for row in rows {
        if Lane::of_turn(row.turn).0 == Lane::Crisis {
            warned.insert(row.inbox_id);
        } else if warned.contains(&row.inbox_id) {
            continue;
        }
        let activities = owed.entry(row.inbox_id).or_default();
        if activities.len() < most {
            activities.push(row.activity_id);
        }
    }
    Ok(owed)
}

#[derive(QueryableByName)]
struct OwedRow {
    #[diesel(sql_type = BigInt)]
    inbox_id: InboxId,
    #[diesel(sql_type = BigInt)]
    activity_id: ActivityId,
    #[diesel(sql_type = BigInt)]
    turn: i64,
}

/// Settles deliveries that the peers took, with one status: in one statement, or on SQLite in one for each activity, which is how
/// it finds them soonest; mostly there is one.
pub fn delivered(db: &mut Db<'_>, which: &[(ActivityId, InboxId)], status: i32, now: Timestamp) -> Queried<()> {
    const SET: &str =
        "UPDATE deliveries SET state = 1, attempts = attempts + 1, status = $1, error = NULL, settled_at = $2";
    match db {
        Db::Lite(c) => {
            let mut inboxes_of: BTreeMap<ActivityId, Vec<InboxId>> = BTreeMap::new();
            for (activity, inbox) in which {
                inboxes_of.entry(*activity).or_default().push(*inbox);
            }
            for (activity, inboxes) in inboxes_of {
                let these = "activity_id = $3 AND inbox_id IN (SELECT value FROM json_each($4))";
                statement(format!("{SET} WHERE {these}"))
                    .bind::<Integer, _>(status)
                    .bind::<BigInt, _>(now)
                    .bind::<BigInt, _>(activity)
                    .bind::<Text, _>(json_ids(&inboxes)?)
                    .execute(&mut **c)?;
            }
            Ok(())
        }
        Db::Pg(c) => {
            let (activities, inboxes): (Vec<ActivityId>, Vec<InboxId>) = which.iter().copied().unzip();
            statement(format!(
                "{SET} FROM unnest($3, $4) AS j(activity_id, inbox_id) \
                 WHERE deliveries.activity_id = j.activity_id AND deliveries.inbox_id = j.inbox_id"
            ))
            .bind::<Integer, _>(status)
            .bind::<BigInt, _>(now)
            .bind::<Array<BigInt>, _>(activities)
            .bind::<Array<BigInt>, _>(inboxes)
            .execute(&mut **c)
            .map(|_| ())
        }
    }
}

/// Ids as a JSON array, for `json_each`: ids in JSON of ours are strings otherwise.
pub(super) fn json_ids(ids: &[InboxId]) -> Queried<String> {
    to_json(&ids.iter().map(|id| id.0).collect::<Vec<i64>>())
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
    on!(db, c => diesel::update(deliveries::table.find((activity, inbox)))
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
    const HOLD: &str = "UPDATE deliveries SET state = 4, error = $1 WHERE inbox_id = $2 AND state = 0 \
        AND activity_id IN (SELECT o.activity_id FROM deliveries o JOIN activities a ON a.id = o.activity_id \
        WHERE o.inbox_id = $2 AND o.state = 0 AND a.actor_id = $3)";
    on!(db, c => statement(HOLD)
        .bind::<Text, _>(why)
        .bind::<BigInt, _>(inbox)
        .bind::<BigInt, _>(actor)
        .execute(c))
    .map(|_| ())
}

/// The actor's proof holds again: what was held is owed again. Returns how many.
pub fn release_held(db: &mut Db<'_>, actor: ActorId, now: Timestamp) -> Queried<usize> {
    const WAKE: &str = "UPDATE inboxes SET due_at = $1 WHERE due_at IS NULL AND id IN (SELECT d.inbox_id FROM deliveries d \
        JOIN activities a ON a.id = d.activity_id WHERE a.actor_id = $2 AND d.state = 4)";
    const RELEASE: &str = "UPDATE deliveries SET state = 0, error = NULL WHERE state = 4 \
        AND activity_id IN (SELECT id FROM activities WHERE actor_id = $1)";
    inboxes::lock_held(db, actor)?;
    on!(db, c => statement(WAKE).bind::<BigInt, _>(now).bind::<BigInt, _>(actor).execute(c))?;
    listen::tell(db, Topic::Deliver)?;
    on!(db, c => statement(RELEASE).bind::<BigInt, _>(actor).execute(c))
}

/// Gives up what an inbox has been owed since before `since`. Returns how many.
pub fn give_up(db: &mut Db<'_>, inbox: InboxId, since: Timestamp, now: Timestamp) -> Queried<usize> {
    const GIVE_UP: &str = "UPDATE deliveries SET state = 3, settled_at = $1 WHERE state = 0 AND inbox_id = $2 AND created_at < $3 \
        AND activity_id IN (SELECT o.activity_id FROM deliveries o WHERE o.inbox_id = $2 AND o.state = 0)";
    on!(db, c => statement(GIVE_UP)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(inbox)
        .bind::<BigInt, _>(since)
        .execute(c))
}

/// Receipts, newest activity first, as they are now.
pub fn receipts(db: &mut Db<'_>, which: &Which, now: Timestamp) -> Queried<Vec<Receipt>> {
    let rows: Vec<ReceiptRow> = on!(db, c => {
        let mut query = deliveries::table
            .inner_join(activities::table.on(activities::id.eq(deliveries::activity_id)))
            .inner_join(inboxes_table::table.on(inboxes_table::id.eq(deliveries::inbox_id)))
            .select((
                (activities::id, activities::post_id, activities::kind),
                (inboxes_table::url, inboxes_table::host, inboxes_table::due_at, inboxes_table::lease_until),
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
    Ok(rows.into_iter().map(|row| receipt(row, now)).collect())
}

type ReceiptRow = (
    (ActivityId, Option<PostId>, String),
    (String, String, Option<Timestamp>, Timestamp),
    (i16, i32, Option<i32>, Option<String>, Timestamp, Option<Timestamp>),
);

fn receipt(row: ReceiptRow, now: Timestamp) -> Receipt {
    let ((activity_id, post_id, kind), (inbox, host, due_at, lease_until), rest) = row;
    let (code, attempts, status, error, created_at, settled_at) = rest;
    let state = DeliveryState::from_code(code);
    let owed = state == DeliveryState::Owed;
    // While it is leased, `due_at` is only the end of the lease.
    let sending = owed && lease_until > now;
    let next_at = if owed && !sending { due_at } else { None };
    Receipt {
        post_id,
        activity_id,
        kind,
        inbox,
        host,
        state,
        attempts,
        status,
        error,
        created_at,
        settled_at,
        sending,
        next_at,
    }
}

/// How many deliveries are in each state, for `heraut deliveries` and health.
pub fn totals(db: &mut Db<'_>) -> Queried<Vec<(i16, i64)>> {
    on!(db, c => deliveries::table
        .group_by(deliveries::state)
        .select((deliveries::state, diesel::dsl::count_star()))
        .order(deliveries::state)
        .load(c))
}
