//! One forwarded call: attach, send, and once more if the credential was refused.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use claviger_broker::{Asker, Attach, Attachment, Missing, Refusal, TokenMark};
use claviger_model::Server;
use claviger_ports::{Body, Clock, Forward, ForwardError, empty_body, full_body};
use futures_util::future::{Either, select};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Method, Request, Response, StatusCode};

use crate::upstream::Upstream;
use crate::{echo, request_headers};

/// Everything a call needs, owned: it may outlive the request that began it.
pub(crate) struct Exchange {
    pub(crate) attach: Arc<dyn Attach>,
    pub(crate) forward: Arc<dyn Forward>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) head_timeout: Duration,
    /// How long to wait for a sign-in that is under way; zero if none is known to be.
    pub(crate) sign_in_patience: Duration,
    pub(crate) server: Arc<Server>,
    pub(crate) asker: Asker,
    pub(crate) upstream: Upstream,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    pub(crate) operation: String,
}

/// Why a call got no answer of the upstream.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// It could not be forwarded.
    #[error("could not forward the call")]
    Forward(#[source] ForwardError),
    /// There is nothing to attach.
    #[error("nothing can be attached")]
    Missing(#[source] Missing),
    /// The upstream refused twice, and nobody knows what is missing.
    #[error("the upstream refused the call twice")]
    RefusedTwice,
}

impl Exchange {
    /// Runs the call. At most two requests go out, with the very same bytes (N6, G7).
    pub(crate) async fn run(self) -> Result<Response<Body>, Stop> {
        let mut used = match self.attach.attach(&self.server, &self.asker).await {
            Ok(attachment) => attachment,
            Err(missing) => self.await_sign_in(missing, None).await?,
        };
        for _ in 0..MAX_ATTEMPTS {
            let mut response = self.send(&used).await?;
            let Some(refusal) = self.refusal(&response) else {
                // A143: a header that repeats the credential is dropped, whatever its name.
                let sent = used.headers.iter().map(|(_, value)| value);
                echo::strip(response.headers_mut(), sent);
                return Ok(response);
            };
            drop(response);
            let better = self
                .attach
                .refused(&self.server, &self.asker, &used, &refusal)
                .await;
            used = match better {
                Ok(better) => better,
                Err(missing) => self.await_sign_in(missing, used.mark).await?,
            };
        }
        Err(Stop::RefusedTwice)
    }

    /// The person agreed to sign in and the client repeated the call at once, as T-14 has it: wait
    /// for another credential than the one that was refused. Costs memory reads, no request.
    async fn await_sign_in(
        &self,
        missing: Missing,
        refused: Option<TokenMark>,
    ) -> Result<Attachment, Stop> {
        let is_personal = matches!(
            missing,
            Missing::NeedsSignIn { .. } | Missing::NeedsScopes { .. }
        );
        let patience = u64::try_from(self.sign_in_patience.as_millis()).unwrap_or(u64::MAX);
        let began = self.clock.monotonic_ms();
        while is_personal && self.clock.monotonic_ms().saturating_sub(began) < patience {
            self.clock.sleep(SIGN_IN_GLANCE).await;
            let found = self.attach.attach(&self.server, &self.asker).await;
            if let Ok(found) = found
                && found.mark.is_some()
                && found.mark != refused
            {
                return Ok(found);
            }
        }
        Err(Stop::Missing(missing))
    }

    async fn send(&self, attachment: &Attachment) -> Result<Response<Body>, Stop> {
        let body = self.body.as_ref();
        let mut request =
            Request::new(body.map_or_else(empty_body, |body| full_body(body.clone())));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.upstream.uri.clone();
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        if let Some(body) = body {
            request_headers::set_length(headers, body.len());
        }
        request_headers::attach(headers, attachment);
        let forwarded = self.forward.forward(request, &self.upstream.reach);
        let deadline = self.clock.sleep(self.head_timeout);
        match select(forwarded, deadline).await {
            Either::Left((answer, _)) => answer.map_err(Stop::Forward),
            Either::Right(_) => Err(Stop::Forward(ForwardError::Timeout)),
        }
    }

    fn refusal(&self, response: &Response<Body>) -> Option<Refusal> {
        let status = response.status();
        if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return None;
        }
        let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
        let www_authenticate: Vec<String> = values
            .take(MAX_CHALLENGES)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        // RFC 6750 §3.1: a 403 is about the token only if its challenge says so; any other is the
        // upstream's own business and passes.
        let about_token = status == StatusCode::UNAUTHORIZED
            || www_authenticate.iter().any(|value| {
                let value = value.to_ascii_lowercase();
                value.contains("bearer")
                    && (value.contains("insufficient_scope") || value.contains("invalid_token"))
            });
        about_token.then(|| Refusal {
            status,
            www_authenticate,
            operation: self.operation.clone(),
        })
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("server", &self.server.slug)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

const MAX_ATTEMPTS: usize = 2;
const SIGN_IN_GLANCE: Duration = Duration::from_millis(500);
const MAX_CHALLENGES: usize = 16;
