//! A protected MCP server with its own small issuer, which counts what it is asked. It is strict:
//! a refresh token works once, and a second use ends everything.

use core::convert::Infallible;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use url::Url;

use super::answers::{Handed, Out, document, event, pairs, tool};
use super::seen::{Arrived, Counts};

/// The server. It ends with this value.
pub(crate) struct Upstream {
    origin: String,
    shared: Arc<Shared>,
    // Held so that the tasks end with the server.
    _accepting: JoinSet<()>,
}

struct Shared {
    origin: String,
    /// Life of an access token; `None` asks for no token at all.
    life: Option<Duration>,
    /// Stands in front of every secret it gives out.
    mark: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counts: Counts,
    issued: u32,
    access: BTreeMap<String, Instant>,
    refresh: Option<String>,
    seen: Vec<String>,
    arrived: Vec<Arrived>,
    /// Tokens that were revoked, each with its hint.
    revoked: Vec<(String, String)>,
    /// The revocation endpoint answers 503.
    is_revoking_off: bool,
    secrets: Vec<String>,
    /// The person says no.
    denies: bool,
    /// The stream that waits for its second event.
    waiting: Option<(mpsc::Sender<Bytes>, Bytes)>,
}

// === impl Upstream ===

impl Upstream {
    /// Tokens live this long.
    pub(crate) async fn protected(life: Duration) -> Self {
        Self::start(Some(life), "").await
    }

    /// The same; every secret it gives out begins with `mark`, and clients get one too.
    pub(crate) async fn marked(life: Duration, mark: &str) -> Self {
        Self::start(Some(life), mark).await
    }

    /// Nobody is asked for a token.
    pub(crate) async fn open() -> Self {
        Self::start(None, "").await
    }

    async fn start(life: Option<Duration>, mark: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            origin: origin.clone(),
            life,
            mark: mark.to_owned(),
            state: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let (mut connections, mut number) = (JoinSet::new(), 0);
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                number += 1;
                connections.spawn(async move {
                    let service =
                        service_fn(move |request| answer(Arc::clone(&shared), number, request));
                    let served =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    // A client that goes away is no failure of the server.
                    drop(served.await);
                });
            }
        });
        Self {
            origin,
            shared,
            _accepting: accepting,
        }
    }

    /// The MCP endpoint.
    pub(crate) fn url(&self) -> String {
        format!("{}/mcp", self.origin)
    }

    /// What happened so far.
    pub(crate) fn counts(&self) -> Counts {
        self.shared.state().counts
    }

    /// The `Authorization` headers that arrived at the MCP endpoint.
    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.shared.state().seen.clone()
    }

    /// Every request to the MCP endpoint so far.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.shared.state().arrived.clone()
    }

    /// Tokens that were revoked so far, each with its hint.
    pub(crate) fn revoked(&self) -> Vec<(String, String)> {
        self.shared.state().revoked.clone()
    }

    /// From now on the revocation endpoint works, or answers 503.
    pub(crate) fn revokes(&self, does: bool) {
        self.shared.state().is_revoking_off = !does;
    }

    /// Every secret that went in or out so far, as it was sent.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.shared.state().secrets.clone()
    }

    /// From now on the person says no.
    pub(crate) fn deny(&self) {
        self.shared.state().denies = true;
    }

    /// Lets the tool `stream` send its second event, and end. False if nobody reads any more.
    pub(crate) fn release_second_event(&self) -> bool {
        let waiting = self.shared.state().waiting.take();
        waiting.is_some_and(|(sender, event)| sender.try_send(event).is_ok())
    }

    /// True as soon as the reader of the tool `stream` is gone.
    pub(crate) fn is_stream_closed(&self) -> bool {
        let state = self.shared.state();
        state
            .waiting
            .as_ref()
            .is_some_and(|(sender, _)| sender.is_closed())
    }
}

