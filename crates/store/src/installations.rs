//! What the database says of itself.

use async_trait::async_trait;
use claviger_model::Installation;

use crate::StoreError;
use crate::error::missing;

/// The one row of the installation.
#[async_trait]
pub trait Installations: Send + Sync {
    /// Finds it.
    async fn find_installation(&self) -> Result<Option<Installation>, StoreError> {
        Err(missing())
    }
    /// Adds it; [`StoreError::Conflict`] if it is there.
    async fn insert_installation(&self, _installation: &Installation) -> Result<(), StoreError> {
        Err(missing())
    }
    /// Writes its restore epoch, when it was restored and whether it is held; false if it is not
    /// there, or if its epoch is above the one given.
    async fn update_installation(&self, _installation: &Installation) -> Result<bool, StoreError> {
        Err(missing())
    }
}
