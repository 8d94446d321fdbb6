//! Rust sources read as text: what is code, what is a comment or a literal, and what is only there for tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One file.
pub struct Source {
    /// From the root of the repository, with forward slashes.
    pub path: String,
    /// As it is on disk.
    pub text: String,
    /// With comments and the insides of literals blanked; as long as `text`.
    pub code: String,
    /// As `code`, with everything behind `#[cfg(test)]` blanked too; all blank in a file that is only compiled for tests.
    pub shipped: String,
    /// Whether it is compiled for tests alone.
    pub is_test: bool,
}

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below some folders of the repository, sorted; build products and installed packages are left out.
pub fn files(folders: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "node_modules" | ".venv" | "target" | ".git" | "__pycache__") {
                    open.push(path);
                }
            } else {
                found.push(path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// All Rust files below some folders.
pub fn sources(folders: &[&str]) -> Vec<Source> {
    let rust = files(folders).into_iter().filter(|path| path.ends_with(".rs"));
    let mut all: Vec<Source> =
        rust.map(|path| Source::new(&path, &fs::read_to_string(root().join(&path)).unwrap())).collect();
    let tests: BTreeSet<String> = all.iter().flat_map(Source::test_modules).collect();
    for source in &mut all {
        let module = source.module_folder();
        if tests.iter().any(|test| module == *test || module.starts_with(&format!("{test}/"))) {
            source.shipped = blank(&source.shipped);
            source.is_test = true;
        }
    }
    assert!(all.len() > 20, "no sources were found below {folders:?}");
    all
}

impl Source {
    /// Reads one file.
    pub fn new(path: &str, text: &str) -> Self {
        let code = without_comments(text);
        let is_test = path.starts_with("tests/");
        let shipped = if is_test { blank(&code) } else { without_tests(&code) };
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped, is_test }
    }

    /// The line of a byte, from 1.
    pub fn line(&self, byte: usize) -> usize {
        self.text[..byte].matches('\n').count() + 1
    }

    /// `path:line`.
    pub fn place(&self, byte: usize) -> String {
        format!("{}:{}", self.path, self.line(byte))
    }

    /// Its modules from the crate's root: `src/flow/poll.rs` is `flow`, `poll`; the root itself is empty.
    pub fn modules(&self) -> Vec<String> {
        let folder = self.module_folder();
        folder.split('/').skip(1).map(str::to_owned).collect()
    }

    /// The folder in which its submodules are: `src/flow` for both `src/flow.rs` and `src/flow/mod.rs`.
    fn module_folder(&self) -> String {
        let bare = self.path.trim_end_matches(".rs");
        match bare.rsplit_once('/') {
            Some((folder, "mod" | "lib" | "main")) => folder.to_owned(),
            _ => bare.to_owned(),
        }
    }

    /// The folders of the modules that it declares as `#[cfg(test)] mod name;`.
    fn test_modules(&self) -> Vec<String> {
        let folder = self.module_folder();
        let gated = self.code.match_indices(CFG_TEST).map(|(at, _)| &self.code[at + CFG_TEST.len()..]);
        gated
            .filter_map(|rest| {
                let (visible, declared) = rest.split_once("mod ")?;
                let visible = visible.trim();
                if !(visible.is_empty() || visible.starts_with("pub") && !visible.contains([';', '{'])) {
                    return None;
                }
                let name: String = declared.chars().take_while(|c| is_word(*c)).collect();
                declared[name.len()..].trim_start().starts_with(';').then(|| format!("{folder}/{name}"))
            })
            .collect()
    }
}

const CFG_TEST: &str = "#[cfg(test)]";

/// Whether a character can stand in an identifier.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The identifiers and keywords of some code, each with its place.
pub fn words(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut begun = None;
    for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
        match (begun, is_word(c)) {
            (None, true) => begun = Some(at),
            (Some(from), false) => {
                found.push((from, &code[from..at]));
                begun = None;
            }
            _ => {}
        }
    }
    found
}

/// Everywhere that `needle` stands in `code` as whole words.
pub fn places(code: &str, needle: &str) -> Vec<usize> {
    let before = |at: usize| !code[..at].chars().next_back().is_some_and(is_word) || !needle.starts_with(is_word);
    let after =
        |at: usize| !code[at + needle.len()..].chars().next().is_some_and(is_word) || !needle.ends_with(is_word);
    code.match_indices(needle).map(|(at, _)| at).filter(|at| before(*at) && after(*at)).collect()
}

/// The end of the bracket that opens at `open`, just behind it.
pub fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + at + c.len_utf8();
        }
    }
    code.len()
}

fn blank(text: &str) -> String {
    text.chars().flat_map(|c| std::iter::repeat_n(if c == '\n' { '\n' } else { ' ' }, c.len_utf8())).collect()
}

fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut done = 0;
    for (at, _) in code.match_indices(CFG_TEST) {
        if at < done {
            continue;
        }
        let from = at + CFG_TEST.len();
        let end = match code[from..].find([';', '{']).map(|found| from + found) {
            Some(brace) if code[brace..].starts_with('{') => closing(code, brace),
            Some(semicolon) => semicolon + 1,
            None => code.len(),
        };
        out.push_str(&code[done..at]);
        out.push_str(&blank(&code[at..end]));
        done = end;
    }
    out.push_str(&code[done..]);
    out
}

/// Blanks comments and the insides of texts and characters, and keeps every line where it is.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = literal(rest, out.chars().next_back()) {
            length
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.push_str(&blank(&rest[..length]));
        rest = &rest[length..];
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < text.len() {
        let here = &text[at..];
        if here.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += here.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of the text, raw text or character that begins here, if one does.
fn literal(text: &str, before: Option<char>) -> Option<usize> {
    let bare = if before.is_some_and(is_word) { text } else { text.strip_prefix('b').unwrap_or(text) };
    let prefix = text.len() - bare.len();
    if let Some(raw) = bare.strip_prefix('r').filter(|_| !before.is_some_and(is_word)) {
        let fence = raw.bytes().take_while(|b| *b == b'#').count();
        if raw[fence..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(fence));
            let inside = prefix + 1 + fence + 1;
            let end = text[inside..].find(&close).map_or(text.len(), |at| inside + at + close.len());
            return Some(end);
        }
    }
    let mut inside = bare.char_indices();
    match inside.next()?.1 {
        '"' => {}
        '\'' => {
            let mut next = bare.chars().skip(1);
            let is_character = next.next()? == '\\' || next.next()? == '\'';
            if !is_character {
                return None; // a lifetime
            }
        }
        _ => return None,
    }
    let quote = bare.chars().next()?;
    while let Some((at, c)) = inside.next() {
        if c == '\\' {
            inside.next();
        } else if c == quote {
            return Some(prefix + at + 1);
        }
    }
    Some(text.len())
}
