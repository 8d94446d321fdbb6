//! Posts as they stand on targets, what is owed there, and what became of it: the receipts.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ids::{ActivityId, ActorId, MediaId, PostId, TargetId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::posts::Post;
use crate::store::schema::{
    actors, media, post_revisions, posts, target_deliveries as d, target_posts as p, targets as t,
};
use crate::store::targets::{self, WHY_CHARS_MAX};
use crate::store::{Db, Queried, from_json, listen, proofs, to_json};
use crate::target::plan::{Act, Owed};
use crate::time::Timestamp;

/// Where something owed to a target is in its life; stored as a small number. Those up to 4 are the states of deliveries to inboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum TargetState {
    /// To be sent.
    Owed = 0,
    /// The server did it.
    Delivered = 1,
    /// The server refused it for good.
    Refused = 2,
    /// The server was away for too long.
    GaveUp = 3,
    /// We hold it: the actor has no proof that holds.
    Held = 4,
    /// It need not be sent any more.
    Void = 5,
}

impl TargetState {
    /// The reverse of its number; an unknown one reads as owed, so that nothing is lost.
    pub fn from_code(code: i16) -> Self {
        let all = [Self::Delivered, Self::Refused, Self::GaveUp, Self::Held, Self::Void];
        all.into_iter().find(|state| *state as i16 == code).unwrap_or(Self::Owed)
    }

    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owed => "owed",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::GaveUp => "gave_up",
            Self::Held => "held",
            Self::Void => "void",
        }
    }
}

/// A picture as it stands there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// SHA-256 of the file, by which it is known again.
    pub sha256: String,
    /// Its id there.
    pub id: String,
    /// Its description there.
    pub description: String,
}

/// A post as it stands on a target.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = p)]
pub struct Mirror {
    /// The target.
    pub target_id: TargetId,
    /// The post.
    pub post_id: PostId,
    /// The id of its status.
    pub status_id: Option<String>,
    /// The page of its status.
    pub status_url: Option<String>,
    /// [`Attached`], as JSON.
    pub media: String,
    /// When a request to make it was first sent whose answer is not known.
    pub tried_at: Option<Timestamp>,
    /// What that was to say.
    pub tried_revision: Option<i32>,
    /// Whether the answer is not known.
    pub unsure: bool,
    /// When it was found that somebody removed it there.
    pub gone_at: Option<Timestamp>,
}

impl Mirror {
    /// Its pictures there.
    pub fn attached(&self) -> Vec<Attached> {
        serde_json::from_str(&self.media).unwrap_or_default()
    }
}

/// Owes an act about a post to every target of its actor; what follows a Create is owed where the Create was. In the transaction of
/// the post's new state. Returns to how many.
pub fn owe(db: &mut Db<'_>, post: &Post, activity: ActivityId, kind: &str, at: Timestamp) -> Queried<usize> {
    if kind == "Create" {
        let agency = actors::table.find(post.actor_id).select(actors::agency_id);
        let all = t::actor_id.is_null().and(t::agency_id.eq_any(agency));
        let ours =
            t::removed_at.is_null().and(t::enabled).and(t::actor_id.eq(Some(post.actor_id)).assume_not_null().or(all));
        let of: Vec<TargetId> = on!(db, c => t::table.filter(ours).select(t::id).order(t::id).load(c))?;
        for target in of {
            on!(db, c => diesel::insert_into(p::table)
                .values((p::target_id.eq(target), p::post_id.eq(post.id), p::created_at.eq(at)))
                .on_conflict_do_nothing()
                .execute(c))?;
        }
    }
    let there: Vec<TargetId> = on!(db, c => p::table
        .inner_join(t::table.on(t::id.eq(p::target_id)))
        .filter(p::post_id.eq(post.id).and(t::removed_at.is_null()))
        .order(t::id)
        .select(t::id)
        .load(c))?;
    for target in &there {
        on!(db, c => diesel::insert_into(d::table)
            .values((
                d::target_id.eq(target),
                d::activity_id.eq(activity),
                d::post_id.eq(post.id),
                d::kind.eq(kind),
                d::revision.eq(post.revision),
                d::lane.eq(post.dispatch.lane.code()),
                d::created_at.eq(at),
            ))
            .on_conflict_do_nothing()
            .execute(c))?;
        // What is locked here is what `targets::release` locks before it looks whether anything is owed.
        targets::lock(db, *target)?;
        on!(db, c => diesel::update(t::table.filter(t::id.eq(target).and(t::due_at.is_null())))
            .set(t::due_at.eq(Some(at)))
            .execute(c))?;
    }
    if !there.is_empty() {
        listen::tell(db, listen::Topic::Deliver)?;
    }
    Ok(there.len())
}

