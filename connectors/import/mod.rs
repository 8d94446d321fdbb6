//! Press releases in files: a folder, or a list of files over https. Each file is read by itself, by the ending of its name: JSON
//! (our own words, `reference/connectors.md` B7), ninjs, CSV, Markdown with front matter, HTML, NewsML-G2.
//!
//! Invariants: a date that cannot be read is an error, because it could be an embargo; of a file all items are read or none; a
//! draft, and what its maker withholds, is left out; a file that is gone means nothing, only `withdrawn` withdraws.

mod fields;
mod html;
mod matter;
mod newsml;
mod ninjs;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::Url;

use self::fields::Columns;
use crate::contract::{Connector, ITEMS_PER_PAGE_MAX, Kind, Page, Request, Response, Secret};
use crate::draft::{Draft, Warnings, decode};
use crate::error::ConnectorError;
use crate::item::{EpochMs, Item};
use crate::json;
use crate::settings::{Settings, refused};

/// Largest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 8 * 1_024 * 1_024;
/// Most files of one list: each is fetched at each poll.
pub const FILES_PER_LIST_MAX: usize = 200;
/// Longest name of a file, its folders included, in bytes: it is the id of what has no other.
pub const NAME_BYTES_MAX: usize = 512;

const WHAT: &str = "file";
const WANTED: &str = "a press release or a list of files";
const ACCEPT: &str = "application/json, text/plain;q=0.9, */*;q=0.1";

/// The kind `import`.
pub struct Import;

impl Kind for Import {
    fn name(&self) -> &'static str {
        "import"
    }

    fn takes_token(&self) -> bool {
        true // of a list of files
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let (folder, list) = (settings.text("folder")?, settings.url("url")?);
        match (&folder, &list) {
            (None, None) => return Err(refused("folder", "is missing; give a folder, or as `url` a list of files")),
            (Some(_), Some(_)) => return Err(refused("url", "stands beside `folder`; one of them, please")),
            (Some(folder), None) if !folder.starts_with('/') => {
                return Err(refused("folder", format!("`{folder}` is not a whole path; begin it with /")));
            }
            _ => {}
        }
        let format = settings.text("format")?.map(|name| Format::parse(&name)).transpose()?;
        let source = Source {
            list,
            site: settings.base("site")?,
            format,
            token: settings.token()?,
            columns: Columns::parse(settings.value("columns"))?,
        };
        settings.finish()?;
        Ok(Box::new(source))
    }
}

/// The folder that such a source reads, as a whole path; `None` when it reads a list. Whoever reads it takes regular files only,
/// no hidden ones, none that were changed in the last seconds, and follows no link out of it.
pub fn folder(settings: &Value) -> Option<&str> {
    settings.get("folder").and_then(Value::as_str).map(str::trim)
}

/// A file of the folder as an answer that [`Connector::read`] takes. `name` is its path within the folder, parted by `/`.
pub fn file(name: &str, bytes: Vec<u8>, received_at: EpochMs) -> Result<Response, ConnectorError> {
    let unnamed = |problem: &str| json::lacks(WHAT, format!("its name {problem}"));
    if name.len() > NAME_BYTES_MAX {
        return Err(unnamed("is longer than 512 bytes"));
    }
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(unnamed("is no path within the folder"));
    }
    let mut url = Url::parse("file:///").map_err(|problem| unnamed(&problem.to_string()))?;
    url.path_segments_mut().map_err(|()| unnamed("is no path"))?.clear().extend(name.split('/'));
    Ok(Response { url, content_type: None, body: bytes, received_at, about: None })
}

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Markdown,
    Html,
    Newsml,
}

/// Formats with the endings of their names; ninjs is JSON, and known by its fields.
static FORMATS: &[(Format, &str, &[&str])] = &[
    (Format::Json, "json", &["json", "ninjs"]),
    (Format::Csv, "csv", &["csv", "tsv"]),
    (Format::Markdown, "markdown", &["md", "markdown"]),
    (Format::Html, "html", &["html", "htm", "xhtml"]),
    (Format::Newsml, "newsml", &["xml", "newsml"]),
];

impl Format {
    fn parse(name: &str) -> Result<Self, ConnectorError> {
        let found = FORMATS.iter().find(|(_, known, _)| *known == name).map(|(format, ..)| *format);
        found.ok_or_else(|| {
            let names: Vec<&str> = FORMATS.iter().map(|(_, name, _)| *name).collect();
            refused("format", format!("must be one of {}", names.join(", ")))
        })
    }

    fn of_name(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        let ending = ending.to_ascii_lowercase();
        FORMATS.iter().find(|(.., endings)| endings.contains(&ending.as_str())).map(|(format, ..)| *format)
    }

    /// Where the name says nothing.
    fn of_text(text: &str) -> Option<Self> {
        let head: String = text.trim_start().chars().take(200).collect::<String>().to_ascii_lowercase();
        match () {
            () if head.starts_with(['{', '[']) => Some(Format::Json),
            () if head.starts_with("---") || head.starts_with("+++") => Some(Format::Markdown),
            () if head.starts_with("<!doctype html") || head.starts_with("<html") => Some(Format::Html),
            () if head.starts_with('<') => Some(Format::Newsml),
            () => None,
        }
    }
}

