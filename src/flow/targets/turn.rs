//! One process's turn at a target: its lease, its server, what the server takes.

use std::time::Duration;

use serde_json::Value;

use super::api::{Api, Trouble, id_of};
use crate::flow::{Gateway, now};
use crate::store::targets::{self, Target};
use crate::store::{Db, StoreError};
use crate::target::limits::Limits;
use crate::target::{Account, parse_server};

/// How long a process holds a target. It is kept up while it works.
pub(super) const LEASE: Duration = Duration::from_secs(180);
/// With less than this left it is kept up before the next request: longer than any request takes.
const KEEP_BELOW: Duration = Duration::from_secs(120);
/// How long what a server said that it takes is believed.
const LIMITS_KEPT: Duration = Duration::from_secs(86_400);

/// A target that this process works on.
pub(super) struct Turn<'g> {
    pub(super) gateway: &'g Gateway,
    pub(super) target: Target,
    pub(super) api: Api<'g>,
}

impl<'g> Turn<'g> {
    /// Opens the token of a leased target. The error is for an operator.
    pub(super) fn begin(gateway: &'g Gateway, target: Target) -> Result<Self, Box<(Target, String)>> {
        let token = match &target.sealed {
            Some(sealed) => gateway.keyring.open_target(target.id, sealed),
            None => return Err(Box::new((target, "it has no access token".to_owned()))),
        };
        match (token, parse_server(&target.url)) {
            (Ok(token), Ok(server)) => Ok(Self { gateway, target, api: Api::new(gateway, server, token) }),
            (Err(error), _) => Err(Box::new((target, crate::flow::verify::with_causes(&error)))),
            (_, Err(problem)) => Err(Box::new((target, problem))),
        }
    }

    /// Sees to it that the lease outlives the next request.
    pub(super) async fn keep(&mut self) -> Result<(), Trouble> {
        let at = now();
        if self.target.lease_until >= at.after(KEEP_BELOW) {
            return Ok(());
        }
        let (held, until) = (self.target.clone(), at.after(LEASE));
        let keep = move |db: &mut Db<'_>| targets::keep(db, &held, until);
        if !self.gateway.store.write("keep the lease of a target", keep).await? {
            return Err(Trouble::Lost);
        }
        self.target.lease_until = until;
        Ok(())
    }

    /// What the server takes: asked once a day, together with whose the token is.
    pub(super) async fn limits(&mut self) -> Result<Limits, Trouble> {
        let fresh = self.target.limits_at.is_some_and(|at| now().since(at) < LIMITS_KEPT);
        if let Some(known) = self.target.limits().filter(|_| fresh) {
            return Ok(known);
        }
        self.keep().await?;
        match self.account().await {
            Ok(_) => {}
            // A token without leave to read who it is of can publish all the same.
            Err(Trouble::Barred(why)) if why.contains("403") => {}
            Err(trouble) => return Err(trouble),
        }
        match self.ask_limits().await {
            Ok(limits) => Ok(limits),
            // An older word of the server is better than none.
            Err(trouble @ (Trouble::Barred(_) | Trouble::Lost | Trouble::Store(_))) => Err(trouble),
            Err(trouble) => self.target.limits().ok_or(trouble),
        }
    }

    /// Asks the server what it takes.
    pub(super) async fn ask_limits(&mut self) -> Result<Limits, Trouble> {
        let mut trouble = Trouble::Missing;
        for path in ["/api/v2/instance", "/api/v1/instance"] {
            match self.api.get(path, &[]).await {
                Ok(answer) => {
                    if let Some(limits) = Limits::read(&answer.body) {
                        self.remember(&limits).await?;
                        return Ok(limits);
                    }
                }
                Err(other @ Trouble::Later { .. }) => return Err(other),
                Err(other) => trouble = other,
            }
        }
        Err(match trouble {
            barred @ Trouble::Barred(_) => barred,
            _ => Trouble::Later {
                status: None,
                why: "it says at neither /api/v2/instance nor /api/v1/instance what it takes; is it a server with Mastodon's client API?"
                    .to_owned(),
                not_before: None,
                unsure: false,
            },
        })
    }

    async fn remember(&mut self, limits: &Limits) -> Result<(), StoreError> {
        let (id, at) = (self.target.id, now());
        let Ok(text) = serde_json::to_string(limits) else { return Ok(()) };
        self.target.limits = Some(text.clone());
        self.target.limits_at = Some(at);
        let store = move |db: &mut Db<'_>| targets::set_limits(db, id, &text, at);
        self.gateway.store.write("note what a server takes", store).await
    }

    /// Asks whose the token is. A target stays with the account that it began with: its statuses are there.
    pub(super) async fn account(&mut self) -> Result<Account, Trouble> {
        let body = self.api.get("/api/v1/accounts/verify_credentials", &[]).await?.body;
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(id) = id_of(&body) else {
            return Err(Trouble::Later {
                status: None,
                why: "it does not say whose the token is; is it a server with Mastodon's client API?".to_owned(),
                not_before: None,
                unsure: false,
            });
        };
        let account = Account { id, acct: text("acct"), url: text("url") };
        match self.target.account() {
            Some(known) if known == account => return Ok(account),
            Some(known) if known.id != account.id => {
                return Err(Trouble::Barred(format!(
                    "the token is of the account `{}`, and the target began with `{}`; make a target of its own for the other account",
                    account.acct, known.acct
                )));
            }
            _ => {}
        }
        let id = self.target.id;
        if let Ok(text) = serde_json::to_string(&account) {
            self.target.account = Some(text.clone());
            let store = move |db: &mut Db<'_>| targets::set_account(db, id, &text);
            self.gateway.store.write("note whose a token is", store).await?;
        }
        Ok(account)
    }
}