/// What is to be done next on a target.
#[derive(Debug, Clone)]
pub struct Work {
    /// About which post.
    pub post: PostId,
    /// Its actor.
    pub actor: ActorId,
    /// What is owed about it, in order.
    pub owed: Vec<Owed>,
    /// Attempts so far.
    pub attempts: i32,
    /// As it stands there.
    pub mirror: Mirror,
}

/// What is to be done next on a target: about the post that has waited longest, a crisis first.
pub fn next(db: &mut Db<'_>, target: TargetId) -> Queried<Option<Work>> {
    let first: Option<PostId> = on!(db, c => d::table
        .filter(d::target_id.eq(target).and(d::state.eq(0)))
        .order((d::lane, d::created_at, d::activity_id))
        .select(d::post_id)
        .first(c)
        .optional())?;
    let Some(post) = first else { return Ok(None) };
    let rows: Vec<(String, i32, i32)> = on!(db, c => d::table
        .filter(d::target_id.eq(target).and(d::post_id.eq(post)).and(d::state.eq(0)))
        .order((d::created_at, d::activity_id))
        .select((d::kind, d::revision, d::attempts))
        .load(c))?;
    let attempts = rows.iter().map(|(.., attempts)| *attempts).max().unwrap_or_default();
    let owed =
        rows.into_iter().filter_map(|(kind, revision, _)| Some(Owed { act: Act::of_activity(&kind)?, revision }));
    let mirror: Mirror = on!(db, c => p::table.find((target, post)).select(Mirror::as_select()).first_row(c))?;
    let actor = on!(db, c => posts::table.find(post).select(posts::actor_id).first_row(c))?;
    Ok(Some(Work { post, actor, owed: owed.collect(), attempts, mirror }))
}

/// What a revision of a post says.
pub fn revision(db: &mut Db<'_>, post: PostId, revision: i32) -> Queried<Option<crate::post::Content>> {
    let text: Option<String> = on!(db, c => post_revisions::table
        .find((post, revision))
        .select(post_revisions::content)
        .first_row(c)
        .optional())?;
    text.as_deref().map(from_json).transpose()
}

/// The extension of the file of a picture.
pub fn extension(db: &mut Db<'_>, id: MediaId) -> Queried<Option<String>> {
    on!(db, c => media::table.find(id).select(media::extension).first_row(c).optional())
}

/// A request to make the status is about to be sent: its answer is not known from now on.
pub fn begin(db: &mut Db<'_>, mirror: &Mirror, revision: i32, at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(p::table.find((mirror.target_id, mirror.post_id)))
        .set((
            p::tried_at.eq(Some(mirror.tried_at.unwrap_or(at))),
            p::tried_revision.eq(Some(revision)),
            p::unsure.eq(true),
        ))
        .execute(c))
    .map(|_| ())
}

