//! ROO, the Dutch register of government organisations (`exportOO.xml`, namespace `…/oo/export/2.6.9`): which organisations there
//! are, until when, and which accounts are theirs (`reference/dutch-government.md` 3). Organisations stand inside one another;
//! what belongs to one are its direct children.

use crate::register::tree::{Node, attribute, inside, is, walk};
use crate::register::{Counts, Entry, Handing, ReadError, Register, Sink, day};

/// The form of ROO.
pub(super) struct Roo;

const ORGANISATION: &str = "organisatie";
/// What the root is called, in the whole export and in those of one type.
const ROOTS: [&str; 2] = ["overheidsorganisaties", "organisaties"];

#[derive(Default)]
struct Open {
    uri: Option<String>,
    name: String,
    ends: Option<String>,
    accounts: Vec<String>,
}

/// Most accounts of one organisation.
const ACCOUNTS_MAX: usize = 1_000;

impl Register for Roo {
    fn name(&self) -> &'static str {
        "roo"
    }

    fn has_domains(&self) -> bool {
        false
    }

    fn has_accounts(&self) -> bool {
        true
    }

    fn read(&self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<Counts, ReadError> {
        let mut handing = Handing { sink, counts: Counts::default() };
        let mut open: Vec<Open> = Vec::new();
        walk(bytes, |node| match node {
            Node::Open { path, attributes } => {
                if let [root] = path
                    && !ROOTS.contains(&root.as_str())
                {
                    let problem = format!("its root is <{root}>");
                    return Err(ReadError::Form { wanted: "an export of ROO", problem });
                }
                if path.last().is_some_and(|name| name == ORGANISATION) {
                    let uri = attribute(attributes, "resourceIdentifierTOOI").map(str::to_owned);
                    open.push(Open { uri, ..Open::default() });
                }
                Ok(())
            }
            Node::Close { path, text } => {
                let (Some(at), Some(current)) = (inside(path, ORGANISATION), open.last_mut()) else { return Ok(()) };
                let below = path.get(at..);
                if is(below, &[]) {
                    return open.pop().map_or(Ok(()), |done| hand_on(&mut handing, done));
                }
                if is(below, &["naam"]) {
                    text.get()?.clone_into(&mut current.name);
                } else if is(below, &["eindDatum"]) {
                    current.ends = Some(text.get()?.to_owned()).filter(|date| !date.is_empty());
                } else if is(below, &["contact", "socialMedia", "socialmedium", "url"])
                    && current.accounts.len() < ACCOUNTS_MAX
                {
                    let url = text.get()?;
                    current.accounts.extend((!url.is_empty()).then(|| url.to_owned()));
                }
                Ok(())
            }
        })?;
        Ok(handing.counts)
    }
}

fn hand_on(handing: &mut Handing<'_, '_>, done: Open) -> Result<(), ReadError> {
    // Without a URI nothing can refer to it: departments mostly have none.
    let Some(uri) = done.uri else { return Ok(()) };
    let ends_at = done.ends.map(|date| day(&date, &format!("eindDatum of {uri}"))).transpose()?;
    handing.give(Entry::Organisation { uri: uri.clone(), name: done.name, ends_at })?;
    done.accounts.iter().try_for_each(|url| handing.account(url, &uri))
}
