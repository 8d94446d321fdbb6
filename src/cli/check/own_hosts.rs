//! The hosts that agencies brought: whether they lead here, under their own name and with a certificate of theirs.

use super::Looking;
use crate::actor::Actor;
use crate::actor::continuity::ActorState;
use crate::flow::Gateway;
use crate::store::actors;
use crate::urls::Base;

/// Looks at each host of an agency as others see it: its instance actor, and one of its actors.
pub(super) async fn check(gateway: &Gateway, all: &[Actor], looking: &mut Looking) -> anyhow::Result<()> {
    let agencies = gateway.store.read("list agencies", actors::list_agencies).await?;
    for agency in agencies {
        let Some(base) = agency.host.as_deref().and_then(|host| Base::parse(host).ok()) else { continue };
        let there: Vec<&Actor> = all.iter().filter(|actor| actor.base() == base).collect();
        if !there.is_empty() && there.iter().all(|actor| is_silent(actor)) {
            continue; // another installation answers there, or nobody needs to
        }
        let url = base.instance_actor();
        let way_out = format!(
            "lead {} here (DNS), with a certificate for it, and have the proxy pass on every path with its Host header unchanged; \
             see \"A host of your own\" in docs/operators.md",
            base.authority()
        );
        let of = format!("{url} of agency `{}`", agency.name);
        let found = looking.json(gateway, url.as_str(), "application/activity+json").await;
        let findings = &mut looking.findings;
        match found.map(|document| document.get("id").cloned().unwrap_or_default()) {
            Ok(id) if id.as_str() == Some(url.as_str()) => {
                findings.good("own-host", format!("{of} answers from outside as it should"));
            }
            Ok(id) => findings.bad("own-host", format!("{of} names itself {id}"), way_out),
            Err(problem) => findings.bad("own-host", format!("{of} cannot be fetched ({problem})"), way_out),
        }
    }
    Ok(())
}

fn is_silent(actor: &Actor) -> bool {
    let state = actor.continuity.state;
    state.is_over() || state == ActorState::HandedOver
}
