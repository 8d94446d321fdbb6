//! Where sentences end: Unicode's rules (UAX #29), corrected for abbreviations and ordinals, Dutch first.

use unicode_segmentation::UnicodeSegmentation;

/// A full stop after these does not end a sentence; without the stop, lower-case. Some of them may end one: then the sentence
/// before is found instead, which does no harm.
const ABBREVIATIONS: &[&str] = &[
    "aant", "afb", "afd", "afz", "alg", "apr", "art", "aug", "bijl", "bijv", "blz", "bv", "ca", "cf", "dec", "dhr",
    "di", "dir", "do", "dr", "dra", "drs", "ds", "ed", "em", "enz", "etc", "evt", "excl", "feb", "febr", "fig", "gebr",
    "gem", "gen", "hfdst", "incl", "ing", "inkl", "inl", "ir", "jan", "jhr", "jkvr", "jl", "jr", "jul", "jun", "kap",
    "lic", "lt", "ltd", "ma", "max", "med", "mej", "mevr", "min", "mln", "mld", "mr", "mrs", "mrt", "ms", "mw", "nl",
    "no", "nov", "nr", "nrs", "okt", "opm", "pag", "par", "pres", "prof", "red", "resp", "secr", "sep", "sept", "sgt",
    "sr", "st", "staatss", "str", "tel", "telnr", "vgl", "vnl", "vr", "vs", "wnd", "wo", "za", "zgn", "zo",
];

/// After how many characters of `text` a sentence ends, in order: after its punctuation and closing quotes.
pub(super) fn ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut position = 0;
    for part in text.split_sentence_bounds() {
        let trimmed = part.trim_end();
        let end = position + trimmed.chars().count();
        position += part.chars().count();
        if finishes(trimmed) {
            ends.push(end);
        }
    }
    ends
}

fn finishes(part: &str) -> bool {
    let closing = |c: char| matches!(c, ')' | ']' | '"' | '\'' | '\u{201d}' | '\u{2019}' | '\u{bb}');
    let bare = part.trim_end_matches(closing);
    let Some(last) = bare.chars().next_back() else { return false };
    match last {
        '!' | '?' | '\u{2026}' | '\u{3002}' | '\u{ff01}' | '\u{ff1f}' => true,
        '.' => !shortened(bare),
        _ => false,
    }
}

/// Whether the full stop at the end of `part` belongs to an abbreviation, an initial or an ordinal.
fn shortened(part: &str) -> bool {
    let word = part.split_whitespace().next_back().unwrap_or_default();
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let Some(stem) = word.strip_suffix('.') else { return false };
    let initial = stem.chars().count() == 1;
    let ordinal = stem.len() <= 2 && !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_digit());
    // `d.w.z.`, `o.a.`, `m.b.t.`, `e.g.`
    let dotted = stem.contains('.') && stem.split('.').all(|part| (1..=2).contains(&part.chars().count()));
    let dotted = dotted && stem.chars().any(char::is_alphabetic);
    initial || ordinal || dotted || ABBREVIATIONS.contains(&stem.to_lowercase().as_str())
}
