//! The item store: what each source said, under its own id, with the post that came of it.

use std::collections::HashMap;

use diesel::prelude::*;
use heraut_connectors::item::{ALTERNATE_IDS_MAX, Item};

use crate::ids::{ActorId, ItemId, PostId, SourceId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::schema::{item_aliases, items, posts, sources};
use crate::store::{BINDS_MAX, Db, Queried};
use crate::time::Timestamp;

/// An item as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, Selectable, AsChangeset)]
#[diesel(table_name = items)]
#[diesel(treat_none_as_null = true)]
pub struct ItemRow {
    /// Its id.
    pub id: ItemId,
    /// The source that said it first.
    pub source_id: SourceId,
    /// The id that the source gave it.
    pub source_key: String,
    /// The URL of its page.
    pub canonical_url: Option<String>,
    /// Hash over what readers would see.
    pub digest: String,
    /// The version that the source gave it.
    pub source_version: Option<i64>,
    /// See [`ItemState`].
    pub state: String,
    /// The post that came of it.
    pub post_id: Option<PostId>,
    /// The item itself, as JSON.
    pub content: String,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When it was last seen.
    pub last_seen_at: Timestamp,
    /// When it last changed.
    pub edited_at: Option<Timestamp>,
    /// The day that `edits_count` counts, in days since the epoch.
    pub edits_day: i64,
    /// Edits on that day.
    pub edits_count: i32,
    /// When its page was first found gone.
    pub gone_at: Option<Timestamp>,
    /// When its page is looked at next.
    pub gone_check_at: Option<Timestamp>,
    /// A person here withdrew its post.
    pub withdrawn_here: bool,
}

/// Of how many items of a source posts were made since then, at most `most`; an item may have been known before. Ids tell the time,
/// so this reads only what is new.
pub fn new_since(db: &mut Db<'_>, source: SourceId, since: Timestamp, most: i64) -> Queried<usize> {
    let first = PostId(crate::ids::compose(since.0, 0));
    let found: Vec<PostId> = on!(db, c => posts::table
        .filter(posts::id.ge(first).and(posts::source_id.eq(Some(source))))
        .select(posts::id)
        .limit(most)
        .load(c))?;
    Ok(found.len())
}

/// Where an item is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemState {
    /// Stored, never to be published by itself: it was there at the first poll, or is too old.
    Baseline,
    /// Its post waits.
    Waiting,
    /// Its post is public.
    Live,
    /// Its post was withdrawn.
    Retracted,
    /// It was retracted before it was ever seen.
    Tombstone,
}

impl ItemState {
    /// The name in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Waiting => "waiting",
            Self::Live => "live",
            Self::Retracted => "retracted",
            Self::Tombstone => "tombstone",
        }
    }

    /// The reverse of [`ItemState::name`]; an unknown name reads as baseline, which publishes nothing.
    pub fn from_name(name: &str) -> Self {
        match name {
            "waiting" => Self::Waiting,
            "live" => Self::Live,
            "retracted" => Self::Retracted,
            "tombstone" => Self::Tombstone,
            _ => Self::Baseline,
        }
    }
}

/// How an incoming item was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    /// By the id that its source gave it.
    Key,
    /// By an id that it had earlier.
    Alias,
    /// By an id that it takes the place of.
    Alternate,
    /// By its URL, in the same source.
    Url,
    /// By its URL, in another source of the same actor.
    OtherSource,
}

/// Finds the stored item that `item` is, in the order of `reference/connectors.md` E4: id, alias, an id that it takes the place
/// of, URL in the same source, URL in another source of the same actor.
pub fn find(db: &mut Db<'_>, source: SourceId, actor: ActorId, item: &Item) -> Queried<Option<(ItemRow, FoundBy)>> {
    if let Some(row) = by_key(db, source, &item.source_id)? {
        return Ok(Some((row, FoundBy::Key)));
    }
    if let Some(row) = by_alias(db, source, &item.source_id)? {
        return Ok(Some((row, FoundBy::Alias)));
    }
    for id in item.alternate_ids.iter().take(ALTERNATE_IDS_MAX) {
        let known = by_key(db, source, id)?;
        let known = known.map_or_else(|| by_alias(db, source, id), |row| Ok(Some(row)))?;
        if let Some(row) = known {
            return Ok(Some((row, FoundBy::Alternate)));
        }
    }
    let Some(url) = &item.canonical_url else { return Ok(None) };
    let rows: Vec<ItemRow> = on!(db, c => items::table
        .inner_join(sources::table.on(sources::id.eq(items::source_id)))
        .filter(items::canonical_url.eq(Some(url)).and(sources::actor_id.eq(actor)))
        .order(items::id.desc())
        .limit(20)
        .select(ItemRow::as_select())
        .load(c))?;
    let same = rows.iter().find(|row| row.source_id == source).cloned().map(|row| (row, FoundBy::Url));
    Ok(same.or_else(|| rows.into_iter().next().map(|row| (row, FoundBy::OtherSource))))
}

fn by_alias(db: &mut Db<'_>, source: SourceId, key: &str) -> Queried<Option<ItemRow>> {
    let alias: Option<ItemId> = on!(db, c => item_aliases::table
        .find((source, key))
        .select(item_aliases::item_id)
        .first_row(c)
        .optional())?;
    alias.map_or(Ok(None), |id| by_id(db, id))
}

/// The item that a source gave that id.
pub fn by_key(db: &mut Db<'_>, source: SourceId, key: &str) -> Queried<Option<ItemRow>> {
    on!(db, c => items::table
        .filter(items::source_id.eq(source).and(items::source_key.eq(key)))
        .select(ItemRow::as_select())
        .first_row(c)
        .optional())
}

