//! What is sealed with which key, for changing the key.

use async_trait::async_trait;
use claviger_model::{Credential, Registration, Revocation, Server, SignIn};

use crate::StoreError;

/// A row that holds something sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealedRow {
    /// A credential.
    Credential(Box<Credential>),
    /// Client information.
    Registration(Box<Registration>),
    /// A revocation that is still owed.
    Revocation(Box<Revocation>),
    /// A server; its settings hold sealed values.
    Server(Box<Server>),
    /// A sign-in in flight.
    SignIn(Box<SignIn>),
}

/// The sealed rows of one tenant.
#[async_trait]
pub trait Reseals: Send + Sync {
    /// Counts the rows that are sealed with an older generation than this one.
    async fn count_sealed_before(&self, generation: u32) -> Result<u64, StoreError>;
    /// Some of them, at most `limit` of each kind.
    async fn list_sealed_before(
        &self,
        generation: u32,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError>;
    /// Every sealed row, whatever it is sealed with, in an order of its own: at most `limit` of
    /// those that come after `after`, or the first ones. Whoever reads on from the last row of each
    /// page sees every row once that is there all the time.
    async fn list_sealed(
        &self,
        after: Option<&SealedRow>,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError>;
    /// Writes what is sealed in `fresh`, and nothing else of it, if the stored row still holds what
    /// is sealed in `seen`; says whether it did. It never overwrites a rotation.
    async fn reseal(&self, seen: &SealedRow, fresh: &SealedRow) -> Result<bool, StoreError>;
}
