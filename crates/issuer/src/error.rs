//! What an endpoint says when it refuses: RFC 6749 §5.2, RFC 7591 §3.2.2.

use ::http::StatusCode;
use claviger_model::Fault;
use serde_json::{Value, json};

use crate::IssuerStoreError;

/// The `error` of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The person said no.
    AccessDenied,
    /// The person would have to be asked.
    ConsentRequired,
    /// Client authentication failed.
    InvalidClient,
    /// RFC 7591.
    InvalidClientMetadata,
    /// The code or refresh token is not good.
    InvalidGrant,
    /// RFC 7591.
    InvalidRedirectUri,
    /// Malformed.
    InvalidRequest,
    /// Unknown or too much scope.
    InvalidScope,
    /// RFC 8707.
    InvalidTarget,
    /// Request objects are not offered.
    RequestNotSupported,
    /// Come back later.
    TemporarilyUnavailable,
    /// This client may not do this.
    UnauthorizedClient,
    /// Not a grant type we have.
    UnsupportedGrantType,
    /// Only `code`.
    UnsupportedResponseType,
}

/// A refusal of the token, revocation or registration endpoint.
#[derive(Debug, thiserror::Error)]
#[error("{description}")]
pub struct EndpointError {
    code: ErrorCode,
    description: &'static str,
    status: StatusCode,
    challenge: bool,
    #[source]
    source: Option<IssuerStoreError>,
}

// === impl ErrorCode ===

impl ErrorCode {
    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::ConsentRequired => "consent_required",
            Self::InvalidClient => "invalid_client",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::RequestNotSupported => "request_not_supported",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

// === impl EndpointError ===

impl EndpointError {
    pub(crate) const fn new(code: ErrorCode, description: &'static str) -> Self {
        Self {
            code,
            description,
            status: code.status(),
            challenge: false,
            source: None,
        }
    }

    pub(crate) const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    // RFC 6749 §5.2: who tried the Authorization header is answered with its scheme.
    pub(crate) const fn with_challenge(mut self, challenge: bool) -> Self {
        self.challenge = challenge;
        self
    }

    /// Who has to act: we, where the store was what failed; else whoever sent the request.
    pub const fn fault(&self) -> Fault {
        match &self.source {
            Some(source) => source.fault(),
            None => Fault::Caller,
        }
    }

    /// The code.
    pub const fn code(&self) -> ErrorCode {
        self.code
    }

    /// The status to answer with.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The challenge to answer with, if any.
    pub const fn www_authenticate(&self) -> Option<&'static str> {
        if self.challenge {
            Some("Basic realm=\"claviger\"")
        } else {
            None
        }
    }

    /// After how many seconds another attempt makes sense.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => Some(1),
            StatusCode::TOO_MANY_REQUESTS => Some(60),
            _ => None,
        }
    }

    /// The JSON body.
    pub fn body(&self) -> Value {
        json!({ "error": self.code.as_str(), "error_description": self.description })
    }
}

// `invalid_grant` only when it truly is: a store that does not answer ends nobody's session.
impl From<IssuerStoreError> for EndpointError {
    fn from(source: IssuerStoreError) -> Self {
        let mut error = Self::new(
            ErrorCode::TemporarilyUnavailable,
            "the issuer cannot answer at the moment; try again",
        );
        error.source = Some(source);
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_fails_is_not_blamed_on_the_client() {
        let source = IssuerStoreError::Unavailable {
            source: "no disk".into(),
        };
        assert_eq!(EndpointError::from(source).fault(), Fault::Us);
        let refused = EndpointError::new(ErrorCode::InvalidGrant, "the code is not good");
        assert_eq!(refused.fault(), Fault::Caller);
    }
}