/// The item with that id.
pub fn by_id(db: &mut Db<'_>, id: ItemId) -> Queried<Option<ItemRow>> {
    on!(db, c => items::table.find(id).select(ItemRow::as_select()).first_row(c).optional())
}

/// The item that a post came of.
pub fn of_post(db: &mut Db<'_>, post: PostId) -> Queried<Option<ItemRow>> {
    on!(db, c => items::table
        .filter(items::post_id.eq(Some(post)))
        .select(ItemRow::as_select())
        .first_row(c)
        .optional())
}

/// The item of a source that a post came of, also where the post was withdrawn and another one says the same since.
pub fn of_post_in(db: &mut Db<'_>, source: SourceId, post: PostId) -> Queried<Option<ItemRow>> {
    let row = on!(db, c => items::table
        .filter(items::post_id.eq(Some(post)).and(items::source_id.eq(source)))
        .select(ItemRow::as_select())
        .first_row(c)
        .optional())?;
    match row {
        Some(row) => Ok(Some(row)),
        None => by_alias(db, source, &alias_of_post(post)),
    }
}

/// The alias by which an item is known whose post was that one.
pub fn alias_of_post(post: PostId) -> String {
    format!("post:{post}")
}

/// Adds an item.
pub fn insert(db: &mut Db<'_>, row: &ItemRow) -> Queried<()> {
    on!(db, c => diesel::insert_into(items::table).values(row).execute(c)).map(|_| ())
}

/// Stores an item anew, all of it.
pub fn update(db: &mut Db<'_>, row: &ItemRow) -> Queried<()> {
    on!(db, c => diesel::update(items::table.find(row.id)).set(row).execute(c)).map(|_| ())
}

/// Sets where the item of a post is in its life.
pub fn set_state_of_post(db: &mut Db<'_>, post: PostId, state: ItemState) -> Queried<()> {
    on!(db, c => diesel::update(items::table.filter(items::post_id.eq(Some(post))))
        .set(items::state.eq(state.name()))
        .execute(c))
    .map(|_| ())
}

/// Marks the items of a post as withdrawn by a person here.
pub fn mark_withdrawn_here(db: &mut Db<'_>, post: PostId) -> Queried<()> {
    on!(db, c => diesel::update(items::table.filter(items::post_id.eq(Some(post))))
        .set(items::withdrawn_here.eq(true))
        .execute(c))
    .map(|_| ())
}

/// Whether a source ever had an item.
pub fn any_of_source(db: &mut Db<'_>, source: SourceId) -> Queried<bool> {
    let found: Option<ItemId> =
        on!(db, c => items::table.filter(items::source_id.eq(source)).select(items::id).first_row(c).optional())?;
    Ok(found.is_some())
}

/// Notes another id under which a source knows an item.
pub fn add_alias(db: &mut Db<'_>, source: SourceId, alias: &str, item: ItemId) -> Queried<()> {
    on!(db, c => diesel::insert_into(item_aliases::table)
        .values((
            item_aliases::source_id.eq(source),
            item_aliases::alias.eq(alias),
            item_aliases::item_id.eq(item),
        ))
        .on_conflict_do_nothing()
        .execute(c))
    .map(|_| ())
}

/// Whether items are in the database as they were read: what was decided about them still holds.
pub fn are_still(db: &mut Db<'_>, rows: &[&ItemRow]) -> Queried<bool> {
    type Now = (ItemId, String, String, Option<PostId>, Option<i64>, Option<Timestamp>);
    for chunk in rows.chunks(BINDS_MAX) {
        let ids: Vec<ItemId> = chunk.iter().map(|row| row.id).collect();
        let now: Vec<Now> = on!(db, c => items::table
            .filter(items::id.eq_any(&ids))
            .select((items::id, items::state, items::digest, items::post_id, items::source_version, items::edited_at))
            .load(c))?;
        let now: HashMap<ItemId, Now> = now.into_iter().map(|row| (row.0, row)).collect();
        let same = |row: &ItemRow| {
            now.get(&row.id).is_some_and(|(_, state, digest, post, version, edited)| {
                (state, digest, post, version, edited)
                    == (&row.state, &row.digest, &row.post_id, &row.source_version, &row.edited_at)
            })
        };
        if !chunk.iter().all(|row| same(row)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Items of a source that are live or wait: what a complete page, or a page that is gone, may retract.
pub fn open_of_source(db: &mut Db<'_>, source: SourceId) -> Queried<Vec<ItemRow>> {
    on!(db, c => items::table
        .filter(items::source_id.eq(source).and(items::state.eq_any(vec!["live", "waiting"])))
        .select(ItemRow::as_select())
        .load(c))
}

/// Items that a source with `retract_on_gone` no longer lists and whose page is due for a look, at most `limit`.
pub fn due_gone_checks(db: &mut Db<'_>, source: SourceId, now: Timestamp, limit: i64) -> Queried<Vec<ItemRow>> {
    on!(db, c => items::table
        .filter(
            items::source_id.eq(source)
                .and(items::state.eq_any(vec!["live", "waiting"]))
                .and(items::gone_check_at.le(Some(now))),
        )
        .order(items::gone_check_at)
        .limit(limit)
        .select(ItemRow::as_select())
        .load(c))
}

/// Sets when an item's page was found gone, and when it is looked at next.
pub fn note_gone(db: &mut Db<'_>, id: ItemId, gone_at: Option<Timestamp>, next: Option<Timestamp>) -> Queried<()> {
    on!(db, c => diesel::update(items::table.find(id))
        .set((items::gone_at.eq(gone_at), items::gone_check_at.eq(next)))
        .execute(c))
    .map(|_| ())
}
