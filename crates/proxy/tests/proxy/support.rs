//! A gateway with one server behind it, and doors that do as they are told.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use bytes::Bytes;
use claviger_broker::{Asker, Attach, Attachment, Missing, Refusal, TokenMark};
use claviger_crypto::{Secret, TenantKey};
use claviger_guard::{Access, Guard, GuardSettings, Verified, Verify, VerifyError};
use claviger_model::{Auth, Server, ServerId, Slug, TenantId, Timestamp, UserId};
use claviger_ports::{Clock, Forward};
use claviger_proxy::{
    Catalogue, Parts, Proxy, RouteSettings, SealSession, SessionKey, Settings, router,
};
use claviger_testkit::{FakeForward, FixedClock, SeededEntropy, TokioTasks};
use claviger_wire::ScopeSet;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

pub(crate) const CALL: &str = r#"{"jsonrpc":"2.0","id":"c1","method":"tools/call","params":{"name":"echo","arguments":{"n":1}}}"#;
pub(crate) const LIST: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
pub(crate) const MODERN_CALL: &str = r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"echo","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"url":{}}}}}}"#;
pub(crate) const RESULT: &str = r#"{"jsonrpc":"2.0","id":"c1","result":{"content":[]}}"#;
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const EVENTS: (&str, &str) = ("content-type", "text/event-stream");
pub(crate) const LINK: &str = "https://gw.example/login/notes";

pub(crate) struct Gateway {
    pub(crate) forward: Arc<FakeForward>,
    pub(crate) attach: Arc<FakeAttach>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) tasks: Arc<TokioTasks>,
    pub(crate) proxy: Proxy,
    pub(crate) router: Router,
}

/// Hands out `Bearer vault-token-1` and so on, unless a test says otherwise.
#[derive(Default)]
pub(crate) struct FakeAttach {
    state: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    attached: VecDeque<Result<Attachment, Missing>>,
    after_refusal: VecDeque<Result<Attachment, Missing>>,
    refusals: Vec<(Option<TokenMark>, Refusal)>,
    askers: Vec<Asker>,
}

struct Servers(Vec<Arc<Server>>);

struct Tokens;

/// An answer read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

// === impl Gateway ===

impl Gateway {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let forward = Arc::new(FakeForward::new());
        Self::built(settings, Arc::<FakeForward>::clone(&forward), forward)
    }

    /// Behind this gateway answers `door`.
    pub(crate) fn before(door: Arc<dyn Forward>) -> Self {
        Self::built(Settings::default(), door, Arc::new(FakeForward::new()))
    }

    fn built(settings: Settings, door: Arc<dyn Forward>, forward: Arc<FakeForward>) -> Self {
        let attach = Arc::new(FakeAttach::default());
        let clock = Arc::new(FixedClock::at(1_800_000_000));
        let tasks = Arc::new(TokioTasks::new());
        let entropy = Arc::new(SeededEntropy::new(1));
        let key = TenantKey::new(1, [0; 8], [7; 32]);
        let sessions: Arc<dyn SealSession> =
            Arc::new(SessionKey::new(key, Arc::<SeededEntropy>::clone(&entropy)));
        let proxy = Proxy::new(Parts {
            attach: Arc::<FakeAttach>::clone(&attach),
            forward: door,
            servers: Arc::new(Servers(vec![
                server(1, "notes", "https://up.example/mcp?workspace=7#top"),
                server(2, "other", "http://127.0.0.1:9000/other"),
                Arc::new(Server {
                    enabled: false,
                    ..(*server(3, "off", "https://off.example/mcp")).clone()
                }),
            ])),
            sessions,
            clock: Arc::<FixedClock>::clone(&clock),
            entropy,
            tasks: Arc::<TokioTasks>::clone(&tasks),
            settings,
        });
        let guard = Guard::new(Arc::new(Tokens), GuardSettings::default());
        let door: Arc<dyn Clock> = Arc::<FixedClock>::clone(&clock);
        let router = router(proxy.clone(), guard, door, RouteSettings::default());
        Self {
            forward,
            attach,
            clock,
            tasks,
            proxy,
            router,
        }
    }

    /// Sends a request and returns as soon as the head of the answer is here.
    pub(crate) async fn open(
        &self,
        request: Request<axum::body::Body>,
    ) -> Response<axum::body::Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<axum::body::Body>) -> Answer {
        let (parts, body) = self.open(request).await.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// Opens a session and returns the id the caller sees.
    pub(crate) async fn session(&self, capabilities: &str) -> String {
        let headers = [JSON, ("mcp-session-id", "raw-upstream-id")];
        self.forward
            .text(200, &headers, r#"{"jsonrpc":"2.0","id":0,"result":{}}"#);
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{capabilities}}}}}"#
        );
        let answer = self.send(post(&body)).await;
        answer.header("mcp-session-id").unwrap().to_owned()
    }
}

// === impl FakeAttach ===

