//! Claviger signs in as itself: RFC 6749 §4.4, SEP-1046.

use std::sync::Arc;

use claviger_model::Fault;
use claviger_ports::FetchError;
use claviger_wire::{Deviation, Refusal, ScopeSet, TokenAnswerError, TokenGrant};

use crate::discover::{Discovered, Legacy};
use crate::event::Stage;
use crate::machine::Io;
use crate::token::{TokenCall, TokenCallError, scope_text};
use crate::{AuthenticateError, ClientInformation, Machine, Quirks, Tokens};

/// What a request for oneself is made of.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// What was discovered.
    pub discovered: Discovered,
    /// The pre-registered client (`Preset::client_for`); it is never registered dynamically.
    pub client: ClientInformation,
    /// What to ask for (`choose_scopes`).
    pub scopes: Option<ScopeSet>,
    /// The quirk file.
    pub quirks: Arc<Quirks>,
    /// Fresh randomness for a client assertion.
    pub jti: [u8; 16],
}

/// Why it gave no tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientCredentialsError {
    /// The answer cannot be used.
    #[error("the issuer's token answer cannot be used: {why}")]
    Answer {
        /// Why.
        why: TokenAnswerError,
    },
    /// We cannot prove ourselves.
    #[error("{why}")]
    Authenticate {
        /// Why.
        why: AuthenticateError,
    },
    /// The endpoints were only guessed (Q39).
    #[error("the server publishes no metadata, and a secret is not sent to guessed addresses")]
    GuessedEndpoints,
    /// The issuer refused.
    #[error("the issuer refused our client ({refusal})")]
    Refused {
        /// What it said.
        refusal: Refusal,
    },
    /// No answer.
    #[error("the issuer's token endpoint cannot be reached")]
    Unreachable {
        /// Why.
        #[source]
        source: FetchError,
    },
}

/// Begins a request for oneself.
pub fn client_credentials(
    input: ClientCredentials,
) -> Machine<Result<Tokens, ClientCredentialsError>> {
    Machine::new(|io| run(io, input))
}

async fn run(io: Io, input: ClientCredentials) -> Result<Tokens, ClientCredentialsError> {
    let discovered = &input.discovered;
    if discovered.legacy == Legacy::DefaultEndpoints {
        return Err(ClientCredentialsError::GuessedEndpoints);
    }
    let quirk = input.quirks.of(discovered.issuer_id());
    let resource = quirk.resource(discovered.resource.as_str());
    let call = TokenCall {
        stage: Stage::Redeem,
        rule: "C-43, SEP-1046 (RFC 6749 §4.4.2)",
        issuer: discovered.issuer_id(),
        endpoint: &discovered.issuer.token_endpoint,
        client: &input.client,
        grant: &TokenGrant::ClientCredentials,
        resource: resource.unwrap_or_default(),
        scope: input
            .scopes
            .as_ref()
            .and_then(|scopes| scope_text(scopes, &quirk)),
        quirk: &quirk,
        jti: input.jti,
    };
    let (parsed, sent_at) = call.send(&io).await.map_err(ClientCredentialsError::from)?;
    let mut tokens = Tokens::of(parsed, sent_at, input.scopes.as_ref());
    if tokens.refresh_token.take().is_some() {
        // RFC 6749 §4.4.3: there should be none; asking again is as good.
        tokens.deviations.push(Deviation::new(
            "SEP-1046",
            "a refresh token that is not needed was dropped",
        ));
    }
    Ok(tokens)
}

// === impl ClientCredentialsError ===

impl ClientCredentialsError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Authenticate { .. } | Self::GuessedEndpoints | Self::Refused { .. } => {
                Fault::Operator
            }
            Self::Answer { .. } | Self::Unreachable { .. } => Fault::Peer,
        }
    }

    /// Whether trying again later may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { source } => !matches!(source, FetchError::Blocked { .. }),
            Self::Refused { refusal } => refusal.status == 429 || refusal.status >= 500,
            _ => false,
        }
    }
}

impl From<TokenCallError> for ClientCredentialsError {
    fn from(error: TokenCallError) -> Self {
        match error {
            TokenCallError::Authenticate(why) => Self::Authenticate { why },
            TokenCallError::Fetch(source) => Self::Unreachable { source },
            TokenCallError::Refused { refusal, .. } => Self::Refused { refusal },
            TokenCallError::Unreadable(why) => Self::Answer { why },
        }
    }
}
