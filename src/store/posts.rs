//! Posts, their revisions, the changes that wait, and their media.

use std::time::Duration;

use diesel::prelude::*;

use crate::ids::{ActorId, MediaId, PostId, SourceId};
use crate::on;
use crate::post::lane::{Dispatch, Lane};
use crate::post::{Content, HoldReason, Image, PostState};
use crate::store::first::FirstRow as _;
use crate::store::listen::{self, Topic};
use crate::store::schema::{media, post_changes, post_revisions, posts};
use crate::store::{Db, Queried, from_json, proofs, to_json};
use crate::time::Timestamp;

/// A post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Its id; also the number in its URLs.
    pub id: PostId,
    /// Who says it.
    pub actor_id: ActorId,
    /// The source that it came from.
    pub source_id: Option<SourceId>,
    /// Where it is in its life.
    pub state: PostState,
    /// What it says.
    pub content: Content,
    /// Counts edits; 1 at first.
    pub revision: i32,
    /// When it was first published; kept when it is withdrawn.
    pub published_at: Option<Timestamp>,
    /// When an edit of it was last published.
    pub updated_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// How it and its changes go out; never changes, so that they keep their order.
    pub dispatch: Dispatch,
}

#[derive(Debug, Clone, Insertable, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = posts)]
#[diesel(treat_none_as_null = true)]
struct Row {
    id: PostId,
    actor_id: ActorId,
    source_id: Option<SourceId>,
    state: String,
    reason: Option<String>,
    due_at: Option<Timestamp>,
    content: String,
    revision: i32,
    published_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    withdrawn_at: Option<Timestamp>,
    created_at: Timestamp,
    lane: i16,
    spread: i64,
}

/// What a published post is to say or do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is edited to this.
    Edit(Content),
    /// It is withdrawn.
    Withdraw,
}

/// A change that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingChange {
    /// The post.
    pub post_id: PostId,
    /// What is to happen.
    pub change: Change,
    /// Why it waits, when a person or a proof has to release it.
    pub held: Option<HoldReason>,
    /// Whether its images are still to be fetched: it was under embargo when it came. It is sent when they are there.
    pub images_due: bool,
}

/// In the place of a reason: its images are still to be fetched. An older program leaves such a change alone.
const IMAGES_DUE: &str = "images";

fn row_of(post: &Post) -> Queried<Row> {
    let (state, reason, due_at, withdrawn_at) = match post.state {
        PostState::Held(reason) => ("held", Some(reason.name().to_owned()), None, None),
        PostState::Scheduled(at) => ("scheduled", None, Some(at), None),
        PostState::Embargoed(at) => ("embargoed", None, Some(at), None),
        PostState::Ready => ("ready", None, None, None),
        PostState::Published(_) => ("published", None, None, None),
        PostState::Withdrawn(at) => ("withdrawn", None, None, Some(at)),
    };
    Ok(Row {
        id: post.id,
        actor_id: post.actor_id,
        source_id: post.source_id,
        state: state.to_owned(),
        reason,
        due_at,
        content: to_json(&post.content)?,
        revision: post.revision,
        published_at: post.published_at,
        updated_at: post.updated_at,
        withdrawn_at,
        created_at: post.created_at,
        lane: post.dispatch.lane.code(),
        spread: i64::try_from(post.dispatch.spread.as_millis()).unwrap_or(i64::MAX),
    })
}

fn post_of(row: Row) -> Queried<Post> {
    let state = match row.state.as_str() {
        "scheduled" => PostState::Scheduled(row.due_at.unwrap_or(row.created_at)),
        "embargoed" => PostState::Embargoed(row.due_at.unwrap_or(row.created_at)),
        "ready" => PostState::Ready,
        "published" => PostState::Published(row.published_at.unwrap_or(row.created_at)),
        "withdrawn" => PostState::Withdrawn(row.withdrawn_at.unwrap_or(row.created_at)),
        _ => PostState::Held(row.reason.as_deref().and_then(HoldReason::from_name).unwrap_or(HoldReason::Approval)),
    };
    Ok(Post {
        id: row.id,
        actor_id: row.actor_id,
        source_id: row.source_id,
        state,
        content: from_json(&row.content)?,
        revision: row.revision,
        published_at: row.published_at,
        updated_at: row.updated_at,
        created_at: row.created_at,
        dispatch: Dispatch {
            lane: Lane::from_code(row.lane),
            spread: Duration::from_millis(u64::try_from(row.spread).unwrap_or_default()),
        },
    })
}

