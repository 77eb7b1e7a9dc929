//! The one way to a token endpoint, shared by every grant.

use core::time::Duration;

use bytes::Bytes;
use claviger_crypto::Secret;
use claviger_model::Timestamp;
use claviger_ports::{FetchError, FetchRequest, FetchResponse, Sink};
use claviger_wire::{
    ClientAuth, Deviation, ErrorCode, Parsed, Printed, Refusal, ScopeSet, TokenAnswer,
    TokenAnswerError, TokenGrant, TokenRequest, TokenResponse, parse_token_answer,
};
use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};

use crate::client_information::{AuthenticateError, ClientInformation};
use crate::event::{Event, EventOutcome, Stage};
use crate::machine::Io;
use crate::quirks::Quirk;

pub(crate) use retry_after::retry_after;

mod retry_after;

/// Tokens as they will be kept.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// The access token.
    pub access_token: Secret,
    /// The refresh token. After a refresh that gave none, the one before (Q02).
    pub refresh_token: Option<Secret>,
    /// The ID token, unverified.
    pub unverified_id_token: Option<Secret>,
    /// When the request was sent.
    pub obtained_at: Timestamp,
    /// When the access token ends; `None` is unknown, and then it is used until it is refused.
    pub expires_at: Option<Timestamp>,
    /// The scopes it has: what the issuer says, else what was asked for (RFC 6749 §5.1).
    pub scopes_granted: ScopeSet,
    /// In what the answer was not as its RFC wants it.
    pub deviations: Vec<Deviation>,
}

/// One token request.
pub(crate) struct TokenCall<'a> {
    pub(crate) stage: Stage,
    pub(crate) rule: &'static str,
    pub(crate) issuer: &'a str,
    pub(crate) endpoint: &'a str,
    pub(crate) client: &'a ClientInformation,
    pub(crate) grant: &'a TokenGrant,
    /// As it is recorded; empty where none is sent.
    pub(crate) resource: &'a str,
    pub(crate) scope: Option<String>,
    pub(crate) quirk: &'a Quirk,
    pub(crate) jti: [u8; 16],
}

/// Why a token request gave no tokens.
#[derive(Debug, Clone)]
pub(crate) enum TokenCallError {
    Authenticate(AuthenticateError),
    Fetch(FetchError),
    Refused {
        refusal: Refusal,
        retry_after: Option<Duration>,
    },
    Unreadable(TokenAnswerError),
}

impl TokenCall<'_> {
    /// Sends it; once more with unencoded Basic where the quirk file says so (Q18).
    pub(crate) async fn send(
        &self,
        io: &Io,
    ) -> Result<(Parsed<TokenResponse>, Timestamp), TokenCallError> {
        let first = self.send_once(io, false).await;
        let is_basic = self.client.auth_method == claviger_wire::AuthMethod::ClientSecretBasic;
        match &first {
            Err(TokenCallError::Refused { refusal, .. })
                if is_basic
                    && self.quirk.basic_raw
                    && refusal.code == Some(ErrorCode::InvalidClient) =>
            {
                self.send_once(io, true).await
            }
            _ => first,
        }
    }

    async fn send_once(
        &self,
        io: &Io,
        raw_basic: bool,
    ) -> Result<(Parsed<TokenResponse>, Timestamp), TokenCallError> {
        let sent_at = io.now();
        let auth = self
            .client
            .authenticate(self.issuer, raw_basic, self.jti, sent_at)
            .map_err(TokenCallError::Authenticate)?;
        let extra = self.quirk.token_extra(self.resource);
        let request = TokenRequest {
            grant: self.grant,
            resource: Some(self.resource).filter(|text| !text.is_empty()),
            scope: self.scope.clone(),
            extra: &extra,
        };
        let printed = request.print(&auth);
        let event = Event::new(self.stage, self.rule).at_place(self.endpoint);
        let sent = io.fetch(post(Sink::Token, self.endpoint, &printed)).await;
        match sent {
            Ok(response) => self
                .read(io, event, &auth, &response)
                .map(|parsed| (parsed, sent_at)),
            Err(error) => {
                io.tell(
                    event
                        .outcome(EventOutcome::Unreachable)
                        .note(error.to_string()),
                );
                Err(TokenCallError::Fetch(error))
            }
        }
    }

    fn read(
        &self,
        io: &Io,
        event: Event,
        auth: &ClientAuth,
        response: &FetchResponse,
    ) -> Result<Parsed<TokenResponse>, TokenCallError> {
        let status = response.status.as_u16();
        let event = event.status(status);
        let how = match auth {
            ClientAuth::Basic { raw: true, .. } => "client_secret_basic, not encoded",
            _ => self.client.auth_method.as_str(),
        };
        let parsed = match parse_token_answer(status, &response.body, &self.quirk.shape) {
            Ok(parsed) => parsed,
            Err(error) => {
                io.tell(
                    event
                        .outcome(EventOutcome::Unusable)
                        .note(error.to_string()),
                );
                return Err(TokenCallError::Unreadable(error));
            }
        };
        let event = event.deviations(&parsed.deviations);
        match parsed.value {
            TokenAnswer::Tokens(tokens) => {
                io.tell(event.note(how));
                Ok(Parsed {
                    value: tokens,
                    deviations: parsed.deviations,
                })
            }
            TokenAnswer::Refused(refusal) => {
                io.tell(
                    event
                        .outcome(EventOutcome::Refused)
                        .note(format!("{how}: {refusal}")),
                );
                Err(TokenCallError::Refused {
                    refusal,
                    retry_after: retry_after(&response.headers, io.now()),
                })
            }
            _ => Err(TokenCallError::Unreadable(TokenAnswerError::NotReadable)),
        }
    }
}

// === impl Tokens ===

impl Tokens {
    /// What was asked for counts where the answer names no scope.
    pub(crate) fn of(
        parsed: Parsed<TokenResponse>,
        sent_at: Timestamp,
        requested: Option<&ScopeSet>,
    ) -> Self {
        let Parsed {
            value,
            mut deviations,
        } = parsed;
        if let (Some(granted), Some(requested)) = (&value.scopes, requested)
            && !granted.is_subset(requested)
        {
            deviations.push(Deviation::new("A086", "more scopes than were asked for"));
        }
        Self {
            access_token: value.access_token,
            refresh_token: value.refresh_token,
            unverified_id_token: value.id_token,
            obtained_at: sent_at,
            expires_at: value.expires_in.map(|secs| sent_at.plus(secs)),
            scopes_granted: value
                .scopes
                .or_else(|| requested.cloned())
                .unwrap_or_default(),
            deviations,
        }
    }
}

/// A form on its way to an endpoint. Redirects are not followed by anybody (A087).
pub(crate) fn post(sink: Sink, endpoint: &str, printed: &Printed) -> FetchRequest {
    let body = Bytes::copy_from_slice(printed.body.expose().as_bytes());
    let mut request = FetchRequest::post(sink, endpoint, body);
    let headers = &mut request.headers;
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    let authorization = printed
        .authorization
        .as_ref()
        .and_then(|secret| HeaderValue::from_str(secret.expose()).ok());
    if let Some(mut authorization) = authorization {
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
    }
    request
}

/// `scope` as this issuer wants it; nothing for no scopes.
pub(crate) fn scope_text(scopes: &ScopeSet, quirk: &Quirk) -> Option<String> {
    (!scopes.is_empty()).then(|| scopes.joined(quirk.shape.scope_separator))
}
