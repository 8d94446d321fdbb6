//! What becomes of an actor: `heraut actor rename|alias|move|read-only|suspend|resume|retire`.

use anyhow::bail;
use clap::Subcommand;

use crate::actor::continuity::ActorState;
use crate::actor::{Actor, Handle};
use crate::cli::actor::find;
use crate::cli::{output, who};
use crate::flow::Gateway;
use crate::flow::continuity::{self, Changed, ContinuityError};
use crate::store::{Db, actors, followers};
use crate::urls::ActorUrl;

/// What may become of an actor.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Give an actor another handle. Its id, followers and posts stay; the old handle leads to it.
    Rename {
        /// Its handle now.
        old: String,
        /// Its handle from now on, without @ and domain.
        new: String,
    },
    /// Other accounts of an actor, from which followers may move here (alsoKnownAs).
    #[command(subcommand)]
    Alias(Alias),
    /// Move the followers of an actor to another account, which must name it as an alias.
    Move {
        /// Its handle.
        handle: String,
        /// The id of the other account, as https://social.example/users/agency.
        #[arg(long, value_name = "URL")]
        to: String,
    },
    /// Have an actor publish nothing new; everything stays readable.
    ReadOnly {
        /// Its handle.
        handle: String,
    },
    /// Hide an actor for a while: its page and posts, here and on servers that know how.
    Suspend {
        /// Its handle.
        handle: String,
    },
    /// Let an actor go on that is read-only, suspended, handed over or moved.
    Resume {
        /// Its handle.
        handle: String,
    },
    /// End an actor for ever: everybody who ever received anything from it is told to delete it.
    Retire {
        /// Its handle.
        handle: String,
        /// The full handle once more, @name@domain: there is no way back.
        #[arg(long, value_name = "HANDLE")]
        confirm: Option<String>,
    },
}

/// `heraut actor alias`.
#[derive(Debug, Subcommand)]
pub enum Alias {
    /// Add another account.
    Add {
        /// The handle of the actor here.
        handle: String,
        /// The id of the other account, as https://social.example/users/agency.
        url: String,
    },
    /// Remove one.
    Remove {
        /// The handle of the actor here.
        handle: String,
        /// The id of the other account.
        url: String,
    },
    /// List them.
    List {
        /// The handle of the actor here.
        handle: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn run(gateway: &Gateway, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Rename { old, new } => rename(gateway, &old, &new).await,
        Command::Alias(alias) => run_alias(gateway, alias).await,
        Command::Move { handle, to } => move_out(gateway, &handle, &to).await,
        Command::ReadOnly { handle } => pause(gateway, &handle, ActorState::ReadOnly).await,
        Command::Suspend { handle } => pause(gateway, &handle, ActorState::Suspended).await,
        Command::Resume { handle } => {
            let actor = find(gateway, &handle).await?;
            let changed = continuity::resume(gateway, actor, &who()).await?;
            say(&changed, "goes on");
            Ok(())
        }
        Command::Retire { handle, confirm } => retire(gateway, &handle, confirm.as_deref()).await,
    }
}

/// What was done, and who was told.
fn say(changed: &Changed, what: &str) {
    output::line(format!("{} {what}", changed.actor.full_handle()));
    match changed.told {
        Some(0) => output::line("nobody follows it, so nobody had to be told"),
        Some(n) => output::line(format!("{n} inboxes are told")),
        None => output::line("nobody is told now, because it has no proof that holds; see `heraut actor verify`"),
    }
}

async fn in_file(gateway: &Gateway, actor: &Actor, way_out: String) -> anyhow::Result<()> {
    let id = actor.id;
    if gateway.store.read("read an actor", move |db| actors::is_provisioned(db, id)).await? {
        let handle = actor.handle.to_string();
        return Err(ContinuityError::Provisioned { handle, way_out }.into());
    }
    Ok(())
}

async fn rename(gateway: &Gateway, old: &str, new: &str) -> anyhow::Result<()> {
    let actor = find(gateway, old).await?;
    let new = Handle::parse(new)?;
    let way_out = format!("write handle = \"{new}\" and formerly = [\"{}\"] there", actor.handle);
    in_file(gateway, &actor, way_out).await?;
    if actor.handle == new {
        bail!("its handle is `{new}` already");
    }
    let before = actor.full_handle();
    let changed = continuity::rename(gateway, actor, new, &who()).await?;
    say(&changed, &format!("was {before}; its id is still {}", changed.actor.url));
    output::line(format!("{before} leads to it from now on, and is given to nobody else"));
    Ok(())
}

async fn run_alias(gateway: &Gateway, alias: Alias) -> anyhow::Result<()> {
    let (handle, url, add) = match alias {
        Alias::Add { handle, url } => (handle, url, true),
        Alias::Remove { handle, url } => (handle, url, false),
        Alias::List { handle, json } => {
            let actor = find(gateway, &handle).await?;
            if json {
                return output::json(&actor.continuity.aliases);
            }
            actor.continuity.aliases.iter().for_each(|alias| output::line(alias.to_string()));
            return Ok(());
        }
    };
    let actor = find(gateway, &handle).await?;
    in_file(gateway, &actor, "change also_known_as there".to_owned()).await?;
    let mut wanted: Vec<String> = actor.continuity.aliases.iter().map(ToString::to_string).collect();
    if add {
        wanted.push(url.clone());
    } else if wanted.contains(&url) {
        wanted.retain(|known| *known != url);
    } else {
        bail!("{} does not name {url}; `heraut actor alias list {}` shows whom it names", actor.full_handle(), handle);
    }
    let changed = continuity::set_aliases(gateway, actor, &wanted, &who()).await?;
    say(&changed, &format!("names {} other accounts", changed.actor.continuity.aliases.len()));
    Ok(())
}

async fn move_out(gateway: &Gateway, handle: &str, to: &str) -> anyhow::Result<()> {
    let actor = find(gateway, handle).await?;
    let to = ActorUrl::parse(to)?;
    let id = actor.id;
    let changed = continuity::move_out(gateway, actor, &to, &who()).await?;
    let count = gateway.store.read("count followers", move |db: &mut Db<'_>| followers::count(db, id)).await?;
    say(&changed, &format!("has moved to {to} and publishes nothing more"));
    output::line(format!(
        "{count} followed when it moved; their servers unfollow as they go, see `heraut actor show {handle}`"
    ));
    Ok(())
}

async fn pause(gateway: &Gateway, handle: &str, to: ActorState) -> anyhow::Result<()> {
    let actor = find(gateway, handle).await?;
    let changed = continuity::pause(gateway, actor, to, &who()).await?;
    say(&changed, &format!("is {}: {}", to.name(), to.explain()));
    Ok(())
}

async fn retire(gateway: &Gateway, handle: &str, confirm: Option<&str>) -> anyhow::Result<()> {
    let actor = find(gateway, handle).await?;
    let full = actor.full_handle();
    if confirm != Some(full.as_str()) {
        bail!(
            "this ends {full} for ever: everybody who ever received anything from it is told to delete the account and all its \
             posts, its id answers 410, and its handle is never given to anybody again. If its followers are to go elsewhere, use \
             `heraut actor move` first. If you are sure: heraut actor retire {handle} --confirm {full}"
        );
    }
    let changed = continuity::retire(gateway, actor, &who()).await?;
    say(&changed, "is being retired");
    output::line("keep `heraut serve` running until `heraut actor show` says that it is retired");
    Ok(())
}
