//! One request of one verified caller, from its head to the head of its answer.

use core::fmt;
use std::sync::Arc;

use bytes::Bytes;
use claviger_broker::Attach;
use claviger_guard::Caller;
use claviger_mcp::header::{MCP_PROTOCOL_VERSION, MCP_SESSION_ID};
use claviger_mcp::{Era, Kind, Message, code};
use claviger_model::{Server, Slug, Standing};
use claviger_ports::{Body, Clock, Entropy, Forward, ForwardError, Tasks};
use http::request::Parts as Head;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use serde_json::value::RawValue;

use crate::answer_headers::{Verdict, judge, passed};
use crate::exchange::{Exchange, Stop};
use crate::missing::{Audience, answer_missing};
use crate::relay::{Patience, Relay};
use crate::reply::{Problem, bare};
use crate::session::MAX_UPSTREAM_ID;
use crate::survive::{Drains, Survive};
use crate::upstream::Upstream;
use crate::{Catalogue, Place, SealSession, SessionNote, Settings, intake, request_headers};

/// What a proxy is made of.
#[derive(Clone)]
pub struct Parts {
    /// Hands out credentials.
    pub attach: Arc<dyn Attach>,
    /// Sends requests on.
    pub forward: Arc<dyn Forward>,
    /// Which servers exist.
    pub servers: Arc<dyn Catalogue>,
    /// Seals session ids.
    pub sessions: Arc<dyn SealSession>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for ids of elicitations.
    pub entropy: Arc<dyn Entropy>,
    /// Finishes calls of the older era whose callers left.
    pub tasks: Arc<dyn Tasks>,
    /// Limits.
    pub settings: Settings,
}

/// The data path.
#[derive(Clone)]
pub struct Proxy {
    parts: Parts,
    drains: Drains,
}

/// What is known of a request once it was read.
struct Call<'a> {
    caller: &'a Caller,
    server: Arc<Server>,
    method: &'a Method,
    era: Era,
    message: Option<&'a Message<'a>>,
    version: Option<&'a str>,
    /// The session as the caller names it, and what that means.
    session: Option<(&'a str, SessionNote)>,
}

// === impl Proxy ===

impl Proxy {
    /// A proxy made of `parts`.
    pub fn new(parts: Parts) -> Self {
        let (tasks, clock) = (Arc::clone(&parts.tasks), Arc::clone(&parts.clock));
        let drains = Drains::new(tasks, clock, &parts.settings);
        Self { parts, drains }
    }

    /// Answers one request of `caller` to the server `slug`.
    pub async fn handle(
        &self,
        caller: &Caller,
        slug: &Slug,
        request: Request<Body>,
    ) -> Response<Body> {
        let (head, body) = request.into_parts();
        let method = head.method.clone();
        let outcome = Box::pin(self.serve(caller, slug, head, body)).await;
        let response = outcome.unwrap_or_else(|problem| problem.answer(None));
        tracing::debug!(server = %slug, %method, status = response.status().as_u16(), "answered");
        response
    }

    async fn serve(
        &self,
        caller: &Caller,
        slug: &Slug,
        head: Head,
        body: Body,
    ) -> Result<Response<Body>, Problem> {
        intake::check_head(&head.headers, &self.parts.settings)?;
        let found = self.parts.servers.find(caller.tenant(), slug);
        // What is off, somebody else's or not there looks the same.
        let server = found
            .filter(|server| server.enabled && caller.access().allows(&server.id))
            .ok_or_else(unknown_server)?;
        match head.method {
            Method::POST => self.post(caller, server, &head, body).await,
            Method::GET | Method::DELETE => self.plain(caller, server, &head).await,
            _ => Err(Problem::refused(
                StatusCode::METHOD_NOT_ALLOWED,
                "use POST, GET or DELETE",
            )),
        }
    }

    async fn post(
        &self,
        caller: &Caller,
        server: Arc<Server>,
        head: &Head,
        body: Body,
    ) -> Result<Response<Body>, Problem> {
        let Parts {
            settings, clock, ..
        } = &self.parts;
        intake::check_media(&head.headers)?;
        let bytes = intake::read_body(&head.headers, body, settings, &**clock).await?;
        let message = intake::read_message(&bytes)?;
        let id = message.single().and_then(|one| one.id);
        let era = match intake::check_agreement(&head.headers, &message) {
            Ok(era) => era,
            Err(problem) => return Ok(problem.answer(id)),
        };
        let mut call = Call {
            caller,
            server,
            method: &head.method,
            era,
            message: Some(&message),
            version: intake::only(&head.headers, &MCP_PROTOCOL_VERSION)?,
            session: None,
        };
        // T-02: the modern era ignores session headers.
        if era == Era::Legacy {
            call.session = match self.open_session(&call, head) {
                Ok(session) => session,
                Err(problem) => return Ok(problem.answer(id)),
            };
        }
        self.forward(&call, head, Some(bytes.clone())).await
    }

    /// A stream of the older era, or the end of a session.
    async fn plain(
        &self,
        caller: &Caller,
        server: Arc<Server>,
        head: &Head,
    ) -> Result<Response<Body>, Problem> {
        let mut call = Call {
            caller,
            server,
            method: &head.method,
            era: Era::Legacy,
            message: None,
            version: intake::only(&head.headers, &MCP_PROTOCOL_VERSION)?,
            session: None,
        };
        call.session = self.open_session(&call, head)?;
        self.forward(&call, head, None).await
    }

