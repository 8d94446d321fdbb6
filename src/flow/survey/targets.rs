//! How targets do.

use super::{age, float, plain};
use crate::metrics::Family;
use crate::store::target_receipts::Standing;
use crate::time::Timestamp;

/// What a scrape is told of targets. Their names are an operator's own; their servers are no labels.
pub(super) fn families(standings: &[Standing], at: Timestamp) -> Vec<Family> {
    let each = |name, help, value: &dyn Fn(&Standing) -> f64| Family {
        name,
        help,
        labels: &["agency", "target"],
        rows: standings.iter().map(|s| (vec![s.agency.clone(), s.name.clone()], value(s))).collect(),
    };
    let count = |wanted: &dyn Fn(&Standing) -> bool| {
        float(i64::try_from(standings.iter().filter(|standing| wanted(standing)).count()).unwrap_or(i64::MAX))
    };
    vec![
        plain(
            "heraut_targets_resting",
            "Targets to which nothing is said until somebody does something: mostly the access token does not work.",
            count(&|standing| standing.resting),
        ),
        plain("heraut_targets_failing", "Targets whose server fails and is tried again.", count(&|s| s.failing)),
        plain(
            "heraut_targets_oldest_age_seconds",
            "Age of the oldest post that is owed to a target, 0 when nothing is.",
            standings.iter().filter_map(|s| s.oldest).min().map_or(0.0, |oldest| age(oldest, at)),
        ),
        each("heraut_target_owed", "Posts, edits and withdrawals that are owed to a target.", &|s| float(s.owed)),
        each("heraut_target_rests", "1 when nothing is said to a target until somebody does something.", &|s| {
            if s.resting { 1.0 } else { 0.0 }
        }),
    ]
}