// === impl Shared ===

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Registers, redeems, refreshes: the issuer's half.
    async fn issue(&self, form: &BTreeMap<String, String>) -> Out {
        let grant = form.get("grant_type").map_or("", String::as_str);
        if grant == "refresh_token" {
            // Long enough that callers who do not wait for each other meet here.
            sleep(Duration::from_millis(150)).await;
        }
        let mut state = self.state();
        if grant == "refresh_token" {
            if form.get("refresh_token") != state.refresh.as_ref() {
                state.counts.refused_refreshes += 1;
                state.refresh = None;
                state.access.clear();
                return document(StatusCode::BAD_REQUEST, &json!({"error": "invalid_grant"}));
            }
            state.counts.refreshes += 1;
        } else {
            state.counts.redemptions += 1;
        }
        state.issued += 1;
        let (access, refresh) = (
            format!("{}at-{}", self.mark, state.issued),
            format!("{}rt-{}", self.mark, state.issued),
        );
        state.secrets.extend([access.clone(), refresh.clone()]);
        state.secrets.extend(form.get("code_verifier").cloned());
        let life = self.life.unwrap_or_default();
        state.access.insert(access.clone(), Instant::now() + life);
        state.refresh = Some(refresh.clone());
        let answer = json!({
            "access_token": access, "refresh_token": refresh,
            "token_type": "Bearer", "expires_in": life.as_secs(),
        });
        document(StatusCode::OK, &answer)
    }

    fn metadata(&self) -> Value {
        let origin = &self.origin;
        json!({
            "issuer": origin,
            "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}/token"),
            "registration_endpoint": format!("{origin}/register"),
            "revocation_endpoint": format!("{origin}/revoke"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none", "client_secret_post"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn register(&self, body: &[u8]) -> Out {
        let asked: Value = serde_json::from_slice(body).unwrap();
        let mut state = self.state();
        state.counts.registrations += 1;
        let mut answer = json!({
            "client_id": "e2e-client", "token_endpoint_auth_method": "none",
            "redirect_uris": asked["redirect_uris"], "grant_types": asked["grant_types"],
        });
        if !self.mark.is_empty() {
            let (secret, manage) = (format!("{}cs", self.mark), format!("{}rat", self.mark));
            state.secrets.extend([secret.clone(), manage.clone()]);
            answer["token_endpoint_auth_method"] = json!("client_secret_post");
            answer["client_secret"] = json!(secret);
            answer["client_secret_expires_at"] = json!(0);
            answer["registration_access_token"] = json!(manage);
            answer["registration_client_uri"] = json!(format!("{}/register/1", self.origin));
        }
        document(StatusCode::CREATED, &answer)
    }

    /// Says yes or no at once.
    fn authorize(&self, query: &BTreeMap<String, String>) -> Out {
        let mut back = Url::parse(&query["redirect_uri"]).unwrap();
        let mut state = self.state();
        let (name, value) = if state.denies {
            ("error", "access_denied".to_owned())
        } else {
            ("code", format!("{}the-code", self.mark))
        };
        state
            .secrets
            .extend([value.clone(), query["state"].clone()]);
        back.query_pairs_mut()
            .append_pair(name, &value)
            .append_pair("state", &query["state"])
            .append_pair("iss", &self.origin);
        let mut response = document(StatusCode::FOUND, &json!({}));
        response
            .headers_mut()
            .insert(header::LOCATION, back.as_str().parse().unwrap());
        response
    }

    fn revoke(&self, form: &BTreeMap<String, String>) -> Out {
        let mut state = self.state();
        state.counts.revocations += 1;
        if state.is_revoking_off {
            return document(StatusCode::SERVICE_UNAVAILABLE, &json!({}));
        }
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        let token = field("token");
        state.access.remove(&token);
        if state.refresh.as_ref() == Some(&token) {
            state.refresh = None;
        }
        state.revoked.push((token, field("token_type_hint")));
        document(StatusCode::OK, &json!({}))
    }

    /// The MCP half.
    fn mcp(&self, authorization: Option<&str>, body: &[u8]) -> Out {
        let bearer = authorization.and_then(|value| value.strip_prefix("Bearer "));
        let is_known = {
            let mut state = self.state();
            state.seen.extend(authorization.map(ToOwned::to_owned));
            bearer.is_some_and(|token| {
                state
                    .access
                    .get(token)
                    .is_some_and(|end| *end > Instant::now())
            })
        };
        if self.life.is_some() && !is_known {
            let mut refusal =
                document(StatusCode::UNAUTHORIZED, &json!({"error": "invalid_token"}));
            let place = format!(
                "Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\"",
                self.origin
            );
            refusal
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, place.parse().unwrap());
            return refusal;
        }
        let request: Value = serde_json::from_slice(body).unwrap();
        let id = &request["id"];
        let result = match request["method"].as_str().unwrap() {
            "initialize" => json!({
                "protocolVersion": request["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "e2e", "version": "1"},
            }),
            "tools/list" => {
                json!({"tools": [tool("echo"), tool("stream")], "ttlMs": 0, "cacheScope": "private", "resultType": "complete"})
            }
            "tools/call" if request["params"]["name"] == "stream" => return self.stream(id),
            "tools/call" => {
                self.state().counts.calls += 1;
                let said = request["params"]["arguments"].to_string();
                json!({"content": [{"type": "text", "text": said}], "resultType": "complete"})
            }
            _ => return document(StatusCode::ACCEPTED, &json!({})),
        };
        document(
            StatusCode::OK,
            &json!({"jsonrpc": "2.0", "id": id, "result": result}),
        )
    }

    /// Two events; the second only when the test says so.
    fn stream(&self, id: &Value) -> Out {
        let (sender, receiver) = mpsc::channel(2);
        let progress = json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}});
        let last = json!({"jsonrpc": "2.0", "id": id, "result": {"content": [{"type": "text", "text": "done"}]}});
        sender.try_send(event(&progress)).unwrap();
        self.state().waiting = Some((sender, event(&last)));
        let mut response = Response::new(Handed(receiver).boxed());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, "text/event-stream".parse().unwrap());
        response
    }
}

async fn answer(
    shared: Arc<Shared>,
    connection: u64,
    request: Request<Incoming>,
) -> Result<Out, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes);
    let body = body.unwrap_or_default();
    let authorization = parts.headers.get(header::AUTHORIZATION);
    let authorization = authorization.map(|value| value.to_str().unwrap());
    let answer = match (parts.method, parts.uri.path()) {
        (Method::POST, "/mcp") => {
            let message: Value = serde_json::from_slice(&body).unwrap_or_default();
            shared.state().arrived.push(Arrived {
                connection,
                authorization: authorization.map(ToOwned::to_owned),
                arguments: message["params"]["arguments"].clone(),
            });
            shared.mcp(authorization, &body)
        }
        (Method::GET, "/authorize") => {
            shared.authorize(&pairs(parts.uri.query().unwrap_or("").as_bytes()))
        }
        (Method::POST, "/register") => shared.register(&body),
        (Method::POST, "/token") => shared.issue(&pairs(&body)).await,
        (Method::POST, "/revoke") => shared.revoke(&pairs(&body)),
        (Method::GET, "/.well-known/oauth-authorization-server") => {
            document(StatusCode::OK, &shared.metadata())
        }
        (Method::GET, "/.well-known/oauth-protected-resource/mcp") if shared.life.is_some() => {
            let origin = &shared.origin;
            let about =
                json!({"resource": format!("{origin}/mcp"), "authorization_servers": [origin]});
            document(StatusCode::OK, &about)
        }
        _ => document(StatusCode::NOT_FOUND, &json!({})),
    };
    Ok(answer)
}
