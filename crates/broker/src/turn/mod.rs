//! Turning the keys while everything runs: new generations, everything sealed anew under them,
//! every key wrapped anew, and the proof that all of it opens.
//!
//! Nothing is noted down about how far a turn has come. The rows say with which generation they are
//! sealed and by which KEK they are wrapped, so that a turn that broke off is one that goes on.

use claviger_model::{TenantId, Timestamp};
use claviger_store::SealedRow;

use crate::{Broker, HoldError, KeyId, VaultError, VaultKey};

mod renew;
mod reseal;
mod verify;

/// What to turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    /// Only keys whose newest generation was made before; all, if absent.
    pub made_before: Option<Timestamp>,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Delete generations that nothing is sealed with any more.
    pub drop_old: bool,
}

/// What happened, as it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TurnEvent {
    /// Something does not open with the keys at hand, and stays as it is.
    Broken {
        /// What, without secrets.
        what: String,
        /// Why.
        why: String,
    },
    /// A generation is gone.
    Dropped(KeyId),
    /// The one after this generation was made, or would be.
    Renewed(KeyId),
    /// Rows of a tenant are sealed anew so far.
    Resealed {
        /// Whose.
        tenant: TenantId,
        /// How many are done.
        done: u64,
        /// How many there were at the start.
        total: u64,
    },
    /// A key was wrapped anew, or would be.
    Rewrapped(KeyId),
    /// Some more rows of a tenant were tried.
    Verified {
        /// Whose.
        tenant: TenantId,
        /// How many of them opened.
        opened: u64,
        /// How many were tried so far.
        done: u64,
        /// How many there were at the start, if all are tried.
        total: Option<u64>,
    },
}

/// Hears what happens.
pub type TurnSink<'a> = &'a mut (dyn FnMut(TurnEvent) + Send);

/// A key and how much hangs on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// The key.
    pub key: VaultKey,
    /// How many rows are sealed with it, for tenant keys.
    pub rows: Option<u64>,
}

// === impl Broker ===

impl Broker {
    /// The ids of the KEKs at hand, in hexadecimal; the first one wraps.
    pub fn kek_ids(&self) -> Vec<String> {
        self.vault().kek_ids()
    }

    /// Reads the wrapped keys anew: another process turned some.
    pub async fn reload_keys(&self) -> Result<(), VaultError> {
        self.vault().reload().await
    }

    /// Lists every key, and how many rows are sealed with it.
    pub async fn list_keys(&self) -> Result<Vec<KeyUse>, HoldError> {
        let mut found = Vec::new();
        for key in self.vault().list().await? {
            let rows = match &key.id.tenant {
                None => None,
                Some(tenant) => {
                    let rows = self.inner.parts.store.tenant(tenant);
                    let until = rows.count_sealed_before(key.id.generation + 1).await?;
                    let before = rows.count_sealed_before(key.id.generation).await?;
                    Some(until.saturating_sub(before))
                }
            };
            found.push(KeyUse { key, rows });
        }
        Ok(found)
    }

    /// Wraps every key under the first KEK. No token appears in memory for it.
    pub async fn rewrap_keys(&self, dry_run: bool, on: TurnSink<'_>) -> Result<(), HoldError> {
        if dry_run {
            for id in self.vault().list_foreign().await? {
                on(TurnEvent::Rewrapped(id));
            }
            return Ok(());
        }
        let mut each = |id: &KeyId, done: Result<(), VaultError>| {
            on(match done {
                Ok(()) => TurnEvent::Rewrapped(id.clone()),
                Err(error) => TurnEvent::Broken {
                    what: format!("the key {id}"),
                    why: causes(&error),
                },
            });
        };
        self.vault()
            .rewrap(&self.inner.parts.audit, &self.by(), &mut each)
            .await?;
        Ok(())
    }
}

/// A row in words, without secrets.
fn describe(row: &SealedRow) -> String {
    match row {
        SealedRow::Credential(row) => format!(
            "the credential of {} at the server {}",
            row.key.user, row.key.server
        ),
        SealedRow::Registration(row) => format!("the registration {} at {}", row.id, row.issuer),
        SealedRow::Revocation(row) => format!("the revocation {}", row.id),
        SealedRow::Server(row) => format!("the settings of the server {}", row.slug),
        SealedRow::SignIn(row) => format!("the sign-in {}", row.id),
        _ => "a row of a later version".to_owned(),
    }
}

/// An error and what led to it, in one line.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    crate::serve::Chain(error).to_string()
}
