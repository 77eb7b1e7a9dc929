//! The keys of an installation, and what they seal.
//!
//! The KEK comes from outside the database and wraps everything else; tenant keys and the MAC key
//! are random. One key per write; a record names its generation, so no key is ever tried out.

use core::fmt;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use claviger_crypto::{
    Context, Kek, MacKey, OpenError, Secret, TenantKey, UnwrapError, open, record_generation, seal,
};
use claviger_model::{KeyRow, TenantId};
use claviger_ports::{Clock, Entropy};
use claviger_store::{Keys, StoreError};
use zeroize::Zeroizing;

/// The opened keys.
pub struct Vault {
    kek: Kek,
    mac: MacKey,
    tenants: RwLock<HashMap<TenantId, Vec<TenantKey>>>,
    keys: Arc<dyn Keys>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
}

/// Why the vault does not open, seal or unseal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The key file does not open this database (A207).
    #[error("the key file does not open this database")]
    WrongKey {
        /// The cause.
        #[source]
        source: UnwrapError,
    },
    /// A sealed record was changed, moved, or belongs to another server (A203–A205).
    #[error("a sealed record was refused")]
    Tampered {
        /// The cause.
        #[source]
        source: OpenError,
    },
    /// A record names a key generation that is not there.
    #[error("a sealed record names a key that is not there")]
    UnknownKey,
    /// The database did not answer.
    #[error("could not read or write the keys")]
    Store {
        /// The cause.
        #[source]
        source: StoreError,
    },
}

const PURPOSE_MAC: &str = "mac";
const PURPOSE_TENANT: &str = "tenant";

// === impl Vault ===

impl Vault {
    /// Opens the keys of a database, or makes the first ones in an empty one. With another KEK
    /// than the one they are wrapped by it fails and writes nothing (A207).
    pub async fn open(
        kek: Kek,
        keys: Arc<dyn Keys>,
        entropy: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, VaultError> {
        let rows = keys
            .list_keys()
            .await
            .map_err(|source| VaultError::Store { source })?;
        for row in &rows {
            unwrap(&kek, row)?;
        }
        let mac_row = match rows.iter().find(|row| row.purpose == PURPOSE_MAC) {
            Some(row) => row.clone(),
            None => make(&kek, &keys, &*entropy, &*clock, PURPOSE_MAC, None).await?,
        };
        let mac = MacKey::new(*unwrap(&kek, &mac_row)?);
        let mut tenants: HashMap<TenantId, Vec<TenantKey>> = HashMap::new();
        for row in rows.iter().filter(|row| row.purpose == PURPOSE_TENANT) {
            if let Some(tenant) = &row.tenant {
                let key = TenantKey::new(row.generation, kek.id(), *unwrap(&kek, row)?);
                tenants.entry(tenant.clone()).or_default().push(key);
            }
        }
        Ok(Self {
            kek,
            mac,
            tenants: RwLock::new(tenants),
            keys,
            entropy,
            clock,
        })
    }

    /// A keyed MAC of a secret, for looking it up or telling it from others.
    pub fn mark(&self, purpose: &str, secret: &Secret) -> [u8; 32] {
        self.mac.mac(purpose, &[secret.expose().as_bytes()])
    }

    /// Seals with the tenant's newest key; makes the tenant's first one where there is none.
    pub async fn seal(
        &self,
        tenant: &TenantId,
        context: &Context,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let key = match self.newest(tenant) {
            Some(key) => key,
            None => self.make_tenant_key(tenant).await?,
        };
        Ok(seal(&key, context, self.entropy.key_bytes(), plaintext))
    }

    /// Opens a record with the key it names.
    pub async fn open_record(
        &self,
        tenant: &TenantId,
        context: &Context,
        record: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let generation = record_generation(record).ok_or(VaultError::UnknownKey)?;
        let key = if let Some(key) = self.generation(tenant, generation) {
            key
        } else {
            // Another process may have made it since.
            self.reload(tenant).await?;
            self.generation(tenant, generation)
                .ok_or(VaultError::UnknownKey)?
        };
        open(&key, context, record).map_err(|source| VaultError::Tampered { source })
    }

    /// A key of its own for `purpose`, derived from the MAC key; the same in every process.
    pub fn derived_key(&self, purpose: &str) -> [u8; 32] {
        self.mac.mac("derived-key", &[purpose.as_bytes()])
    }

    fn newest(&self, tenant: &TenantId) -> Option<TenantKey> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants
            .get(tenant)?
            .iter()
            .max_by_key(|key| key.generation)
            .cloned()
    }

    fn generation(&self, tenant: &TenantId, generation: u32) -> Option<TenantKey> {
        let tenants = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        tenants
            .get(tenant)?
            .iter()
            .find(|key| key.generation == generation)
            .cloned()
    }

    async fn make_tenant_key(&self, tenant: &TenantId) -> Result<TenantKey, VaultError> {
        let (entropy, clock) = (&*self.entropy, &*self.clock);
        make(
            &self.kek,
            &self.keys,
            entropy,
            clock,
            PURPOSE_TENANT,
            Some(tenant),
        )
        .await?;
        self.reload(tenant).await?;
        self.newest(tenant).ok_or(VaultError::UnknownKey)
    }

    async fn reload(&self, tenant: &TenantId) -> Result<(), VaultError> {
        let rows = self
            .keys
            .list_keys()
            .await
            .map_err(|source| VaultError::Store { source })?;
        let mut found = Vec::new();
        for row in rows
            .iter()
            .filter(|row| row.tenant.as_ref() == Some(tenant))
        {
            if row.purpose == PURPOSE_TENANT {
                let key = unwrap(&self.kek, row)?;
                found.push(TenantKey::new(row.generation, self.kek.id(), *key));
            }
        }
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        tenants.insert(tenant.clone(), found);
        Ok(())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault")
            .field("kek", &self.kek)
            .finish_non_exhaustive()
    }
}

fn unwrap(kek: &Kek, row: &KeyRow) -> Result<Zeroizing<[u8; 32]>, VaultError> {
    let tenant = row.tenant.as_ref().map_or("", TenantId::as_str);
    kek.unwrap(&row.purpose, tenant, row.generation, &row.wrapped)
        .map_err(|source| VaultError::WrongKey { source })
}

/// Makes the first generation of a key. Of several processes one wins, and all use its key.
async fn make(
    kek: &Kek,
    keys: &Arc<dyn Keys>,
    entropy: &dyn Entropy,
    clock: &dyn Clock,
    purpose: &str,
    tenant: Option<&TenantId>,
) -> Result<KeyRow, VaultError> {
    let key = Zeroizing::new(entropy.key_bytes());
    let name = tenant.map_or("", TenantId::as_str);
    let row = KeyRow {
        tenant: tenant.cloned(),
        purpose: purpose.to_owned(),
        generation: 1,
        kek_id: kek.id().to_vec(),
        wrapped: kek.wrap(purpose, name, 1, entropy.key_bytes(), &key),
        created_at: clock.now(),
    };
    match keys.insert_key(&row).await {
        Ok(()) => return Ok(row),
        Err(StoreError::Conflict) => {}
        Err(source) => return Err(VaultError::Store { source }),
    }
    let rows = keys
        .list_keys()
        .await
        .map_err(|source| VaultError::Store { source })?;
    let same = |other: &KeyRow| {
        other.purpose == purpose && other.tenant.as_ref() == tenant && other.generation == 1
    };
    rows.into_iter().find(same).ok_or(VaultError::UnknownKey)
}