/// Adds a post and its first revision, and says that its images are its own.
pub fn insert(db: &mut Db<'_>, post: &Post) -> Queried<()> {
    let row = row_of(post)?;
    on!(db, c => diesel::insert_into(posts::table).values(&row).execute(c))?;
    keep_revision(db, post)?;
    listen::tell(db, Topic::Publish)
}

/// Stores a post anew, all of it. A higher revision than before is kept as a revision of its own.
pub fn update(db: &mut Db<'_>, post: &Post) -> Queried<()> {
    let row = row_of(post)?;
    on!(db, c => diesel::update(posts::table.find(post.id)).set(&row).execute(c))?;
    keep_revision(db, post)
}

/// Stores a post anew, but only if it is still in one of the states `from`. Returns whether it was: of two processes that
/// decide the same thing, one acts.
pub fn leave(db: &mut Db<'_>, post: &Post, from: &[&str]) -> Queried<bool> {
    let row = row_of(post)?;
    let from: Vec<String> = from.iter().map(|state| (*state).to_owned()).collect();
    let changed = on!(db, c => diesel::update(posts::table.filter(posts::id.eq(post.id).and(posts::state.eq_any(from))))
        .set(&row)
        .execute(c))?;
    if changed == 1 {
        keep_revision(db, post)?;
        if post.state == PostState::Ready {
            listen::tell(db, Topic::Publish)?;
        }
    }
    Ok(changed == 1)
}

fn keep_revision(db: &mut Db<'_>, post: &Post) -> Queried<()> {
    let content = to_json(&post.content)?;
    on!(db, c => diesel::insert_into(post_revisions::table)
        .values((
            post_revisions::post_id.eq(post.id),
            post_revisions::revision.eq(post.revision),
            post_revisions::content.eq(&content),
            post_revisions::created_at.eq(post.updated_at.unwrap_or(post.created_at)),
        ))
        .on_conflict_do_nothing()
        .execute(c))?;
    for image in &post.content.images {
        on!(db, c => diesel::update(media::table.find(image.id)).set(media::post_id.eq(Some(post.id))).execute(c))?;
    }
    Ok(())
}

/// The post with that id.
pub fn by_id(db: &mut Db<'_>, id: PostId) -> Queried<Option<Post>> {
    let row: Option<Row> = on!(db, c => posts::table.find(id).select(Row::as_select()).first_row(c).optional())?;
    row.map(post_of).transpose()
}

/// Published posts of an actor, newest first, older than `before` when given.
pub fn published(db: &mut Db<'_>, actor: ActorId, before: Option<PostId>, limit: i64) -> Queried<Vec<Post>> {
    let rows: Vec<Row> = on!(db, c => {
        let mut query = posts::table
            .filter(posts::actor_id.eq(actor).and(posts::state.eq("published")))
            .select(Row::as_select())
            .into_boxed();
        if let Some(before) = before {
            query = query.filter(posts::id.lt(before));
        }
        query.order(posts::id.desc()).limit(limit).load(c)
    })?;
    rows.into_iter().map(post_of).collect()
}

/// How many posts of an actor are public.
pub fn count_published(db: &mut Db<'_>, actor: ActorId) -> Queried<i64> {
    on!(db, c => posts::table
        .filter(posts::actor_id.eq(actor).and(posts::state.eq("published")))
        .count()
        .get_result(c))
}

/// How many posts of all actors are public, for NodeInfo.
pub fn count_all_published(db: &mut Db<'_>) -> Queried<i64> {
    on!(db, c => posts::table.filter(posts::state.eq("published")).count().get_result(c))
}