/// Nothing is believed of what was not known to stand there: it is looked for before it is made. For a database that was restored.
pub fn doubt_all(db: &mut Db<'_>) -> Queried<()> {
    const DOUBT: &str = "UPDATE target_posts SET unsure = TRUE, tried_at = COALESCE(tried_at, created_at), \
         tried_revision = COALESCE(tried_revision, (SELECT MAX(d.revision) FROM target_deliveries d \
           WHERE d.target_id = target_posts.target_id AND d.post_id = target_posts.post_id)) \
         WHERE status_id IS NULL AND gone_at IS NULL";
    targets::free_all(db)?;
    on!(db, c => diesel::sql_query(DOUBT).execute(c)).map(|_| ())
}

/// It is known that no request made the status; what the last one was to say is remembered.
pub fn clear(db: &mut Db<'_>, target: TargetId, post: PostId) -> Queried<()> {
    on!(db, c => diesel::update(p::table.find((target, post)))
        .set((p::unsure.eq(false), p::tried_at.eq(None::<Timestamp>)))
        .execute(c))
    .map(|_| ())
}

/// Which pictures were sent.
pub fn set_media(db: &mut Db<'_>, target: TargetId, post: PostId, media: &[Attached]) -> Queried<()> {
    let media = to_json(&media)?;
    on!(db, c => diesel::update(p::table.find((target, post))).set(p::media.eq(media)).execute(c)).map(|_| ())
}

/// The status stands there.
pub fn stands(db: &mut Db<'_>, target: TargetId, post: PostId, id: &str, url: Option<&str>) -> Queried<()> {
    on!(db, c => diesel::update(p::table.find((target, post)))
        .set((p::status_id.eq(Some(id)), p::status_url.eq(url), p::unsure.eq(false)))
        .execute(c))
    .map(|_| ())
}

/// The status stands there no more.
pub fn gone(db: &mut Db<'_>, target: TargetId, post: PostId, at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(p::table.find((target, post))).set(p::gone_at.eq(Some(at))).execute(c)).map(|_| ())
}

/// Which of these statuses of a target are posts of ours already.
pub fn known_statuses(db: &mut Db<'_>, target: TargetId, ids: &[String]) -> Queried<Vec<String>> {
    let found: Vec<Option<String>> = on!(db, c => p::table
        .filter(p::target_id.eq(target).and(p::status_id.eq_any(ids)))
        .select(p::status_id)
        .load(c))?;
    Ok(found.into_iter().flatten().collect())
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End<'e> {
    /// The state.
    pub state: TargetState,
    /// The HTTP status that said so.
    pub status: Option<u16>,
    /// Why, or what there is to know.
    pub note: Option<&'e str>,
}

/// Ends the making and editing that is owed of a post, up to a revision. A withdrawal is not ended by them.
pub fn settle(
    db: &mut Db<'_>,
    target: TargetId,
    post: PostId,
    up_to: i32,
    end: End<'_>,
    at: Timestamp,
) -> Queried<usize> {
    let open = d::target_id.eq(target).and(d::post_id.eq(post)).and(d::state.eq(0));
    let open = open.and(d::revision.le(up_to)).and(d::kind.ne("Delete"));
    on!(db, c => diesel::update(d::table.filter(open))
        .set((
            d::state.eq(end.state as i16),
            d::status.eq(end.status.map(i32::from)),
            d::note.eq(end.note.map(short)),
            d::attempts.eq(d::attempts + 1),
            d::settled_at.eq(Some(at)),
        ))
        .execute(c))
}

/// Ends the withdrawal of a post so; the making and editing that was owed before it need not be sent any more.
pub fn settle_withdrawal(db: &mut Db<'_>, target: TargetId, post: PostId, end: End<'_>, at: Timestamp) -> Queried<()> {
    let open = d::target_id.eq(target).and(d::post_id.eq(post)).and(d::state.eq(0)).and(d::kind.eq("Delete"));
    on!(db, c => diesel::update(d::table.filter(open))
        .set((
            d::state.eq(end.state as i16),
            d::status.eq(end.status.map(i32::from)),
            d::note.eq(end.note.map(short)),
            d::attempts.eq(d::attempts + 1),
            d::settled_at.eq(Some(at)),
        ))
        .execute(c))?;
    let void = End { state: TargetState::Void, status: None, note: Some("it was withdrawn before this was sent") };
    drop_post(db, target, post, void, at).map(|_| ())
}

