//! `heraut actor set`.

use anyhow::{anyhow, bail};
use clap::Args;

use crate::actor::reach::{
    ATTRIBUTION_DOMAINS_MAX, FEATURED_TAGS_MAX, QuotePolicy, parse_attribution_domain, parse_featured_tag,
};
use crate::cli::{actor, output, who};
use crate::flow::Gateway;
use crate::flow::provision::{self, ActorPlan, By};

/// `heraut actor set`: what is not named stays as it is.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Its handle, without @ and domain.
    handle: String,
    /// Who may quote its posts: everyone, followers, nobody, or approval by a person.
    #[arg(long, value_name = "WHO")]
    quotes: Option<String>,
    /// Whether it may be suggested to others.
    #[arg(long, value_name = "BOOL")]
    discoverable: Option<bool>,
    /// Whether its posts may be found by full-text search.
    #[arg(long, value_name = "BOOL")]
    indexable: Option<bool>,
    /// Hashtags that its profile shows, with commas between them; "" for none.
    #[arg(long, value_name = "TAGS")]
    featured_tags: Option<String>,
    /// Websites that may name it as their author, with commas between them; "" for the domain of its agency.
    #[arg(long, value_name = "DOMAINS")]
    attribution_domains: Option<String>,
}

pub(super) async fn run(gateway: &Gateway, arguments: Arguments) -> anyhow::Result<()> {
    let known = actor::find(gateway, &arguments.handle).await?;
    let mut profile = known.profile.clone();
    if let Some(text) = &arguments.quotes {
        profile.quotes = QuotePolicy::parse(text).map_err(|problem| anyhow!("--quotes {problem}"))?;
    }
    profile.discoverable = arguments.discoverable.unwrap_or(profile.discoverable);
    profile.indexable = arguments.indexable.unwrap_or(profile.indexable);
    if let Some(text) = &arguments.featured_tags {
        profile.featured_tags = list("--featured-tags", text, FEATURED_TAGS_MAX, parse_featured_tag)?;
    }
    if let Some(text) = &arguments.attribution_domains {
        profile.attribution_domains =
            list("--attribution-domains", text, ATTRIBUTION_DOMAINS_MAX, parse_attribution_domain)?;
    }
    let plan = ActorPlan {
        agency: known.agency.name.clone(),
        handle: known.handle.clone(),
        handle_domain: known.handle_domain.clone(),
        kind: known.kind,
        language: known.language.clone(),
        profile,
        aliases: None,
        formerly: Vec::new(),
    };
    let changed = provision::actor(gateway, plan, By::Person(&who())).await?;
    output::line(format!("{} is changed", changed.full_handle()));
    Ok(())
}

fn list(
    option: &str,
    text: &str,
    most: usize,
    read: impl Fn(&str) -> Result<String, String>,
) -> anyhow::Result<Vec<String>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let found = parts.map(read).collect::<Result<Vec<_>, _>>().map_err(|problem| anyhow!("{option} {problem}"))?;
    if found.len() > most {
        bail!("{option} has {} entries; at most {most} are possible", found.len());
    }
    Ok(found)
}
