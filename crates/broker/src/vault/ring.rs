//! The keys of a database behind their KEKs: loading, checking, making and unwrapping.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use claviger_crypto::TenantKey;
use claviger_model::KeyRow;
use claviger_ports::{Clock, Entropy};
use claviger_store::{Keys, StoreError};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::VaultError;
use super::provider::{Keks, KeyName};
use super::shelf::{Found, Owner, Shelf};

/// The keys and what opens them.
pub(super) struct Ring {
    pub(super) keks: Keks,
    pub(super) keys: Arc<dyn Keys>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) clock: Arc<dyn Clock>,
    shelf: RwLock<Shelf>,
    /// One reads the rows at a time: an older list put in place of a newer one would look as if keys
    /// had been destroyed.
    reading: Mutex<()>,
    loaded_ms: AtomicU64,
}

// === impl Ring ===

impl Ring {
    pub(super) fn new(
        keks: Keks,
        keys: Arc<dyn Keys>,
        entropy: Arc<dyn Entropy>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            keks,
            keys,
            entropy,
            clock,
            shelf: RwLock::default(),
            reading: Mutex::default(),
            loaded_ms: AtomicU64::new(0),
        }
    }

    /// Checks everything that a start must know before anything is written: every KEK that wraps a
    /// key is here, and every KEK here opens its sentinel (A207, A208).
    pub(super) async fn check(&self) -> Result<(), VaultError> {
        let rows = self.keys.list_keys().await?;
        for row in &rows {
            if row.purpose != SENTINEL {
                self.keks.of(row)?;
            } else if self.keks.of(row).is_ok() {
                // Its very opening is the proof: a seal by another key fails.
                self.keks.unwrap(row).await?;
            }
        }
        self.put(rows);
        Ok(())
    }

    /// Makes sure of a sentinel under the KEK that wraps.
    pub(super) async fn ensure_sentinel(&self) -> Result<(), VaultError> {
        let first = self.keks.first().id();
        let rows = self.rows();
        let sentinels = || rows.iter().filter(|row| row.purpose == SENTINEL);
        if sentinels().any(|row| row.kek_id == first) {
            return Ok(());
        }
        let last = sentinels().map(|row| row.generation).max();
        self.insert(Owner::Own(SENTINEL), last.unwrap_or(0) + 1, *KNOWN)
            .await
            .map(drop)
    }

    /// Reads the rows anew: another process may have made or rewrapped keys.
    pub(super) async fn reload(&self) -> Result<(), VaultError> {
        let _turn = self.reading.lock().await;
        let rows = self.keys.list_keys().await?;
        self.put(rows);
        Ok(())
    }

    /// A key, by generation or the newest one.
    pub(super) async fn find(
        &self,
        owner: Owner<'_>,
        generation: Option<u32>,
    ) -> Result<TenantKey, VaultError> {
        match self.look(owner, generation) {
            Found::Opened(key) => return Ok(key),
            Found::Closed(row) => return self.unwrap(&row).await,
            // Another process may have made it since.
            Found::Absent => self.reload().await?,
        }
        match self.look(owner, generation) {
            Found::Opened(key) => Ok(key),
            Found::Closed(row) => self.unwrap(&row).await,
            Found::Absent => Err(VaultError::UnknownKey),
        }
    }

    /// The newest key; the first one is made where there is none.
    pub(super) async fn newest(&self, owner: Owner<'_>) -> Result<TenantKey, VaultError> {
        match self.find(owner, None).await {
            Err(VaultError::UnknownKey) => {}
            found => return found,
        }
        // A220: work that was under way must not bring a tenant back, and a generation must never
        // be made twice.
        if owner
            .tenant()
            .is_some_and(|tenant| self.read().is_removed(tenant))
        {
            return Err(VaultError::UnknownKey);
        }
        self.make(owner, 1).await?;
        self.find(owner, None).await
    }

    /// Makes a generation. Of several processes one wins, and all use its key.
    pub(super) async fn make(&self, owner: Owner<'_>, generation: u32) -> Result<bool, VaultError> {
        let key = Zeroizing::new(self.entropy.key_bytes());
        let made = self.insert(owner, generation, *key).await?;
        self.reload().await?;
        Ok(made)
    }

    /// Whether the rows were read so long ago that somebody may have made newer ones unheard.
    pub(super) fn is_stale(&self) -> bool {
        let loaded = self.loaded_ms.load(Ordering::Relaxed);
        self.clock.monotonic_ms().saturating_sub(loaded) > KNOWN_FOR_MS
    }

    pub(super) fn rows(&self) -> Vec<KeyRow> {
        self.read().rows()
    }

    /// A new key, wrapped and not stored.
    pub(super) async fn draw(
        &self,
        owner: Owner<'_>,
        generation: u32,
    ) -> Result<KeyRow, VaultError> {
        let key = Zeroizing::new(self.entropy.key_bytes());
        self.row(owner, generation, &key).await
    }

    async fn insert(
        &self,
        owner: Owner<'_>,
        generation: u32,
        key: [u8; 32],
    ) -> Result<bool, VaultError> {
        let row = self.row(owner, generation, &Zeroizing::new(key)).await?;
        made(self.keys.insert_key(&row).await)
    }

    async fn row(
        &self,
        owner: Owner<'_>,
        generation: u32,
        key: &Zeroizing<[u8; 32]>,
    ) -> Result<KeyRow, VaultError> {
        let mut row = KeyRow {
            tenant: owner.tenant().cloned(),
            purpose: owner.purpose().to_owned(),
            generation,
            kek_id: self.keks.first().id().to_vec(),
            wrapped: Vec::new(),
            created_at: self.clock.now(),
        };
        row.wrapped = self.wrap(&row, key).await?;
        Ok(row)
    }

    /// Wraps under the first KEK.
    pub(super) async fn wrap(
        &self,
        row: &KeyRow,
        key: &Zeroizing<[u8; 32]>,
    ) -> Result<Vec<u8>, VaultError> {
        let fresh = self.entropy.key_bytes();
        let wrapped = self
            .keks
            .first()
            .wrap(&KeyName::of(row), fresh, key)
            .await?;
        Ok(wrapped)
    }

    async fn unwrap(&self, row: &KeyRow) -> Result<TenantKey, VaultError> {
        let kek = self.keks.of(row)?;
        let since = (!kek.is_local()).then(|| self.clock.monotonic_ms());
        let key = kek.unwrap(&KeyName::of(row), &row.wrapped).await?;
        self.write().keep(row, &key, since);
        Ok(TenantKey::new(row.generation, kek.id(), *key))
    }

    fn look(&self, owner: Owner<'_>, generation: Option<u32>) -> Found {
        // F30: a key that a service unwrapped is used for a while, and no longer.
        let horizon = self.clock.monotonic_ms().checked_sub(self.keks.ttl_ms);
        self.read().find(owner, generation, horizon)
    }

    fn put(&self, rows: Vec<KeyRow>) {
        self.write().replace(rows);
        self.loaded_ms
            .store(self.clock.monotonic_ms(), Ordering::Relaxed);
    }

    fn read(&self) -> RwLockReadGuard<'_, Shelf> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Shelf> {
        self.shelf.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it was this process that made a key; of several one wins.
pub(super) fn made(inserted: Result<(), StoreError>) -> Result<bool, VaultError> {
    match inserted {
        Ok(()) => Ok(true),
        Err(StoreError::Conflict) => Ok(false),
        Err(source) => Err(source.into()),
    }
}

/// A text everybody knows, sealed under each KEK: whether it opens is known before anything else
/// is touched.
const KNOWN: &[u8; 32] = b"claviger: this key opens the box";
pub(super) const SENTINEL: &str = "sentinel";
/// Every process hears of new keys within a second; one that was stopped for longer looks first.
const KNOWN_FOR_MS: u64 = 60_000;