    async fn forward(
        &self,
        call: &Call<'_>,
        head: &Head,
        body: Option<Bytes>,
    ) -> Result<Response<Body>, Problem> {
        let upstream = match Upstream::of(&call.server) {
            Ok(upstream) => upstream,
            Err(error) => return Ok(call.stopped(StatusCode::BAD_GATEWAY, &error.to_string())),
        };
        let session = match &call.session {
            Some((_, note)) => HeaderValue::from_str(&note.upstream_id).ok(),
            None => None,
        };
        let headers =
            request_headers::forwarded(&head.headers, call.method, call.era, session.as_ref());
        let exchange = Exchange {
            attach: Arc::clone(&self.parts.attach),
            forward: Arc::clone(&self.parts.forward),
            clock: Arc::clone(&self.parts.clock),
            head_timeout: self.parts.settings.head_timeout,
            server: Arc::clone(&call.server),
            user: call.caller.user().clone(),
            upstream,
            method: call.method.clone(),
            headers,
            body,
            operation: call.operation(),
        };
        let running = Box::pin(exchange.run());
        let outcome = if call.survives() {
            Survive::new(running, self.drains.clone()).await
        } else {
            running.await
        };
        Ok(match outcome {
            Ok(response) => self.pass(call, response),
            Err(stop) => self.stop(call, stop),
        })
    }

    /// The upstream's answer on its way back.
    fn pass(&self, call: &Call<'_>, response: Response<Body>) -> Response<Body> {
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
            Verdict::Replaced(problem) => return problem.answer(call.id()),
            Verdict::Empty(status) => bare(status),
            Verdict::Json | Verdict::Stream => {
                let drains = call.survives().then(|| self.drains.clone());
                let clock = Arc::clone(&self.parts.clock);
                let relay = Relay::new(body, clock, patience, drains);
                let mut answer = Response::new(relay.boxed_unsync());
                *answer.status_mut() = upstream.status;
                answer
            }
        };
        *answer.headers_mut() = headers;
        answer
    }

    /// No answer of the upstream: what the caller is told instead.
    fn stop(&self, call: &Call<'_>, stop: Stop) -> Response<Body> {
        match stop {
            Stop::Missing(missing) => {
                let audience = Audience {
                    era: call.era,
                    message: call.message,
                    version: call.version,
                    elicits_url: call.elicits_url(),
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

    fn open_session<'a>(
        &self,
        call: &Call<'_>,
        head: &'a Head,
    ) -> Result<Option<(&'a str, SessionNote)>, Problem> {
        let Some(sealed) = intake::session_header(&head.headers)? else {
            return Ok(None);
        };
        let note = self.parts.sessions.open(&call.place(), sealed);
        // A153: somebody else's session, a guessed one and one that ended look the same, and a
        // client answers 404 with a new `initialize`.
        let note = note.ok_or_else(|| {
            let message = "the session is unknown or has ended; initialize again";
            Problem::refused(StatusCode::NOT_FOUND, message)
        })?;
        Ok(Some((sealed, note)))
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

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

// === impl Call ===

impl Call<'_> {
    fn place(&self) -> Place<'_> {
        Place {
            tenant: self.caller.tenant(),
            user: self.caller.user(),
            server: &self.server,
        }
    }

    fn id(&self) -> Option<&RawValue> {
        self.message
            .and_then(Message::single)
            .and_then(|one| one.id)
    }

    fn expects_answer(&self) -> bool {
        let envelopes = self.message.map_or(&[][..], Message::envelopes);
        envelopes.iter().any(|one| one.kind == Kind::Request)
    }

    /// G-13: only a call of the older era goes on without its caller. A stream by `GET` does not:
    /// what comes over it would be lost, and its caller comes back with `Last-Event-ID`.
    fn survives(&self) -> bool {
        self.era == Era::Legacy && self.expects_answer()
    }

    fn elicits_url(&self) -> Option<bool> {
        let envelopes = self.message.map_or(&[][..], Message::envelopes);
        let said = envelopes.iter().find_map(|one| one.elicits_url);
        said.or_else(|| self.session.as_ref().and_then(|(_, note)| note.elicits_url))
    }

    fn operation(&self) -> String {
        let envelopes = self.message.map_or(&[][..], Message::envelopes);
        let first = envelopes.iter().find(|one| one.kind == Kind::Request);
        match first.or_else(|| envelopes.first()) {
            Some(one) => one.operation(),
            None => self.method.to_string(),
        }
    }

    fn stopped(&self, status: StatusCode, message: &str) -> Response<Body> {
        let (code, standing) = (code::UNREACHABLE, Standing::Unreachable);
        let server = self.server.slug.as_str();
        let message = format!("the server `{server}` cannot be reached: {message}");
        Problem::new(status, code, message)
            .with_data(json!({ "claviger": { "standing": standing.as_str(), "server": server } }))
            .answer(self.id())
    }
}

fn unknown_server() -> Problem {
    Problem::refused(StatusCode::NOT_FOUND, "there is no such server")
}