/// The newest posts in any state, newest first.
pub fn latest(db: &mut Db<'_>, limit: i64) -> Queried<Vec<Post>> {
    let rows: Vec<Row> =
        on!(db, c => posts::table.select(Row::as_select()).order(posts::id.desc()).limit(limit).load(c))?;
    rows.into_iter().map(post_of).collect()
}

/// What is published next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// A post.
    Post(Post),
    /// An edit or withdrawal of a public one.
    Change(PendingChange),
}

/// What is to be published next, if anything: a crisis before all else, then whichever of post and change has waited longer.
/// Asked again after each, so that a warning waits for one other at most.
pub fn next_due(db: &mut Db<'_>, now: Timestamp) -> Queried<Option<Due>> {
    let post = match (first_due(db, "ready", None)?, first_due(db, "scheduled", Some(now))?) {
        (Some(ready), Some(scheduled)) => {
            Some(if (ready.lane, ready.id) <= (scheduled.lane, scheduled.id) { ready } else { scheduled })
        }
        (ready, scheduled) => ready.or(scheduled),
    };
    let Some((lane, since, change)) = first_due_change(db, now)? else {
        return post.map(|row| post_of(row).map(Due::Post)).transpose();
    };
    match post {
        Some(row) if (row.lane, row.due_at.unwrap_or(row.created_at)) <= (lane, since) => {
            post_of(row).map(|post| Some(Due::Post(post)))
        }
        _ => change_of(change).map(|change| Some(Due::Change(change))),
    }
}

/// The first post in that state, and due by then where that is given: by lane, within one the oldest.
fn first_due(db: &mut Db<'_>, state: &str, by: Option<Timestamp>) -> Queried<Option<Row>> {
    on!(db, c => {
        let in_line = posts::table
            .filter(posts::state.eq(state))
            .order((posts::lane, posts::id))
            .select(Row::as_select());
        match by {
            Some(by) => in_line.filter(posts::due_at.le(Some(by))).first(c),
            None => in_line.first_row(c), // their order is that of an index
        }
        .optional()
    })
}

/// The first change that nothing holds back: its lane, since when it is due, and what it is.
fn first_due_change(db: &mut Db<'_>, now: Timestamp) -> Queried<Option<(i16, Timestamp, ChangeRow)>> {
    on!(db, c => post_changes::table
        .inner_join(posts::table.on(posts::id.eq(post_changes::post_id)))
        .filter(post_changes::reason.is_null().and(post_changes::due_at.le(now)))
        .order((posts::lane, post_changes::due_at, post_changes::post_id))
        .select((
            posts::lane,
            post_changes::due_at,
            (post_changes::post_id, post_changes::kind, post_changes::content, post_changes::reason),
        ))
        .first(c)
        .optional())
}

/// Posts whose embargo is over, a crisis first, then oldest first, at most `limit`.
pub fn embargo_over(db: &mut Db<'_>, now: Timestamp, limit: i64) -> Queried<Vec<Post>> {
    let rows: Vec<Row> = on!(db, c => posts::table
        .filter(posts::state.eq("embargoed").and(posts::due_at.le(Some(now))))
        .order((posts::lane, posts::id))
        .limit(limit)
        .select(Row::as_select())
        .load(c))?;
    rows.into_iter().map(post_of).collect()
}

/// Posts of an actor that are held for that reason, oldest first.
pub fn held_for(db: &mut Db<'_>, actor: ActorId, reason: HoldReason) -> Queried<Vec<Post>> {
    let rows: Vec<Row> = on!(db, c => posts::table
        .filter(posts::actor_id.eq(actor).and(posts::state.eq("held")).and(posts::reason.eq(Some(reason.name()))))
        .order(posts::id)
        .select(Row::as_select())
        .load(c))?;
    rows.into_iter().map(post_of).collect()
}

