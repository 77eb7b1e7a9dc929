//! The rows of an issuer and what a backend promises about them.

use async_trait::async_trait;
use claviger_crypto::Secret;
use claviger_model::{Fault, TenantId, Timestamp, UserId};
use claviger_wire::ScopeSet;

use crate::RedirectUri;

/// So many wrong verifiers burn a code.
pub const MAX_CODE_FAILURES: u32 = 3;

/// A keyed MAC: the only form in which a token is stored.
pub type TokenMac = [u8; 32];

/// The store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerStoreError {
    /// There is no room for another row.
    #[error("the issuer's store is full")]
    Full,
    /// The backend failed.
    #[error("the issuer's store did not answer")]
    Unavailable {
        /// The cause.
        #[source]
        source: Box<dyn core::error::Error + Send + Sync>,
    },
}

// === impl IssuerStoreError ===

impl IssuerStoreError {
    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        Fault::Us
    }
}

/// How a client proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMethod {
    /// It cannot: a public client.
    None,
    /// Its secret in the `Authorization` header.
    SecretBasic,
    /// Its secret in the body.
    SecretPost,
}

/// A registration: what the issuer knows of a client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Made by us, never URL-shaped.
    pub id: String,
    /// As it calls itself; nobody verified it.
    pub name: Option<String>,
    /// Where its codes may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it proves itself.
    pub auth: AuthMethod,
    /// Keyed MAC of its secret.
    pub secret_mac: Option<TokenMac>,
    /// Whether it gets refresh tokens.
    pub may_refresh: bool,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// An authorization request that waits for its person.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Id; stands in the form.
    pub id: String,
    /// Who asked.
    pub client_id: String,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// Returned as it came.
    pub state: Option<Secret>,
    /// S256.
    pub code_challenge: String,
    /// For what.
    pub resource: String,
    /// What would be granted.
    pub scopes: ScopeSet,
    /// Keyed MAC of the form's value.
    pub csrf_mac: TokenMac,
    /// Keyed MAC of the browser's cookie.
    pub cookie_mac: TokenMac,
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
    /// When it is too late.
    pub expires_at: Timestamp,
    /// How many wrong verifiers came with it; the store counts.
    pub failures: u32,
    /// Whether it was redeemed; the store says.
    pub is_redeemed: bool,
}

/// A grant and its chain of refresh tokens: one row.
#[derive(Debug, Clone)]
pub struct Family {
    /// The grant.
    pub grant: String,
    /// Whose client.
    pub client_id: String,
    /// For what.
    pub resource: String,
    /// What is granted.
    pub scopes: ScopeSet,
    /// Whose.
    pub tenant: TenantId,
    /// Whose.
    pub user: UserId,
    /// Keyed MAC of the live refresh token; none if the client gets none.
    pub current_mac: Option<TokenMac>,
    /// When it ends if nobody uses it.
    pub idle_expires_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was ended on purpose.
    pub revoked_at: Option<Timestamp>,
}

/// An access token that was issued.
#[derive(Debug, Clone)]
pub struct AccessRow {
    /// Keyed MAC of the token.
    pub mac: TokenMac,
    /// The grant it hangs from.
    pub grant: String,
    /// To whom.
    pub client_id: String,
    /// For what.
    pub resource: String,
    /// What it allows.
    pub scopes: ScopeSet,
    /// Whose.
    pub tenant: TenantId,
    /// Whose.
    pub user: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A family found by one of its refresh tokens.
#[derive(Debug, Clone)]
pub enum FamilyMatch {
    /// By the live one.
    Current(Family),
    /// By one that was used before.
    Spent(Family),
}

/// One guarded step of a family.
#[derive(Debug, Clone)]
pub struct Rotate {
    /// Must be the live one and the family not revoked, else nothing happens.
    pub current: TokenMac,
    /// The next live one; the same if this client's does not rotate.
    pub next: TokenMac,
    /// The new idle end.
    pub idle_expires_at: Timestamp,
    /// The access token that goes with it.
    pub access: AccessRow,
}

/// An issuer's rows. Each method is one transaction.
#[async_trait]
pub trait IssuerStore: Send + Sync + 'static {
    /// Adds a client.
    async fn insert_client(&self, client: Client) -> Result<(), IssuerStoreError>;

    /// A client.
    async fn find_client(&self, id: &str) -> Result<Option<Client>, IssuerStoreError>;

    /// Adds an authorization request; old and surplus ones give way.
    async fn insert_pending(&self, pending: Pending) -> Result<(), IssuerStoreError>;

    /// An authorization request.
    async fn find_pending(&self, id: &str) -> Result<Option<Pending>, IssuerStoreError>;

    /// Removes an authorization request; of two callers only one gets it.
    async fn take_pending(&self, id: &str) -> Result<Option<Pending>, IssuerStoreError>;

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

    /// The family of a refresh token, live or spent.
    async fn find_family(&self, mac: &TokenMac) -> Result<Option<FamilyMatch>, IssuerStoreError>;

    /// Moves a family on; `false` if its live token is another one or it is revoked.
    async fn rotate(&self, rotate: Rotate) -> Result<bool, IssuerStoreError>;

    /// Ends a grant and everything that hangs from it.
    async fn revoke_grant(&self, grant: &str, now: Timestamp) -> Result<(), IssuerStoreError>;

    /// An access token whose grant is not revoked.
    async fn find_access(&self, mac: &TokenMac) -> Result<Option<AccessRow>, IssuerStoreError>;

    /// Ends one access token.
    async fn revoke_access(&self, mac: &TokenMac) -> Result<(), IssuerStoreError>;

    /// Deletes what expired before `now`.
    async fn sweep(&self, now: Timestamp) -> Result<(), IssuerStoreError>;
}
