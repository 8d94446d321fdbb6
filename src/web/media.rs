//! `/media/{n}.{extension}`: the pictures of published posts, and of no others. The name never changes its content.

use std::io::SeekFrom;
use std::path::PathBuf;

use actix_web::body::SizedStream;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures::stream::{self, Stream};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::flow::Gateway;
use crate::ids::MediaId;
use crate::store::continuity;
use crate::store::posts::{self, MediaRow};
use crate::web::caching;
use crate::web::problem::Problem;
use crate::web::range::{self, Wanted};
use crate::web::routes::{Evenly, number};

/// Bytes read from a file at a time.
const CHUNK_BYTES: u64 = 64 * 1024;

/// A picture, whole or in part. One of a post that is not published, or not any more, is a 404 like one that never was.
pub async fn file(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let evenly = Evenly::begin();
    let (id, extension) = path.into_inner();
    let id = MediaId(number(&id)?);
    let row = gateway.store.read("read a media file", move |db| posts::public_media(db, id)).await?;
    let Some(row) = row.filter(|row| row.extension == extension) else { return Err(evenly.not_found().await) };
    if let Some(post) = row.post_id {
        let state =
            gateway.store.read("read the state of an actor", move |db| continuity::state_of_post(db, post)).await?;
        if !state.is_shown() {
            return Err(evenly.not_found().await);
        }
    }
    let seen = Seen { cache: caching::FOREVER, cors: true };
    answer(&gateway, &request, row, seen).await
}

/// Who may keep and read a file.
pub struct Seen {
    /// Value of `Cache-Control`.
    pub cache: &'static str,
    /// Scripts of other sites may read it.
    pub cors: bool,
}

/// A file that may be seen, whole or in part.
pub async fn answer(
    gateway: &Gateway,
    request: &HttpRequest,
    row: MediaRow,
    seen: Seen,
) -> Result<HttpResponse, Problem> {
    let place = gateway.settings.media_dir.join(format!("{}.{}", row.id, row.extension));
    let (mut file, length) = open(place).await?;
    let tag = format!("\"{}\"", row.sha256);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, row.media_type))
        .insert_header((header::CACHE_CONTROL, seen.cache))
        .insert_header((header::ETAG, tag.clone()))
        .insert_header((header::ACCEPT_RANGES, "bytes"));
    if seen.cors {
        response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    }
    if caching::client_has(request, &tag) {
        return Ok(response.status(StatusCode::NOT_MODIFIED).finish());
    }
    let (first, bytes) = match wanted(request, &tag, length) {
        Wanted::All => (0, length),
        Wanted::Nothing => return Err(Problem::Range(length)),
        Wanted::Part { first, last } => {
            response
                .status(StatusCode::PARTIAL_CONTENT)
                .insert_header((header::CONTENT_RANGE, format!("bytes {first}-{last}/{length}")));
            (first, last - first + 1)
        }
    };
    if request.method() == Method::HEAD {
        let nothing = stream::empty::<Result<Bytes, std::io::Error>>();
        return Ok(response.body(SizedStream::new(bytes, nothing)));
    }
    file.seek(SeekFrom::Start(first)).await.map_err(|error| Problem::Internal.because(&error))?;
    Ok(response.body(SizedStream::new(bytes, chunks(file, bytes))))
}

async fn open(place: PathBuf) -> Result<(File, u64), Problem> {
    let opened = async {
        let file = File::open(&place).await?;
        let length = file.metadata().await?.len();
        Ok::<_, std::io::Error>((file, length))
    };
    // It is in the database, so it should be on disk: an operator must look.
    opened.await.map_err(|error| Problem::Internal.because(&error))
}

/// The range that is wanted; all of it when `If-Range` names other bytes, or the method is not GET (RFC 9110 §14.2).
fn wanted(request: &HttpRequest, tag: &str, length: u64) -> Wanted {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let same = text(header::IF_RANGE).is_none_or(|named| named == tag);
    if !same || request.method() != Method::GET {
        return Wanted::All;
    }
    range::read(text(header::RANGE), length)
}

fn chunks(file: File, bytes: u64) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    stream::try_unfold((file, bytes), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let size = usize::try_from(left.min(CHUNK_BYTES)).unwrap_or_default();
        let mut buffer = vec![0; size];
        file.read_exact(&mut buffer).await?;
        let left = left.saturating_sub(size as u64);
        Ok(Some((Bytes::from(buffer), (file, left))))
    })
}