impl FakeAttach {
    pub(crate) fn attached(&self, next: Result<Attachment, Missing>) {
        self.state.lock().unwrap().attached.push_back(next);
    }

    pub(crate) fn after_refusal(&self, next: Result<Attachment, Missing>) {
        self.state.lock().unwrap().after_refusal.push_back(next);
    }

    /// Who asked for something to attach.
    pub(crate) fn askers(&self) -> Vec<Asker> {
        self.state.lock().unwrap().askers.clone()
    }

    pub(crate) fn refusals(&self) -> Vec<(Option<TokenMark>, Refusal)> {
        self.state.lock().unwrap().refusals.clone()
    }
}

#[async_trait]
impl Attach for FakeAttach {
    async fn attach(&self, _: &Server, asker: &Asker) -> Result<Attachment, Missing> {
        self.state.lock().unwrap().askers.push(asker.clone());
        let next = self.state.lock().unwrap().attached.pop_front();
        next.unwrap_or_else(|| Ok(bearer(1)))
    }

    async fn refused(
        &self,
        _: &Server,
        _: &Asker,
        used: &Attachment,
        refusal: &Refusal,
    ) -> Result<Attachment, Missing> {
        let mut state = self.state.lock().unwrap();
        state.refusals.push((used.mark, refusal.clone()));
        let next = state.after_refusal.pop_front();
        next.expect("nobody said what follows this refusal")
    }
}

pub(crate) fn bearer(number: u8) -> Attachment {
    let value = HeaderValue::from_str(&format!("Bearer vault-token-{number}")).unwrap();
    Attachment {
        headers: vec![(AUTHORIZATION, value)],
        mark: Some(TokenMark([number; 32])),
    }
}

pub(crate) fn needs_sign_in() -> Missing {
    Missing::NeedsSignIn {
        server: "notes".to_owned(),
        reason: None,
        link: LINK.to_owned(),
    }
}

impl Catalogue for Servers {
    fn find(&self, tenant: &TenantId, slug: &Slug) -> Option<Arc<Server>> {
        let mut servers = self.0.iter();
        servers
            .find(|one| one.tenant == *tenant && one.slug == *slug)
            .cloned()
    }
}

#[async_trait]
impl Verify for Tokens {
    async fn verify(&self, token: &Secret, _: Timestamp) -> Result<Verified, VerifyError> {
        let verified = |tenant: &str, user: &str, access| Verified {
            tenant: TenantId::parse(tenant).unwrap(),
            user: UserId::parse(user).unwrap(),
            client: Some("client-1".to_owned()),
            token: Some(format!("{user}-1")),
            scopes: ScopeSet::new(),
            access,
        };
        match token.expose() {
            "owner-token" => Ok(verified("default", "owner", Access::All)),
            "visitor-token" => Ok(verified("default", "visitor", Access::All)),
            "narrow-token" => Ok(verified(
                "default",
                "owner",
                Access::Servers(BTreeSet::from([ServerId::from_random([2; 16])])),
            )),
            "foreign-token" => Ok(verified("foreign", "owner", Access::All)),
            "unchecked-token" => Err(VerifyError::Unavailable),
            _ => Err(VerifyError::Unknown),
        }
    }
}

fn server(id: u8, slug: &str, url: &str) -> Arc<Server> {
    Arc::new(Server {
        id: ServerId::from_random([id; 16]),
        tenant: TenantId::default_tenant(),
        slug: Slug::parse(slug).unwrap(),
        display_name: slug.to_owned(),
        url: url.to_owned(),
        auth: Auth::None,
        allow_private: id == 2,
        enabled: true,
        created_at: Timestamp::from_secs(0),
        updated_at: Timestamp::from_secs(0),
    })
}

// === requests ===

pub(crate) fn request(method: &str, path: &str) -> request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("host", "127.0.0.1:7447")
        .header("authorization", "Bearer owner-token")
}

pub(crate) fn post(body: &str) -> Request<axum::body::Body> {
    post_with(body, &[])
}

pub(crate) fn post_with(body: &str, headers: &[(&str, &str)]) -> Request<axum::body::Body> {
    let mut builder = request("POST", "/notes/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder
        .body(axum::body::Body::from(body.to_owned()))
        .unwrap()
}

pub(crate) fn post_as(
    token: &str,
    body: &str,
    headers: &[(&str, &str)],
) -> Request<axum::body::Body> {
    let mut request = post_with(body, headers);
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    request.headers_mut().insert(AUTHORIZATION, value);
    request
}

pub(crate) fn modern_call() -> Request<axum::body::Body> {
    post_with(
        MODERN_CALL,
        &[
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "echo"),
        ],
    )
}

pub(crate) fn without_body(builder: request::Builder) -> Request<axum::body::Body> {
    builder.body(axum::body::Body::empty()).unwrap()
}

// === impl Answer ===

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, code: i64) -> Value {
        assert_eq!(self.status.as_u16(), status, "{:?}", self.body);
        let body = self.json();
        assert_eq!(body["error"]["code"], code, "{body}");
        body
    }
}