/// All posts that are held, oldest first; only those of a source when given.
pub fn held(db: &mut Db<'_>, source: Option<SourceId>) -> Queried<Vec<Post>> {
    let rows: Vec<Row> = on!(db, c => {
        let mut query = posts::table.filter(posts::state.eq("held")).select(Row::as_select()).into_boxed();
        if let Some(source) = source {
            query = query.filter(posts::source_id.eq(Some(source)));
        }
        query.order(posts::id).load(c)
    })?;
    rows.into_iter().map(post_of).collect()
}

/// Published posts with an edit or withdrawal that is held, oldest first; only those of a source when given.
pub fn with_held_change(db: &mut Db<'_>, source: Option<SourceId>) -> Queried<Vec<Post>> {
    let held = post_changes::table.filter(post_changes::reason.ne(IMAGES_DUE)).select(post_changes::post_id);
    let rows: Vec<Row> = on!(db, c => {
        let mut query = posts::table.filter(posts::id.eq_any(held)).select(Row::as_select()).into_boxed();
        if let Some(source) = source {
            query = query.filter(posts::source_id.eq(Some(source)));
        }
        query.order(posts::id).load(c)
    })?;
    rows.into_iter().map(post_of).collect()
}

/// Puts a change of a published post in line; a later one replaces an earlier one, and nothing replaces a withdrawal.
pub fn put_change(db: &mut Db<'_>, pending: &PendingChange, due_at: Timestamp, now: Timestamp) -> Queried<()> {
    let known: Option<String> = on!(db, c => post_changes::table
        .find(pending.post_id)
        .select(post_changes::kind)
        .first_row(c)
        .optional())?;
    if known.as_deref() == Some("withdraw") && pending.change != Change::Withdraw {
        return Ok(());
    }
    drop_change(db, pending.post_id)?;
    let reason = pending.held.map(HoldReason::name).or(pending.images_due.then_some(IMAGES_DUE));
    let (kind, content) = match &pending.change {
        Change::Edit(content) => ("edit", Some(to_json(content)?)),
        Change::Withdraw => ("withdraw", None),
    };
    on!(db, c => diesel::insert_into(post_changes::table)
        .values((
            post_changes::post_id.eq(pending.post_id),
            post_changes::kind.eq(kind),
            post_changes::content.eq(&content),
            post_changes::reason.eq(reason),
            post_changes::due_at.eq(due_at),
            post_changes::created_at.eq(now),
        ))
        .execute(c))?;
    listen::tell(db, Topic::Publish)
}

/// Takes the change of a post that nothing holds back, to send it. Returns whether there was one.
pub fn take_change(db: &mut Db<'_>, post: PostId) -> Queried<bool> {
    on!(db, c => diesel::delete(post_changes::table.filter(
            post_changes::post_id.eq(post).and(post_changes::reason.is_null())))
        .execute(c))
    .map(|n| n == 1)
}

/// Removes the change of a post: it is void.
pub fn drop_change(db: &mut Db<'_>, post: PostId) -> Queried<()> {
    on!(db, c => diesel::delete(post_changes::table.find(post)).execute(c)).map(|_| ())
}

type ChangeRow = (PostId, String, Option<String>, Option<String>);

fn change_of((post_id, kind, content, reason): ChangeRow) -> Queried<PendingChange> {
    let change = match content {
        Some(content) if kind == "edit" => Change::Edit(from_json(&content)?),
        _ => Change::Withdraw,
    };
    let images_due = reason.as_deref() == Some(IMAGES_DUE);
    Ok(PendingChange { post_id, change, held: reason.as_deref().and_then(HoldReason::from_name), images_due })
}

/// Edits whose time has come and whose images are still to be fetched.
pub fn images_due(db: &mut Db<'_>, now: Timestamp, limit: i64) -> Queried<Vec<PendingChange>> {
    let rows: Vec<ChangeRow> = on!(db, c => post_changes::table
        .filter(post_changes::reason.eq(Some(IMAGES_DUE)).and(post_changes::due_at.le(now)))
        .order((post_changes::due_at, post_changes::post_id))
        .limit(limit)
        .select((post_changes::post_id, post_changes::kind, post_changes::content, post_changes::reason))
        .load(c))?;
    rows.into_iter().map(change_of).collect()
}

