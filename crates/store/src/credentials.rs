//! The credentials we hold.

use async_trait::async_trait;
use claviger_model::{Connection, Credential, CredentialKey, ServerId, UserId};

use crate::StoreError;

/// What became of a guarded write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guarded {
    /// The row now holds what was given, with this version.
    Written(u64),
    /// Another fingerprint is stored, or a version that is not below the one given; nothing was
    /// written.
    Superseded,
}

/// Credentials of one tenant.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Finds a credential.
    async fn find_credential(&self, key: &CredentialKey) -> Result<Option<Credential>, StoreError>;
    /// Lists the credentials held for one server.
    async fn list_credentials(&self, server: &ServerId) -> Result<Vec<Credential>, StoreError>;
    /// Stores what a sign-in obtained, in place of anything older, and its connection with it, in
    /// one transaction. Written is exactly the version given, since the seal is bound to it;
    /// [`StoreError::Conflict`] unless it is above the version stored. Whoever gets that reads
    /// again, seals with the next version, and tries again.
    async fn replace_credential(
        &self,
        credential: &Credential,
        connection: &Connection,
    ) -> Result<(), StoreError>;
    /// Stores what a refresh obtained, and its connection, if the stored fingerprint is still
    /// `sent` and the stored version below the one given: one guarded statement inside one
    /// transaction. Written is exactly the version given. Superseded by a version alone, the
    /// token is still the one that was sent: seal with the next version and try again (I30).
    async fn rotate_credential(
        &self,
        sent: &[u8],
        credential: &Credential,
        connection: &Connection,
    ) -> Result<Guarded, StoreError>;
    /// Ends a credential if its fingerprint is still `seen`, and writes its connection with it.
    async fn end_credential(
        &self,
        key: &CredentialKey,
        seen: &[u8],
        connection: &Connection,
    ) -> Result<Guarded, StoreError>;
    /// Lists the credentials of one user, by server and account.
    async fn list_user_credentials(&self, user: &UserId) -> Result<Vec<Credential>, StoreError>;
}
