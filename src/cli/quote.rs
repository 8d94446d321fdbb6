//! `heraut quote`.

use std::path::Path;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::{open, output, who};
use crate::flow::{Gateway, quotes as flow};
use crate::ids::{PostId, QuoteId};
use crate::store::{Db, actors, quotes, reactions};

/// `heraut quote`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the quotes that were authorised, newest first.
    List {
        /// Those that wait for a person instead, oldest first.
        #[arg(long)]
        waiting: bool,
        /// Only of this post.
        #[arg(long, value_name = "POST")]
        post: Option<PostId>,
        /// At most so many.
        #[arg(long, default_value_t = 100)]
        limit: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Allow a quote that waits.
    Approve {
        /// Its number.
        quote: QuoteId,
    },
    /// Refuse a quote that waits.
    Refuse {
        /// Its number.
        quote: QuoteId,
    },
    /// Take an authorization back: servers then show the quote without the post.
    Revoke {
        /// Its number.
        quote: QuoteId,
    },
}

/// Runs the command.
pub async fn run(config: &Path, command: Command) -> anyhow::Result<()> {
    let gateway = open(config).await?;
    match command {
        Command::List { waiting: true, post, limit, json } => waiting(&gateway, post, limit, json).await,
        Command::List { waiting: false, post, limit, json } => list(&gateway, post, limit, json).await,
        Command::Approve { quote } => {
            flow::approve(&gateway, quote, &who()).await?;
            output::line(format!("quote {quote} is allowed: {}", authorization(&gateway, quote).await?));
            Ok(())
        }
        Command::Refuse { quote } => {
            flow::refuse(&gateway, quote, &who()).await?;
            output::line(format!("quote {quote} is refused"));
            Ok(())
        }
        Command::Revoke { quote } => {
            flow::revoke(&gateway, quote, &who()).await?;
            output::line(format!("quote {quote} is revoked"));
            Ok(())
        }
    }
}

async fn list(gateway: &Gateway, post: Option<PostId>, limit: i64, json: bool) -> anyhow::Result<()> {
    let read = move |db: &mut Db<'_>| {
        let rows = quotes::list(db, post, limit)?;
        let posts: Vec<PostId> = rows.iter().map(|row| row.post_id).collect();
        Ok((actors::roots_of_posts(db, &posts)?, rows))
    };
    let (roots, rows) = gateway.store.read("list quotes", read).await?;
    let shown = rows.into_iter().map(|row| {
        let document = json!({
            "quote": row.id,
            "post": row.post_id,
            "author": row.author_url,
            "url": row.quote_url,
            "authorization": roots.get(&row.post_id).map(|base| base.quote_authorization(row.id)),
            "allowed_at": row.created_at.to_rfc3339(),
            "revoked_at": row.revoked_at.map(|at| at.to_rfc3339()),
        });
        let state = if row.revoked_at.is_some() { "revoked" } else { "allowed" };
        (document, [row.id.to_string(), row.post_id.to_string(), state.to_owned(), row.author_url, row.quote_url])
    });
    show("STATE", shown, json)
}

/// The id of an authorization.
async fn authorization(gateway: &Gateway, quote: QuoteId) -> anyhow::Result<String> {
    let read = move |db: &mut Db<'_>| {
        let Some(row) = reactions::quote(db, quote)? else { return Ok(None) };
        Ok(actors::roots_of_posts(db, &[row.post_id])?.remove(&row.post_id))
    };
    let base = gateway.store.read("read where a quote is allowed", read).await?;
    Ok(base.map(|base| base.quote_authorization(quote).to_string()).unwrap_or_default())
}

async fn waiting(gateway: &Gateway, post: Option<PostId>, limit: i64, json: bool) -> anyhow::Result<()> {
    let rows = gateway.store.read("list quotes", move |db: &mut Db<'_>| quotes::waiting(db, post, limit)).await?;
    let shown = rows.into_iter().map(|row| {
        let asked = row.created_at.to_rfc3339();
        let document = json!({
            "quote": row.id,
            "post": row.post_id,
            "author": row.author_url,
            "url": row.quote_url,
            "asked_at": asked,
        });
        (document, [row.id.to_string(), row.post_id.to_string(), asked, row.author_url, row.quote_url])
    });
    show("ASKED", shown, json)
}

/// Quotes as JSON or as a table, whose third column has that heading.
fn show(third: &str, quotes: impl Iterator<Item = (Value, [String; 5])>, json: bool) -> anyhow::Result<()> {
    let (documents, cells): (Vec<Value>, Vec<_>) = quotes.unzip();
    if json {
        return output::json(&documents);
    }
    output::table(["QUOTE", "POST", third, "AUTHOR", "URL"], &cells);
    Ok(())
}