/// The change of a post that waits, if any.
pub fn change(db: &mut Db<'_>, post: PostId) -> Queried<Option<PendingChange>> {
    let row: Option<ChangeRow> = on!(db, c => post_changes::table
        .find(post)
        .select((post_changes::post_id, post_changes::kind, post_changes::content, post_changes::reason))
        .first_row(c)
        .optional())?;
    row.map(change_of).transpose()
}

/// Holds a post because its actor's proof did not hold at its check of `checked_at`. Returns whether it was held: after a later
/// check nothing is held on old news, since what that check freed would not be freed again.
pub fn hold_unverified(db: &mut Db<'_>, post: &Post, checked_at: Option<Timestamp>) -> Queried<bool> {
    if proofs::lock_checked_at(db, post.actor_id)? != checked_at {
        return Ok(false);
    }
    let held = Post { state: PostState::Held(HoldReason::Unverified), ..post.clone() };
    leave(db, &held, &["ready", "scheduled"])
}

/// As [`hold_unverified`], for the change of a published post.
pub fn hold_change_unverified(db: &mut Db<'_>, post: &Post, checked_at: Option<Timestamp>) -> Queried<bool> {
    if proofs::lock_checked_at(db, post.actor_id)? != checked_at {
        return Ok(false);
    }
    set_reason(db, post.id, Some(HoldReason::Unverified.name())).map(|()| true)
}

/// Lets go of a change that a person released; with `images_due` its images are fetched first.
pub fn let_change_go(db: &mut Db<'_>, post: PostId, images_due: bool) -> Queried<()> {
    set_reason(db, post, images_due.then_some(IMAGES_DUE))
}

fn set_reason(db: &mut Db<'_>, post: PostId, reason: Option<&str>) -> Queried<()> {
    on!(db, c => diesel::update(post_changes::table.find(post)).set(post_changes::reason.eq(reason)).execute(c))
        .map(|_| ())
}

/// Frees the changes of an actor that wait for its proof. Returns how many.
pub fn release_changes(db: &mut Db<'_>, actor: ActorId) -> Queried<usize> {
    let of_actor = posts::table.filter(posts::actor_id.eq(actor)).select(posts::id);
    listen::tell(db, Topic::Publish)?;
    on!(db, c => diesel::update(post_changes::table.filter(
            post_changes::reason.eq(Some(HoldReason::Unverified.name())).and(post_changes::post_id.eq_any(of_actor))))
        .set(post_changes::reason.eq(None::<String>))
        .execute(c))
}

/// A media file that we serve.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = media)]
pub struct MediaRow {
    /// Its id.
    pub id: MediaId,
    /// The post that it belongs to, once there is one.
    pub post_id: Option<PostId>,
    /// Where it came from.
    pub source_url: String,
    /// SHA-256, hex.
    pub sha256: String,
    /// Its media type.
    pub media_type: String,
    /// The extension of its file.
    pub extension: String,
    /// Pixels.
    pub width: i32,
    /// Pixels.
    pub height: i32,
    /// BlurHash.
    pub blurhash: String,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// Adds a media file.
pub fn insert_media(db: &mut Db<'_>, row: &MediaRow) -> Queried<()> {
    on!(db, c => diesel::insert_into(media::table).values(row).execute(c)).map(|_| ())
}

/// A media file, only if the post that it belongs to is public: an embargoed picture does not show.
pub fn public_media(db: &mut Db<'_>, id: MediaId) -> Queried<Option<MediaRow>> {
    on!(db, c => media::table
        .inner_join(posts::table.on(media::post_id.eq(posts::id.nullable())))
        .filter(media::id.eq(id).and(posts::state.eq("published")))
        .select(MediaRow::as_select())
        .first_row(c)
        .optional())
}

/// The file of an image that a post already shows under that source URL, so that an edit does not fetch it again.
pub fn image_of(post: &Post, source_url: &str) -> Option<Image> {
    post.content.images.iter().find(|image| image.source_url == source_url).cloned()
}
