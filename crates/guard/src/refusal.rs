//! A request that was not let in, and what it is told.

use claviger_model::Fault;
use claviger_wire::ScopeSet;
use http::StatusCode;

use crate::VerifyError;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The token lacks scopes.
    #[error("the access token lacks a scope that this needs")]
    InsufficientScope {
        /// Everything the operation needs.
        needed: ScopeSet,
    },
    /// The token is not good here.
    #[error("the access token is not valid here")]
    InvalidToken {
        /// What the verifier said; for the log only.
        #[source]
        source: VerifyError,
    },
    /// The `Authorization` header is not as RFC 6750 wants it.
    #[error("{what}")]
    Malformed {
        /// What was wrong with it.
        what: &'static str,
    },
    /// No bearer token came along.
    #[error("no access token was sent")]
    Missing,
    /// The token could not be checked; nobody is let in unchecked.
    #[error("the access token cannot be checked at the moment")]
    Unavailable,
}

/// What the refused caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    reason: RefusalReason,
    www_authenticate: Option<String>,
}

// === impl RefusalReason ===

impl RefusalReason {
    /// The `error` of RFC 6750 §3.1; none when no credentials were sent.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::InsufficientScope { .. } => Some("insufficient_scope"),
            Self::InvalidToken { .. } => Some("invalid_token"),
            Self::Malformed { .. } => Some("invalid_request"),
            Self::Missing => None,
            Self::Unavailable => Some("temporarily_unavailable"),
        }
    }

    /// A sentence for the caller; it never says which check failed, but for expiry.
    pub fn description(&self) -> String {
        match self {
            Self::InvalidToken {
                source: VerifyError::Expired,
            } => "the access token expired".to_owned(),
            other => other.to_string(),
        }
    }

    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::InvalidToken { source } => source.fault(),
            Self::InsufficientScope { .. } | Self::Malformed { .. } | Self::Missing => {
                Fault::Caller
            }
            Self::Unavailable => Fault::Us,
        }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InsufficientScope { .. } => StatusCode::FORBIDDEN,
            Self::InvalidToken { .. } | Self::Missing => StatusCode::UNAUTHORIZED,
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

// === impl Refusal ===

impl Refusal {
    pub(crate) fn new(reason: RefusalReason, www_authenticate: Option<String>) -> Self {
        Self {
            reason,
            www_authenticate,
        }
    }

    /// Why.
    pub fn reason(&self) -> &RefusalReason {
        &self.reason
    }

    /// Who has to act.
    pub const fn fault(&self) -> Fault {
        self.reason.fault()
    }

    /// The status to answer with.
    pub fn status(&self) -> StatusCode {
        self.reason.status()
    }

    /// The challenge to answer with.
    pub fn www_authenticate(&self) -> Option<&str> {
        self.www_authenticate.as_deref()
    }

    /// After how many seconds another attempt makes sense.
    pub fn retry_after_s(&self) -> Option<u32> {
        (self.reason == RefusalReason::Unavailable).then_some(1)
    }

    /// A small JSON body; it tells no more than the challenge does.
    pub fn body(&self) -> String {
        let mut body = serde_json::Map::new();
        if let Some(code) = self.reason.code() {
            body.insert("error".to_owned(), code.into());
        }
        let description = self.reason.description();
        body.insert("error_description".to_owned(), description.into());
        serde_json::Value::Object(body).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a162_a_verifier_that_cannot_answer_is_not_blamed_on_the_caller() {
        let refused = |reason| Refusal::new(reason, None).fault();
        assert_eq!(refused(RefusalReason::Unavailable), Fault::Us);
        assert_eq!(refused(RefusalReason::Missing), Fault::Caller);
        let source = VerifyError::WrongAudience;
        assert_eq!(
            refused(RefusalReason::InvalidToken { source }),
            Fault::Caller
        );
    }
}
