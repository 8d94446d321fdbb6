//! The connectors of Heraut: what an outside source says, as [`item::Item`]s.
//!
//! Invariants: nothing here fetches, stores, sleeps or signs; same bytes, same items; malformed input is an error and never a
//! panic. Adding a connector is one folder and one line in [`CONNECTORS`]; see `README.md` beside this file.

pub mod cap;
pub mod capture;
pub mod catalogue;
pub mod cloudevents;
pub mod contract;
mod draft;
pub mod error;
pub mod feed;
pub mod import;
pub mod item;
pub mod json;
#[cfg(test)]
mod kit;
pub mod mapped;
pub mod profiles;
mod rich;
pub mod settings;
pub mod sitemap;
mod template;
pub mod wordpress;

/// Every kind of connector there is.
pub static CONNECTORS: &[&dyn contract::Kind] = &[
    &cap::Cap,                 // warnings: CAP 1.2, MeteoAlarm
    &cloudevents::CloudEvents, // the contract that our own plugins and templates speak
    &feed::Feed,               // RSS, Atom, JSON Feed
    &import::Import,           // press releases in files: JSON, CSV, Markdown, HTML, NewsML-G2, ninjs
    &mapped::Mapped,           // any JSON, by JSONPath and templates
    &sitemap::Sitemap,         // news sitemaps, and the pages that they list
    &wordpress::WordPress,
];
