//! Sign-ins in flight.

use async_trait::async_trait;
use claviger_model::{
    Connection, Credential, CredentialKey, Outcome, Revocation, SignIn, SignInId, Timestamp,
};

use crate::StoreError;

/// Sign-ins of one tenant. At most one per key is open (M3).
#[async_trait]
pub trait SignIns: Send + Sync {
    /// Adds one; [`StoreError::Conflict`] if one is open for its key that has not expired by
    /// `sign_in.created_at`. An expired open one is ended as timed out on the way.
    async fn insert_sign_in(&self, sign_in: &SignIn) -> Result<(), StoreError>;
    /// The open one for a key, if it has not expired. One that was taken 45 s ago stands in nobody's
    /// way: its code was exchanged by then, or its process died (F04).
    async fn find_open_sign_in(
        &self,
        key: &CredentialKey,
        now: Timestamp,
    ) -> Result<Option<SignIn>, StoreError>;
    /// One by its id, open or ended.
    async fn find_sign_in(&self, id: &SignInId) -> Result<Option<SignIn>, StoreError>;
    /// Takes the open one with this `state`: the first caller gets it, everybody after gets
    /// nothing, in one guarded statement (A074).
    async fn take_sign_in(
        &self,
        state_mac: &[u8],
        now: Timestamp,
    ) -> Result<Option<SignIn>, StoreError>;
    /// Ends one, once; false if it had ended. The sealed part is erased.
    async fn end_sign_in(&self, id: &SignInId, outcome: Outcome) -> Result<bool, StoreError>;
    /// Ends one as a success and stores its credential and connection, as
    /// [`crate::Credentials::replace_credential`] does, in one transaction. `owed` is queued with
    /// it: the grant that is replaced, where that has to be revoked. False if it had ended; nothing
    /// is written then.
    async fn complete_sign_in(
        &self,
        id: &SignInId,
        credential: &Credential,
        connection: &Connection,
        owed: Option<&Revocation>,
    ) -> Result<bool, StoreError>;
}
