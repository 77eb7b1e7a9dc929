//! From a callback to tokens. Nothing is sent before `state` and `iss` were compared.

use std::sync::Arc;

use claviger_crypto::Secret;
use claviger_model::Fault;
use claviger_ports::FetchError;
use claviger_wire::{
    Answer, Callback, Deviation, ErrorCode, Refusal, TokenAnswerError, TokenGrant, Verifier,
};

use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;
use crate::token::{TokenCall, TokenCallError};
use crate::{AuthenticateError, Machine, PendingAuthorization, Quirks, Tokens};

/// A callback, and the request it claims to answer.
#[derive(Debug, Clone)]
pub struct Redeem {
    /// The request.
    pub pending: PendingAuthorization,
    /// What came back.
    pub callback: Callback,
    /// The quirk file.
    pub quirks: Arc<Quirks>,
    /// Fresh randomness for a client assertion.
    pub jti: [u8; 16],
}

/// Why a callback gave no tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedeemError {
    /// The token endpoint's answer cannot be used.
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
    /// The issuer answered with an error.
    #[error("the issuer did not authorize: {code}")]
    Denied {
        /// The code.
        code: ErrorCode,
        /// The issuer's own words: plain and short, but to be escaped wherever they are shown.
        unverified_description: Option<String>,
    },
    /// C-52: the issuer said that it sends `iss`, and it is not there.
    #[error("the answer does not say which issuer it is from, although this one always does")]
    IssuerMissing,
    /// C-52, A081: the answer is from another issuer. Nothing of it is shown (C-54).
    #[error("the answer is from another issuer than the one that was asked")]
    IssuerMismatch,
    /// The token endpoint refused.
    #[error("the issuer refused the code ({refusal})")]
    Refused {
        /// What it said.
        refusal: Refusal,
    },
    /// C-50: the answer belongs to no request of ours.
    #[error("the answer does not belong to this sign-in")]
    State,
    /// No answer from the token endpoint. The code may be spent.
    #[error("the issuer's token endpoint cannot be reached; sign in again")]
    Unreachable {
        /// Why.
        #[source]
        source: FetchError,
    },
}

/// Begins to redeem.
pub fn redeem(input: Redeem) -> Machine<Result<Tokens, RedeemError>> {
    Machine::new(|io| run(io, input))
}

async fn run(io: Io, input: Redeem) -> Result<Tokens, RedeemError> {
    let pending = &input.pending;
    let code = match check(pending, &input.callback) {
        Ok(code) => code,
        Err(error) => {
            io.tell(callback_event(pending, EventOutcome::Refused).note(error.to_string()));
            return Err(error);
        }
    };
    io.tell(callback_event(pending, EventOutcome::Ok));
    let grant = TokenGrant::AuthorizationCode {
        code,
        redirect_uri: pending.redirect_uri.clone(),
        verifier: Verifier::from_text(pending.verifier.clone()),
    };
    let call = TokenCall {
        stage: Stage::Redeem,
        rule: "C-43, C-57, C-58 (RFC 6749 §4.1.3)",
        issuer: &pending.issuer,
        endpoint: &pending.token_endpoint,
        client: &pending.client,
        grant: &grant,
        resource: &pending.resource,
        scope: None,
        quirk: &input.quirks.of(&pending.issuer),
        jti: input.jti,
    };
    let (parsed, sent_at) = call.send(&io).await.map_err(RedeemError::from)?;
    let mut tokens = Tokens::of(parsed, sent_at, pending.scopes.as_ref());
    if pending.is_guessed && tokens.refresh_token.take().is_some() {
        // C-13, Q39: a refresh token is never sent to an address that was only guessed, so there
        // is no use in keeping one.
        tokens.deviations.push(Deviation::new(
            "Q39",
            "the refresh token is not kept: the endpoints were guessed",
        ));
    }
    Ok(tokens)
}

/// C-50, C-52 to C-54: state, then issuer, then the error, then the code. In this order, because
/// nothing of an answer is to be believed or shown before it is known whose it is.
fn check(pending: &PendingAuthorization, callback: &Callback) -> Result<Secret, RedeemError> {
    let state = callback.state.as_ref().ok_or(RedeemError::State)?;
    if !state.matches(&pending.state) {
        return Err(RedeemError::State);
    }
    match &callback.iss {
        // RFC 9207 §2.4: compared as text, without any normalization (C-53).
        Some(iss) if *iss != pending.issuer => return Err(RedeemError::IssuerMismatch),
        None if pending.iss_supported => return Err(RedeemError::IssuerMissing),
        _ => {}
    }
    match &callback.answer {
        Answer::Code(code) => Ok(code.clone()),
        Answer::Error { code, description } => Err(RedeemError::Denied {
            code: code.clone(),
            unverified_description: description.clone(),
        }),
        _ => Err(RedeemError::State),
    }
}

fn callback_event(pending: &PendingAuthorization, outcome: EventOutcome) -> Event {
    Event::new(Stage::Callback, "C-50, C-52 (RFC 9207 §2.4)")
        .at_place(&pending.redirect_uri)
        .outcome(outcome)
}

// === impl RedeemError ===

impl RedeemError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Self::State
            | Self::Denied {
                code: ErrorCode::AccessDenied,
                ..
            } => Fault::Caller,
            Self::Authenticate { .. } => Fault::Operator,
            _ => Fault::Peer,
        }
    }

    /// Whether the issuer no longer knows our client (Q09): register anew and sign in again.
    pub fn is_client_refused(&self) -> bool {
        let code = match self {
            Self::Refused { refusal } => refusal.code.as_ref(),
            Self::Denied { code, .. } => Some(code),
            _ => None,
        };
        matches!(
            code,
            Some(ErrorCode::InvalidClient | ErrorCode::UnauthorizedClient)
        )
    }
}

impl From<TokenCallError> for RedeemError {
    fn from(error: TokenCallError) -> Self {
        match error {
            TokenCallError::Authenticate(why) => Self::Authenticate { why },
            TokenCallError::Fetch(source) => Self::Unreachable { source },
            TokenCallError::Refused { refusal, .. } => Self::Refused { refusal },
            TokenCallError::Unreadable(why) => Self::Answer { why },
        }
    }
}
