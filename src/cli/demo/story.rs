//! The story of the demo, told line by line as it happens. Every line is something that was seen, and a step that does not
//! happen in time ends the story with what was waited for.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use heraut_connectors::item::RawHtml;
use serde_json::Value;

use crate::actor::Actor;
use crate::actor::verification::document_for;
use crate::cli::demo::follower::{Follower, Received};
use crate::cli::demo::site::{Release, Site};
use crate::cli::output;
use crate::flow::{Gateway, now, verify};
use crate::post::sanitize::sanitize;
use crate::post::text::plain;
use crate::store::deliveries::{self, DeliveryState};
use crate::store::{Db, actors, sources};

/// How long any step may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The name of the demo's source.
const SOURCE: &str = "persberichten";

/// All that the story needs.
pub struct Story<'a> {
    /// The gateway, as `serve` runs it.
    pub gateway: &'a Gateway,
    /// The agency's site.
    pub site: &'a Site,
    /// The follower's server.
    pub follower: Follower,
    /// Where the gateway keeps its files.
    pub folder: &'a Path,
}

fn tell(step: &str, text: impl AsRef<str>) {
    output::line(format!("{step:<10} {}", text.as_ref()));
}

impl Story<'_> {
    /// Tells the story. An error is a step that failed.
    pub async fn tell(mut self) -> anyhow::Result<()> {
        let actor = self.introduce().await?;
        self.prove(&actor).await?;
        self.follow(&actor).await?;
        self.baseline().await?;
        let note = self.publish(&actor).await?;
        self.edit(&note).await?;
        self.withdraw(&note).await?;
        self.publish_again().await?;
        self.receipts().await?;
        output::line("");
        tell("open", actor.base().actor_page(actor.handle.as_str()));
        Ok(())
    }

    async fn introduce(&self) -> anyhow::Result<Actor> {
        tell("site", format!("the agency Voorbeeldstad has a website: {}/nieuws.rss", self.site.root()));
        tell("gateway", format!("Heraut runs at {} (files in {})", self.gateway.base.root(), self.folder.display()));
        let found = self.gateway.store.read("read the demo's actor", |db| actors::by_handle(db, "nieuws")).await?;
        let actor = found.context("the demo's actor was not made")?;
        tell("actor", format!("{} is {}", actor.full_handle(), actor.url));
        Ok(actor)
    }

    async fn prove(&self, actor: &Actor) -> anyhow::Result<()> {
        let checked = verify::check(self.gateway, actor.id, "demo").await?;
        let failure = checked.failure.context("the proof holds before it was put there")?;
        tell("unproven", failure);
        self.site.put_proof(document_for(&[actor]));
        tell("proof", "the agency puts the proof on its website");
        let checked = verify::check(self.gateway, actor.id, "demo").await?;
        if let Some(failure) = checked.failure {
            bail!("the proof does not hold: {failure}");
        }
        tell("proven", format!("{} names {} with key {}", checked.url, actor.url, actor.keys.fingerprint()));
        Ok(())
    }

    async fn follow(&mut self, actor: &Actor) -> anyhow::Result<()> {
        let inbox = actor.base().below(&actor.url, "inbox");
        let started = Instant::now();
        let status = self.follower.follow(&actor.url, &inbox).await?;
        tell("follow", format!("{} follows; Heraut answers {status}", self.follower.actor));
        let accepted = self.next("Accept").await?;
        let ms = started.elapsed().as_millis();
        tell(
            "accepted",
            format!("the follower has the Accept after {ms} ms, signature verified with {}", accepted.key_id),
        );
        Ok(())
    }

    async fn baseline(&self) -> anyhow::Result<()> {
        self.wait("the first poll", async || {
            let source = self.gateway.store.read("read the demo's source", |db| sources::by_name(db, SOURCE)).await?;
            Ok(source.is_some_and(|source| source.progress.baseline_at.is_some()))
        })
        .await?;
        tell("polled", "the first poll stores what is there already and publishes nothing");
        Ok(())
    }

    async fn publish(&mut self, actor: &Actor) -> anyhow::Result<String> {
        self.site.publish(Release {
            slug: "dijk",
            title: "Dijk bij Voorbeeldstad is veilig".to_owned(),
            text: "<p>De dijk houdt. Het waterschap meet elk uur. Blijf weg van de uiterwaarden.</p>".to_owned(),
            alt: "Een groene dijk langs de rivier onder een heldere lucht",
            published: now(),
            online: true,
        });
        tell("news", "the agency publishes a press release, with a picture");
        let created = self.next("Create").await?;
        let object = created.activity.get("object").cloned().unwrap_or_default();
        let note = text(&object, "id").context("the Create has no object id")?;
        tell("composed", one_line(text(&object, "content").unwrap_or_default()));
        if let Some(image) = object.pointer("/attachment/0") {
            let alt = text(image, "name").unwrap_or_default();
            tell("picture", format!("{} ({alt})", text(image, "url").unwrap_or_default()));
        }
        tell("signed", format!("as {} by {}", actor.full_handle(), created.key_id));
        tell("delivered", format!("Create {note}"));
        tell("verified", "the follower checked the signature against the actor's own document");
        Ok(note.to_owned())
    }

    async fn edit(&mut self, note: &str) -> anyhow::Result<()> {
        self.site.edit("dijk", |release| {
            release.text =
                "<p>De dijk houdt. Het waterschap meet elk half uur. De uiterwaarden zijn weer open.</p>".to_owned();
        });
        tell("correction", "the agency corrects the press release");
        let updated = self.next("Update").await?;
        let object = updated.activity.get("object").cloned().unwrap_or_default();
        if text(&object, "id") != Some(note) {
            bail!("the Update is of another Note: {object}");
        }
        let when = text(&object, "updated").unwrap_or_default();
        tell("edited", format!("Update of the same Note, {when}, signature verified"));
        Ok(())
    }

    async fn withdraw(&mut self, note: &str) -> anyhow::Result<()> {
        self.site.edit("dijk", |release| release.online = false);
        tell("mistake", "the agency takes the press release offline; Heraut looks twice before it believes it");
        let deleted = self.next("Delete").await?;
        let object = deleted.activity.get("object").cloned().unwrap_or_default();
        if text(&object, "id") != Some(note) {
            bail!("the Delete is of another Note: {object}");
        }
        tell("withdrawn", "Delete with a Tombstone, signature verified");
        let (status, value) = self.follower.look(note).await?;
        let kind = text(&value, "type").unwrap_or_default();
        if status != 410 || kind != "Tombstone" {
            bail!("GET {note} answers {status} with a {kind}, not 410 with a Tombstone");
        }
        tell("gone", format!("GET {note} answers {status} with a {kind}"));
        Ok(())
    }

    async fn publish_again(&mut self) -> anyhow::Result<()> {
        self.site.publish(Release {
            slug: "uiterwaarden",
            title: "Uiterwaarden weer open".to_owned(),
            text: "<p>Het water zakt. Vanaf vandaag zijn de uiterwaarden weer open.</p>".to_owned(),
            alt: "Een groene dijk langs de rivier onder een heldere lucht",
            published: now(),
            online: true,
        });
        let created = self.next("Create").await?;
        let note =
            created.activity.pointer("/object/id").and_then(Value::as_str).context("the Create has no object id")?;
        tell("news", format!("the agency publishes another one: Create {note}, signature verified"));
        Ok(())
    }

    async fn receipts(&self) -> anyhow::Result<()> {
        self.wait("the last receipt", async || {
            let totals = self.gateway.store.read("count the demo's deliveries", deliveries::totals).await?;
            Ok(!totals.iter().any(|(code, _)| *code == DeliveryState::Owed.code()))
        })
        .await?;
        let which = deliveries::Which { limit: 100, ..Default::default() };
        let read = move |db: &mut Db<'_>| deliveries::receipts(db, &which, now());
        let receipts = self.gateway.store.read("read the demo's receipts", read).await?;
        for receipt in receipts.iter().rev() {
            let state = format!("{:?}", receipt.state).to_lowercase();
            tell("receipt", format!("{} to {}: {state}, {} tries", receipt.kind, receipt.inbox, receipt.attempts));
        }
        Ok(())
    }

    /// The next activity in the follower's inbox; it must be of that type.
    async fn next(&mut self, kind: &str) -> anyhow::Result<Received> {
        let received = tokio::time::timeout(PATIENCE, self.follower.inbox.recv()).await;
        let received = received.with_context(|| format!("no {kind} came within {} s", PATIENCE.as_secs()))?;
        match received.context("the follower's server ended")? {
            Ok(received) if text(&received.activity, "type") == Some(kind) => Ok(received),
            Ok(received) => bail!("a {kind} was expected, this came: {}", received.activity),
            Err(problem) => bail!("the follower did not believe what came: {problem}"),
        }
    }

    async fn wait(&self, what: &str, seen: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if seen().await? {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("{what} did not happen within {} s", PATIENCE.as_secs())
    }
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// The text of a Note in one line.
fn one_line(html: &str) -> String {
    let safe = sanitize(&RawHtml(html.to_owned()), None);
    plain(&safe).split_whitespace().collect::<Vec<_>>().join(" ")
}
