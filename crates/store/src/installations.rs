//! What the database says of itself.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::{AuditEntry, Installation};

use crate::StoreError;

/// The one row of the installation.
#[async_trait]
pub trait Installations: Send + Sync {
    /// Finds it.
    async fn find_installation(&self) -> Result<Option<Installation>, StoreError>;
    /// Adds it; [`StoreError::Conflict`] if it is there.
    async fn insert_installation(&self, installation: &Installation) -> Result<(), StoreError>;
    /// Writes its restore epoch, when it was restored and whether it is held; false if it is not
    /// there, or if its epoch is above the one given.
    async fn update_installation(&self, installation: &Installation) -> Result<bool, StoreError>;
    /// A handle whose one write stands in one transaction with these entries of the audit log; a
    /// write that changes nothing records nothing.
    fn recorded(&self, entries: &[AuditEntry]) -> Arc<dyn Installations>;
}
