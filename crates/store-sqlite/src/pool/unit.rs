//! One unit of work.

use core::fmt;
use core::ops::{Deref, DerefMut};

use claviger_store::StoreError;
use tokio::sync::OwnedMappedMutexGuard;

use super::group::{Group, Told, Turn};
use crate::db::Db;
use crate::error::store_error;

/// A unit of work that writes. Dropped without [`Unit::keep`], all of it is undone, and nothing of
/// what others did in the same transaction.
pub(crate) struct Unit {
    /// Nobody else is at the connection meanwhile.
    group: OwnedMappedMutexGuard<Turn, Group>,
    is_kept: bool,
}

// === impl Unit ===

impl Unit {
    pub(super) fn new(group: OwnedMappedMutexGuard<Turn, Group>) -> Self {
        Self {
            group,
            is_kept: false,
        }
    }

    /// Says that all of it is to stay. It is on the disk when [`super::Pool::write`] answers.
    pub(crate) async fn keep(mut self) -> Result<(), StoreError> {
        self.group.keep().await.map_err(store_error)?;
        self.is_kept = true;
        Ok(())
    }

    pub(super) fn told(&self) -> Told {
        self.group.told()
    }
}

impl Deref for Unit {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.group.db
    }
}

impl DerefMut for Unit {
    fn deref_mut(&mut self) -> &mut Db {
        &mut self.group.db
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        if !self.is_kept {
            self.group.give_up();
        }
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unit").finish_non_exhaustive()
    }
}
