//! Authorization server kit: metadata, registration, authorize, token, revoke.
//!
//! Start at [`Issuer`]: every endpoint is a method over plain values, so tests need no server. The
//! person's part is a hook ([`Approve`]), rows are behind [`IssuerStore`], what happens is told to
//! [`Observe`]. With the feature `http`, [`http::router`] puts it all on axum. Deliberately absent:
//! implicit and password grants, `plain` PKCE, and any token that is stored as itself.

pub use approve::{Approval, Approve, ConsentForm, ConsentRequest};
pub use authorize::{Ask, AuthorizeAnswer, Redirect};
pub use decide::{DecideAnswer, DecideRequest};
pub use error::{EndpointError, ErrorCode};
pub use issuer::{Issuer, IssuerDoors};
pub use metadata::IssuerMetadata;
pub use observe::{IssuerEvent, Observe, ObserveNothing};
pub use page::{Page, PageProblem, consent_page, problem_page};
pub use redirect::{InvalidRedirect, RedirectUri};
pub use register::Registered;
pub use settings::{
    InvalidSettings, IssuerSettings, ProtectedResource, RegistrationMode, Rotation,
};
pub use store::{
    AccessRow, AuthMethod, Client, CodeRow, Family, FamilyMatch, IssuerStore, IssuerStoreError,
    MAX_CODE_FAILURES, Pending, Rotate, TokenMac,
};
pub use token::{FormRequest, TokenAnswer};
pub use verify::{Issued, VerifyIssuedError};

#[cfg(feature = "http")]
pub mod http;
pub mod memory;

mod approve;
mod authenticate;
mod authorize;
mod decide;
mod error;
mod issuer;
mod metadata;
mod observe;
mod page;
mod parameters;
mod redeem;
mod redirect;
mod refresh;
mod register;
mod revoke;
mod settings;
mod store;
mod token;
mod verify;

#[cfg(test)]
mod tests;
