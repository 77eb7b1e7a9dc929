//! A refresh token for tokens, at the pinned endpoint and nowhere else (Q39).

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use claviger_crypto::Secret;
use claviger_model::Fault;
use claviger_ports::FetchError;
use claviger_wire::{ErrorCode, Refusal, ScopeSet, TokenAnswerError, TokenGrant};

use crate::event::Stage;
use crate::machine::Io;
use crate::quirks::RefreshScope;
use crate::token::{TokenCall, TokenCallError, scope_text};
use crate::{AuthenticateError, ClientInformation, Machine, Quirks, Tokens};

/// What a refresh is made of: the record of the credential, and nothing discovered since.
#[derive(Debug, Clone)]
pub struct Refresh {
    /// The issuer that gave the refresh token.
    pub issuer: String,
    /// Its token endpoint, as recorded.
    pub token_endpoint: String,
    /// What it knows us as.
    pub client: ClientInformation,
    /// The refresh token.
    pub refresh_token: Secret,
    /// `resource` as it was sent before; empty where none was (Q06).
    pub resource: String,
    /// The scopes granted.
    pub scopes_granted: ScopeSet,
    /// The quirk file.
    pub quirks: Arc<Quirks>,
    /// Fresh randomness for a client assertion.
    pub jti: [u8; 16],
}

/// Why a refresh gave no tokens; each is another thing to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// We cannot prove ourselves; nothing was sent.
    #[error("{why}")]
    Authenticate {
        /// Why.
        why: AuthenticateError,
    },
    /// The issuer does not know our client any more, or not for this. The grant may well live:
    /// nothing is thrown away, the registration has to be mended (Q09).
    #[error("the issuer refused our client ({refusal})")]
    Registration {
        /// What it said.
        refusal: Refusal,
    },
    /// The refresh token is dead: `invalid_grant` in a JSON error with status 400 or 401. It counts
    /// once the store was read again and holds no newer one.
    #[error("the issuer refused the refresh token ({refusal})")]
    Terminal {
        /// What it said.
        refusal: Refusal,
    },
    /// Anything else: try again later, keep everything (Q07).
    #[error("the refresh did not go through: {cause}")]
    Transient {
        /// What happened.
        cause: TransientCause,
        /// When the issuer wants to be asked again.
        retry_after: Option<Duration>,
        /// Whether the issuer may have rotated the token all the same.
        may_have_arrived: bool,
    },
}

/// What kept a refresh from going through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransientCause {
    /// A success that holds no tokens.
    Answer(TokenAnswerError),
    /// No answer.
    Fetch(FetchError),
    /// An answer that is neither tokens nor a clear no (Q08).
    Refused(Refusal),
}

/// Begins a refresh.
pub fn refresh(input: Refresh) -> Machine<Result<Tokens, RefreshError>> {
    Machine::new(|io| run(io, input))
}

async fn run(io: Io, input: Refresh) -> Result<Tokens, RefreshError> {
    let quirk = input.quirks.of(&input.issuer);
    let grant = TokenGrant::RefreshToken {
        refresh_token: input.refresh_token.clone(),
    };
    // Q05: left out unless the issuer is known to want it.
    let scope = match quirk.refresh_scope {
        RefreshScope::Granted => scope_text(&input.scopes_granted, &quirk),
        RefreshScope::Omit => None,
    };
    let mut call = TokenCall {
        stage: Stage::Refresh,
        rule: "C-43, Q39 (RFC 6749 §6)",
        issuer: &input.issuer,
        endpoint: &input.token_endpoint,
        client: &input.client,
        grant: &grant,
        resource: &input.resource,
        scope,
        quirk: &quirk,
        jti: input.jti,
    };
    let mut sent = call.send(&io).await;
    if let Err(TokenCallError::Refused { refusal, .. }) = &sent
        && refusal.code == Some(ErrorCode::InvalidScope)
        && call.scope.take().is_some()
    {
        sent = call.send(&io).await;
    }
    let (parsed, sent_at) = sent.map_err(classify)?;
    let mut tokens = Tokens::of(parsed, sent_at, Some(&input.scopes_granted));
    // Q02, C-68: RFC 6749 §6 lets the issuer leave it out; then the old one goes on.
    tokens.refresh_token.get_or_insert(input.refresh_token);
    Ok(tokens)
}

fn classify(error: TokenCallError) -> RefreshError {
    match error {
        TokenCallError::Authenticate(why) => RefreshError::Authenticate { why },
        TokenCallError::Fetch(source) => RefreshError::Transient {
            may_have_arrived: !source.surely_unsent(),
            cause: TransientCause::Fetch(source),
            retry_after: None,
        },
        TokenCallError::Unreadable(why) => RefreshError::Transient {
            cause: TransientCause::Answer(why),
            retry_after: None,
            may_have_arrived: true,
        },
        TokenCallError::Refused {
            refusal,
            retry_after,
        } => classify_refusal(refusal, retry_after),
    }
}

fn classify_refusal(refusal: Refusal, retry_after: Option<Duration>) -> RefreshError {
    let is_oauth = refusal.is_json && matches!(refusal.status, 400 | 401);
    match refusal.code {
        // An outage that says `invalid_grant` with 502, or a page that is no JSON, ends nothing.
        Some(ErrorCode::InvalidGrant) if is_oauth => RefreshError::Terminal { refusal },
        // GitHub's own code comes with status 200.
        Some(ErrorCode::BadRefreshToken) if is_oauth || refusal.status == 200 => {
            RefreshError::Terminal { refusal }
        }
        Some(ErrorCode::InvalidClient | ErrorCode::UnauthorizedClient)
            if (400..500).contains(&refusal.status) =>
        {
            RefreshError::Registration { refusal }
        }
        _ => RefreshError::Transient {
            may_have_arrived: refusal.status >= 500 || refusal.status < 300,
            cause: TransientCause::Refused(refusal),
            retry_after,
        },
    }
}

// === impl RefreshError ===

impl RefreshError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Authenticate { .. }
            | Self::Transient {
                cause: TransientCause::Fetch(FetchError::Blocked { .. }),
                ..
            } => Fault::Operator,
            Self::Terminal { .. } => Fault::Caller,
            Self::Registration { .. } | Self::Transient { .. } => Fault::Peer,
        }
    }
}

// === impl TransientCause ===

impl fmt::Display for TransientCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(why) => write!(f, "{why}"),
            Self::Fetch(why) => write!(f, "{why}"),
            Self::Refused(refusal) => write!(f, "{refusal}"),
        }
    }
}
