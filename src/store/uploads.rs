//! Pictures that clients sent before the post that shows them, by the secret name in their address.

use diesel::prelude::*;

use crate::ids::{ItemId, MediaId, SourceId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::posts::MediaRow;
use crate::store::schema::{media, posts, uploads};
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// A picture that a client sent.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = uploads)]
pub struct Upload {
    /// The secret name in its address.
    pub name: String,
    /// The source that it was sent to.
    pub source_id: SourceId,
    /// Its file.
    pub media_id: MediaId,
    /// The item that shows it.
    pub item_id: Option<ItemId>,
    /// When it was sent.
    pub created_at: Timestamp,
}

/// Adds a picture with its file, unless `most` of the source wait to be used. Returns whether it did.
pub fn insert(db: &mut Db<'_>, upload: &Upload, file: &MediaRow, most: i64) -> Queried<bool> {
    let unused = uploads::source_id.eq(upload.source_id).and(uploads::item_id.is_null());
    let waiting: i64 = on!(db, c => uploads::table.filter(unused).count().get_result(c))?;
    if waiting >= most {
        return Ok(false);
    }
    crate::store::posts::insert_media(db, file)?;
    on!(db, c => diesel::insert_into(uploads::table).values(upload).execute(c)).map(|_| true)
}

/// The file of a picture that was sent to that source.
pub fn file(db: &mut Db<'_>, source: SourceId, name: &str) -> Queried<Option<MediaRow>> {
    on!(db, c => uploads::table
        .inner_join(media::table.on(media::id.eq(uploads::media_id)))
        .filter(uploads::name.eq(name).and(uploads::source_id.eq(source)))
        .select(MediaRow::as_select())
        .first_row(c)
        .optional())
}

/// The file by which a published post shows the picture of that name, which was sent from that address.
pub fn published(db: &mut Db<'_>, name: &str, address: &str) -> Queried<Option<MediaRow>> {
    let item: Option<Option<ItemId>> =
        on!(db, c => uploads::table.find(name).select(uploads::item_id).first_row(c).optional())?;
    let Some(item) = item.flatten() else { return Ok(None) };
    let Some(post) = crate::store::items::by_id(db, item)?.and_then(|row| row.post_id) else { return Ok(None) };
    on!(db, c => media::table
        .inner_join(posts::table.on(media::post_id.eq(posts::id.nullable())))
        .filter(media::post_id.eq(Some(post)).and(media::source_url.eq(address)).and(posts::state.eq("published")))
        .select(MediaRow::as_select())
        .first_row(c)
        .optional())
}

/// Says that an item shows these pictures, so that they stay. Returns whether all of them are there.
pub fn bind(db: &mut Db<'_>, source: SourceId, item: ItemId, names: &[String]) -> Queried<bool> {
    if names.is_empty() {
        return Ok(true);
    }
    let named = uploads::source_id.eq(source).and(uploads::name.eq_any(names.to_vec()));
    let bound = on!(db, c => diesel::update(uploads::table.filter(named)).set(uploads::item_id.eq(item)).execute(c))?;
    Ok(bound == names.len())
}

/// Forgets pictures that were sent before `before` and that nothing shows, at most `limit`. Gives their files, which are to be
/// removed once this is committed.
pub fn forget(db: &mut Db<'_>, before: Timestamp, limit: i64) -> Queried<Vec<MediaRow>> {
    let old = uploads::item_id.is_null().and(uploads::created_at.lt(before));
    let files: Vec<MediaRow> = on!(db, c => uploads::table
        .inner_join(media::table.on(media::id.eq(uploads::media_id)))
        .filter(old)
        .limit(limit)
        .select(MediaRow::as_select())
        .load(c))?;
    for file in &files {
        on!(db, c => diesel::delete(uploads::table.filter(uploads::media_id.eq(file.id))).execute(c))?;
        on!(db, c => diesel::delete(media::table.find(file.id)).execute(c))?;
    }
    Ok(files)
}
