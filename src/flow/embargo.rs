//! Ends embargoes: a post whose time has come gets what was not to be fetched before, its images, and is ready.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::flow::intake::{compose_item, stored_item};
use crate::flow::picture::{self, LeftOut};
use crate::flow::{Gateway, Shared, now};
use crate::ids::PostId;
use crate::post::PostState;
use crate::post::policy::{judge_images, released};
use crate::store::posts::{self, Post};
use crate::store::{Db, Queried, StoreError, actors, items, lock_actor, sources};

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
        let due = move |db: &mut Db<'_>| posts::embargo_over(db, at, POSTS_MAX);
        for post in gateway.store.read("read posts whose embargo is over", due).await? {
            if self.ids.insert(post.id) {
                let gateway = gateway.clone();
                self.tasks.spawn(async move {
                    let id = post.id;
                    if let Err(error) = finish(&gateway, post).await {
                        let error = &error as &dyn std::error::Error;
                        tracing::error!(post.id = %id, error, "an embargo is over, and its post could not be made ready");
                    }
                    id
                });
            }
        }
        Ok(())
    }
}

/// Makes a post ready that is no longer under embargo.
async fn finish(gateway: &Gateway, post: Post) -> Result<(), StoreError> {
    let (id, actor, source) = (post.id, post.actor_id, post.source_id);
    let load = move |db: &mut Db<'_>| {
        let source = source.map_or(Ok(None), |id| sources::by_id(db, id))?;
        Ok((items::of_post(db, id)?, actors::by_id(db, actor)?, source))
    };
    let (row, actor, source) = gateway.store.read("read what a post came of", load).await?;
    let item = row.and_then(|row| stored_item(&row).ok());
    let mut finished = Post { state: PostState::Ready, ..post.clone() };
    let mut files = Vec::new();
    if let (Some(item), Some(actor), Some(source)) = (item, actor, source) {
        if released(&item, now()) != PostState::Ready {
            return Ok(()); // its time was moved a moment ago
        }
        let gathered = picture::gather(gateway, source.id, &item, Some(&post), Instant::now() + IMAGES_WITHIN).await;
        let mut content = compose_item(gateway, &source, &actor, &item, gathered.images);
        content.flags.extend(gathered.problems.iter().map(LeftOut::flag));
        // What a person had to decide is decided: the post was not held.
        judge_images(&mut content, source.settings.policy.missing_alt);
        let kept: HashSet<i64> = content.images.iter().map(|image| image.id.0).collect();
        files.extend(gathered.files.into_iter().filter(|file| kept.contains(&file.id.0)));
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
