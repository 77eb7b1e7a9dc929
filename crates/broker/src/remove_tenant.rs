//! The end of a tenant: nothing of it is used or can be opened any more, and its issuers are told
//! (A220, F06).

use claviger_model::{Fault, Server, TenantId};
use claviger_store::{Estate, StoreError};

use crate::broker::Inner;
use crate::keep::MOST_RACES;
use crate::owed::Owing;
use crate::purge::Ending;
use crate::serve::Chain;
use crate::{Act, Broker, HoldError, Note};

/// What removing a tenant did.
#[derive(Debug, Default)]
pub struct TenantRemoved {
    /// What ended here; [`Broker::revoke_ended`] tells its issuers.
    pub ended: Ending,
    /// Servers that went.
    pub servers: usize,
    /// API tokens that were deleted.
    pub api_tokens: usize,
    /// Revocations it owed before, which the default tenant owes now.
    pub inherited: usize,
    /// Revocations it owed before that cannot be opened, and so never be sent.
    pub lost: usize,
}

/// Why a tenant was not removed. Nothing was written then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoveTenantError {
    /// It is the installation's own.
    #[error("the default tenant cannot be removed: it is the installation's own")]
    Default,
    /// Rows or seals.
    #[error("could not remove the tenant")]
    Hold {
        /// The cause.
        #[source]
        source: HoldError,
    },
    /// It has no row.
    #[error("there is no such tenant")]
    Unknown,
}

/// All that is to end with a tenant.
struct Left {
    servers: Vec<Server>,
    estate: Estate,
    removed: TenantRemoved,
}

// === impl Broker ===

impl Broker {
    /// Ends a tenant: every row but its audit log, and every key of it, in one transaction with what
    /// that leaves to do at its issuers. From then on nothing of it opens, whoever kept a copy of
    /// its rows; its debts are the default tenant's, sealed with that one's key.
    ///
    /// A copy of its wrapped keys is another matter: it opens for whoever has the KEK.
    pub async fn remove_tenant(
        &self,
        tenant: &TenantId,
    ) -> Result<TenantRemoved, RemoveTenantError> {
        let (inner, heir) = (&self.inner, TenantId::default_tenant());
        if *tenant == heir {
            return Err(RemoveTenantError::Default);
        }
        let known = inner.parts.store.list_tenants().await?;
        if !known.contains(tenant) {
            return Err(RemoveTenantError::Unknown);
        }
        for _ in 0..MOST_RACES {
            let left = inner.left_of(tenant).await?;
            let audit = &inner.parts.audit;
            let (draft, rows) = audit
                .change(tenant, left.note(tenant).by(self.by()))
                .await?;
            match draft.settle(rows.surrender_tenant(&heir, &left.estate).await) {
                Ok(true) => {
                    claviger_ports::failpoint_in_task!("revoke.after_end");
                    return Ok(inner.tenant_gone(left).await);
                }
                Ok(false) => return Err(RemoveTenantError::Unknown),
                // Somebody obtained, renewed or owed something in between: that ends with it.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy.into())
    }
}

// === impl Inner ===

impl Inner {
    async fn left_of(&self, tenant: &TenantId) -> Result<Left, HoldError> {
        let rows = self.parts.store.tenant(tenant);
        let servers = rows.list_servers().await?;
        let (mut estate, mut removed) = (Estate::default(), TenantRemoved::default());
        for server in &servers {
            for row in rows.list_credentials(&server.id).await? {
                let owing = match self.owing(server, &row).await? {
                    Owing::Row(owed) => Owing::Row(Box::new(self.inherited(&owed).await?)),
                    other => other,
                };
                if let Owing::Row(owed) = &owing {
                    estate.inherited.push((**owed).clone());
                }
                estate.credentials.push((row.key.clone(), row.fingerprint));
                removed.ended.extend(vec![(row.key, owing)]);
            }
        }
        for row in rows.list_revocations().await? {
            match self.inherited(&row).await {
                Ok(inherited) => {
                    estate.inherited.push(inherited);
                    removed.inherited += 1;
                }
                Err(error) if error.may_pass() => return Err(error),
                Err(error) => {
                    tracing::error!(server = %row.server_name, issuer = %row.issuer, error = %Chain(&error), "a revocation ends with its tenant that cannot be opened");
                    removed.lost += 1;
                }
            }
            estate.owed.push(row.id);
        }
        removed.servers = servers.len();
        removed.api_tokens = rows.list_api_tokens().await?.len();
        Ok(Left {
            servers,
            estate,
            removed,
        })
    }

    /// Forgets what ended, its keys included.
    async fn tenant_gone(&self, left: Left) -> TenantRemoved {
        for server in &left.servers {
            self.cache.forget_server(&server.id);
        }
        for (key, _) in &left.estate.credentials {
            self.pauses.forget(key);
            self.tickets.forget(key);
        }
        if let Err(error) = self.parts.vault.reload().await {
            // It is heard of again, as every change is.
            tracing::warn!(%error, "could not read the keys anew");
        }
        left.removed
    }
}

// === impl Left ===

impl Left {
    fn note(&self, tenant: &TenantId) -> Note {
        Note::new(Act::TenantRemove, tenant)
            .with("servers", self.removed.servers)
            .with("ended", self.estate.credentials.len())
            .with("api_tokens", self.removed.api_tokens)
            .with("owed", self.estate.inherited.len())
            .with("lost", self.removed.lost)
    }
}

// === impl RemoveTenantError ===

impl RemoveTenantError {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Default | Self::Unknown => Fault::Caller,
            Self::Hold { source } => source.fault(),
        }
    }

    /// A stable word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Default => "default_tenant",
            Self::Hold { .. } => "credential",
            Self::Unknown => "unknown_tenant",
        }
    }
}

impl From<HoldError> for RemoveTenantError {
    fn from(source: HoldError) -> Self {
        Self::Hold { source }
    }
}

impl From<StoreError> for RemoveTenantError {
    fn from(source: StoreError) -> Self {
        HoldError::from(source).into()
    }
}
