//! Who uses whom: the paths that begin with `crate`, `heraut` or lead out with `super`.

use super::source::{Source, is_word, words};

/// A path that a file names, from the root of its crate, and where.
pub struct Import {
    /// Its segments: `crate::flow::{a, b}` is two paths.
    pub segments: Vec<String>,
    /// The byte at which it stands.
    pub at: usize,
}

/// All paths within the crate that the shipped part of a file names.
pub fn imports(source: &Source) -> Vec<Import> {
    let mut found = Vec::new();
    let code = source.shipped.as_str();
    let own = source.modules();
    let mut super_chain_until = 0;
    for (at, word) in words(code) {
        let prefix = match word {
            "crate" | "heraut" => Vec::new(),
            "super" if at >= super_chain_until => own.clone(),
            _ => continue,
        };
        let (mut prefix, mut rest) = (prefix, &code[at + word.len()..]);
        if word == "super" {
            prefix.pop();
            while let Some(more) = rest.strip_prefix("::super") {
                prefix.pop();
                rest = more;
            }
            super_chain_until = code.len() - rest.len();
        }
        if let Some(inside) = rest.strip_prefix("::") {
            let mut paths = Vec::new();
            tree(inside, &prefix, &mut paths);
            found.extend(paths.into_iter().filter(|p| !p.is_empty()).map(|segments| Import { segments, at }));
        }
    }
    found
}

/// Reads one `use` tree; returns what is behind it.
fn tree<'a>(code: &'a str, prefix: &[String], paths: &mut Vec<Vec<String>>) -> &'a str {
    let code = code.trim_start();
    if let Some(mut inside) = code.strip_prefix('{') {
        loop {
            inside = inside.trim_start();
            if inside.is_empty() {
                return inside;
            }
            if let Some(behind) = inside.strip_prefix('}') {
                return behind;
            }
            inside = inside.strip_prefix(',').unwrap_or_else(|| tree(inside, prefix, paths));
        }
    }
    let length = code.find(|c| !is_word(c)).unwrap_or(code.len());
    let (word, rest) = code.split_at(length);
    let mut path = prefix.to_vec();
    if word != "self" && !word.is_empty() {
        path.push(word.to_owned());
    }
    if word.is_empty() {
        paths.push(path);
        let skipped = rest.find([',', '}', ';']).unwrap_or(rest.len());
        return &rest[skipped..];
    }
    match rest.strip_prefix("::") {
        Some(deeper) => tree(deeper, &path, paths),
        None => {
            paths.push(path);
            let renamed = rest.trim_start().strip_prefix("as ");
            renamed.map_or(rest, |name| name.trim_start().trim_start_matches(is_word))
        }
    }
}