struct Source {
    /// The list of files; `None` for a folder.
    list: Option<Url>,
    /// The base of relative addresses, where it is set.
    site: Url,
    format: Option<Format>,
    token: Option<Secret>,
    columns: Columns,
}

/// One item of a file, with a version of its own where the format has one.
#[derive(Debug, Default)]
struct Entry {
    draft: Draft,
    version: Option<i64>,
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        self.list.clone().map(|url| self.request_of(url))
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let text = decode::document(response, FILE_BYTES_MAX, WHAT)?;
        let text = text.as_str();
        let name = name(&response.url);
        let is_list_itself = self.list.as_ref().is_some_and(|list| *list == response.url);
        if let Some(files) = self.list.as_ref().and_then(|_| listed(text)) {
            return Ok(self.files(&files, &response.url));
        }
        let format = self.format.filter(|_| !is_list_itself).or_else(|| Format::of_name(&name));
        let Some(format) = format.or_else(|| Format::of_text(text)) else {
            let found = "a text whose name does not say what it is".to_owned();
            return Err(ConnectorError::NotThis { found, wanted: WANTED });
        };
        let mut warnings = Warnings::default();
        let entries = match format {
            Format::Json => fields::of_json(text, &mut warnings)?,
            Format::Csv => table::read(text, &self.columns, &mut warnings)?,
            Format::Markdown => matter::read(text, &name, &mut warnings)?,
            Format::Html => html::read(text, &name, response.url.scheme() != "file")?,
            Format::Newsml => newsml::read(text, &mut warnings)?,
        };
        self.page(entries, &response.url, warnings)
    }
}

impl Source {
    fn request_of(&self, url: Url) -> Request {
        let request = Request::get(url, ACCEPT);
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        }
    }

    fn page(&self, entries: Vec<Entry>, url: &Url, mut warnings: Warnings) -> Result<Page, ConnectorError> {
        if entries.len() > ITEMS_PER_PAGE_MAX {
            let problem = format!("it has {} items, {ITEMS_PER_PAGE_MAX} are read; part it in two", entries.len());
            return Err(json::lacks(WHAT, problem));
        }
        // The address of a file is where it is kept, and no page that its links are meant for.
        let base = if self.site.has_host() || url.scheme() == "file" { &self.site } else { url };
        let (mut items, mut seen): (Vec<Item>, _) = (Vec::new(), HashSet::new());
        for Entry { draft, version } in entries {
            let mut item = draft.finish(base, &mut warnings);
            item.source_version = item.source_version.or(version);
            if !seen.insert(item.source_id.clone()) {
                let id = crate::draft::text::cut(item.source_id, 100);
                return Err(json::lacks(WHAT, format!("two items in it have the id `{id}`")));
            }
            items.push(item);
        }
        Ok(Page { items, warnings: warnings.into_sentences(), ..Page::default() })
    }

    /// The files of a list, each to be read by itself: those on the list's own host.
    fn files(&self, files: &[String], list: &Url) -> Page {
        let mut warnings = Warnings::default();
        let mut page = Page::default();
        let mut seen = HashSet::new();
        for file in files {
            let url = list.join(file.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            match url {
                Some(url)
                    if url.host() != list.host() || url.port() != list.port() || url.scheme() != list.scheme() =>
                {
                    warnings.add("a file is on another host than the list, and is not read");
                }
                Some(url) if page.fetch.len() < FILES_PER_LIST_MAX => {
                    if url != *list && seen.insert(url.clone()) {
                        page.fetch.push(self.request_of(url));
                    }
                }
                Some(_) => {
                    warnings.add(format!("a list has more than {FILES_PER_LIST_MAX} files; the rest was left out"))
                }
                None => warnings.add("an entry of the list is no address"),
            }
        }
        page.warnings = warnings.into_sentences();
        page
    }
}

/// The name of a file: its path in the folder, or its whole address without its query.
fn name(url: &Url) -> String {
    if url.scheme() == "file" {
        return percent_decode_str(url.path().trim_start_matches('/')).decode_utf8_lossy().into_owned();
    }
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// The addresses of a list of files: a JSON array of texts or of objects with `url` and nothing that an item has, the same under
/// `files`, or a text in which each line is an address. `None` for anything else.
fn listed(text: &str) -> Option<Vec<String>> {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    if lines().next().is_some() && lines().all(|line| line.starts_with("https://") || line.starts_with("http://")) {
        return Some(lines().map(str::to_owned).collect());
    }
    if !text.trim_start().starts_with(['[', '{']) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let list = value.get("files").unwrap_or(&value).as_array()?;
    let is_wrapped = value.get("files").is_some();
    let one = |entry: &Value| match entry {
        Value::String(address) => Some(address.clone()),
        Value::Object(_) if is_wrapped => json::text(entry, "/url"),
        _ => None,
    };
    let found: Option<Vec<String>> = list.iter().map(one).collect();
    found.filter(|found| is_wrapped || !found.is_empty())
}
