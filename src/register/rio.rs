//! RIO, the Dutch register of government domains (`exportRIO.xml`, namespace `…/oo/export/0.0.3`): which domain is whose, and since
//! when no longer (`reference/dutch-government.md` 3).

use crate::register::tree::{Node, attribute, inside, is, walk};
use crate::register::{Counts, Handing, ReadError, Register, Sink, day};

/// The form of RIO.
pub(super) struct Rio;

const ROOT: &str = "RegisterInternetdomeinenOverheid";
const ORGANISATION: &str = "organisatie";

#[derive(Default)]
struct Domain {
    name: String,
    withdrawn: Option<String>,
}

impl Register for Rio {
    fn name(&self) -> &'static str {
        "rio"
    }

    fn has_domains(&self) -> bool {
        true
    }

    fn has_accounts(&self) -> bool {
        false
    }

    fn read(&self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<Counts, ReadError> {
        let mut handing = Handing { sink, counts: Counts::default() };
        let mut organisations: Vec<Option<String>> = Vec::new();
        let mut domain = Domain::default();
        walk(bytes, |node| match node {
            Node::Open { path, attributes } => {
                match path {
                    [root] if root != ROOT => {
                        let problem = format!("its root is <{root}>");
                        return Err(ReadError::Form { wanted: "an export of RIO", problem });
                    }
                    [.., last] if last == ORGANISATION => {
                        organisations.push(attribute(attributes, "resourceIdentifierTOOI").map(str::to_owned));
                    }
                    [.., last] if last == "domeinnaamregistratie" || last == "domein" => domain = Domain::default(),
                    _ => {}
                }
                Ok(())
            }
            Node::Close { path, text } => {
                let Some(at) = inside(path, ORGANISATION) else { return Ok(()) };
                let below = path.get(at..);
                let registration = ["domeinnaamregistraties", "domeinnaamregistratie"];
                let host = ["domeinen", "domein"];
                if is(below, &[]) {
                    organisations.pop();
                } else if is(below, &[registration[0], registration[1], "naam"])
                    || is(below, &[host[0], host[1], "url"])
                {
                    text.get()?.clone_into(&mut domain.name);
                } else if is(below, &[registration[0], registration[1], "opgezegdSinds"])
                    || is(below, &[host[0], host[1], "opgezegdSinds"])
                {
                    domain.withdrawn = Some(text.get()?.to_owned()).filter(|date| !date.is_empty());
                } else if is(below, &registration) || is(below, &host) {
                    let Domain { name, withdrawn } = std::mem::take(&mut domain);
                    let withdrawn =
                        withdrawn.map(|date| day(&date, &format!("opgezegdSinds of {name}"))).transpose()?;
                    let organisation = organisations.last().and_then(Option::as_deref);
                    return handing.domain(&name, organisation, withdrawn);
                }
                Ok(())
            }
        })?;
        Ok(handing.counts)
    }
}
