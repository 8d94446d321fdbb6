//! The secrets of sources: sealed under the master key in the database, open only here and in memory.

use heraut_connectors::contract::{Connector, Secret};
use heraut_connectors::error::ConnectorError;
use heraut_connectors::profiles::Profile;
use heraut_connectors::{CONNECTORS, contract::Kind};
use serde_json::Value;

use crate::flow::keyring::KeyringError;
use crate::flow::poll::PollError;
use crate::flow::{Gateway, now};
use crate::ids::{SecretId, SourceId};
use crate::store::secrets::{self, Role, Sealed};
use crate::store::sources::Source;
use crate::store::{Db, Queried, StoreError};

/// Shortest secret that is taken, in bytes: what is shorter can be guessed.
pub const SECRET_BYTES_MIN: usize = 16;
/// Longest secret that is taken, in bytes.
pub const SECRET_BYTES_MAX: usize = 4_096;

/// The open secrets of a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// By which the system signs.
    pub secret: Option<Secret>,
    /// By which it signed before.
    pub previous: Option<Secret>,
    /// With which we read from its API.
    pub token: Option<Secret>,
}

impl Secrets {
    /// Those that a signature may be made with.
    pub fn signing(&self) -> Vec<Secret> {
        self.secret.iter().chain(&self.previous).cloned().collect()
    }

    /// The one for that.
    pub fn get(&self, role: Role) -> Option<&Secret> {
        match role {
            Role::Secret => self.secret.as_ref(),
            Role::Previous => self.previous.as_ref(),
            Role::Token => self.token.as_ref(),
        }
    }

    /// Puts one in its place.
    pub fn put(&mut self, role: Role, secret: Option<Secret>) {
        match role {
            Role::Secret => self.secret = secret,
            Role::Previous => self.previous = secret,
            Role::Token => self.token = secret,
        }
    }

    /// What is wrong with them, by the name of the role.
    pub fn problem(&self) -> Option<String> {
        Role::ALL.into_iter().find_map(|role| {
            let secret = self.get(role)?.reveal();
            let long = secret.len() > SECRET_BYTES_MAX;
            let short = role != Role::Token && secret.len() < SECRET_BYTES_MIN;
            let name = role.name();
            match (short, long) {
                (true, _) => {
                    Some(format!("`{name}` is shorter than {SECRET_BYTES_MIN} characters, and can be guessed"))
                }
                (_, true) => Some(format!("`{name}` is longer than {SECRET_BYTES_MAX} characters")),
                _ => None,
            }
        })
    }
}

/// Opens the secrets of a source.
pub async fn open(gateway: &Gateway, source: SourceId) -> Result<Secrets, KeyringError> {
    let rows = gateway.store.read("read the secrets of a source", move |db| secrets::of(db, source)).await?;
    opened(gateway, &rows)
}

/// Opens these.
pub fn opened(gateway: &Gateway, rows: &[Sealed]) -> Result<Secrets, KeyringError> {
    let mut open = Secrets::default();
    for row in rows {
        let text = gateway.keyring.open_secret(row.id, &row.sealed)?;
        let role = Role::ALL.into_iter().find(|role| role.name() == row.role);
        role.into_iter().for_each(|role| open.put(role, Some(Secret::from(text.as_str()))));
    }
    Ok(open)
}

/// What is to be written so that a source has these secrets and no others: per role the sealed row, or its removal. What is there
/// already is not written again.
pub fn changes(
    gateway: &Gateway,
    known: &Secrets,
    wanted: &Secrets,
) -> Result<Vec<(Role, Option<Sealed>)>, KeyringError> {
    let changed = Role::ALL.into_iter().filter(|role| known.get(*role) != wanted.get(*role));
    let row = |role: Role| {
        let sealed = wanted.get(role).map(|secret| {
            let id = SecretId(gateway.mint.next());
            let sealed = gateway.keyring.seal_secret(id, secret.reveal())?;
            Ok::<_, KeyringError>(Sealed { id, role: role.name().to_owned(), sealed, set_at: now() })
        });
        Ok((role, sealed.transpose()?))
    };
    changed.map(row).collect()
}

/// Writes such changes.
pub fn write(db: &mut Db<'_>, source: SourceId, changes: &[(Role, Option<Sealed>)]) -> Queried<()> {
    changes.iter().try_for_each(|(role, row)| match row {
        Some(row) => secrets::set(db, source, row),
        None => secrets::remove(db, source, role.name()),
    })
}

/// The kind of a source.
pub fn kind(source: &Source) -> Option<&'static dyn Kind> {
    CONNECTORS.iter().find(|kind| kind.name() == source.kind).copied()
}

/// Whether a source is one that is pushed.
pub fn is_pushed(source: &Source) -> bool {
    kind(source).is_some_and(|kind| kind.profile().is_some())
}

/// The connector of a source, with the token for its API among its settings.
pub fn configure(source: &Source, token: Option<&Secret>) -> Result<Box<dyn Connector>, PollError> {
    let kind = kind(source).ok_or_else(|| PollError::Kind {
        source_name: source.name.clone(),
        kind: source.kind.clone(),
        known: CONNECTORS.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", "),
    })?;
    let mut settings = source.settings.connector.clone();
    if let (Some(token), Value::Object(map)) = (token, &mut settings) {
        map.insert("token".to_owned(), Value::String(token.reveal().to_owned()));
    }
    kind.configure(&settings).map_err(|error| refused(source, error))
}

/// The signature profile of a source; `None` for a kind that is not pushed.
pub fn profile(source: &Source) -> Result<Option<Profile>, PollError> {
    let Some(usual) = kind(source).and_then(|kind| kind.profile()) else { return Ok(None) };
    Profile::parse(source.settings.signature.as_ref(), usual).map(Some).map_err(|error| refused(source, error))
}

fn refused(source: &Source, error: ConnectorError) -> PollError {
    PollError::Settings { source_name: source.name.clone(), source: error }
}

/// The connector of a source, with the token that is kept for it.
pub async fn connector(gateway: &Gateway, source: &Source) -> Result<Box<dyn Connector>, PollError> {
    if !kind(source).is_some_and(|kind| kind.takes_token()) {
        return configure(source, None);
    }
    let secrets = open(gateway, source.id).await.map_err(|error| match error {
        KeyringError::Store(error) => PollError::Store(error),
        other => PollError::Fetch(crate::flow::verify::with_causes(&other)),
    })?;
    configure(source, secrets.token.as_ref())
}

/// Removes all secrets of a source.
pub async fn forget(gateway: &Gateway, source: SourceId) -> Result<(), StoreError> {
    let remove =
        move |db: &mut Db<'_>| Role::ALL.into_iter().try_for_each(|role| secrets::remove(db, source, role.name()));
    gateway.store.write("remove the secrets of a source", remove).await
}
