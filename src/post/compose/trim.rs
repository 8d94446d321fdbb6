//! What feeds add to a text that a post says in its own way: the title again, "read more", "appeared first on".

use url::Url;

use crate::post::sanitize::tree::{Block, Piece, settle};
use crate::post::text::{ELLIPSIS, plain_of};

/// Longest text of a link to the source, in characters, that is taken for "read more".
const READ_MORE_CHARS_MAX: usize = 40;

/// How such a link begins when it stands behind a sentence.
const READ_MORE: &[&str] = &[
    "continue reading",
    "lees meer",
    "lees verder",
    "meer lezen",
    "read more",
    "verder lezen",
    "[\u{2026}]",
    "\u{2026}",
];

/// How WordPress ends each item of its feeds.
const FOOTERS: &[&str] = &["the post ", "het bericht "];

/// How a text begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// With something else than the title.
    Other,
    /// With a paragraph that is the title, which has been removed.
    Removed,
    /// With a sentence that begins with the title.
    Continues,
}

/// Removes the title from the start of a text when it is a paragraph of its own, and says how the text begins.
pub(super) fn opening(blocks: &mut Vec<Block>, title: &str) -> Opening {
    let title = fold(title);
    let cut_off = title.ends_with(ELLIPSIS) || title.ends_with("...");
    let stem = title.trim_end_matches([ELLIPSIS, '.', '!', '?', ' ']);
    let Some(first) = blocks.first().filter(|_| !stem.is_empty()) else { return Opening::Other };
    let text = fold(&plain_of(std::slice::from_ref(first)));
    let Some(rest) = text.strip_prefix(stem) else { return Opening::Other };
    if rest.trim_end_matches([ELLIPSIS, '.', '!', '?', ':', ' ']).is_empty() {
        blocks.remove(0);
        return Opening::Removed;
    }
    if cut_off || !rest.starts_with(char::is_alphanumeric) { Opening::Continues } else { Opening::Other }
}

fn fold(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Removes from the end of a text what only leads to the page that the post links to anyway.
pub(super) fn ending(blocks: &mut Vec<Block>, link: Option<&str>) {
    while let Some(link) = link
        && let Some(Block::Paragraph(line)) = blocks.last_mut()
    {
        if is_footer(line, link) {
            blocks.pop();
            continue;
        }
        let before = line.len();
        while ends_in_read_more(line, link) {
            line.pop();
        }
        if line.len() == before {
            break;
        }
        *line = settle(std::mem::take(line)).into_iter().next().unwrap_or_default();
        if !line.is_empty() {
            break;
        }
        blocks.pop();
    }
    if let Some(Block::Paragraph(line)) = blocks.last_mut()
        && let Some(Piece::Text(text, _)) = line.last_mut()
    {
        for mark in ["[\u{2026}]", "[...]"] {
            if let Some(kept) = text.strip_suffix(mark) {
                *text = format!("{}{ELLIPSIS}", kept.trim_end());
                break;
            }
        }
    }
}

fn leads_to(piece: &Piece, link: &str) -> bool {
    matches!(piece, Piece::Text(_, marks) if marks.href.as_deref().is_some_and(|href| same_page(href, link)))
}

fn is_footer(line: &[Piece], link: &str) -> bool {
    let text = plain_of(&[Block::Paragraph(line.to_vec())]).to_lowercase();
    FOOTERS.iter().any(|begin| text.starts_with(begin))
        && (text.contains(" appeared first on ") || text.contains(" verscheen eerst op "))
        && line.iter().any(|piece| leads_to(piece, link))
}

/// Whether a line ends in a link to the source that is no part of a sentence.
fn ends_in_read_more(line: &[Piece], link: &str) -> bool {
    let mut pieces = line.iter().rev();
    let Some(piece @ Piece::Text(text, _)) = pieces.next() else { return false };
    if !leads_to(piece, link) || (text.chars().count() > READ_MORE_CHARS_MAX && Url::parse(text.trim()).is_err()) {
        return false;
    }
    let alone = pieces.find(|piece| !matches!(piece, Piece::Text(text, _) if text.trim().is_empty()));
    let says_so = READ_MORE.iter().any(|phrase| text.trim().to_lowercase().starts_with(phrase));
    says_so || matches!(alone, None | Some(Piece::Break))
}

/// Whether two addresses are one page: trackers, fragments and the last slash do not count.
fn same_page(a: &str, b: &str) -> bool {
    let place = |text: &str| {
        let url = Url::parse(text).ok()?;
        Some((url.host_str()?.trim_start_matches("www.").to_owned(), url.path().trim_end_matches('/').to_owned()))
    };
    place(a).is_some_and(|place_a| Some(place_a) == place(b))
}
