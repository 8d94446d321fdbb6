//! When a feed document asks not to be fetched.

use rss::Channel;
use rss::extension::{Extension, ExtensionMap};

use crate::contract::Politeness;

/// Longest wait that a document can ask for, in minutes: one year. A larger number is a mistake.
const MINUTES_MAX: u32 = 366 * 24 * 60;
/// What WordPress writes into every feed, in minutes.
const WORDPRESS_MINUTES: u32 = 60;

/// RSS 2.0 `ttl`, `skipHours`, `skipDays` and the syndication module of RSS 1.0.
pub(super) fn of_rss(channel: &Channel) -> Politeness {
    let ttl = channel.ttl.as_deref().and_then(|ttl| ttl.trim().parse().ok());
    let mut skip_hours: Vec<u8> = channel.skip_hours.iter().filter_map(|hour| self::hour(hour)).collect();
    skip_hours.sort_unstable();
    skip_hours.dedup();
    let mut skip_days: Vec<u8> = channel.skip_days.iter().filter_map(|day| self::day(day)).collect();
    skip_days.sort_unstable();
    skip_days.dedup();
    let least_minutes = bounded(ttl.max(syndication(&channel.extensions)));
    Politeness { least_minutes, skip_hours, skip_days }
}

/// The syndication module alone, as Atom feeds carry it too.
pub(super) fn of_extensions(extensions: &ExtensionMap) -> Politeness {
    Politeness { least_minutes: bounded(syndication(extensions)), ..Politeness::default() }
}

fn bounded(minutes: Option<u32>) -> Option<u32> {
    minutes.filter(|minutes| *minutes > 0).map(|minutes| minutes.min(MINUTES_MAX))
}

/// <http://web.resource.org/rss/1.0/modules/syndication/>: the period, divided by how often it changes in it. "Once an hour" is
/// what WordPress writes into every feed, whatever the site does: nobody there asked for it, so it asks nothing of us.
fn syndication(extensions: &ExtensionMap) -> Option<u32> {
    let module = extensions.get("sy")?;
    let value = |name: &str| module.get(name).and_then(|all| all.iter().find_map(|e: &Extension| e.value.as_deref()));
    let period = match value("updatePeriod")?.trim().to_ascii_lowercase().as_str() {
        "hourly" => 60,
        "daily" => 24 * 60,
        "weekly" => 7 * 24 * 60,
        "monthly" => 30 * 24 * 60,
        "yearly" => 365 * 24 * 60,
        _ => return None,
    };
    let frequency = value("updateFrequency").and_then(|often| often.trim().parse::<u32>().ok()).unwrap_or(1);
    Some(period / frequency.max(1)).filter(|minutes| *minutes != WORDPRESS_MINUTES)
}

/// Some write hours as 1 to 24.
fn hour(text: &str) -> Option<u8> {
    text.trim().parse::<u8>().ok().filter(|hour| *hour <= 24).map(|hour| hour % 24)
}

fn day(text: &str) -> Option<u8> {
    let text = text.trim().to_ascii_lowercase();
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    days.iter().position(|day| *day == text).and_then(|at| u8::try_from(at).ok())
}
