//! Our nouns and their lifecycles, typed ids and timestamps.

pub use api_token::ApiToken;
pub use audit::{AuditEntry, AuditFilter};
pub use connection::{Connection, PendingChallenge, Reason, Standing};
pub use credential::{Credential, CredentialKey};
pub use fault::Fault;
pub use id::{
    AccountName, ApiTokenId, InvalidId, RegistrationId, RevocationId, ServerId, SignInId, TenantId,
    UserId,
};
pub use installation::Installation;
pub use key::KeyRow;
pub use registration::{Registration, RegistrationOrigin};
pub use revocation::Revocation;
pub use server::{Auth, Grant, HeaderTemplate, OauthSettings, Server};
pub use sign_in::{Outcome, SignIn};
pub use slug::{InvalidSlug, Slug};
pub use time::Timestamp;

mod api_token;
mod audit;
mod connection;
mod credential;
mod fault;
mod id;
mod installation;
mod key;
mod registration;
mod revocation;
mod server;
mod sign_in;
mod slug;
mod time;
