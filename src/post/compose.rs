//! Item and policy to content.

use std::collections::BTreeMap;

use heraut_connectors::item::Item;
use serde::{Deserialize, Serialize};

use crate::actor::Language;
use crate::post::sanitize::{SafeHtml, sanitize};
use crate::post::template::Template;
use crate::post::{Content, Image};
use crate::urls::Base;

/// How a source's posts look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComposeSettings {
    /// The shape of a post.
    pub template: Template,
    /// Most characters of a post, as read: link and hashtags included.
    pub length_max: usize,
    /// Which hashtags.
    pub hashtags: HashtagSettings,
    /// Which text.
    pub body: BodyChoice,
}

impl Default for ComposeSettings {
    fn default() -> Self {
        Self {
            template: Template::default(),
            length_max: 1_500,
            hashtags: HashtagSettings::default(),
            body: BodyChoice::default(),
        }
    }
}

/// Which hashtags a post gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HashtagSettings {
    /// Whether categories that `map` does not name become hashtags too.
    pub from_categories: bool,
    /// Most hashtags in one post.
    pub max: usize,
    /// Category to hashtag, compared without regard to case; an empty value drops the category.
    pub map: BTreeMap<String, Option<String>>,
}

impl Default for HashtagSettings {
    fn default() -> Self {
        Self { from_categories: true, max: 5, map: BTreeMap::new() }
    }
}

/// Which text of an item a post carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyChoice {
    /// The lead, or else the body.
    #[default]
    Summary,
    /// The body, or else the lead.
    Full,
    /// No text: title and link only.
    None,
}

/// Makes the text of a post.
pub fn compose(
    item: &Item,
    images: Vec<Image>,
    language: &Language,
    settings: &ComposeSettings,
    base: &Base,
) -> Content {
    let _ = (settings, base);
    Content {
        title: item.title.clone(),
        html: item.body.as_ref().map_or_else(SafeHtml::empty, |b| sanitize(b, None)),
        language: language.clone(),
        link: item.canonical_url.clone(),
        hashtags: Vec::new(),
        images,
        warning: None,
        flags: Vec::new(),
    }
}
