//! Unix cron lines to the lines of the `cron` crate: seconds added, weekdays renumbered, everything written out as lists.

use std::collections::BTreeSet;

struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day of month", least: 1, most: 31, names: &[] },
    Field { name: "month", least: 1, most: 12, names: MONTHS },
    Field { name: "day of week", least: 0, most: 7, names: DAYS },
];

/// A field, read: its values, or all of them; and whether it begins with `*`, which decides how the day fields combine.
struct Values {
    list: Option<BTreeSet<u32>>,
    star: bool,
}

/// The one or two lines that stand for `text`, or what is wrong with it.
pub(super) fn translate(text: &str) -> Result<Vec<String>, String> {
    let expanded = match text.trim().to_ascii_lowercase().as_str() {
        "@hourly" => "0 * * * *".to_owned(),
        "@daily" | "@midnight" => "0 0 * * *".to_owned(),
        "@weekly" => "0 0 * * 0".to_owned(),
        "@monthly" => "0 0 1 * *".to_owned(),
        other if other.starts_with('@') => return Err(format!("`{other}` is not known")),
        other => other.to_owned(),
    };
    let parts: Vec<&str> = expanded.split_whitespace().collect();
    if parts.len() != FIELDS.len() {
        return Err(format!("it has {} fields", parts.len()));
    }
    let mut values = Vec::new();
    for (field, part) in FIELDS.iter().zip(parts) {
        values.push(read(field, part)?);
    }
    let [minute, hour, day, month, weekday] = values.as_slice() else { return Err("it has too few fields".to_owned()) };
    let write = |day: &str, weekday: &str| format!("0 {} {} {day} {} {weekday}", list(minute), list(hour), list(month));
    // Unix counts from 0 for Sunday and takes 7 for it too; the crate counts from 1.
    let weekdays = weekday.list.as_ref().map(|days| days.iter().map(|day| day % 7 + 1).collect::<BTreeSet<_>>());
    let weekdays = list(&Values { list: weekdays, star: weekday.star });
    if day.star || weekday.star {
        return Ok(vec![write(&list(day), &weekdays)]);
    }
    Ok(vec![write(&list(day), "*"), write("*", &weekdays)])
}

fn list(values: &Values) -> String {
    match &values.list {
        None => "*".to_owned(),
        Some(list) => list.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
    }
}

fn read(field: &Field, text: &str) -> Result<Values, String> {
    if text == "*" {
        return Ok(Values { list: None, star: true });
    }
    let mut list = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let bad = |what: &str| format!("`{part}` in the field {} {what}", field.name);
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (field.least, if field.most == 7 { 6 } else { field.most }),
            Some((from, to)) => (value(field, from)?, value(field, to)?),
            None if step.is_some() => return Err(bad("has a step without a range; write `*/5` or `0-30/5`")),
            None => (value(field, range)?, value(field, range)?),
        };
        if from > to {
            return Err(bad("runs backwards; write it as a list"));
        }
        let step = match step {
            None => 1,
            Some(step) => step.parse().ok().filter(|s| (1..=60).contains(s)).ok_or_else(|| bad("has no good step"))?,
        };
        list.extend((from..=to).step_by(step));
    }
    Ok(Values { list: Some(list), star: text.starts_with('*') })
}

fn value(field: &Field, text: &str) -> Result<u32, String> {
    let named = field.names.iter().position(|name| *name == text).and_then(|at| u32::try_from(at).ok());
    let plain = || text.parse().ok().filter(|_| text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit()));
    named
        .map(|at| at + field.least)
        .or_else(plain)
        .filter(|n| (field.least..=field.most).contains(n))
        .ok_or_else(|| format!("`{text}` is not a {} ({} to {})", field.name, field.least, field.most))
}
