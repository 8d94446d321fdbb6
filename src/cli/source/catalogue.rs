//! `heraut source catalogue`, and sources made from it.

use anyhow::{Context, bail};
use heraut_connectors::catalogue::{Entry, catalogue};
use serde_json::{Map, Value, json};
use url::Url;

use crate::actor::Language;
use crate::cli::output;
use crate::post::policy::SourcePolicy;
use crate::source::span::Span;

/// What an entry says of a source.
pub(super) struct Chosen {
    pub kind: String,
    pub every: String,
    pub language: Language,
    pub policy: SourcePolicy,
    pub stale_after: Span,
    pub settings: Map<String, Value>,
}

/// Prints the entries in which all these words stand.
pub(super) fn show(words: &str, json: bool) -> anyhow::Result<()> {
    let known = catalogue()?;
    let found = known.search(words);
    if json {
        return output::json(&found.into_iter().map(describe).collect::<Vec<_>>());
    }
    if found.is_empty() {
        bail!("nothing in the catalogue has all of `{words}`; `heraut source catalogue` shows all of it");
    }
    for entry in found {
        let doubt = if entry.doubtful { " (doubtful)" } else { "" };
        output::line(format!("{}: {}, {}{doubt}", entry.name, entry.title, entry.kind));
        for fill in &entry.fill {
            output::line(format!("    give --fill {}=…: {}, such as `{}`", fill.name, fill.what, fill.example));
        }
        entry.traps.iter().for_each(|trap| output::line(format!("    {trap}")));
    }
    output::line("next: `heraut source add --from-catalogue NAME --actor HANDLE`");
    Ok(())
}

fn describe(entry: &Entry) -> Value {
    let fill = |fill: &heraut_connectors::catalogue::Fill| json!({ "name": fill.name, "what": fill.what, "example": fill.example });
    json!({
        "name": entry.name,
        "title": entry.title,
        "publisher": entry.publisher,
        "language": entry.language,
        "kind": entry.kind,
        "every": entry.every,
        "stale_after_days": entry.stale_after_days,
        "doubtful": entry.doubtful,
        "settings": entry.settings,
        "policy": entry.policy,
        "fill": entry.fill.iter().map(fill).collect::<Vec<_>>(),
        "traps": entry.traps,
    })
}

/// The entry of that name, with what it asks to be filled in, each `NAME=VALUE`.
pub(super) fn choose(name: &str, filled: &[String]) -> anyhow::Result<Chosen> {
    let known = catalogue()?;
    let entry = known.find(name);
    let entry = entry.with_context(|| format!("`{name}` is not in the catalogue; see `heraut source catalogue`"))?;
    let given =
        filled.iter().map(|pair| pair.split_once('=').with_context(|| format!("--fill `{pair}` is not NAME=VALUE")));
    let given = given.collect::<anyhow::Result<Vec<(&str, &str)>>>()?;
    let settings = match entry.settings(&given)? {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    let policy = serde_json::from_value(Value::Object(entry.policy.clone()));
    Ok(Chosen {
        kind: entry.kind.clone(),
        every: entry.every.clone(),
        language: Language::parse(&entry.language)?,
        policy: policy
            .with_context(|| format!("the catalogue's policy of `{name}` cannot be read; please report this"))?,
        stale_after: Span::seconds(u64::from(entry.stale_after_days) * 86_400),
        settings,
    })
}

/// Refuses an address that is known to be dead.
pub(super) fn is_alive(url: &str) -> anyhow::Result<()> {
    let Ok(url) = Url::parse(url) else { return Ok(()) };
    let known = catalogue()?;
    let Some(gone) = known.gone(&url) else { return Ok(()) };
    let instead = gone.instead.join("`, `");
    bail!("{} is gone since {}; take `{instead}` from `heraut source catalogue`", gone.begins, gone.since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_becomes_a_source() {
        for entry in catalogue().unwrap().sources {
            let filled: Vec<String> = entry.fill.iter().map(|fill| format!("{}={}", fill.name, fill.example)).collect();
            let chosen = choose(&entry.name, &filled).unwrap_or_else(|error| panic!("{}: {error:#}", entry.name));
            assert_eq!(chosen.kind, entry.kind);
            assert_eq!(chosen.stale_after, Span::parse(&format!("{}d", entry.stale_after_days)).unwrap());
            crate::source::schedule::Schedule::every(&chosen.every).unwrap();
        }
    }

    #[test]
    fn a_dead_address_is_refused_with_what_takes_its_place() {
        let error = is_alive("https://feeds.rijksoverheid.nl/nieuws.rss").unwrap_err().to_string();
        assert!(error.contains("rijksoverheid-"), "{error}");
        assert!(is_alive("https://www.voorbeeldstad.example/nieuws.rss").is_ok());
    }
}
