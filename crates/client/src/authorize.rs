//! The authorization request: the URL to open, and what has to be kept until its answer.

use claviger_crypto::{Secret, base64url_encode};
use claviger_model::Fault;
use claviger_wire::{
    AuthorizationRequest, AuthorizationUrlError, InvalidRedirect, ScopeSet, Verifier,
    classify_redirect,
};

use crate::discover::{Discovered, Legacy};
use crate::event::{Event, Stage};
use crate::pending::PendingAuthorization;
use crate::{ClientInformation, Quirks};

/// What an authorization request is made of. Randomness comes in as bytes.
#[derive(Debug, Clone)]
pub struct Authorize<'a> {
    /// What was discovered.
    pub discovered: &'a Discovered,
    /// What the issuer knows us as.
    pub client: &'a ClientInformation,
    /// Where the code will come to, byte for byte (Q24).
    pub redirect_uri: &'a str,
    /// What to ask for (`choose_scopes`); `None` leaves the parameter out.
    pub scopes: Option<ScopeSet>,
    /// Whether this is the first sign-in of the connection (Q37).
    pub is_first: bool,
    /// Fresh randomness for `state`.
    pub state: [u8; 32],
    /// Fresh randomness for the verifier; never the same as the other.
    pub verifier: [u8; 32],
}

/// A request that is ready to be opened.
#[derive(Clone)]
pub struct Authorization {
    /// The URL to open. It holds `state`, so it is for the person's browser only.
    pub url: String,
    /// The same `state`, to find the request again by.
    pub state: Secret,
    /// C-51: what has to be stored before the URL is opened.
    pub pending: PendingAuthorization,
    /// What happened.
    pub event: Event,
}

/// Why there is no authorization request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// The client information is another issuer's (C-32).
    #[error("the client information was made for another issuer; register anew")]
    Issuer,
    /// The issuer has no page to sign in at.
    #[error("the issuer has no authorization endpoint")]
    NoEndpoint,
    /// The redirect URI cannot be used.
    #[error("{why}")]
    Redirect {
        /// Why.
        why: InvalidRedirect,
    },
    /// The URL cannot be made.
    #[error("{why}")]
    Url {
        /// Why.
        why: AuthorizationUrlError,
    },
}

/// Makes an authorization request: a code, S256, `state`, `resource` (C-40 to C-50).
pub fn authorize(input: &Authorize<'_>, quirks: &Quirks) -> Result<Authorization, AuthorizeError> {
    let (discovered, client) = (input.discovered, input.client);
    let issuer = &discovered.issuer;
    // C-32: an id that one issuer gave never reaches another.
    if client.issuer != issuer.issuer {
        return Err(AuthorizeError::Issuer);
    }
    classify_redirect(input.redirect_uri).map_err(|why| AuthorizeError::Redirect { why })?;
    let endpoint = issuer
        .authorization_endpoint
        .as_deref()
        .ok_or(AuthorizeError::NoEndpoint)?;
    let quirk = quirks.of(&issuer.issuer);
    let resource = quirk.resource(discovered.resource.as_str());
    let mut extra = quirk.authorize_params.clone();
    if input.is_first {
        extra.extend(quirk.first_params.iter().cloned());
    }
    extra.extend(quirk.audience_pair(discovered.resource.as_str()));
    let verifier = Verifier::from_bytes(input.verifier);
    let state = base64url_encode(&input.state);
    let scopes = input.scopes.clone().filter(|scopes| !scopes.is_empty());
    let url = AuthorizationRequest {
        client_id: &client.client_id,
        redirect_uri: input.redirect_uri,
        state: &state,
        code_challenge: &verifier.challenge(),
        scopes: scopes.as_ref(),
        scope_separator: quirk.shape.scope_separator,
        resource,
        extra: &extra,
    }
    .print(endpoint)
    .map_err(|why| AuthorizeError::Url { why })?;
    let scope_note = scopes
        .as_ref()
        .map_or_else(|| "no scope".to_owned(), |scopes| format!("scope {scopes}"));
    let event = Event::new(Stage::Authorization, "C-41, C-43, C-46 (RFC 6749 §4.1.1)")
        .at_place(endpoint)
        .note(scope_note);
    let state = Secret::new(state);
    let pending = PendingAuthorization {
        server_url: discovered.server_url.clone(),
        issuer: issuer.issuer.clone(),
        token_endpoint: issuer.token_endpoint.clone(),
        revocation_endpoint: issuer.revocation_endpoint.clone(),
        iss_supported: issuer.authorization_response_iss_parameter_supported,
        is_guessed: discovered.legacy == Legacy::DefaultEndpoints,
        verifier: Secret::new(verifier.expose()),
        state: state.clone(),
        resource: resource.unwrap_or_default().to_owned(),
        scopes,
        redirect_uri: input.redirect_uri.to_owned(),
        client: client.clone(),
    };
    Ok(Authorization {
        url,
        state,
        pending,
        event,
    })
}

// === impl Authorization ===

impl core::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Authorization")
            .field("event", &self.event)
            .finish_non_exhaustive()
    }
}

// === impl AuthorizeError ===

impl AuthorizeError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Issuer => Fault::Us,
            Self::Redirect { .. }
            | Self::Url {
                why: AuthorizationUrlError::Doubled { .. },
            } => Fault::Operator,
            Self::NoEndpoint | Self::Url { .. } => Fault::Peer,
        }
    }
}
