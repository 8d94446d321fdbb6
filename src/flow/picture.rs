//! Fetches the images of an item, checks them, and keeps them where we serve them from.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use url::Url;

use heraut_connectors::item::{Item, Media};

use crate::flow::{Gateway, now};
use crate::ids::{MediaId, SourceId};
use crate::net::Get;
use crate::post::Image;
use crate::post::picture::{Picture, read_picture};
use crate::post::policy::{IMAGES_MAX, embargo};
use crate::store::posts::{MediaRow, Post, image_of};
use crate::store::uploads;

/// Largest image that is fetched, in bytes: what Mastodon takes.
const IMAGE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Time for one image.
const IMAGE_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for all images of one page of items, well within the lease of its source.
pub const PAGE_WITHIN: Duration = Duration::from_secs(120);

/// The images of an item, ours now.
#[derive(Debug, Default)]
pub struct Gathered {
    /// In the order of the item.
    pub images: Vec<Image>,
    /// Files that are new, to be stored with the post.
    pub files: Vec<MediaRow>,
    /// What could not be had.
    pub problems: Vec<LeftOut>,
    /// Whether some were not asked for, because of an embargo.
    pub left: bool,
}

/// An image that could not be had.
#[derive(Debug, Clone)]
pub struct LeftOut {
    /// Where it is said to be.
    pub url: String,
    /// Why not.
    pub why: String,
}

impl LeftOut {
    /// A sentence for the editors.
    pub fn flag(&self) -> String {
        format!("image {} is left out: {}", self.url, self.why)
    }
}

/// Fetches the images of an item, at most four. An image that `post` already shows under the same URL is not fetched again. One
/// that cannot be had, or not before `deadline`, is left out and said so: news does not wait for a picture. Under embargo
/// nothing is fetched. What a client of that source sent is taken from where it was kept.
pub async fn gather(
    gateway: &Gateway,
    source: SourceId,
    item: &Item,
    post: Option<&Post>,
    deadline: Instant,
) -> Gathered {
    let mut gathered = Gathered::default();
    let hosts = gateway.hosts_known().await;
    for media in item.media.iter().take(IMAGES_MAX) {
        if let Some(known) = post.and_then(|post| image_of(post, &media.url)) {
            gathered.images.push(Image { alt: media.alt.clone(), ..known });
            continue;
        }
        if embargo(item, now()).is_some() {
            gathered.left = true;
            continue;
        }
        let time_left = deadline.saturating_duration_since(Instant::now());
        let found = match hosts.reading().read_upload(&media.url) {
            Some(name) => sent(gateway, source, media, name).await,
            None => match tokio::time::timeout(time_left, fetch(gateway, media)).await {
                Ok(fetched) => fetched,
                Err(_) => Err("the images of this page took too long".to_owned()),
            },
        };
        match found {
            Ok((image, file)) => {
                gathered.images.push(image);
                gathered.files.push(file);
            }
            Err(why) => {
                tracing::warn!(image.url = media.url, error = why, "an image is left out");
                gathered.problems.push(LeftOut { url: media.url.clone(), why });
            }
        }
    }
    gathered
}

async fn fetch(gateway: &Gateway, media: &Media) -> Result<(Image, MediaRow), String> {
    let url = Url::parse(&media.url).map_err(|e| e.to_string())?;
    let get = Get {
        bytes_max: IMAGE_BYTES_MAX,
        timeout: IMAGE_TIMEOUT,
        ..Get::new(url, "image/webp,image/jpeg,image/png,image/gif")
    };
    let fetched = gateway.net.get(get).await.map_err(|e| super::verify::with_causes(&e))?;
    if fetched.status != 200 {
        return Err(format!("it answered {}", fetched.status));
    }
    keep(gateway, fetched.body.into(), media).await
}

/// Checks what is said to be an image, and keeps it.
pub async fn keep(gateway: &Gateway, bytes: Bytes, media: &Media) -> Result<(Image, MediaRow), String> {
    let read = tokio::task::spawn_blocking(move || read_picture(&bytes).map(|picture| (picture, bytes))).await;
    let (picture, original) = match read {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(error) => return Err(format!("its reader failed: {error}")),
    };
    let id = MediaId(gateway.mint.next());
    let bytes = picture.bytes.as_deref().unwrap_or(&original);
    let path = file_of(gateway, id, picture.extension);
    write_whole(&path, bytes).await.map_err(|e| format!("{} cannot be written: {e}", path.display()))?;
    Ok(describe(id, media, &picture))
}

/// Removes files that no post shows after all. One that cannot be removed stays behind, and nothing refers to it.
pub async fn discard(gateway: &Gateway, files: &[MediaRow]) {
    for file in files {
        let _ = tokio::fs::remove_file(file_of(gateway, file.id, &file.extension)).await;
    }
}

/// Where the file of an image is.
pub fn file_of(gateway: &Gateway, id: MediaId, extension: &str) -> PathBuf {
    gateway.settings.media_dir.join(format!("{id}.{extension}"))
}

/// An image that a client sent before. The post gets a file of its own, so that what becomes of one post concerns no other.
async fn sent(gateway: &Gateway, source: SourceId, media: &Media, name: &str) -> Result<(Image, MediaRow), String> {
    let name = name.to_owned();
    let found = gateway.store.read("read a picture that was sent", move |db| uploads::file(db, source, &name)).await;
    let row = found.map_err(|error| error.to_string())?.ok_or("no such picture was sent to this source")?;
    let id = MediaId(gateway.mint.next());
    let (from, to) = (file_of(gateway, row.id, &row.extension), file_of(gateway, id, &row.extension));
    if tokio::fs::hard_link(&from, &to).await.is_err() {
        let bytes = tokio::fs::read(&from).await.map_err(|e| format!("{} cannot be read: {e}", from.display()))?;
        write_whole(&to, &bytes).await.map_err(|e| format!("{} cannot be written: {e}", to.display()))?;
    }
    let pixels = |side: i32| u32::try_from(side).unwrap_or_default();
    let image = Image {
        id,
        source_url: media.url.clone(),
        media_type: row.media_type.clone(),
        width: pixels(row.width),
        height: pixels(row.height),
        blurhash: row.blurhash.clone(),
        alt: media.alt.clone(),
        sha256: row.sha256.clone(),
    };
    Ok((image, MediaRow { id, post_id: None, created_at: now(), ..row }))
}

/// Writes a file so that it is there whole or not at all, also after a crash.
async fn write_whole(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use tokio::io::AsyncWriteExt;
    let partial = path.with_extension("partial");
    let mut file = tokio::fs::File::create(&partial).await?;
    file.write_all(bytes).await?;
    file.sync_all().await?;
    tokio::fs::rename(&partial, path).await
}

fn describe(id: MediaId, media: &Media, picture: &Picture) -> (Image, MediaRow) {
    let image = Image {
        id,
        source_url: media.url.clone(),
        media_type: picture.media_type.to_owned(),
        width: picture.width,
        height: picture.height,
        blurhash: picture.blurhash.clone(),
        alt: media.alt.clone(),
        sha256: picture.sha256.clone(),
    };
    let file = MediaRow {
        id,
        post_id: None,
        source_url: media.url.clone(),
        sha256: picture.sha256.clone(),
        media_type: picture.media_type.to_owned(),
        extension: picture.extension.to_owned(),
        width: i32::try_from(picture.width).unwrap_or(i32::MAX),
        height: i32::try_from(picture.height).unwrap_or(i32::MAX),
        blurhash: picture.blurhash.clone(),
        created_at: now(),
    };
    (image, file)
}
