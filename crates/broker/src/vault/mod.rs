//! The keys of an installation, and what they seal.
//!
//! The KEKs come from outside the database and wrap everything else; tenant, MAC, journal and audit
//! keys are random, in generations. One key per write; a record names its generation, so no key is
//! ever tried out. `ring` loads, checks and makes keys, `shelf` holds them, `provider` is who wraps
//! them, `turn` renews and rewraps them.
//!
//! The MAC key has one generation: it finds API tokens and sign-ins again, so another one would
//! void them all. It is rewrapped like every other.

use core::fmt;
use std::sync::Arc;

use claviger_crypto::{Context, MacKey, Secret, TenantKey, open, record_generation, seal};
use claviger_model::{KeyRow, TenantId};
use claviger_ports::{Clock, Entropy};
use claviger_store::Keys;
use zeroize::Zeroizing;

pub use error::VaultError;
pub use provider::{KekProvider, KekProviderError, Keks, KeyName};
pub use turn::{KeyId, VaultKey};

use ring::Ring;
use shelf::Owner;

mod error;
mod provider;
mod ring;
mod shelf;
mod turn;

/// The opened keys.
pub struct Vault {
    ring: Ring,
    mac: MacKey,
}

/// The key of the audit chains, and its generation, which every chain remembers.
#[derive(Debug, Clone)]
pub struct AuditKey {
    /// Counts from 1.
    pub generation: u32,
    /// The key.
    pub key: MacKey,
}

// === impl AuditKey ===

impl AuditKey {
    /// The key of an exported log, which holds it wrapped as it was stored. A row of another key
    /// does not unwrap as this one.
    pub async fn unwrapped(keks: &Keks, row: &KeyRow) -> Result<Self, VaultError> {
        if row.tenant.is_some() || row.purpose != AUDIT_PURPOSE {
            return Err(VaultError::UnknownKey);
        }
        let key = keks.unwrap(row).await?;
        Ok(Self {
            generation: row.generation,
            key: MacKey::new(*key),
        })
    }
}

/// What the keys of the audit log are called.
pub(crate) const AUDIT_PURPOSE: &str = "audit";

const MAC: Owner<'static> = Owner::Own("mac");
const JOURNAL: Owner<'static> = Owner::Own("journal");
const AUDIT: Owner<'static> = Owner::Own(AUDIT_PURPOSE);

// === impl Vault ===

impl Vault {
    /// Opens the keys of a database, or makes the first ones in an empty one. If a KEK is missing
    /// or another one, it fails and writes nothing (A207).
    pub async fn open(
        keks: impl Into<Keks>,
        keys: Arc<dyn Keys>,
        entropy: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, VaultError> {
        let ring = Ring::new(keks.into(), keys, entropy, clock);
        ring.check().await?;
        let mac = ring.newest(MAC).await?;
        ring.ensure_sentinel().await?;
        // Not on first need: the journal is for the time when the database does not answer.
        ring.newest(JOURNAL).await?;
        ring.newest(AUDIT).await?;
        Ok(Self {
            mac: MacKey::new(*mac.key),
            ring,
        })
    }

    /// Reads the wrapped keys anew: another process made or rewrapped some.
    pub async fn reload(&self) -> Result<(), VaultError> {
        self.ring.reload().await
    }

    /// A keyed MAC of a secret, for looking it up or telling it from others.
    pub fn mark(&self, purpose: &str, secret: &Secret) -> [u8; 32] {
        self.mac.mac(purpose, &[secret.expose().as_bytes()])
    }

    /// Seals with the tenant's newest key; makes the tenant's first one where there is none. For a
    /// tenant that this process knew and that was removed, nothing is sealed any more (A220).
    pub async fn seal(
        &self,
        tenant: &TenantId,
        context: &Context,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        // A process that was stopped for a while may not know that its newest key is an old one by
        // now. That the database does not answer is no reason not to seal.
        if self.ring.is_stale()
            && let Err(error) = self.ring.reload().await
        {
            tracing::debug!(%error, "the keys were not read anew");
        }
        let key = self.ring.newest(Owner::Tenant(tenant)).await?;
        Ok(self.seal_with(&key, context, plaintext))
    }

    /// Whether a tenant has a key; none is made.
    pub(crate) async fn has_key(&self, tenant: &TenantId) -> Result<bool, VaultError> {
        match self.ring.find(Owner::Tenant(tenant), None).await {
            Ok(_) => Ok(true),
            Err(VaultError::UnknownKey) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a record with the key it names.
    pub async fn open_record(
        &self,
        tenant: &TenantId,
        context: &Context,
        record: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.open_with(Owner::Tenant(tenant), context, record).await
    }

    /// Seals an entry of the rescue journal. Its key is in memory from the start.
    pub async fn seal_journal(
        &self,
        context: &Context,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let key = self.ring.newest(JOURNAL).await?;
        Ok(self.seal_with(&key, context, plaintext))
    }

    /// Opens an entry of the rescue journal, whichever process of this installation wrote it.
    pub async fn open_journal(
        &self,
        context: &Context,
        record: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.open_with(JOURNAL, context, record).await
    }

    /// The newest key of the audit chains.
    pub async fn audit_key(&self) -> Result<AuditKey, VaultError> {
        self.ring.newest(AUDIT).await.map(|key| audit_key(&key))
    }

    /// An earlier key of the audit chains, to verify them.
    pub async fn audit_key_of(&self, generation: u32) -> Result<AuditKey, VaultError> {
        self.ring
            .find(AUDIT, Some(generation))
            .await
            .map(|key| audit_key(&key))
    }

    /// A key of its own for `purpose`, derived from the MAC key; the same in every process.
    pub fn derived_key(&self, purpose: &str) -> [u8; 32] {
        self.mac.mac("derived-key", &[purpose.as_bytes()])
    }

    fn seal_with(&self, key: &TenantKey, context: &Context, plaintext: &[u8]) -> Vec<u8> {
        seal(key, context, self.ring.entropy.key_bytes(), plaintext)
    }

    async fn open_with(
        &self,
        owner: Owner<'_>,
        context: &Context,
        record: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let generation = record_generation(record).ok_or(VaultError::UnknownKey)?;
        let key = self.ring.find(owner, Some(generation)).await?;
        open(&key, context, record).map_err(|source| VaultError::Tampered { source })
    }
}

fn audit_key(key: &TenantKey) -> AuditKey {
    AuditKey {
        generation: key.generation,
        key: MacKey::new(*key.key),
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("keks", &self.ring.keks)
            .finish_non_exhaustive()
    }
}
