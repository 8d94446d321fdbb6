//! The targets of the configuration file.

use crate::app::AppError;
use crate::config::Config;
use crate::config::hook::Held;
use crate::config::target::TargetConfig;
use crate::flow::Gateway;
use crate::flow::provision::By;
use crate::flow::targets::{self, TargetPlan, Whose};
use crate::flow::verify::with_causes;
use crate::vault;

/// Puts the targets of the configuration into the database, and those out of use that stand there no more.
pub(super) async fn provision(gateway: &Gateway, config: &Config) -> Result<(), AppError> {
    for target in &config.targets {
        let failed = |problem: String| AppError::Target { name: target.name.clone(), problem };
        let plan = plan(target).map_err(failed)?;
        targets::set(gateway, plan, By::Config).await.map_err(|error| failed(with_causes(&error)))?;
    }
    let named = config.targets.iter().map(|target| target.name.clone()).collect();
    Ok(targets::retire_missing(gateway, named).await?)
}

/// The plan of a target, with its token read from where the file says that it is.
fn plan(target: &TargetConfig) -> Result<TargetPlan, String> {
    if let Held::File(path) = &target.token
        && vault::readable_by_all(path).unwrap_or(false)
    {
        let path = path.display();
        return Err(format!("every user of this machine can read its access token; run `chmod 600 {path}`"));
    }
    let token = target.token.read().map_err(|error| with_causes(&error))?;
    let whose = match (&target.actor, &target.agency) {
        (Some(actor), _) => Whose::Actor(actor.to_string()),
        (None, agency) => Whose::Agency(agency.clone().unwrap_or_default()),
    };
    Ok(TargetPlan {
        name: target.name.clone(),
        whose,
        kind: target.kind.clone(),
        url: target.url.clone(),
        visibility: target.visibility,
        enabled: target.enabled,
        token: token.expose().into(),
    })
}
