//! What goes back to the caller: the upstream's answer, or the reason why there is none.

use std::sync::Arc;

use claviger_mcp::Era;
use claviger_mcp::header::MCP_SESSION_ID;
use claviger_ports::{Body, ForwardError};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;

use super::{Call, Proxy};
use crate::SessionNote;
use crate::answer_headers::{Verdict, judge, passed};
use crate::exchange::Stop;
use crate::missing::{Audience, answer_missing};
use crate::relay::{Patience, Relay};
use crate::reply::bare;
use crate::session::MAX_UPSTREAM_ID;

impl Proxy {
    /// The upstream's answer on its way back.
    pub(super) fn pass(&self, call: &Call<'_>, response: Response<Body>) -> Response<Body> {
        let verdict = judge(&response, call.method, call.expects_answer());
        let settings = &self.parts.settings;
        let patience = match &verdict {
            Verdict::Empty(_) | Verdict::Replaced(_) | Verdict::Json => {
                Patience::Whole(settings.json_timeout)
            }
            Verdict::Stream => Patience::Idle(settings.stream_idle_timeout),
        };
        let mut headers = passed(response.headers(), &verdict);
        if call.era == Era::Legacy
            && let Some(session) = self.answer_session(call, &response)
        {
            headers.insert(MCP_SESSION_ID, session);
        }
        let (upstream, body) = response.into_parts();
        let mut answer = match verdict {
            Verdict::Replaced(problem) => {
                let mut answer = problem.answer(call.id());
                answer.headers_mut().extend(headers);
                return answer;
            }
            Verdict::Empty(status) => bare(status),
            Verdict::Json | Verdict::Stream => {
                let farewell = call.farewell().filter(|_| patience.is_idle());
                let drains = call.survives().then(|| self.drains.clone());
                let clock = Arc::clone(&self.parts.clock);
                let mut relay = Relay::new(body, clock, patience, drains);
                if call.is_endless() {
                    let closing = self.closing.clone().cancelled_owned();
                    relay = relay.until(Box::pin(closing), farewell);
                }
                let mut answer = Response::new(relay.boxed_unsync());
                *answer.status_mut() = upstream.status;
                answer
            }
        };
        *answer.headers_mut() = headers;
        answer
    }

    /// No answer of the upstream: what the caller is told instead.
    pub(super) fn stop(&self, call: &Call<'_>, stop: Stop) -> Response<Body> {
        match stop {
            Stop::Missing(missing) => {
                let audience = Audience {
                    era: call.era,
                    message: call.message,
                    version: call.version,
                    elicits_url: call.elicits_url(),
                    was_asked: call.input_action().is_some(),
                };
                let id = claviger_crypto::hex(&self.parts.entropy.id_bytes());
                answer_missing(&missing, &audience, &id)
            }
            Stop::Forward(error) => {
                tracing::info!(server = %call.server.slug, %error, "could not forward");
                let status = match error {
                    ForwardError::Timeout => StatusCode::GATEWAY_TIMEOUT,
                    _ => StatusCode::BAD_GATEWAY,
                };
                call.stopped(status, &error.to_string())
            }
            // Q40: not our 401, whose challenge would send the caller to sign in to us again.
            Stop::RefusedTwice => call.stopped(
                StatusCode::BAD_GATEWAY,
                "the server refuses the credential it was just given",
            ),
        }
    }

    /// The session header of the answer, sealed; the raw id stays between us and the upstream.
    fn answer_session(&self, call: &Call<'_>, response: &Response<Body>) -> Option<HeaderValue> {
        let raw = response.headers().get(MCP_SESSION_ID)?.to_str().ok()?;
        if raw.is_empty() || raw.len() > MAX_UPSTREAM_ID {
            return None;
        }
        if let Some((sealed, note)) = &call.session
            && note.upstream_id == raw
        {
            return HeaderValue::from_str(sealed).ok();
        }
        let note = SessionNote {
            upstream_id: raw.to_owned(),
            elicits_url: call.elicits_url(),
        };
        HeaderValue::from_str(&self.parts.sessions.seal(&call.place(), &note)).ok()
    }
}
