//! `heraut demo`: a whole small world on loopback. It runs the same code as `heraut serve`; only the addresses that may be
//! reached are special.

mod follower;
mod site;
mod story;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use clap::Args;

use crate::app::{self, Work};
use crate::cli::demo::follower::Follower;
use crate::cli::demo::site::{Release, Site};
use crate::cli::demo::story::Story;
use crate::cli::output;
use crate::config::{Config, MetricsListen};
use crate::flow::now;
use crate::flow::schedule::{Roles, Stopper};
use crate::vault::MasterKey;

/// `heraut demo`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// End after the last line of the story, with exit code 1 if any step failed.
    #[arg(long)]
    once: bool,
}

/// Runs the demo: until Ctrl-C, or with `--once` until the story is told.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder =
        tempfile::Builder::new().prefix("heraut-demo-").tempdir().context("no temporary folder can be made")?;
    let site = Site::start().context("the agency's site does not start")?;
    site.publish(Release {
        slug: "markt",
        title: "Weekmarkt verhuist naar het Plein".to_owned(),
        text: "<p>Vanaf maandag staat de weekmarkt op het Plein.</p>".to_owned(),
        alt: "Kramen op een plein",
        published: now().before(Duration::from_secs(3_600)),
        online: true,
    });
    let listen = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let config = configuration(folder.path(), &site, listen)?;
    let gateway = app::gateway_with(&config, MasterKey::generate()?)?;
    app::provision(&gateway, &config).await?;
    let _alone = app::be_alone(&gateway, &config).await?;
    let (stopper, stop) = Stopper::new();
    let roles = Roles { ingest: true, deliver: true };
    let metrics = MetricsListen::At((std::net::Ipv4Addr::LOCALHOST, 0).into());
    let running = app::start(&gateway, &config, Work { web: true, roles, metrics }, &stop)?;
    let metrics = running.metrics.map_or_else(String::new, |at| format!("; metrics are at http://{at}/metrics"));
    let serving = tokio::spawn(running.run(stopper.clone(), stop));
    let follower = Follower::start(gateway.net.clone())?;

    let told = Story { gateway: &gateway, site: &site, follower, folder: folder.path() }.tell().await;
    if told.is_ok() && !arguments.once {
        output::line("");
        output::line(format!("Everything keeps running{metrics}. Press Ctrl-C to end."));
        tokio::signal::ctrl_c().await.context("Ctrl-C cannot be listened for")?;
    }
    stopper.stop();
    serving.await??;
    told
}

/// What an operator would have written, but for the addresses.
fn configuration(folder: &Path, site: &Site, listen: std::net::SocketAddr) -> anyhow::Result<Config> {
    let text = format!(
        r#"[server]
public_url = "http://{listen}"
listen = ["{listen}"]
[net]
allow_addresses = ["127.0.0.0/8"]
[[agency]]
name = "voorbeeldstad"
domain = "{domain}"
[[actor]]
agency = "voorbeeldstad"
handle = "nieuws"
type = "Organization"
language = "nl"
name = "Gemeente Voorbeeldstad"
summary = "Nieuws van de gemeente Voorbeeldstad. Reacties lezen wij op werkdagen."
fields = [["Website", "{root}/"]]
[[source]]
name = "persberichten"
actor = "nieuws"
kind = "feed"
url = "{root}/nieuws.rss"
every = "1s"
policy = {{ retract_on_gone = true, gone_after = "1s" }}
"#,
        domain = site.address,
        root = site.root(),
    );
    let path = folder.join("config.toml");
    std::fs::write(&path, &text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(Config::load(&path)?)
}
