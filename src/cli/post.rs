//! `heraut post`.

mod reach;

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::{open, output, who};
use crate::flow::pins::{self, Pinning};
use crate::flow::{Gateway, review};
use crate::ids::{ActorId, PostId, SourceId};
use crate::post::text::plain;
use crate::post::{HoldReason, PostState};
use crate::store::posts::{self, Change, PendingChange, Post};
use crate::store::{Db, Queried, actors, reactions, sources};
use crate::urls::Base;

/// `heraut post`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the newest posts in any state.
    List {
        /// Only those that are held.
        #[arg(long)]
        held: bool,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a post.
    Show {
        /// Its number.
        post: PostId,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Release what a person has to release.
    Release(Release),
    /// Withdraw a post: a Delete goes to everyone who was owed it.
    Withdraw {
        /// Its number.
        post: PostId,
    },
    /// Pin a post to the top of its actor's profile, at most five; its followers are told.
    Pin {
        /// Its number.
        post: PostId,
    },
    /// Take a post off the top of its actor's profile.
    Unpin {
        /// Its number.
        post: PostId,
    },
    /// How far a post reached, by receipts.
    Reach(reach::Arguments),
}

/// `heraut post release`.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Release {
    /// The numbers of the posts.
    posts: Vec<PostId>,
    /// All posts of this source that are held for a person.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// Runs the command.
pub async fn run(config: &Path, command: Command) -> anyhow::Result<()> {
    let gateway = open(config).await?;
    match command {
        Command::List { held, limit, json } => list(&gateway, held, limit, json).await,
        Command::Show { post, json } => show(&gateway, post, json).await,
        Command::Release(release) => run_release(&gateway, release).await,
        Command::Withdraw { post } => {
            review::withdraw(&gateway, post, &who()).await?;
            output::line(format!("post {post} is withdrawn"));
            Ok(())
        }
        Command::Pin { post } => {
            pins::change(&gateway, post, Pinning::Pin, &who()).await?;
            output::line(format!("post {post} is pinned"));
            Ok(())
        }
        Command::Unpin { post } => {
            pins::change(&gateway, post, Pinning::Unpin, &who()).await?;
            output::line(format!("post {post} is not pinned any more"));
            Ok(())
        }
        Command::Reach(arguments) => reach::run(&gateway, &arguments).await,
    }
}

async fn run_release(gateway: &Gateway, release: Release) -> anyhow::Result<()> {
    let posts = match release.source {
        Some(name) => held_of_source(gateway, name).await?,
        None => release.posts,
    };
    for post in posts {
        review::release(gateway, post, &who()).await?;
        output::line(format!("post {post} is released"));
    }
    Ok(())
}

async fn held_of_source(gateway: &Gateway, name: String) -> anyhow::Result<Vec<PostId>> {
    let wanted = name.clone();
    let source = gateway.store.read("read a source", move |db| sources::by_name(db, &wanted)).await?;
    let source = source
        .with_context(|| format!("there is no source `{name}`; `heraut source list` shows those that there are"))?;
    let held = gateway.store.read("list held posts", move |db| held(db, Some(source.id))).await?;
    let waits_for_a_person = |(post, change): &Row| match (post.state, change) {
        (PostState::Held(reason), _) => reason != HoldReason::Unverified,
        (_, Some(change)) => change.held.is_some_and(|reason| reason != HoldReason::Unverified),
        (_, None) => false,
    };
    Ok(held.iter().filter(|row| waits_for_a_person(row)).map(|(post, _)| post.id).collect())
}

/// The root of each actor's ids.
type Roots = HashMap<ActorId, Base>;

async fn roots(gateway: &Gateway) -> anyhow::Result<Roots> {
    let places = gateway.store.read("list actors", actors::places).await?;
    Ok(places.into_iter().map(|(id, url, _)| (id, url.base())).collect())
}

/// A post with what waits for it.
type Row = (Post, Option<PendingChange>);

/// Posts that are held, and public ones with a held edit or withdrawal.
fn held(db: &mut Db<'_>, source: Option<SourceId>) -> Queried<Vec<Row>> {
    let mut found = posts::held(db, source)?;
    found.extend(posts::with_held_change(db, source)?);
    with_changes(db, found)
}

fn with_changes(db: &mut Db<'_>, found: Vec<Post>) -> Queried<Vec<Row>> {
    found.into_iter().map(|post| Ok((post.clone(), posts::change(db, post.id)?))).collect()
}

fn describe(roots: &Roots, (post, change): &Row) -> Value {
    let (state, explain) = state(post, change.as_ref());
    json!({
        "post": post.id,
        "state": state,
        "waits_for": explain,
        "title": post.content.title,
        "text": plain(&post.content.html),
        "language": post.content.language,
        "link": post.content.link,
        "images": post.content.images,
        "flags": post.content.flags,
        "revision": post.revision,
        "object": roots.get(&post.actor_id).map(|base| base.object(post.id)),
        "created_at": post.created_at.to_rfc3339(),
        "published_at": post.published_at.map(|at| at.to_rfc3339()),
        "updated_at": post.updated_at.map(|at| at.to_rfc3339()),
    })
}

/// The state of a post in a word, and what would change it.
fn state(post: &Post, change: Option<&PendingChange>) -> (&'static str, Option<String>) {
    match (post.state, change) {
        (PostState::Held(reason), _) => ("held", Some(reason.explain().to_owned())),
        (PostState::Scheduled(at), _) => ("scheduled", Some(format!("it is published at {at}"))),
        (PostState::Embargoed(at), _) => {
            ("embargoed", Some(format!("nothing of it is seen, and no image fetched, until {at}")))
        }
        (PostState::Ready, _) => ("ready", Some("it is published within a second".to_owned())),
        (PostState::Withdrawn(_), _) => ("withdrawn", None),
        (PostState::Published(_), None) => ("published", None),
        (PostState::Published(_), Some(pending)) => {
            let what = if pending.change == Change::Withdraw { "its withdrawal" } else { "an edit" };
            let why = pending.held.map_or("it is sent when its time has come", HoldReason::explain);
            ("published", Some(format!("{what} waits: {why}")))
        }
    }
}

async fn list(gateway: &Gateway, only_held: bool, limit: i64, json: bool) -> anyhow::Result<()> {
    let load = move |db: &mut Db<'_>| {
        if only_held {
            return held(db, None);
        }
        let found = posts::latest(db, limit)?;
        with_changes(db, found)
    };
    let rows = gateway.store.read("list posts", load).await?;
    if json {
        let roots = roots(gateway).await?;
        return output::json(&rows.iter().map(|row| describe(&roots, row)).collect::<Vec<_>>());
    }
    let rows: Vec<_> = rows
        .iter()
        .map(|(post, change)| {
            let (state, explain) = state(post, change.as_ref());
            let title = post.content.title.clone().unwrap_or_else(|| plain(&post.content.html));
            [post.id.to_string(), state.to_owned(), title.chars().take(60).collect(), explain.unwrap_or_default()]
        })
        .collect();
    output::table(["POST", "STATE", "TITLE", "WAITS FOR"], &rows);
    Ok(())
}

async fn show(gateway: &Gateway, id: PostId, json: bool) -> anyhow::Result<()> {
    let load = move |db: &mut Db<'_>| Ok((posts::by_id(db, id)?, posts::change(db, id)?, reactions::counts(db, id)?));
    let (post, change, counts) = gateway.store.read("read a post", load).await?;
    let Some(post) = post else { bail!("there is no post {id}; `heraut post list` shows those that there are") };
    let mut row = describe(&roots(gateway).await?, &(post, change));
    if let Some(object) = row.as_object_mut() {
        object.insert("reactions".to_owned(), json!(counts.into_iter().collect::<std::collections::BTreeMap<_, _>>()));
    }
    if json {
        return output::json(&row);
    }
    for (key, value) in row.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        output::line(format!("{key:<12} {value}"));
    }
    Ok(())
}
