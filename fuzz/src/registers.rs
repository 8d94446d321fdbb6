//! Registers of others, in every form: the first line names the form, the rest is the file.

use heraut::register::judge::{Listed, Said, Source, domain};
use heraut::register::{
    Counts, ENTRIES_MAX, Entry, REGISTERS, ReadError, Register, TEXT_BYTES_MAX, account, domain as names,
};
use heraut::time::Timestamp;

use crate::{chosen, line};

/// 2026-11-22T09:00:00Z.
const NOW: Timestamp = Timestamp(1_795_338_000_000);
/// Most domains of one file that are judged against each other.
const JUDGED_MAX: usize = 12;

/// A register is read to its end or is an error, says the same each time, and gives nothing that is not in its normal form.
pub(crate) fn run(input: &[u8]) {
    let (name, bytes) = line(input);
    let register = *chosen(&REGISTERS, name, |register| register.name());
    let (entries, outcome) = read(register, bytes);
    assert_eq!((&entries, &outcome), (&read(register, bytes).0, &read(register, bytes).1));
    let Ok(counts) = outcome else { return };
    assert_eq!(counts.entries, entries.len());
    assert!(counts.entries <= ENTRIES_MAX);
    entries.iter().for_each(is_normal);
    let domains: Vec<&Entry> =
        entries.iter().filter(|entry| matches!(entry, Entry::Domain { .. })).take(JUDGED_MAX).collect();
    for listed in &domains {
        for asked in &domains {
            only_below(listed, asked);
        }
    }
}

fn read(register: &dyn Register, bytes: &[u8]) -> (Vec<Entry>, Result<Counts, ReadError>) {
    let mut entries = Vec::new();
    let outcome = register.read(bytes, &mut |entry| {
        entries.push(entry);
        true
    });
    (entries, outcome)
}

fn is_normal(entry: &Entry) {
    match entry {
        Entry::Domain { domain, organisation, .. } => {
            assert_eq!(names::normal(domain).as_ref(), Some(domain), "what is normal stays as it is");
            assert!(domain.is_ascii(), "a look-alike shows itself: {domain}");
            assert!(organisation.as_ref().is_none_or(|uri| !uri.is_empty()));
            for candidate in names::candidates(domain) {
                assert!(domain.ends_with(&candidate) && !names::is_public_suffix(&candidate), "{domain}: {candidate}");
            }
        }
        Entry::Account { url, .. } => {
            assert_eq!(account::normal(url).as_ref(), Some(url), "what is normal stays as it is");
        }
        Entry::Organisation { uri, name, .. } => {
            assert!(!uri.is_empty() && uri.len() <= TEXT_BYTES_MAX && name.len() <= TEXT_BYTES_MAX);
        }
    }
}

/// An entry never speaks for what is not below it.
fn only_below(listed: &Entry, asked: &Entry) {
    let (Entry::Domain { domain: listed, organisation, withdrawn_at }, Entry::Domain { domain: asked, .. }) =
        (listed, asked)
    else {
        return;
    };
    let source = Source { name: "r".to_owned(), read_at: Some(NOW), sha256: String::new(), failure: None };
    let entry = Listed {
        register: "r".to_owned(),
        domain: listed.clone(),
        organisation: organisation.clone(),
        withdrawn_at: *withdrawn_at,
    };
    let said = Said { domain_registers: vec![source], listed: vec![entry], ..Said::default() };
    if let Ok(found) = domain(&said, asked, None, NOW) {
        assert_eq!(&found.domain, listed);
        assert!(asked == listed || asked.ends_with(&format!(".{listed}")), "{listed} spoke for {asked}");
    }
}
