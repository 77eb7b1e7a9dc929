//! The broker: its pieces, and how a credential comes into memory.

use core::fmt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use claviger_client::Quirks;
use claviger_crypto::{Context, SealedFor};
use claviger_model::{
    AccountName, Connection, Credential, CredentialKey, Fault, Server, ServerId, SignInId, UserId,
};
use claviger_ports::{Clock, Entropy, Fetch, Journal, Reach, Tasks};
use claviger_store::{Store, StoreError, TenantStore};
use http::{HeaderValue, header::InvalidHeaderValue};
use tokio::sync::watch;
use url::Url;

use crate::cache::{Cache, Held, Known};
use crate::doubt::Doubts;
use crate::engine::Probed;
use crate::flight::Flights;
use crate::herd::Herd;
use crate::narrow::Narrow;
use crate::pause::Pauses;
use crate::record::{RecordError, Tokens};
use crate::refresh::Landed;
use crate::replayed;
use crate::rescue::Rescue;
use crate::restored::Restored;
use crate::sign_in::Ending;
use crate::ticket::Tickets;
use crate::{Act, Actor, Auditor, Note, TokenMark, Vault, VaultError};

/// How the broker speaks for this installation.
#[derive(Debug, Clone)]
pub struct BrokerSettings {
    /// `client_name` of registrations, so that a person can tell them apart (M7).
    pub client_name: String,
    /// Our client id metadata document, where one is published.
    pub client_metadata_url: Option<String>,
    /// Where our own pages are, such as `http://127.0.0.1:7447`; `None` where no page is served.
    pub link_base: Option<String>,
    /// Seconds a person has for a sign-in.
    pub sign_in_timeout_s: u32,
}

/// What a broker is made of.
pub struct BrokerParts {
    /// Rows.
    pub store: Arc<dyn Store>,
    /// Keys.
    pub vault: Arc<Vault>,
    /// The audit log.
    pub audit: Arc<Auditor>,
    /// The door to issuers.
    pub fetch: Arc<dyn Fetch>,
    /// Where an issuer's answer is until the database has it.
    pub journal: Arc<dyn Journal>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Work that outlives its caller.
    pub tasks: Arc<dyn Tasks>,
    /// Known deviations of issuers.
    pub quirks: Arc<Quirks>,
    /// How to speak.
    pub settings: BrokerSettings,
}

/// The credentials we hold, from sign-in to revocation.
#[derive(Clone)]
pub struct Broker {
    pub(crate) inner: Arc<Inner>,
    /// On whose behalf it acts, where that is not whoever runs this process.
    pub(crate) by: Option<Actor>,
}

pub(crate) struct Inner {
    pub(crate) parts: BrokerParts,
    pub(crate) cache: Cache,
    pub(crate) flights: Flights<CredentialKey, Landed>,
    pub(crate) tickets: Tickets,
    pub(crate) herd: Herd,
    pub(crate) pauses: Pauses,
    pub(crate) replayed: replayed::Seen,
    pub(crate) doubts: Doubts,
    pub(crate) narrow: Narrow,
    pub(crate) rescue: Rescue,
    pub(crate) restored: Restored,
    pub(crate) probed: Probed,
    pub(crate) endings: Mutex<HashMap<SignInId, Ending>>,
    pub(crate) closed: watch::Sender<bool>,
}

/// A stored credential could not be read, or a new one not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HoldError {
    /// The token holds what no header may.
    #[error("the token cannot stand in a header")]
    Header {
        /// The cause.
        #[source]
        source: InvalidHeaderValue,
    },
    /// The sealed part has another shape, or is about another row.
    #[error("a sealed record cannot be read")]
    Shape {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database did not answer.
    #[error("could not read or write a credential")]
    Store {
        /// The cause.
        #[source]
        source: StoreError,
    },
    /// The work broke off.
    #[error("the work broke off; see the log")]
    BrokeOff,
    /// The seal does not open.
    #[error("could not open or seal a credential")]
    Vault {
        /// The cause.
        #[source]
        source: VaultError,
    },
}

impl HoldError {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Header { .. } => Fault::Peer,
            _ => Fault::Us,
        }
    }

    /// Whether it says nothing about what is stored: the same may work in a moment.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Store { .. }
                | Self::Vault {
                    source: VaultError::Store { .. } | VaultError::Unavailable { .. }
                }
        )
    }
}

impl From<RecordError> for HoldError {
    fn from(source: RecordError) -> Self {
        Self::Shape {
            source: Box::new(source),
        }
    }
}

impl From<StoreError> for HoldError {
    fn from(source: StoreError) -> Self {
        Self::Store { source }
    }
}

impl From<VaultError> for HoldError {
    fn from(source: VaultError) -> Self {
        Self::Vault { source }
    }
}

// === impl Broker ===

impl Broker {
    /// A broker of these parts.
    pub fn new(parts: BrokerParts) -> Self {
        let flights = Flights::new(Arc::clone(&parts.tasks));
        let herd = Herd::new(Arc::clone(&parts.clock), Arc::clone(&parts.entropy));
        Self {
            by: None,
            inner: Arc::new(Inner {
                parts,
                cache: Cache::default(),
                flights,
                tickets: Tickets::default(),
                herd,
                pauses: Pauses::default(),
                replayed: replayed::Seen::default(),
                doubts: Doubts::default(),
                narrow: Narrow::default(),
                rescue: Rescue::default(),
                restored: Restored::default(),
                probed: Probed::default(),
                endings: Mutex::default(),
                closed: watch::channel(false).0,
            }),
        }
    }