/// Ends all that is owed about a post, without an attempt.
pub fn drop_post(db: &mut Db<'_>, target: TargetId, post: PostId, end: End<'_>, at: Timestamp) -> Queried<usize> {
    let open = d::target_id.eq(target).and(d::post_id.eq(post)).and(d::state.eq(0));
    on!(db, c => diesel::update(d::table.filter(open))
        .set((d::state.eq(end.state as i16), d::note.eq(end.note.map(short)), d::settled_at.eq(Some(at))))
        .execute(c))
}

/// An attempt failed; what is owed about the post stays owed.
pub fn retry(db: &mut Db<'_>, target: TargetId, post: PostId, status: Option<u16>, why: &str) -> Queried<()> {
    let open = d::target_id.eq(target).and(d::post_id.eq(post)).and(d::state.eq(0));
    on!(db, c => diesel::update(d::table.filter(open))
        .set((d::attempts.eq(d::attempts + 1), d::status.eq(status.map(i32::from)), d::note.eq(Some(short(why)))))
        .execute(c))
    .map(|_| ())
}

/// Ends all that is owed to a target. Returns how much.
pub fn settle_all(db: &mut Db<'_>, target: TargetId, end: End<'_>, at: Timestamp) -> Queried<usize> {
    let held = TargetState::Held as i16;
    let open = d::target_id.eq(target).and(d::state.eq_any([0, held]));
    on!(db, c => diesel::update(d::table.filter(open))
        .set((d::state.eq(end.state as i16), d::note.eq(end.note.map(short)), d::settled_at.eq(Some(at))))
        .execute(c))
}

/// Holds what is owed about posts of an actor, because its proof did not hold at its check of `checked_at`. Returns whether it was
/// held: after a later check nothing is held on old news.
pub fn hold(
    db: &mut Db<'_>,
    target: TargetId,
    actor: ActorId,
    checked_at: Option<Timestamp>,
    why: &str,
) -> Queried<bool> {
    if proofs::lock_checked_at(db, actor)? != checked_at {
        return Ok(false);
    }
    let of_actor = posts::table.filter(posts::actor_id.eq(actor)).select(posts::id);
    let open = d::target_id.eq(target).and(d::state.eq(0)).and(d::post_id.eq_any(of_actor));
    on!(db, c => diesel::update(d::table.filter(open))
        .set((d::state.eq(TargetState::Held as i16), d::note.eq(Some(short(why)))))
        .execute(c))?;
    Ok(true)
}

/// The actor's proof holds again: what was held is owed again. Returns how much.
pub fn release_held(db: &mut Db<'_>, actor: ActorId, at: Timestamp) -> Queried<usize> {
    let held = TargetState::Held as i16;
    let of_actor = || posts::table.filter(posts::actor_id.eq(actor)).select(posts::id);
    let there: Vec<TargetId> = on!(db, c => d::table
        .filter(d::state.eq(held).and(d::post_id.eq_any(of_actor())))
        .select(d::target_id)
        .distinct()
        .order(d::target_id)
        .load(c))?;
    if there.is_empty() {
        return Ok(0);
    }
    let freed = on!(db, c => diesel::update(d::table.filter(d::state.eq(held).and(d::post_id.eq_any(of_actor()))))
        .set((d::state.eq(0), d::note.eq(None::<String>)))
        .execute(c))?;
    for target in there {
        targets::lock(db, target)?;
        on!(db, c => diesel::update(t::table.filter(t::id.eq(target).and(t::due_at.is_null())))
            .set(t::due_at.eq(Some(at)))
            .execute(c))?;
    }
    listen::tell(db, listen::Topic::Deliver)?;
    Ok(freed)
}

fn short(text: &str) -> String {
    text.chars().take(WHY_CHARS_MAX).collect()
}
