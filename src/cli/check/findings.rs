//! What a check found: each thing under a code that never changes, with what is the matter and what to do.

use serde::Serialize;

use crate::cli::output;

/// All codes. They stand in the operator's manual, and in scripts of operators.
const CODES: [&str; 32] = [
    "body",
    "certificate",
    "certificate-ends",
    "certificate-invalid",
    "clock",
    "configuration",
    "database",
    "dns",
    "header-content-digest",
    "header-content-type",
    "header-date",
    "header-digest",
    "header-host",
    "header-signature",
    "header-signature-input",
    "ipv6",
    "ipv6-missing",
    "ipv6-silent",
    "master-key",
    "media",
    "no-actor",
    "other-server",
    "own-host",
    "probe",
    "proof",
    "public-url",
    "register",
    "signature",
    "source",
    "target",
    "webfinger",
    "webfinger-not-forwarded",
];

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Neither good nor bad, or it could not be looked at.
    Note,
    /// Somebody must do something.
    Wrong,
}

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    state: State,
    code: &'static str,
    what: String,
    /// What to do; only where something is wrong.
    #[serde(rename = "do", skip_serializing_if = "Option::is_none")]
    todo: Option<String>,
}

/// What was found so far. Shown as it is found, or as JSON at the end.
#[derive(Debug)]
pub struct Findings {
    json: bool,
    all: Vec<Finding>,
}

#[derive(Serialize)]
struct Report<'a> {
    wrong: usize,
    findings: &'a [Finding],
}

impl Findings {
    /// Nothing yet.
    pub fn new(json: bool) -> Self {
        Self { json, all: Vec::new() }
    }

    /// It is as it should be.
    pub fn good(&mut self, code: &'static str, what: impl Into<String>) {
        self.add(State::Ok, code, what.into(), None);
    }

    /// It is to be known, and nothing need be done.
    pub fn note(&mut self, code: &'static str, what: impl Into<String>) {
        self.add(State::Note, code, what.into(), None);
    }

    /// It is wrong, and this is to be done.
    pub fn bad(&mut self, code: &'static str, what: impl Into<String>, todo: impl Into<String>) {
        self.add(State::Wrong, code, what.into(), Some(todo.into()));
    }

    /// How many things are wrong.
    pub fn wrong(&self) -> usize {
        self.all.iter().filter(|finding| finding.state == State::Wrong).count()
    }

    /// Whether that is wrong.
    pub fn has(&self, code: &str) -> bool {
        self.all.iter().any(|finding| finding.state == State::Wrong && finding.code == code)
    }

    /// Shows what is to be shown at the end.
    pub fn show(&self) -> anyhow::Result<()> {
        match (self.json, self.wrong()) {
            (true, wrong) => output::json(&Report { wrong, findings: &self.all })?,
            (false, 0) => output::line("nothing is wrong"),
            (false, 1) => output::note("1 thing is wrong"),
            (false, wrong) => output::note(format!("{wrong} things are wrong")),
        }
        Ok(())
    }

    fn add(&mut self, state: State, code: &'static str, what: String, todo: Option<String>) {
        debug_assert!(CODES.contains(&code), "{code} is no code");
        if !self.json {
            output::line(match (state, &todo) {
                (State::Wrong, Some(todo)) => format!("WRONG {code}: {what}; {todo}"),
                (State::Wrong, None) => format!("WRONG {code}: {what}"),
                (State::Note, _) => format!("note  {what}"),
                (State::Ok, _) => format!("ok    {what}"),
            });
        }
        self.all.push(Finding { state, code, what, todo });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_the_manual() {
        let manual = include_str!("../../../docs/operators.md");
        let missing: Vec<_> = CODES.iter().filter(|code| !manual.contains(&format!("| `{code}` |"))).collect();
        assert!(missing.is_empty(), "docs/operators.md has no row for {missing:?}");
    }
}
