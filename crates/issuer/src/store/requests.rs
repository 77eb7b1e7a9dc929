//! Rows of authorization requests: pushed, waiting for their person, and answered by a code.

use async_trait::async_trait;
use claviger_crypto::Secret;
use claviger_model::{TenantId, Timestamp, UserId};
use claviger_wire::ScopeSet;

use super::{AccessRow, Family, IssuerStoreError, TokenMac};

/// So many wrong verifiers burn a code.
pub const MAX_CODE_FAILURES: u32 = 3;

/// Where the person's answer goes.
#[derive(Debug, Clone)]
pub enum AnswerTo {
    /// To the device that shows a code.
    Device {
        /// Keyed MAC of the device code.
        mac: TokenMac,
    },
    /// To the client, by the browser.
    Redirect {
        /// Where the browser is sent.
        redirect_uri: String,
        /// Returned as it came.
        state: Option<Secret>,
        /// S256.
        code_challenge: String,
    },
}

/// An authorization request that waits for its person.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Id; stands in the form.
    pub id: String,
    /// Whose.
    pub tenant: TenantId,
    /// Who asked.
    pub client_id: String,
    /// Where the answer goes.
    pub answer_to: AnswerTo,
    /// For what.
    pub resource: String,
    /// What would be granted.
    pub scopes: ScopeSet,
    /// Who is asked, if that is known.
    pub user: Option<UserId>,
    /// Thumbprint of the key by which the code must be redeemed (RFC 9449 §10).
    pub dpop_jkt: Option<String>,
    /// Keyed MAC of the form's value.
    pub csrf_mac: TokenMac,
    /// Keyed MAC of the browser's cookie.
    pub cookie_mac: TokenMac,
    /// When it is too late.
    pub expires_at: Timestamp,
}

/// Parameters that a client pushed before it sent the browser (RFC 9126).
#[derive(Debug, Clone)]
pub struct PushedRow {
    /// Keyed MAC of the reference.
    pub mac: TokenMac,
    /// Whose.
    pub tenant: TenantId,
    /// Who pushed them.
    pub client_id: String,
    /// The parameters, form-encoded.
    pub parameters: Secret,
    /// When it is too late.
    pub expires_at: Timestamp,
}

/// A code that was issued.
#[derive(Debug, Clone)]
pub struct CodeRow {
    /// Keyed MAC of the code.
    pub mac: TokenMac,
    /// The grant that its redemption begins.
    pub grant: String,
    /// To whom.
    pub client_id: String,
    /// Through which redirect URI, as it was sent.
    pub redirect_uri: String,
    /// S256.
    pub code_challenge: String,
    /// For what.
    pub resource: String,
    /// What is granted.
    pub scopes: ScopeSet,
    /// Whose.
    pub tenant: TenantId,
    /// Whose.
    pub user: UserId,
    /// Thumbprint of the key by which it must be redeemed (RFC 9449 §10).
    pub dpop_jkt: Option<String>,
    /// When it is too late.
    pub expires_at: Timestamp,
    /// How many wrong verifiers came with it; the store counts.
    pub failures: u32,
    /// Whether it was redeemed; the store says.
    pub is_redeemed: bool,
}

/// Rows of authorization requests.
#[async_trait]
pub trait RequestRows: Send + Sync + 'static {
    /// Adds an authorization request; surplus ones give way, the oldest first (A073).
    async fn insert_pending(&self, pending: Pending) -> Result<(), IssuerStoreError>;

    /// An authorization request.
    async fn find_pending(&self, id: &str) -> Result<Option<Pending>, IssuerStoreError>;

    /// Removes an authorization request; of many callers one gets it.
    async fn take_pending(&self, id: &str) -> Result<Option<Pending>, IssuerStoreError>;

    /// Adds pushed parameters; surplus ones give way, the oldest first.
    async fn insert_pushed(&self, pushed: PushedRow) -> Result<(), IssuerStoreError>;

    /// Removes pushed parameters of this client; of many callers one gets them, and another
    /// client's attempt removes nothing (A070).
    async fn take_pushed(
        &self,
        mac: &TokenMac,
        client_id: &str,
    ) -> Result<Option<PushedRow>, IssuerStoreError>;

    /// Adds a code.
    async fn insert_code(&self, code: CodeRow) -> Result<(), IssuerStoreError>;

    /// A code, redeemed or not.
    async fn find_code(&self, mac: &TokenMac) -> Result<Option<CodeRow>, IssuerStoreError>;

    /// Counts a wrong verifier.
    async fn count_code_failure(&self, mac: &TokenMac) -> Result<(), IssuerStoreError>;

    /// Spends the code and begins its family, both or neither; `false` if it was spent before or
    /// met [`MAX_CODE_FAILURES`] wrong verifiers.
    async fn redeem_code(
        &self,
        mac: &TokenMac,
        family: Family,
        access: AccessRow,
    ) -> Result<bool, IssuerStoreError>;
}
