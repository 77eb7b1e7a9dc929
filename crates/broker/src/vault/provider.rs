//! Who wraps and unwraps keys: a KEK in our memory, or a service that never lets it out.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use async_trait::async_trait;
use claviger_crypto::{Kek, UnwrapError, hex};
use claviger_model::{KeyRow, TenantId};
use zeroize::Zeroizing;

/// Which key is wrapped. A wrapping must be bound to all of it, so that a row that was moved in the
/// database does not unwrap (A203).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyName<'a> {
    /// What it is for: `tenant`, `mac`, `journal`, `audit`, `sentinel`.
    pub purpose: &'a str,
    /// The tenant; empty for the installation's own keys.
    pub tenant: &'a str,
    /// Counts from 1.
    pub generation: u32,
}

/// Why a key was not wrapped or unwrapped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KekProviderError {
    /// The wrapping is not of this KEK, not of this key, or was changed.
    #[error("the wrapped key was refused")]
    Refused {
        /// The cause.
        #[source]
        source: UnwrapError,
    },
    /// The service does not answer. What it says must hold no secret: it is logged.
    #[error("the key service does not answer")]
    Unavailable {
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A key-encryption key, wherever it is kept: a key management service, for instance.
#[async_trait]
pub trait KekProvider: Send + Sync {
    /// Its id: tells which KEK wraps a key, and nothing about the KEK.
    fn id(&self) -> [u8; 8];

    /// Whether it cannot be lost while the process runs. What others unwrapped is forgotten after a
    /// while ([`Keks::with_ttl`]), so that a key that was withdrawn there ends here too.
    fn is_local(&self) -> bool {
        false
    }

    /// Wraps a key. `fresh` are random bytes, for whoever needs some.
    async fn wrap(
        &self,
        name: &KeyName<'_>,
        fresh: [u8; 32],
        key: &[u8; 32],
    ) -> Result<Vec<u8>, KekProviderError>;

    /// Unwraps a key that was wrapped under this very name.
    async fn unwrap(
        &self,
        name: &KeyName<'_>,
        wrapped: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, KekProviderError>;
}

/// The KEKs of an installation: the first wraps, the others only unwrap. Which one is asked is
/// decided by its id; none is ever tried out.
#[derive(Clone)]
pub struct Keks {
    first: Arc<dyn KekProvider>,
    old: Vec<Arc<dyn KekProvider>>,
    pub(super) ttl_ms: u64,
}

// === impl KeyName ===

impl<'a> KeyName<'a> {
    pub(super) fn of(row: &'a KeyRow) -> Self {
        Self {
            purpose: &row.purpose,
            tenant: row.tenant.as_ref().map_or("", TenantId::as_str),
            generation: row.generation,
        }
    }
}

// === impl Kek ===

#[async_trait]
impl KekProvider for Kek {
    fn id(&self) -> [u8; 8] {
        Self::id(self)
    }

    fn is_local(&self) -> bool {
        true
    }

    async fn wrap(
        &self,
        name: &KeyName<'_>,
        fresh: [u8; 32],
        key: &[u8; 32],
    ) -> Result<Vec<u8>, KekProviderError> {
        Ok(Self::wrap(
            self,
            name.purpose,
            name.tenant,
            name.generation,
            fresh,
            key,
        ))
    }

    async fn unwrap(
        &self,
        name: &KeyName<'_>,
        wrapped: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, KekProviderError> {
        Self::unwrap(self, name.purpose, name.tenant, name.generation, wrapped)
            .map_err(|source| KekProviderError::Refused { source })
    }
}

// === impl Keks ===

impl Keks {
    /// The KEK that wraps, and those before it.
    pub fn new(first: Arc<dyn KekProvider>, old: Vec<Arc<dyn KekProvider>>) -> Self {
        Self {
            first,
            old,
            ttl_ms: 300_000,
        }
    }

    /// How long a key that a service unwrapped is used without asking it again; 300 s if not set.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// The ids of all, in hexadecimal, the first one first.
    pub fn ids(&self) -> Vec<String> {
        self.all().map(|kek| hex(&kek.id())).collect()
    }

    pub(super) fn first(&self) -> &Arc<dyn KekProvider> {
        &self.first
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<dyn KekProvider>> {
        core::iter::once(&self.first).chain(&self.old)
    }

    /// The KEK that wraps a row. There is none where the operator left it out too early.
    pub(super) fn of(&self, row: &KeyRow) -> Result<&Arc<dyn KekProvider>, KekProviderError> {
        self.all()
            .find(|kek| kek.id() == *row.kek_id)
            .ok_or_else(|| KekProviderError::Refused {
                source: UnwrapError::OtherKek {
                    wrapped_by: hex(&row.kek_id),
                    given: self.ids().join(" or "),
                },
            })
    }

    pub(super) async fn unwrap(
        &self,
        row: &KeyRow,
    ) -> Result<Zeroizing<[u8; 32]>, KekProviderError> {
        let kek = self.of(row)?;
        kek.unwrap(&KeyName::of(row), &row.wrapped).await
    }
}

impl From<Kek> for Keks {
    fn from(kek: Kek) -> Self {
        Self::new(Arc::new(kek), Vec::new())
    }
}

impl fmt::Debug for Keks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keks").field(&self.ids()).finish()
    }
}
