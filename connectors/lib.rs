//! The connectors of Heraut: what an outside source says, as [`item::Item`]s.
//!
//! Invariants: nothing here fetches, stores, sleeps or signs; same bytes, same items; malformed input is an error and never a
//! panic. Adding a connector is one folder and one line in [`CONNECTORS`]; see `README.md` beside this file.

pub mod cap;
pub mod capture;
pub mod catalogue;
pub mod cloudevents;
pub mod contentful;
pub mod contract;
pub mod craft;
pub mod directus;
mod draft;
pub mod drupal;
pub mod error;
pub mod feed;
mod fields;
pub mod ghost;
pub mod import;
pub mod item;
pub mod json;
#[cfg(test)]
mod kit;
pub mod kontent;
pub mod mapped;
pub mod micropub;
pub mod parts;
pub mod plone;
pub mod profiles;
mod rich;
pub mod sanity;
pub mod settings;
pub mod sitecore;
pub mod sitemap;
pub mod storyblok;
pub mod strapi;
mod template;
#[cfg(test)]
mod trial;
pub mod typo3;
pub mod umbraco;
pub mod wordpress;

/// Every kind of connector there is.
pub static CONNECTORS: &[&dyn contract::Kind] = &[
    &cap::Cap,                 // warnings: CAP 1.2, and Atom lists of them
    &cap::pushed::CapWebhook,  // the same, pushed one by one
    &cloudevents::CloudEvents, // the contract that our own plugins and templates speak
    &contentful::Contentful,
    &craft::Craft,
    &directus::Directus,
    &drupal::Drupal,
    &feed::Feed, // RSS, Atom, JSON Feed
    &ghost::Ghost,
    &import::Import, // press releases in files
    &kontent::Kontent,
    &mapped::Mapped,     // any JSON, by JSONPath and templates
    &micropub::Micropub, // clients of the IndieWeb, with a token of ours
    &plone::Plone,
    &sanity::Sanity,
    &sitecore::Sitecore,
    &cloudevents::standard::Standard, // Standard Webhooks with the `data` of our own contract
    &storyblok::Storyblok,
    &sitemap::Sitemap, // news sitemaps, and the pages that they list
    &strapi::Strapi,
    &typo3::Typo3,
    &umbraco::Umbraco,
    &wordpress::WordPress,
];
