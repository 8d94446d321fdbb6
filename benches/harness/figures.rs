//! Figures: a name and a number each.

use serde_json::{Map, Value, json};

/// What was measured, in the order in which it was.
pub struct Figures {
    json: bool,
    said: Map<String, Value>,
}

impl Figures {
    /// Lines at once, or one JSON object at the end.
    pub fn new(json: bool) -> Self {
        Self { json, said: Map::new() }
    }

    /// Says one.
    pub fn say(&mut self, name: String, value: f64) {
        let shown = shown(value);
        if self.json {
            eprintln!("{name}: {shown}");
        } else {
            println!("{name}: {shown}");
        }
        self.said.insert(name, json!(shown.parse::<f64>().unwrap_or(value)));
    }

    /// One that was said.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.said.get(name).and_then(Value::as_f64)
    }

    /// Prints the object.
    pub fn end(self) {
        if self.json {
            println!("{}", serde_json::to_string_pretty(&Value::Object(self.said)).unwrap());
        }
    }
}

/// Four significant digits, and no more than three after the point.
fn shown(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.2}"),
        v if v >= 0.1 || v == 0.0 => format!("{value:.3}"),
        _ => format!("{value:.5}"),
    }
}

/// The middle one; of an even number the mean of the two.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[half],
        _ => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

/// So much for each of so many.
pub fn ratio(sum: f64, count: usize) -> f64 {
    sum / f64::from(u32::try_from(count.max(1)).unwrap())
}
