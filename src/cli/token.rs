//! `heraut token`: by which clients write to sources.

use std::collections::HashMap;
use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::source::hooks::micropub;
use crate::cli::{open, output, who};
use crate::flow::tokens::{self, Plan, Scope};
use crate::flow::{Gateway, now};
use crate::ids::{SourceId, TokenId};
use crate::source::span::Span;
use crate::store::tokens::Token;
use crate::store::{Db, sources};

/// `heraut token`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token by which a client writes to a source. It is shown once.
    Add(Add),
    /// List tokens: who uses them, what they may do, when they were last used. Never the tokens themselves.
    List {
        /// Only those of this source.
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token: it holds no more.
    Revoke {
        /// Its number, as `heraut token list` shows it.
        token: TokenId,
    },
}

/// `heraut token add`.
#[derive(Debug, Args)]
pub struct Add {
    /// The name of the source, of the kind `micropub`.
    source: String,
    /// Who uses it, so that you know what you revoke.
    #[arg(long)]
    name: String,
    /// What it may do, with commas: create, draft, update, delete, undelete, media.
    #[arg(long, default_value = "create,update,delete,undelete,media")]
    scope: String,
    /// For how long it holds, such as 90d; if nothing is said until it is revoked.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

/// Runs the command.
pub async fn run(config: &Path, command: Command) -> anyhow::Result<()> {
    let gateway = open(config).await?;
    match command {
        Command::Add(command) => add(&gateway, command).await,
        Command::List { source, json } => list(&gateway, source, json).await,
        Command::Revoke { token } => {
            let token = tokens::revoke(&gateway, token, &who()).await?;
            output::line(format!(
                "token {} (`{}`) is revoked; a running gateway refuses it from now on",
                token.id, token.name
            ));
            Ok(())
        }
    }
}

async fn add(gateway: &Gateway, command: Add) -> anyhow::Result<()> {
    let lasts = command.expires.as_deref().map(Span::parse).transpose()?.map(Span::duration);
    let scopes = Scope::read(&command.scope)?;
    let plan = Plan { source: command.source.clone(), name: command.name, scopes, lasts };
    let (token, text) = tokens::make(gateway, plan, &who()).await?;
    let until = token.expires_at.map_or_else(|| "until it is revoked".to_owned(), |at| format!("until {at}"));
    output::note(format!(
        "token {} (`{}`) for source {} may {}, {until}. It is shown only now; give it to the client, with the endpoint {}",
        token.id,
        token.name,
        command.source,
        token.scopes.replace(' ', ", "),
        micropub(gateway, &command.source).await?
    ));
    output::line(text);
    Ok(())
}

async fn list(gateway: &Gateway, source: Option<String>, json: bool) -> anyhow::Result<()> {
    let wanted = match source {
        Some(name) => Some(tokens::find_source(gateway, &name).await?.id),
        None => None,
    };
    let load = move |db: &mut Db<'_>| Ok((crate::store::tokens::list(db, wanted)?, sources::list(db)?));
    let (found, all) = gateway.store.read("list tokens", load).await?;
    let names: HashMap<SourceId, String> = all.into_iter().map(|source| (source.id, source.name)).collect();
    let name = |token: &Token| names.get(&token.source_id).cloned().unwrap_or_default();
    if json {
        return output::json(&found.iter().map(|token| shown(token, &name(token))).collect::<Vec<_>>());
    }
    let row = |token: &Token| {
        let used = token.used_at.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
        [token.id.to_string(), name(token), token.name.clone(), token.scopes.clone(), used, state(token)]
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    output::table(["TOKEN", "SOURCE", "NAME", "SCOPE", "USED", "STATE"], &rows);
    Ok(())
}

fn shown(token: &Token, source: &str) -> Value {
    json!({
        "token": token.id,
        "source": source,
        "name": token.name,
        "scope": token.scopes,
        "state": tokens::lapsed(token, now()).unwrap_or("holds"),
        "created_at": token.created_at.to_rfc3339(),
        "expires_at": token.expires_at.map(|at| at.to_rfc3339()),
        "used_at": token.used_at.map(|at| at.to_rfc3339()),
        "revoked_at": token.revoked_at.map(|at| at.to_rfc3339()),
    })
}

fn state(token: &Token) -> String {
    match (tokens::lapsed(token, now()), token.expires_at) {
        (Some(why), _) => why.to_owned(),
        (None, Some(until)) => format!("holds until {until}"),
        (None, None) => "holds".to_owned(),
    }
}
