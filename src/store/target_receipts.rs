//! What became of posts on targets, as operators see it: receipts, and how targets do.

use diesel::prelude::*;

use crate::ids::{ActivityId, PostId, TargetId};
use crate::on;
use crate::store::schema::{agencies, target_deliveries as d, target_posts as p, targets as t};
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// A receipt of a target.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct TargetReceipt {
    /// The name of the target.
    pub target: String,
    /// Its server.
    pub server: String,
    /// The page of the status.
    pub status_url: Option<String>,
    /// The activity that tells followers the same.
    pub activity_id: ActivityId,
    /// The post.
    pub post_id: PostId,
    /// Create, Update or Delete.
    pub kind: String,
    /// As in [`super::target_posts::TargetState`].
    pub state: i16,
    /// Attempts so far.
    pub attempts: i32,
    /// The last HTTP status.
    pub status: Option<i32>,
    /// What happened, or what there is to know.
    pub note: Option<String>,
    /// Since when it is, or was, owed.
    pub created_at: Timestamp,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// When the target is due.
    pub due_at: Option<Timestamp>,
    /// Why the target rests.
    pub resting: Option<String>,
}

/// The receipts of targets, newest first: of a post, of a target, or all.
pub fn receipts(
    db: &mut Db<'_>,
    post: Option<PostId>,
    target: Option<TargetId>,
    limit: i64,
) -> Queried<Vec<TargetReceipt>> {
    on!(db, c => {
        let mut query = d::table
            .inner_join(t::table.on(t::id.eq(d::target_id)))
            .inner_join(p::table.on(p::target_id.eq(d::target_id).and(p::post_id.eq(d::post_id))))
            .into_boxed();
        if let Some(post) = post {
            query = query.filter(d::post_id.eq(post));
        }
        if let Some(target) = target {
            query = query.filter(d::target_id.eq(target));
        }
        query
            .order((d::created_at.desc(), d::activity_id.desc(), d::target_id))
            .limit(limit)
            .select((
                (t::name, t::url, p::status_url, d::activity_id, d::post_id, d::kind, d::state),
                (d::attempts, d::status, d::note, d::created_at, d::settled_at, t::due_at, t::resting),
            ))
            .load::<(ReceiptHead, ReceiptTail)>(c)
    })
    .map(|rows| rows.into_iter().map(receipt).collect())
}

type ReceiptHead = (String, String, Option<String>, ActivityId, PostId, String, i16);
type ReceiptTail = (i32, Option<i32>, Option<String>, Timestamp, Option<Timestamp>, Option<Timestamp>, Option<String>);

fn receipt((head, tail): (ReceiptHead, ReceiptTail)) -> TargetReceipt {
    let (target, server, status_url, activity_id, post_id, kind, state) = head;
    let (attempts, status, note, created_at, settled_at, due_at, resting) = tail;
    TargetReceipt {
        target,
        server,
        status_url,
        activity_id,
        post_id,
        kind,
        state,
        attempts,
        status,
        note,
        created_at,
        settled_at,
        due_at,
        resting,
    }
}

/// The targets of a post: name, page of the status, and what became of making it.
pub fn standing(db: &mut Db<'_>, post: PostId) -> Queried<Vec<(String, Option<String>, i16)>> {
    on!(db, c => d::table
        .inner_join(t::table.on(t::id.eq(d::target_id)))
        .inner_join(p::table.on(p::target_id.eq(d::target_id).and(p::post_id.eq(d::post_id))))
        .filter(d::post_id.eq(post).and(d::kind.eq("Create")))
        .order((t::name, t::id))
        .select((t::name, p::status_url, d::state))
        .load(c))
}

/// How a target does, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its agency's name.
    pub agency: String,
    /// Its name.
    pub name: String,
    /// Why it rests.
    pub resting: bool,
    /// Whether it fails.
    pub failing: bool,
    /// How much is owed.
    pub owed: i64,
    /// Since when the oldest is.
    pub oldest: Option<Timestamp>,
}

/// How every target does that is in use.
pub fn standings(db: &mut Db<'_>) -> Queried<Vec<Standing>> {
    type Row = (TargetId, String, String, Option<String>, Option<Timestamp>);
    let rows: Vec<Row> = on!(db, c => t::table
        .inner_join(agencies::table.on(agencies::id.eq(t::agency_id)))
        .filter(t::removed_at.is_null().and(t::enabled))
        .order(t::name)
        .select((t::id, agencies::name, t::name, t::resting, t::failing_since))
        .load(c))?;
    let owed: Vec<(TargetId, i64, Option<Timestamp>)> = on!(db, c => d::table
        .filter(d::state.eq(0))
        .group_by(d::target_id)
        .select((d::target_id, diesel::dsl::count_star(), diesel::dsl::min(d::created_at)))
        .load(c))?;
    let of = |id: TargetId| owed.iter().find(|(of, ..)| *of == id).map_or((0, None), |(_, n, oldest)| (*n, *oldest));
    let standing = |(id, agency, name, resting, failing): Row| {
        let (owed, oldest) = of(id);
        Standing { agency, name, resting: resting.is_some(), failing: failing.is_some(), owed, oldest }
    };
    Ok(rows.into_iter().map(standing).collect())
}
