//! One item on its way from any format to [`Item`]: what the formats agree on, and the one place where it is finished. All
//! connectors use it: addresses made absolute, limits kept, ids bounded, dates and texts read in the same way.

pub(crate) mod dates;
pub(crate) mod decode;
pub(crate) mod entities;
pub(crate) mod html;
pub(crate) mod identity;
pub(crate) mod native;
pub(crate) mod page;
pub(crate) mod text;
pub(crate) mod tree;
pub(crate) mod xml;

use url::Url;

use self::html::Image;
use self::text::Text;
use crate::item::{Action, Category, EpochMs, Item, MEDIA_PER_ITEM_MAX, Media, RawHtml, WARNING_CHARS_MAX};

/// Longest body or summary that is kept, in bytes: a long report is a tenth of it; the post is cut far shorter anyway.
pub(crate) const TEXT_BYTES_MAX: usize = 512 * 1_024;
/// Longest alternative text, in characters: Mastodon's limit.
pub(crate) const ALT_CHARS_MAX: usize = 1_500;
/// Most files that are kept as links of one item.
pub(crate) const LINKS_PER_ITEM_MAX: usize = 16;
/// Most categories of one item, and longest one, in characters: a CMS that lists more is listing its whole tree.
pub(crate) const CATEGORIES_PER_ITEM_MAX: usize = 64;
/// Longest category or author name, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// Most authors of one item.
pub(crate) const AUTHORS_PER_ITEM_MAX: usize = 16;

/// What a format says about one item, not yet resolved, bounded or checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    /// The source's own id.
    pub id: Option<String>,
    /// `xml:base`, absolute.
    pub base: Option<Url>,
    /// Address of the page, may be relative.
    pub link: Option<String>,
    /// Title, one line.
    pub title: Option<String>,
    /// The lead.
    pub summary: Option<Text>,
    /// The body.
    pub body: Option<Text>,
    /// Language as written.
    pub language: Option<String>,
    /// Published.
    pub published_at: Option<EpochMs>,
    /// Changed.
    pub updated_at: Option<EpochMs>,
    /// Not to be seen before.
    pub embargo_until: Option<EpochMs>,
    /// Does not hold any more from then on.
    pub expires_at: Option<EpochMs>,
    /// What a reader is to be warned of; only from a field that is for nothing else.
    pub content_warning: Option<String>,
    /// Names.
    pub authors: Vec<String>,
    /// Terms.
    pub categories: Vec<Category>,
    /// Files that the format names, images among them, addresses may be relative.
    pub files: Vec<Media>,
    /// Images for when there is no image among the files.
    pub thumbnails: Vec<Media>,
    /// The source withdrew it.
    pub is_deleted: bool,
}

impl Draft {
    /// Finishes the item. `feed_url` is the base of last resort.
    pub(crate) fn finish(mut self, feed_url: &Url, warnings: &mut Warnings) -> Item {
        let outer = self.base.as_ref().unwrap_or(feed_url);
        let address = self.link.as_deref().and_then(|link| identity::page_address(link, outer));
        let source_id = identity::source_id(&self, address.as_ref());
        if self.is_deleted {
            let (source_version, updated_at) = (self.updated_at, self.updated_at);
            return Item { source_id, action: Action::Retract, source_version, updated_at, ..Item::default() };
        }
        let base = self.base.clone().or_else(|| address.clone()).unwrap_or_else(|| feed_url.clone());
        let mut images = Vec::new();
        let mut html = |text: Option<Text>, warnings: &mut Warnings| {
            let RawHtml(html) = text.filter(|text| !text.is_blank())?.into_html();
            let kept = text::cut_bytes(&html, TEXT_BYTES_MAX);
            if kept.len() < html.len() {
                warnings.add("a text was cut at 512 KiB");
            }
            let resolved = html::resolve(kept, &base);
            images.extend(resolved.images);
            Some(RawHtml(resolved.html)).filter(|html| !html.0.trim().is_empty())
        };
        let body = html(self.body.take(), warnings);
        let summary = html(self.summary.take(), warnings);
        let (summary, body) = match (summary, body) {
            (summary, None) => (None, summary),
            (Some(summary), Some(body)) if summary == body => (None, Some(body)),
            both => both,
        };
        let (media, links) = self.files(&base, images, warnings);
        Item {
            source_id,
            canonical_url: address.as_ref().map(identity::canonical),
            action: Action::Publish,
            source_version: self.updated_at,
            title: self.title.take(),
            summary,
            body,
            language: self.language.as_deref().and_then(text::language),
            // A reader that only knows the time of publication keeps the embargo too.
            published_at: self.published_at.max(self.embargo_until),
            updated_at: self.updated_at,
            embargo_until: self.embargo_until,
            expires_at: self.expires_at,
            content_warning: self.content_warning.as_deref().and_then(content_warning),
            authors: names(&self.authors),
            categories: categories(self.categories),
            media,
            links,
            ..Item::default()
        }
    }

