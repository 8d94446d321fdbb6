//! Feeds of states: a fixed set of items, such as one for each province, that are written over (`reference/connectors.md` A2).
//!
//! The id of such an item stays and its dates mean little; what counts is one field. What is done when it changes is decided by
//! the item store: published on change, never at first sight.

use crate::contract::Page;
use crate::draft::identity;
use crate::draft::text::{self, Text};
use crate::error::ConnectorError;
use crate::item::{Action, Item, RawHtml};
use crate::settings::refused;

/// Which field of an item is its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Title,
    Summary,
    Body,
    Categories,
}

static NAMES: &[(&str, Field)] =
    &[("title", Field::Title), ("summary", Field::Summary), ("body", Field::Body), ("categories", Field::Categories)];

impl Field {
    pub(super) fn parse(name: &str) -> Result<Self, ConnectorError> {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, field)| *field).ok_or_else(|| {
            let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
            refused("state", format!("is the field that counts: one of {}", names.join(", ")))
        })
    }

    /// What it says, without markup: one line, the same for the same words.
    fn of(self, item: &Item) -> String {
        let html = |html: &Option<RawHtml>| {
            html.as_ref().map(|html| text::line(&Text::Html(html.0.clone()))).unwrap_or_default()
        };
        match self {
            Field::Title => item.title.clone().unwrap_or_default(),
            // What has only one text has it as body.
            Field::Summary if item.summary.is_none() => html(&item.body),
            Field::Summary => html(&item.summary),
            Field::Body => html(&item.body),
            Field::Categories => item.categories.iter().map(|c| c.term.as_str()).collect::<Vec<_>>().join(", "),
        }
    }
}

/// Gives each item its state. One whose field is missing has the empty state: it is still no message.
pub(super) fn set(field: Field, page: &mut Page) {
    let mut silent = 0_usize;
    for item in page.items.iter_mut().filter(|item| item.action == Action::Publish) {
        let state = identity::bounded(field.of(item));
        silent += usize::from(state.is_empty());
        item.state = Some(state);
    }
    if silent > 0 {
        page.warnings.push(format!("{silent} items lack the field that is their state"));
    }
}
