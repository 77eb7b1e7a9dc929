//! What an endpoint says when it refuses: RFC 6749 §5.2, RFC 7591 §3.2.2.

use ::http::StatusCode;
use claviger_model::Fault;
use serde_json::{Value, json};

use crate::IssuerStoreError;
use crate::limit::TooMany;

/// The `error` of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The person said no.
    AccessDenied,
    /// RFC 8628: nobody has answered yet.
    AuthorizationPending,
    /// The person would have to be asked.
    ConsentRequired,
    /// RFC 8628: too late.
    ExpiredToken,
    /// Client authentication failed.
    InvalidClient,
    /// RFC 7591.
    InvalidClientMetadata,
    /// RFC 9449: the proof is missing or not good.
    InvalidDpopProof,
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
    /// RFC 6750: the token that should open this endpoint is missing or not good.
    InvalidToken,
    /// Request objects are not offered.
    RequestNotSupported,
    /// RFC 8628: ask less often.
    SlowDown,
    /// Come back later.
    TemporarilyUnavailable,
    /// This client may not do this.
    UnauthorizedClient,
    /// Not a grant type we have.
    UnsupportedGrantType,
    /// Only `code`.
    UnsupportedResponseType,
    /// RFC 9449: with the nonce we gave.
    UseDpopNonce,
}

/// A refusal of the token, revocation or registration endpoint.
#[derive(Debug, thiserror::Error)]
#[error("{description}")]
pub struct EndpointError {
    code: ErrorCode,
    description: &'static str,
    status: StatusCode,
    challenge: Option<&'static str>,
    retry_after_s: Option<u32>,
    source: Option<Box<dyn core::error::Error + Send + Sync>>,
    fault: Fault,
}

// === impl ErrorCode ===

impl ErrorCode {
    /// As it stands on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::ConsentRequired => "consent_required",
            Self::ExpiredToken => "expired_token",
            Self::InvalidClient => "invalid_client",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::RequestNotSupported => "request_not_supported",
            Self::SlowDown => "slow_down",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::UseDpopNonce => "use_dpop_nonce",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidClient | Self::InvalidToken => StatusCode::UNAUTHORIZED,
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
            challenge: None,
            retry_after_s: None,
            source: None,
            fault: Fault::Caller,
        }
    }

    pub(crate) const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    // RFC 6749 §5.2: who tried the Authorization header is answered with its scheme.
    pub(crate) const fn with_challenge(mut self, challenge: bool) -> Self {
        if challenge {
            self.challenge = Some("Basic realm=\"claviger\"");
        }
        self
    }

    // RFC 6750 §3, for the endpoints that a bearer token opens.
    pub(crate) const fn with_bearer_challenge(mut self) -> Self {
        self.challenge = Some("Bearer realm=\"claviger\"");
        self
    }

    pub(crate) const fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    pub(crate) fn with_source(
        mut self,
        source: impl core::error::Error + Send + Sync + 'static,
    ) -> Self {
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            self.fault = Fault::Us;
        }
        self.source = Some(Box::new(source));
        self
    }

    /// Who has to act: we, where the store was what failed; else whoever sent the request.
    pub const fn fault(&self) -> Fault {
        self.fault
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
        self.challenge
    }

    /// After how many seconds another attempt makes sense.
    pub fn retry_after_s(&self) -> Option<u32> {
        if self.retry_after_s.is_some() {
            return self.retry_after_s;
        }
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
        error.fault = source.fault();
        error.source = Some(Box::new(source));
        error
    }
}

impl From<TooMany> for EndpointError {
    fn from(too_many: TooMany) -> Self {
        Self::new(
            ErrorCode::TemporarilyUnavailable,
            "too many requests; try again later",
        )
        .with_status(StatusCode::TOO_MANY_REQUESTS)
        .with_retry_after(too_many.retry_after_s)
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