    /// Images and other files: what the format names first, then a thumbnail, then the first image of the body.
    fn files(&mut self, base: &Url, images: Vec<Image>, warnings: &mut Warnings) -> (Vec<Media>, Vec<Media>) {
        let (mut media, mut links): (Vec<Media>, Vec<Media>) = (Vec::new(), Vec::new());
        for file in self.files.drain(..).filter_map(|file| settled(file, base)) {
            let list = if is_image(&file) { &mut media } else { &mut links };
            if !list.iter().any(|known| known.url == file.url) {
                list.push(file);
            }
        }
        if media.is_empty() {
            media.extend(self.thumbnails.drain(..).filter_map(|file| settled(file, base)).next());
        }
        if media.is_empty() {
            media.extend(images.first().and_then(|image| settled(of_body(image), base)));
        }
        for file in media.iter_mut().filter(|file| file.alt.is_none()) {
            let same = images.iter().find(|image| image.alt.is_some() && is_same_file(&image.url, &file.url));
            file.alt = same.and_then(|image| alt(image.alt.as_deref()?));
        }
        if media.len() > MEDIA_PER_ITEM_MAX || links.len() > LINKS_PER_ITEM_MAX {
            warnings.add("an item has more than 16 files; the first 16 were kept");
        }
        for file in media.iter_mut().chain(&mut links) {
            // Only the medium was declared, or nothing: which type it is shows when it is fetched.
            file.media_type.take_if(|kind| kind.ends_with("/*"));
        }
        media.truncate(MEDIA_PER_ITEM_MAX);
        links.truncate(LINKS_PER_ITEM_MAX);
        (media, links)
    }
}

/// What was repaired or left out, each said once, with how often.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Vec<(String, usize)>);

impl Warnings {
    /// Adds one more of these.
    pub(crate) fn add(&mut self, warning: impl Into<String>) {
        let warning = warning.into();
        match self.0.iter_mut().find(|(known, _)| *known == warning) {
            Some((_, count)) => *count += 1,
            None => self.0.push((warning, 1)),
        }
    }

    /// As sentences.
    pub(crate) fn into_sentences(self) -> Vec<String> {
        let sentence =
            |(text, count): (String, usize)| if count > 1 { format!("{text} ({count} times)") } else { text };
        self.0.into_iter().map(sentence).collect()
    }
}

/// A plain text of a file, as alternative text.
pub(crate) fn alt(text: &str) -> Option<String> {
    Some(text::cut(text::single_spaced(text), ALT_CHARS_MAX)).filter(|alt| !alt.is_empty())
}

fn content_warning(text: &str) -> Option<String> {
    Some(text::cut(text::single_spaced(text), WARNING_CHARS_MAX)).filter(|warning| !warning.is_empty())
}

fn of_body(image: &Image) -> Media {
    let Image { url, alt: text, width, height } = image.clone();
    Media { url, alt: text.as_deref().and_then(alt), width, height, ..Media::default() }
}

/// The file with its address absolute; `None` when it has none that can be fetched.
fn settled(mut file: Media, base: &Url) -> Option<Media> {
    let url = base.join(file.url.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    // Some blog hosts put the author's portrait in each item: a face nobody asked to publish.
    let is_portrait = url.host_str().is_some_and(|host| host == "gravatar.com" || host.ends_with(".gravatar.com"));
    if file.url.trim().is_empty() || is_portrait || url.as_str().len() > identity::URL_BYTES_MAX {
        return None;
    }
    let is_pixel = file.width.is_some_and(|width| width <= 1) && file.height.is_some_and(|height| height <= 1);
    let media_type = file.media_type.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    file.media_type = media_type.filter(|kind| kind.contains('/'));
    file.url = url.into();
    (!is_pixel).then_some(file)
}

/// By its declared type, else by the ending of its name.
pub(crate) fn is_image(file: &Media) -> bool {
    match file.media_type.as_deref() {
        Some(kind) if kind != "application/octet-stream" => kind.starts_with("image/"),
        _ => {
            let path = file.url.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
            [".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif"].iter().any(|ending| path.ends_with(ending))
        }
    }
}

/// Whether two addresses name one file, whatever size or version their queries ask for.
fn is_same_file(one: &str, other: &str) -> bool {
    let path = |url: &str| {
        url.split(['?', '#']).next().map(|url| url.trim_start_matches("https").trim_start_matches("http").to_owned())
    };
    path(one) == path(other)
}

fn names(authors: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for author in authors {
        let name = text::cut(text::single_spaced(author), NAME_CHARS_MAX);
        if !name.is_empty() && !names.contains(&name) && names.len() < AUTHORS_PER_ITEM_MAX {
            names.push(name);
        }
    }
    names
}

fn categories(found: Vec<Category>) -> Vec<Category> {
    let mut kept: Vec<Category> = Vec::new();
    for Category { term, scheme } in found {
        let term = text::cut(text::line(&Text::Html(term)), NAME_CHARS_MAX);
        let scheme = scheme.map(|scheme| text::single_spaced(&scheme)).filter(|scheme| !scheme.is_empty());
        let scheme = scheme.filter(|scheme| scheme.len() <= identity::URL_BYTES_MAX);
        let category = Category { term, scheme };
        if !category.term.is_empty() && !kept.contains(&category) && kept.len() < CATEGORIES_PER_ITEM_MAX {
            kept.push(category);
        }
    }
    kept
}
