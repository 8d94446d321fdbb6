//! How the ladder of an actor is shown: every rung, why not, and what to put where.

use serde_json::{Value, json};

use crate::actor::ladder::{Rung, Standing, Step, level};
use crate::actor::verification::{VerifiedActor, document_for, document_url};
use crate::actor::{Actor, record, rel_me};
use crate::cli::output;
use crate::flow::verify::Checked;
use crate::flow::{Gateway, now};

/// One rung in a line, without its level.
pub fn line(step: &Step) -> String {
    let standing = step.standing.name();
    let rung = step.rung.name();
    let (Standing::Holds, Some(seen)) = (step.standing, &step.seen) else {
        return format!("{standing:<9}  {rung}: {}", step.why.as_deref().unwrap_or_default());
    };
    let dnssec = seen.dnssec.map(|state| format!(", DNSSEC {}", state.name())).unwrap_or_default();
    let ends = seen.ends_at.map(|at| format!(", ends on {at}")).unwrap_or_default();
    let said = if seen.said.is_empty() { String::new() } else { format!(" says {}", seen.said) };
    let digest = seen.sha256.get(..16).unwrap_or(&seen.sha256);
    format!("{standing:<9}  {rung}: {}{said} (read {}, sha256 {digest}…{dnssec}{ends})", seen.place, seen.at)
}

/// All rungs, and how high they reach.
pub fn print(gateway: &Gateway, steps: &[Step]) {
    for step in steps {
        output::line(format!("level {}  {}", step.rung.level().number(), line(step)));
    }
    let needed = gateway.settings.proof_times.level.number();
    output::line(format!("reached  level {}; level {needed} is needed to publish", level(steps).number()));
}

/// What is to be put where, for what does not hold and was asked.
pub fn print_ways(gateway: &Gateway, actor: &Actor, own: &[&Actor], steps: &[Step]) {
    let fails = |rung: Rung| steps.iter().any(|step| step.rung == rung && step.standing == Standing::Fails);
    let holds = |rung: Rung| steps.iter().any(|step| step.rung == rung && step.standing == Standing::Holds);
    let domain = &actor.agency.domain;
    if fails(Rung::File) && !holds(Rung::Dns) {
        output::line(String::new());
        output::line(format!(
            "To prove that {} speaks for {domain}, put this at {}:",
            actor.full_handle(),
            document_url(&actor.agency)
        ));
        output::line(String::new());
        output::line(document_for(own).trim_end());
        let lines = record::lines_for(actor);
        if !lines.is_empty() {
            output::line(String::new());
            output::line("or this in its zone:");
            output::line(String::new());
            lines.into_iter().for_each(output::line);
        }
    }
    if fails(Rung::Link) {
        output::line(String::new());
        output::line(format!("For level 3, put this in the head of the page that the profile links to on {domain}:"));
        output::line(String::new());
        output::line(rel_me::line_for(&gateway.base.actor_page(actor.handle.as_str())));
    }
    if fails(Rung::Account) {
        output::line(String::new());
        output::line("For level 4, have the editor of the register add this account of Mastodon:");
        output::line(String::new());
        output::line(gateway.base.actor_page(actor.handle.as_str()));
    }
}

/// The same for machines.
pub fn as_json(gateway: &Gateway, actor: &Actor, own: &[&Actor], checked: &Checked) -> Value {
    let times = &gateway.settings.proof_times;
    let verified = VerifiedActor::prove(actor.clone(), &checked.proof, times, now());
    let page = gateway.base.actor_page(actor.handle.as_str());
    let document: Value = serde_json::from_str(&document_for(own)).unwrap_or_default();
    json!({
        "handle": actor.full_handle(),
        "actor": actor.url,
        "agency": actor.agency.name,
        "domain": actor.agency.domain,
        "key_fingerprint": actor.keys.fingerprint(),
        "key_fingerprints": actor.keys.fingerprints(),
        "verified": verified.is_ok(),
        "verified_until": verified.as_ref().ok().map(|verified| verified.until().to_rfc3339()),
        "unverified": verified.err().map(|why| why.to_string()),
        "level": level(&checked.proof.steps),
        "level_needed": times.level,
        "failure": checked.failure,
        "ends_at": checked.proof.ends_at.map(|at| at.to_rfc3339()),
        "released": checked.released,
        "steps": checked.proof.steps.iter().map(step_json).collect::<Vec<_>>(),
        "put": {
            "file": {"url": document_url(&actor.agency), "document": document},
            "dns": record::name(&actor.agency).map(|name| json!({
                "name": name, "type": "TXT", "texts": record::texts_for(actor), "lines": record::lines_for(actor),
            })),
            "link": {"line": rel_me::line_for(&page)},
            "account": {"url": page},
        },
    })
}

/// A rung for machines.
pub fn step_json(step: &Step) -> Value {
    let seen = step.seen.as_ref().map(|seen| {
        json!({
            "place": seen.place,
            "sha256": seen.sha256,
            "read_at": seen.at.to_rfc3339(),
            "said": seen.said,
            "dnssec": seen.dnssec,
            "organisation": seen.organisation,
            "ends_at": seen.ends_at.map(|at| at.to_rfc3339()),
        })
    });
    json!({
        "level": step.rung.level(),
        "rung": step.rung,
        "standing": step.standing,
        "why": step.why,
        "seen": seen,
        "checked_at": step.checked_at.to_rfc3339(),
    })
}
