//! One request of one verified caller, from its head to the head of its answer.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use claviger_broker::{Asker, Attach};
use claviger_guard::Caller;
use claviger_mcp::header::MCP_PROTOCOL_VERSION;
use claviger_mcp::{Envelope, Era, InputAction};
use claviger_model::{Server, Slug};
use claviger_ports::{Body, Clock, Entropy, Forward, Tasks};
use http::request::Parts as Head;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tokio_util::sync::CancellationToken;

use crate::exchange::Exchange;
use crate::missing::INPUT_KEY;
use crate::reply::Problem;
use crate::survive::{Drains, Survive};
use crate::upstream::Upstream;
use crate::{Catalogue, SealSession, SessionNote, Settings, echo, intake, request_headers};
use call::Call;

mod answer;
mod call;

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
    closing: CancellationToken,
}

// === impl Proxy ===

impl Proxy {
    /// A proxy made of `parts`.
    pub fn new(parts: Parts) -> Self {
        let (tasks, clock) = (Arc::clone(&parts.tasks), Arc::clone(&parts.clock));
        let closing = CancellationToken::new();
        let drains = Drains::new(tasks, clock, closing.clone(), &parts.settings);
        Self {
            parts,
            drains,
            closing,
        }
    }

    /// Begins to close: ends the streams that have no end of their own, and gives up answers that
    /// nobody reads. Calls under way are finished; how long that may take is the program's to say.
    pub fn close(&self) {
        self.closing.cancel();
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
        // B-08: a caller that sends its own token along has been tricked into it.
        if echo::is_in_body(&bytes, &head.headers) {
            let message = "the body holds your own access token; it is not sent to the server";
            let problem = Problem::refused(StatusCode::BAD_REQUEST, message);
            return Ok(problem.answer(id));
        }
        let mut forwarded = bytes.clone();
        if call.input_action().is_some() {
            // The one body that does not go on as it came: it holds the answer to a question of
            // ours, and the upstream would look for one of its own.
            forwarded = match Envelope::without_input(&bytes, INPUT_KEY) {
                Ok(bytes) => Bytes::from(bytes),
                Err(error) => {
                    let status = StatusCode::BAD_REQUEST;
                    let problem = Problem::new(status, error.code(), error.to_string());
                    return Ok(problem.answer(id));
                }
            };
        }
        self.forward(&call, head, Some(forwarded)).await
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
            sign_in_patience: match call.input_action() {
                Some(InputAction::Accept) => self.parts.settings.sign_in_patience,
                _ => Duration::ZERO,
            },
            server: Arc::clone(&call.server),
            asker: Asker {
                user: call.caller.user().clone(),
                client: call.caller.client().map(str::to_owned),
                token: call.caller.token().map(str::to_owned),
            },
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

fn unknown_server() -> Problem {
    Problem::refused(StatusCode::NOT_FOUND, "there is no such server")
}