    /// Forgets what is in memory: another process may have written.
    pub fn invalidate(&self) {
        self.inner.cache.invalidate();
    }

    /// Forgets what is in memory of one credential: it was written, and has this version now;
    /// without one it is gone. What this process wrote itself is not forgotten.
    pub fn forget(&self, key: &CredentialKey, version: Option<u64>) {
        match version {
            Some(version) => self.inner.cache.forget_older(key, version),
            None => self.inner.cache.forget(key),
        }
    }

    /// Forgets what is in memory of everybody's credentials at one server: it was changed.
    pub fn forget_server(&self, server: &ServerId) {
        self.inner.cache.forget_server(server);
    }

    /// The audit log.
    pub fn audit(&self) -> &Arc<Auditor> {
        &self.inner.parts.audit
    }

    /// The keys.
    pub(crate) fn vault(&self) -> &Arc<Vault> {
        &self.inner.parts.vault
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("settings", &self.inner.parts.settings)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BrokerParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerParts")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

// === impl Inner ===

impl Inner {
    pub(crate) fn rows(&self, key: &CredentialKey) -> Arc<dyn TenantStore> {
        self.parts.store.tenant(&key.tenant)
    }

    /// What is held for `key`, from memory or else from the database.
    pub(crate) async fn hold(
        &self,
        server: &Server,
        key: &CredentialKey,
    ) -> Result<Option<Arc<Held>>, HoldError> {
        match self.cache.find(key) {
            Known::Held(held) => Ok(Some(held)),
            Known::Absent => Ok(None),
            Known::Nothing => self.reread(server, key).await,
        }
    }

    /// What is held for `key`, from the database.
    pub(crate) async fn reread(
        &self,
        server: &Server,
        key: &CredentialKey,
    ) -> Result<Option<Arc<Held>>, HoldError> {
        let seen = self.cache.epoch(key);
        let held = match self.rows(key).find_credential(key).await? {
            Some(row) => {
                let tokens = self.unseal(server, &row).await?;
                self.notice_replayed(server, &row);
                Some(self.held(row, &tokens)?)
            }
            None => None,
        };
        self.cache.keep(key, held.clone(), seen);
        Ok(held)
    }

    pub(crate) fn held(&self, row: Credential, tokens: &Tokens) -> Result<Arc<Held>, HoldError> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", tokens.access.expose()))
            .map_err(|source| HoldError::Header { source })?;
        header.set_sensitive(true);
        let mark = TokenMark(self.parts.vault.mark("access-token", &tokens.access));
        Ok(Arc::new(Held { row, header, mark }))
    }

    /// The tokens of a stored credential. Fails where the server, or an address the tokens are sent
    /// to, was repointed in the database, since they are part of the seal (A205).
    pub(crate) async fn unseal(
        &self,
        server: &Server,
        row: &Credential,
    ) -> Result<Tokens, HoldError> {
        let context = credential_context(server, row);
        let about = || Note::credential(Act::Tamper, server, &row.key).with("of", "credential");
        let opened = self
            .open_sealed(&row.key.tenant, &context, &row.sealed, about)
            .await?;
        Ok(Tokens::from_bytes(&opened, row)?)
    }

    /// Seals `tokens` into `row`, whose version and issuer are those to be stored.
    pub(crate) async fn seal_into(
        &self,
        server: &Server,
        row: &mut Credential,
        tokens: &Tokens,
    ) -> Result<(), HoldError> {
        let context = credential_context(server, row);
        let plain = tokens.to_bytes(row)?;
        row.sealed = self
            .parts
            .vault
            .seal(&row.key.tenant, &context, &plain)
            .await?;
        Ok(())
    }

    /// The fingerprint that guards writes: of the refresh token, or of the access token.
    pub(crate) fn fingerprint(&self, tokens: &Tokens) -> Vec<u8> {
        let token = tokens.refresh.as_ref().unwrap_or(&tokens.access);
        self.parts.vault.mark("credential", token).to_vec()
    }

    pub(crate) async fn connection(
        &self,
        key: &CredentialKey,
    ) -> Result<Option<Connection>, StoreError> {
        self.rows(key).find_connection(key).await
    }
}

/// The key of a user's one credential at a server.
pub(crate) fn key_of(server: &Server, user: &UserId) -> CredentialKey {
    CredentialKey {
        tenant: server.tenant.clone(),
        user: user.clone(),
        server: server.id.clone(),
        account: AccountName::default_account(),
    }
}

/// How far requests on behalf of `server` may reach: its own host's private addresses where the
/// operator said so, and nothing else's (A023).
pub fn reach_of(server: &Server) -> Reach {
    let host = Url::parse(&server.url)
        .ok()
        .and_then(|url| url.host().map(|host| host.to_string()));
    match host {
        Some(host) if server.allow_private => Reach::public().with_private_host(&host),
        _ => Reach::public(),
    }
}

/// The origin of an upstream, as it is bound into seals.
pub(crate) fn origin_of(server: &Server) -> String {
    Url::parse(&server.url).map_or_else(
        |_not_a_url| server.url.clone(),
        |url| url.origin().ascii_serialization(),
    )
}

pub(crate) fn credential_context(server: &Server, row: &Credential) -> Context {
    Context::new(SealedFor::Credential)
        .at("credentials", "sealed")
        .tenant(row.key.tenant.as_str())
        .user(row.key.user.as_str())
        .account(row.key.account.as_str())
        .server(row.key.server.as_str())
        .origin(&origin_of(server))
        .issuer(&row.issuer)
        .version(row.version)
}
