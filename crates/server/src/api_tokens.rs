//! Our own API tokens, in memory: a request costs one keyed MAC and one look-up.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use claviger_broker::Vault;
use claviger_crypto::{Secret, TokenKind, kind_of};
use claviger_guard::{Access, Verified, Verify, VerifyError};
use claviger_model::{ApiToken, ApiTokenId, TenantId, Timestamp, UserId};
use claviger_ports::{Clock, Entropy};
use claviger_store::{Store, StoreError};
use claviger_wire::ScopeSet;

use crate::pulse::Pulse;

/// What the MAC of an API token is made for.
const PURPOSE: &str = "api-token";

/// How long the database may take for one token.
const PATIENCE: Duration = Duration::from_secs(2);

/// Every API token there is, by its MAC.
pub(crate) struct ApiTokenDirectory {
    vault: Arc<Vault>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    pulse: Arc<Pulse>,
    known: RwLock<HashMap<[u8; 32], ApiToken>>,
}

impl ApiTokenDirectory {
    pub(crate) fn new(
        vault: Arc<Vault>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self {
            vault,
            store,
            clock,
            pulse,
            known: RwLock::default(),
        }
    }

    /// Reads the tokens anew.
    pub(crate) async fn reload(&self) -> Result<(), StoreError> {
        let tokens = self
            .store
            .tenant(&TenantId::default_tenant())
            .list_api_tokens()
            .await?;
        let known = tokens
            .into_iter()
            .filter_map(|token| Some((<[u8; 32]>::try_from(token.mac.as_slice()).ok()?, token)))
            .collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// The token with this MAC. Memory counts for as long as changes by others are seen in time;
    /// after that the database is asked, and whoever cannot ask cannot tell.
    async fn find(&self, mac: [u8; 32]) -> Result<Option<ApiToken>, VerifyError> {
        if self.pulse.is_fresh(self.clock.monotonic_ms()) {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            return Ok(known.get(&mac).cloned());
        }
        let rows = self.store.tenant(&TenantId::default_tenant());
        let asked = tokio::time::timeout(PATIENCE, rows.find_api_token(&mac)).await;
        match asked {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(_)) | Err(_) => Err(VerifyError::Unavailable),
        }
    }

    /// The row for a token that is in the token file, for every server of the default tenant.
    pub(crate) fn describe_local(
        &self,
        name: String,
        secret: &Secret,
        entropy: &dyn Entropy,
        now: Timestamp,
    ) -> ApiToken {
        ApiToken {
            id: ApiTokenId::from_random(entropy.id_bytes()),
            tenant: TenantId::default_tenant(),
            user: UserId::owner(),
            name,
            mac: self.vault.mark(PURPOSE, secret).to_vec(),
            servers: None,
            created_at: now,
            expires_at: None,
        }
    }
}

#[async_trait]
impl Verify for ApiTokenDirectory {
    async fn verify(&self, token: &Secret, now: Timestamp) -> Result<Verified, VerifyError> {
        // A119: the kind is read before anything is looked up.
        if kind_of(token.expose()) != Some(TokenKind::Api) {
            return Err(VerifyError::Unknown);
        }
        let mac = self.vault.mark(PURPOSE, token);
        let found = self.find(mac).await?.ok_or(VerifyError::Unknown)?;
        if found.expires_at.is_some_and(|end| end <= now) {
            return Err(VerifyError::Expired);
        }
        let access = found.servers.as_ref().map_or(Access::All, |servers| {
            Access::Servers(servers.iter().cloned().collect::<BTreeSet<_>>())
        });
        Ok(Verified {
            tenant: found.tenant.clone(),
            user: found.user.clone(),
            client: None,
            token: Some(found.id.to_string()),
            scopes: ScopeSet::new(),
            access,
        })
    }
}

impl fmt::Debug for ApiTokenDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiTokenDirectory").finish_non_exhaustive()
    }
}
