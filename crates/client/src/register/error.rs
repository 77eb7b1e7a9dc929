//! Why there is no client information, and what a person can do about it.

use claviger_model::Fault;
use claviger_ports::FetchError;
use claviger_wire::{InvalidRedirect, Refusal, RegistrationAnswerError};

/// Why a registration failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The answer cannot be used.
    #[error("the issuer {issuer} answered the registration with something else: {why}")]
    Answer {
        /// The issuer.
        issuer: String,
        /// Why.
        why: RegistrationAnswerError,
    },
    /// Q14: the issuer registers nobody by itself.
    #[error(
        "the issuer {issuer} registers no clients by itself: register one by hand{}, \
         with the redirect URI {redirect_uri}, and set its client id (--client-id)",
        console_url.as_ref().map_or_else(String::new, |url| format!(" at {url}"))
    )]
    BringYourOwn {
        /// The issuer.
        issuer: String,
        /// The redirect URI to register.
        redirect_uri: String,
        /// Where, if the quirk file knows.
        console_url: Option<String>,
    },
    /// The operator's secret would go to addresses that were only guessed (Q39).
    #[error("the server publishes no metadata, and a secret is not sent to guessed addresses")]
    GuessedEndpoints,
    /// C-33: the operator's client belongs to another issuer.
    #[error(
        "the client id was registered with {registered}, but the server now names {now}; \
         register one there and change the setting"
    )]
    IssuerChanged {
        /// Where it was registered.
        registered: String,
        /// What the server names.
        now: String,
    },
    /// The redirect URI cannot be used.
    #[error("{why}")]
    Redirect {
        /// Why.
        why: InvalidRedirect,
    },
    /// The issuer refused (C-30, Q15).
    #[error(
        "the issuer {issuer} refused to register us ({refusal}); some admit only certain names \
         or redirect URIs: register a client by hand and set its client id (--client-id)"
    )]
    Refused {
        /// The issuer.
        issuer: String,
        /// What it said.
        refusal: Refusal,
    },
    /// No answer.
    #[error("the registration endpoint of {issuer} cannot be reached")]
    Unreachable {
        /// The issuer.
        issuer: String,
        /// Why.
        #[source]
        source: FetchError,
    },
}

// === impl RegisterError ===

impl RegisterError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::BringYourOwn { .. }
            | Self::GuessedEndpoints
            | Self::IssuerChanged { .. }
            | Self::Redirect { .. } => Fault::Operator,
            Self::Answer { .. } | Self::Refused { .. } | Self::Unreachable { .. } => Fault::Peer,
        }
    }

    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => !matches!(source, FetchError::Blocked { .. }),
            Self::Refused { refusal, .. } => refusal.status == 429 || refusal.status >= 500,
            _ => false,
        }
    }
}
