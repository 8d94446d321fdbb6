//! Media RSS (<https://www.rssboard.org/media-rss>): which file stands for an item.

use std::collections::BTreeMap;

use rss::extension::Extension;

use super::draft::{self, Draft};
use super::text::{self, Text};
use crate::item::{Category, Media};

/// Largest image that is chosen when a smaller rendition exists, in bytes: Mastodon's limit for images.
pub(super) const IMAGE_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

/// Extensions of one item by local name, for one vocabulary.
pub(super) type Elements = BTreeMap<String, Vec<Extension>>;

/// Adds what Media RSS says of an item to its draft.
pub(super) fn read(elements: &Elements, draft: &mut Draft) {
    let all = |name: &str| elements.get(name).map(Vec::as_slice).unwrap_or_default();
    for content in all("content") {
        draft.files.extend(file(content, None));
        draft.thumbnails.extend(inside(content, "thumbnail").iter().filter_map(thumbnail));
    }
    for group in all("group") {
        draft.files.extend(best(group));
        draft.thumbnails.extend(inside(group, "thumbnail").iter().filter_map(thumbnail));
    }
    draft.thumbnails.extend(all("thumbnail").iter().filter_map(thumbnail));
    draft.thumbnails.sort_by_key(|image| std::cmp::Reverse(pixels(image)));
    let described = all("description").first().and_then(plain);
    if let [only] = draft.files.as_mut_slice()
        && only.alt.is_none()
        && draft::is_image(only)
    {
        only.alt = described;
    }
    if draft.title.is_none() {
        draft.title = all("title").first().and_then(|title| text::title(&Text::Html(title.value.clone()?)));
    }
    let keywords =
        all("keywords").iter().filter_map(|element| element.value.as_deref()).flat_map(|list| list.split(','));
    draft.categories.extend(keywords.map(|term| Category { term: term.to_owned(), scheme: None }));
    for category in all("category") {
        let term = category.value.clone().or_else(|| category.attrs.get("label").cloned()).unwrap_or_default();
        draft.categories.push(Category { term, scheme: category.attrs.get("scheme").cloned() });
    }
}

/// The best rendition of a group: the largest image that may be sent, else the default or first of what there is.
fn best(group: &Extension) -> Option<Media> {
    let described = group.children.get("description").and_then(|all| all.first()).and_then(plain);
    let contents = inside(group, "content");
    let files = contents.iter().filter_map(|content| file(content, described.clone()));
    let (images, others): (Vec<Media>, Vec<Media>) = files.partition(draft::is_image);
    let fits = |image: &&Media| image.bytes.is_none_or(|bytes| bytes <= IMAGE_BYTES_MAX);
    // Of equals the first: `max_by_key` takes the last, so look from the end.
    let largest = images.iter().rev().filter(fits).max_by_key(|image| (pixels(image), image.bytes)).cloned();
    largest.or_else(|| {
        let is_default = |file: &&Media| {
            let content = contents.iter().find(|content| content.attrs.get("url") == Some(&file.url));
            content.and_then(|content| content.attrs.get("isDefault")).is_some_and(|value| value == "true")
        };
        others.iter().find(is_default).or_else(|| others.first()).cloned()
    })
}

fn file(content: &Extension, described: Option<String>) -> Option<Media> {
    let attribute = |name: &str| content.attrs.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let media_type = match (attribute("type"), attribute("medium")) {
        (Some(kind), _) => Some(kind.to_owned()),
        // Without a type only the medium says that it is an image; which kind of image is found when it is fetched.
        (None, Some("image")) => Some("image/*".to_owned()),
        (None, Some(medium)) => Some(format!("{medium}/*")),
        (None, None) => None,
    };
    let alt = inside(content, "description").first().and_then(plain).or(described);
    Some(Media {
        url: attribute("url")?.to_owned(),
        media_type,
        alt,
        width: attribute("width").and_then(|value| value.parse().ok()),
        height: attribute("height").and_then(|value| value.parse().ok()),
        bytes: attribute("fileSize").and_then(|value| value.parse().ok()),
    })
}

fn thumbnail(element: &Extension) -> Option<Media> {
    let attribute = |name: &str| element.attrs.get(name);
    Some(Media {
        url: attribute("url").or(element.value.as_ref())?.clone(),
        width: attribute("width").and_then(|value| value.trim().parse().ok()),
        height: attribute("height").and_then(|value| value.trim().parse().ok()),
        ..Media::default()
    })
}

fn pixels(image: &Media) -> u64 {
    u64::from(image.width.unwrap_or(0)) * u64::from(image.height.unwrap_or(0))
}

fn plain(element: &Extension) -> Option<String> {
    draft::alt(&text::line(&Text::Html(element.value.clone()?)))
}

fn inside<'e>(element: &'e Extension, name: &str) -> &'e [Extension] {
    element.children.get(name).map(Vec::as_slice).unwrap_or_default()
}
