//! Wrapped keys.

use async_trait::async_trait;
use claviger_model::KeyRow;

use crate::StoreError;

/// Wrapped keys of the installation and its tenants.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Lists every key, by tenant, purpose and generation.
    async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError>;
    /// Adds a key; [`StoreError::Conflict`] if another process was first.
    async fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError>;
}
