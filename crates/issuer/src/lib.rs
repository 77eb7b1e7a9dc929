//! Authorization server kit: metadata, registration, authorize, token, revoke, introspect.
//!
//! Start at [`Issuer`]: every endpoint is a method over plain values, so tests need no server. The
//! person's part is a hook ([`Approve`]), rows are behind [`IssuerStore`], what happens is told to
//! [`Observe`]. With the feature `http`, [`http::router`] puts it all on axum. A store passes the
//! `suite`, behind the feature of that name. Deliberately absent: implicit and password grants,
//! `plain` PKCE, and any token that is stored as itself.

pub use access_token::{InvalidSigningKeys, SigningKeys};
pub use approve::{Approval, Approve, ConsentForm, ConsentRequest};
pub use authorize::{Ask, AuthorizeAnswer, AuthorizeRequest, Redirect};
pub use decide::{DecideAnswer, DecideRequest};
pub use device::{DeviceAnswer, DevicePage};
pub use documents::DocumentSettings;
pub use dpop::{ProofError, ProvenRequest};
pub use error::{EndpointError, ErrorCode};
pub use introspect::Introspection;
pub use issuer::{Issuer, IssuerDoors};
pub use limit::{RateLimit, RateLimits};
pub use metadata::IssuerMetadata;
pub use observe::{IssuerEvent, Observe, ObserveNothing};
pub use page::{
    FormAction, Page, PageProblem, consent_page, device_code_page, done_page, problem_page,
};
pub use push::Pushed;
pub use redirect::{InvalidRedirect, RedirectUri};
pub use register::{RegisterRequest, Registered, StaticClient};
pub use settings::{
    AllowList, InvalidSettings, IssuerSettings, ProtectedResource, RegistrationMode,
    ResourceCredential, Rotation,
};
pub use store::{
    AccessRow, AnswerTo, AuthMethod, Client, ClientOrigin, ClientRows, CodeRow, DeviceDecision,
    DeviceRow, DeviceRows, Family, FamilyMatch, GrantRows, GrantType, IssuerStore,
    IssuerStoreError, MAX_CODE_FAILURES, OnceRows, Pending, Poll, PollRefused, PushedRow,
    RefreshGrace, Replay, ReplayClaim, RequestRows, Rotate, TokenMac,
};
pub use token::{FormRequest, TokenAnswer};
pub use verify::{Issued, VerifyIssuedError};
pub use visit::{Visit, Visitor};

#[cfg(feature = "http")]
pub mod http;
pub mod memory;
#[cfg(any(test, feature = "suite"))]
pub mod suite;

mod access_token;
mod approve;
mod assertion;
mod authenticate;
mod authorize;
mod begin;
mod client_credentials;
mod decide;
mod device;
mod documents;
mod dpop;
mod error;
mod find_client;
mod introspect;
mod issuer;
mod limit;
mod metadata;
mod observe;
mod page;
mod parameters;
mod push;
mod redeem;
mod redirect;
mod refresh;
mod register;
mod revoke;
mod settings;
mod sign_client;
mod store;
mod token;
mod verify;
mod visit;

#[cfg(test)]
mod tests;
