//! The page that a scrape reads: the series of the process, and those that were read from the database.

use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts, Registry, TextEncoder};

use crate::metrics::meters::meters;

/// The media type of the page.
pub const CONTENT_TYPE: &str = prometheus::TEXT_FORMAT;

/// Gauges of one name that were read at scrape time.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The name.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub help: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// The values of the labels, as many as there are names, and the value.
    pub rows: Vec<(Vec<String>, f64)>,
}

/// The page: all series of this process, and these. An error names the family that cannot be shown.
pub fn page(families: &[Family]) -> Result<String, String> {
    let mut gathered: Vec<MetricFamily> = meters().map(|m| m.registry.gather()).unwrap_or_default();
    let registry = Registry::new();
    for family in families {
        add(&registry, family).map_err(|error| format!("the metric {} cannot be shown: {error}", family.name))?;
    }
    gathered.extend(registry.gather());
    TextEncoder::new().encode_to_string(&gathered).map_err(|error| format!("metrics cannot be written: {error}"))
}

fn add(registry: &Registry, family: &Family) -> Result<(), prometheus::Error> {
    let gauges = GaugeVec::new(Opts::new(family.name, family.help), family.labels)?;
    for (values, value) in &family.rows {
        gauges.get_metric_with_label_values(values)?.set(*value);
    }
    registry.register(Box::new(gauges))
}
