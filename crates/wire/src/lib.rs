//! OAuth messages as types: parsed leniently, printed strictly.
//!
//! Every parser gives [`Parsed`]: the value, and the list of what a strict reader would have
//! refused. Which deviation is acceptable is decided above, by the engine and its quirk file.
//! Nothing here sends, waits, draws randomness or knows what time it is.

pub use authorize::{AuthorizationRequest, AuthorizationUrlError};
pub use callback::{Answer, Callback, InvalidCallback};
pub use challenge::{BearerChallenge, Challenge, parse_challenges};
pub use client_auth::{AuthMethod, ClientAuth};
pub use client_document::{ClientDocument, check_document_url};
pub use deviation::{Deviation, Parsed};
pub use error_code::{ErrorCode, Refusal};
pub use json::{JsonError, is_json};
pub use metadata::{
    IssuerMetadata, MetadataError, ResourceMetadata, parse_issuer_metadata, parse_resource_metadata,
};
pub use pkce::{Challenge as CodeChallenge, Verifier};
pub use redirect::{InvalidRedirect, RedirectKind, classify_redirect, redirect_fits};
pub use register::{
    RegistrationAnswer, RegistrationAnswerError, RegistrationRequest, RegistrationResponse,
    parse_registration_answer,
};
pub use registration_update::RegistrationUpdate;
pub use resource::{ResourceId, ResourceMatch, ResourceMismatch};
pub use revoke::{RevocationRequest, TokenHint};
pub use scope::{InvalidScope, Scope, ScopeSet};
pub use token::{Printed, TokenGrant, TokenRequest};
pub use token_answer::{
    TokenAnswer, TokenAnswerError, TokenResponse, TokenShape, parse_token_answer,
};
pub use web_url::{InvalidUrl, is_loopback, parse_web_url, same_origin, without_query};
pub use well_known::{
    Place, default_endpoints, issuer_metadata_places, legacy_issuer_place, resource_metadata_places,
};

mod authorize;
mod callback;
mod challenge;
mod client_auth;
mod client_document;
mod deviation;
mod error_code;
mod json;
mod metadata;
mod pkce;
mod redirect;
mod register;
mod registration_update;
mod resource;
mod revoke;
mod scope;
mod token;
mod token_answer;
mod web_url;
mod well_known;
