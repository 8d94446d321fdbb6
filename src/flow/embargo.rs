//! Ends embargoes: a post or an edit whose time has come gets what was not to be fetched before, its images, and is ready.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use heraut_connectors::item::Item;
use tokio::task::JoinSet;

use crate::actor::Actor;
use crate::flow::intake::{compose_item, stored_item};
use crate::flow::picture::{self, LeftOut};
use crate::flow::{Gateway, Shared, now};
use crate::ids::PostId;
use crate::post::policy::{embargo, judge_images, released};
use crate::post::{Content, PostState};
use crate::store::posts::{self, Change, MediaRow, PendingChange, Post};
use crate::store::sources::{self, Source};
use crate::store::{Db, Queried, StoreError, actors, items, lock_actor};

/// Posts that are finished at the same time.
const POSTS_MAX: i64 = 32;
/// Time for the images of a post: its hour has come, and it goes out without one that takes longer.
const IMAGES_WITHIN: Duration = Duration::from_secs(20);

/// The posts that this process finishes at the moment.
#[derive(Debug, Default)]
pub struct Finishing {
    tasks: JoinSet<PostId>,
    ids: HashSet<PostId>,
}

impl Finishing {
    /// Begins to finish the posts whose embargo is over. Each is told apart from the others: a slow picture delays its own post
    /// only. Another process may do the same; the first one counts.
    pub async fn begin(&mut self, gateway: &Shared) -> Result<(), StoreError> {
        while let Some(done) = self.tasks.try_join_next() {
            done.iter().for_each(|id| _ = self.ids.remove(id));
        }
        if self.tasks.is_empty() {
            self.ids.clear();
        }
        let at = now();
        let due =
            move |db: &mut Db<'_>| Ok((posts::embargo_over(db, at, POSTS_MAX)?, posts::images_due(db, at, POSTS_MAX)?));
        let (over, edits) = gateway.store.read("read posts whose embargo is over", due).await?;
        for post in over {
            let id = post.id;
            let task = gateway.clone();
            self.spawn(id, async move { finish(&task, post).await });
        }
        for edit in edits {
            let id = edit.post_id;
            let task = gateway.clone();
            self.spawn(id, async move { finish_edit(&task, edit).await });
        }
        Ok(())
    }

    fn spawn(&mut self, id: PostId, finishing: impl Future<Output = Result<(), StoreError>> + Send + 'static) {
        if self.ids.insert(id) {
            self.tasks.spawn(async move {
                if let Err(error) = finishing.await {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(post.id = %id, error, "an embargo is over, and its post could not be made ready");
                }
                id
            });
        }
    }
}

/// What a post came of, its actor and its source; `None` when any of them is not there any more.
async fn origin(gateway: &Gateway, post: &Post) -> Result<Option<(Item, Actor, Source)>, StoreError> {
    let (id, actor, source) = (post.id, post.actor_id, post.source_id);
    let load = move |db: &mut Db<'_>| {
        let source = source.map_or(Ok(None), |id| sources::by_id(db, id))?;
        Ok((items::of_post(db, id)?, actors::by_id(db, actor)?, source))
    };
    let (row, actor, source) = gateway.store.read("read what a post came of", load).await?;
    let item = row.and_then(|row| stored_item(&row).ok());
    Ok(item.zip(actor).zip(source).map(|((item, actor), source)| (item, actor, source)))
}

/// What an item says now that its images may be fetched, and the files of those that are new.
async fn whole(
    gateway: &Gateway,
    post: &Post,
    (item, actor, source): &(Item, Actor, Source),
) -> (Content, Vec<MediaRow>) {
    let gathered = picture::gather(gateway, source.id, item, Some(post), Instant::now() + IMAGES_WITHIN).await;
    let mut content = compose_item(source, actor, item, gathered.images);
    content.flags.extend(gathered.problems.iter().map(LeftOut::flag));
    // What a person had to decide is decided: the post was not held.
    judge_images(&mut content, source.settings.policy.missing_alt);
    let kept: HashSet<i64> = content.images.iter().map(|image| image.id.0).collect();
    let files = gathered.files.into_iter().filter(|file| kept.contains(&file.id.0)).collect();
    (content, files)
}

/// Has an edit sent that is no longer under embargo.
async fn finish_edit(gateway: &Gateway, edit: PendingChange) -> Result<(), StoreError> {
    let id = edit.post_id;
    let post = gateway.store.read("read a post", move |db| posts::by_id(db, id)).await?;
    let origin = match &post {
        Some(post) => origin(gateway, post).await?,
        None => None,
    };
    let mut finished = PendingChange { images_due: false, ..edit.clone() };
    let mut files = Vec::new();
    if let (Some(post), Some(origin)) = (&post, &origin) {
        if embargo(&origin.0, now()).is_some() {
            return Ok(()); // its time was moved a moment ago
        }
        let (content, new) = whole(gateway, post, origin).await;
        finished.change = Change::Edit(content);
        files.extend(new.into_iter().map(|file| MediaRow { post_id: Some(id), ..file }));
    }
    let commit = move |db: &mut Db<'_>| -> Queried<()> {
        if let Some(post) = &post {
            lock_actor(db, post.actor_id)?;
        }
        // Its source may have changed it while the images were fetched, or withdrawn it.
        if posts::change(db, id)?.as_ref() != Some(&edit) {
            return Ok(());
        }
        files.iter().try_for_each(|file| posts::insert_media(db, file))?;
        let at = now();
        posts::put_change(db, &finished, at, at)
    };
    gateway.store.write("end the embargo of an edit", commit).await?;
    gateway.wake.publish.notify_one();
    Ok(())
}

/// Makes a post ready that is no longer under embargo.
async fn finish(gateway: &Gateway, post: Post) -> Result<(), StoreError> {
    let mut finished = Post { state: PostState::Ready, ..post.clone() };
    let mut files = Vec::new();
    if let Some(origin) = origin(gateway, &post).await? {
        if released(&origin.0, now()) != PostState::Ready {
            return Ok(()); // its time was moved a moment ago
        }
        let (content, new) = whole(gateway, &post, &origin).await;
        files.extend(new);
        finished = Post { content, revision: post.revision.saturating_add(1), ..finished };
    }
    let commit = move |db: &mut Db<'_>| -> Queried<()> {
        lock_actor(db, finished.actor_id)?;
        // Its source may have changed it, or moved its time, while the images were fetched.
        if posts::by_id(db, finished.id)?.is_none_or(|now| now != post) {
            return Ok(());
        }
        files.iter().try_for_each(|file| posts::insert_media(db, file))?;
        posts::leave(db, &finished, &["embargoed"]).map(|_| ())
    };
    gateway.store.write("end an embargo", commit).await?;
    gateway.wake.publish.notify_one();
    Ok(())
}
