//! Categories to hashtags.

use heraut_connectors::item::Category;

use super::HashtagSettings;
use crate::post::Hashtag;

/// Longest hashtag, in characters; a longer category is a sentence, and no one follows it.
const HASHTAG_CHARS_MAX: usize = 40;

/// Categories that content systems give to everything: they say nothing.
const EMPTY_WORDS: &[&str] = &[
    "algemeen",
    "actueel",
    "artikel",
    "bericht",
    "berichten",
    "general",
    "geencategorie",
    "news",
    "nieuws",
    "nieuwsbericht",
    "overig",
    "overige",
    "uncategorised",
    "uncategorized",
];

/// The hashtags of `categories`, in their order, the mapped ones first; without duplicates, compared without regard to case.
pub(super) fn hashtags(categories: &[Category], settings: &HashtagSettings) -> Vec<Hashtag> {
    let key = |term: &str| term.trim().to_lowercase();
    let mapped = |category: &Category| {
        let term = key(&category.term);
        settings.map.iter().find(|(name, _)| key(name) == term).map(|(_, value)| value.as_deref().unwrap_or_default())
    };
    let from_map = categories.iter().filter_map(mapped).filter_map(camel_case);
    let from_terms = categories
        .iter()
        .filter(|category| settings.from_categories && mapped(category).is_none())
        .filter_map(|category| camel_case(&category.term))
        .filter(|tag| !EMPTY_WORDS.contains(&tag.to_lowercase().as_str()));
    let mut seen = Vec::new();
    let mut tags = Vec::new();
    for tag in from_map.chain(from_terms) {
        let folded = tag.to_lowercase();
        if tags.len() < settings.max.min(super::HASHTAGS_MAX) && !seen.contains(&folded) {
            seen.push(folded);
            tags.push(Hashtag(tag));
        }
    }
    tags
}

/// `hoog water` to `HoogWater`: screen readers read the words of CamelCase apart. One word stays as it is. `None` for what is
/// no hashtag on Mastodon: digits only, or nothing.
fn camel_case(term: &str) -> Option<String> {
    let term = term.trim().trim_start_matches('#').replace(['\'', '\u{2019}'], "");
    let words: Vec<&str> =
        term.split(|c: char| !c.is_alphanumeric() && !is_mark(c)).filter(|w| !w.is_empty()).collect();
    let tag = match words.as_slice() {
        [word] => (*word).to_owned(),
        words => words.iter().map(|word| capitalised(word)).collect(),
    };
    let good = tag.chars().any(char::is_alphabetic) && tag.chars().count() <= HASHTAG_CHARS_MAX;
    good.then_some(tag)
}

/// Combining accents belong to the letter before them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
