//! Wrapped keys.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{AuditEntry, KeyRow, TenantId};

use crate::StoreError;

/// Wrapped keys of the installation and its tenants.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Lists every key, by tenant, purpose and generation.
    async fn list_keys(&self) -> Result<Vec<KeyRow>, StoreError>;
    /// Adds a key; [`StoreError::Conflict`] if another process was first.
    async fn insert_key(&self, key: &KeyRow) -> Result<(), StoreError>;
    /// Writes the wrapping of a key anew, if it is still wrapped by the KEK `seen`; says whether
    /// it did.
    async fn rewrap_key(&self, key: &KeyRow, seen: &[u8]) -> Result<bool, StoreError>;
    /// Deletes a generation; says whether there was one. [`StoreError::Conflict`] while anything is
    /// sealed with it, while it is the newest, or while an older one is there (A208).
    async fn delete_key(
        &self,
        tenant: Option<&TenantId>,
        purpose: &str,
        generation: u32,
    ) -> Result<bool, StoreError>;
    /// A handle whose one write stands in one transaction with these entries of the audit log; a
    /// write that changes nothing records nothing.
    fn recorded(&self, entries: &[AuditEntry]) -> Arc<dyn Keys>;
}
