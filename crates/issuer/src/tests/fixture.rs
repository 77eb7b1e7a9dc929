//! An issuer with a fixed time, seeded randomness and a person who agrees.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ::http::{HeaderMap, HeaderValue, header};
use async_trait::async_trait;
use claviger_crypto::{MacKey, Secret, base64_encode, pkce_challenge};
use claviger_model::{Timestamp, UserId};
use claviger_testkit::SeededEntropy;
use claviger_wire::ScopeSet;
use serde_json::{Value, json};

use crate::memory::MemoryStore;
use crate::{
    Approval, Approve, Ask, AuthorizeAnswer, AuthorizeRequest, ConsentRequest, DecideAnswer,
    DecideRequest, EndpointError, FormRequest, Issuer, IssuerDoors, IssuerEvent, IssuerSettings,
    Observe, PageProblem, ProtectedResource, RateLimit, RegisterRequest, TokenAnswer, Visit,
    Visitor,
};

pub(super) const ISSUER: &str = "https://as.example";
pub(super) const RESOURCE: &str = "https://a.example/mcp";
pub(super) const OTHER: &str = "https://a.example/other";
pub(super) const REDIRECT: &str = "http://127.0.0.1:7000/cb";
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub(super) fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Agrees to everything, until they leave.
#[derive(Default)]
pub(super) struct Person {
    is_gone: AtomicBool,
    visitor: Mutex<Option<Visitor>>,
}

impl Person {
    pub(super) fn is(&self, visitor: Visitor) {
        *self.visitor.lock().unwrap() = Some(visitor);
    }

    pub(super) fn leave(&self) {
        self.is_gone.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Approve for Person {
    async fn approve(&self, request: &ConsentRequest, _now: Timestamp) -> Approval {
        Approval::Granted {
            user: UserId::owner(),
            // More than was asked for must not come out.
            scopes: request.scopes.union(&ScopeSet::parse_lossy("root")),
        }
    }

    async fn visitor(&self, _visit: &Visit<'_>, _now: Timestamp) -> Visitor {
        let visitor = self.visitor.lock().unwrap().clone();
        visitor.unwrap_or(Visitor::Anybody)
    }

    async fn may_go_on(&self, _user: &UserId, _client_id: &str) -> bool {
        !self.is_gone.load(Ordering::SeqCst)
    }
}

#[derive(Default)]
pub(super) struct Heard(Mutex<Vec<IssuerEvent>>);

impl Observe for Heard {
    fn observe(&self, event: IssuerEvent) {
        self.0.lock().unwrap().push(event);
    }
}

impl Heard {
    pub(super) fn count(&self, event: IssuerEvent) -> usize {
        let heard = self.0.lock().unwrap();
        heard.iter().filter(|one| **one == event).count()
    }
}

pub(super) struct Fixture {
    pub(super) issuer: Arc<Issuer>,
    pub(super) heard: Arc<Heard>,
    pub(super) store: Arc<MemoryStore>,
    pub(super) person: Arc<Person>,
}

/// A client as it knows itself.
pub(super) struct Known {
    pub(super) id: String,
    pub(super) secret: Option<String>,
}

pub(super) fn settings() -> IssuerSettings {
    let resource = |resource: &str| ProtectedResource {
        resource: resource.to_owned(),
        scopes: ScopeSet::parse_lossy("read write"),
        scopes_default: ScopeSet::parse_lossy("read"),
    };
    let mut settings = IssuerSettings::new(ISSUER, resource(RESOURCE));
    // The limits have tests of their own.
    let unlimited = RateLimit::per_minute(u32::MAX);
    settings.limits.register_total = unlimited;
    settings.limits.token_of_client = unlimited;
    settings.resources.push(resource(OTHER));
    settings
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(settings())
    }

    pub(super) fn with(settings: IssuerSettings) -> Self {
        Self::build(settings, |issuer| issuer)
    }

    pub(super) fn build(settings: IssuerSettings, more: impl FnOnce(Issuer) -> Issuer) -> Self {
        let heard = Arc::new(Heard::default());
        let store = Arc::new(MemoryStore::default());
        let person = Arc::new(Person::default());
        let doors = IssuerDoors {
            store: Arc::<MemoryStore>::clone(&store),
            entropy: Arc::new(SeededEntropy::new(7)),
            approve: Arc::<Person>::clone(&person),
            observe: Arc::<Heard>::clone(&heard),
        };
        let issuer = Issuer::new(settings, doors, MacKey::new([9; 32])).unwrap();
        Self {
            issuer: Arc::new(more(issuer)),
            heard,
            store,
            person,
        }
    }

    pub(super) async fn register(&self, metadata: Value) -> Result<Value, EndpointError> {
        let body = metadata.to_string();
        let headers = HeaderMap::new();
        let request = RegisterRequest {
            headers: &headers,
            body: body.as_bytes(),
            address: None,
        };
        let registered = self.issuer.register(&request, at(0)).await?;
        Ok(registered.body())
    }

    pub(super) async fn client(&self, method: &str) -> Known {
        let metadata = json!({
            "redirect_uris": [REDIRECT],
            "client_name": "Editor",
            "token_endpoint_auth_method": method,
        });
        let body = self.register(metadata).await.unwrap();
        Known {
            id: body["client_id"].as_str().unwrap().to_owned(),
            secret: body["client_secret"].as_str().map(str::to_owned),
        }
    }

    pub(super) async fn visit(&self, query: &str) -> AuthorizeAnswer {
        let request = AuthorizeRequest {
            query,
            cookies: Vec::new(),
            fetch_site: None,
            address: None,
        };
        self.issuer.authorize(&request, at(0)).await
    }

    pub(super) async fn ask(&self, query: &str) -> Box<Ask> {
        match self.visit(query).await {
            AuthorizeAnswer::Ask(ask) => ask,
            other => panic!("not asked: {other:?}"),
        }
    }

    /// The error at the redirect URI.
    pub(super) async fn refused(&self, query: &str) -> BTreeMap<String, String> {
        match self.visit(query).await {
            AuthorizeAnswer::Redirect(redirect) => answer(redirect.location().expose()),
            other => panic!("not redirected: {other:?}"),
        }
    }

    pub(super) async fn problem(&self, query: &str) -> PageProblem {
        match self.visit(query).await {
            AuthorizeAnswer::Problem(problem) => problem,
            other => panic!("no problem: {other:?}"),
        }
    }

    pub(super) async fn decide(&self, ask: &Ask, decision: &str) -> DecideAnswer {
        self.decide_at(ask, decision, 0).await
    }

    pub(super) async fn decide_at(&self, ask: &Ask, decision: &str, now: i64) -> DecideAnswer {
        let body = form(&[
            ("pending_id", &ask.form.pending_id),
            ("csrf", ask.form.csrf.expose()),
            ("decision", decision),
        ]);
        let request = DecideRequest {
            body: body.as_bytes(),
            cookies: vec![(&ask.cookie_name, ask.cookie.clone())],
            fetch_site: Some("same-origin"),
        };
        self.issuer.decide(&request, at(now)).await
    }

    pub(super) async fn code(&self, client: &Known) -> String {
        self.code_for(client, &[]).await
    }

    pub(super) async fn code_for(&self, client: &Known, more: &[(&str, &str)]) -> String {
        let ask = self.ask(&query(client, more)).await;
        match self.decide(&ask, "approve").await {
            DecideAnswer::Redirect { redirect, .. } => {
                answer(redirect.location().expose())["code"].clone()
            }
            other => panic!("no code: {other:?}"),
        }
    }

    pub(super) async fn post(
        &self,
        headers: &HeaderMap,
        fields: &[(&str, &str)],
        now: i64,
    ) -> Result<TokenAnswer, EndpointError> {
        let body = form(fields);
        let request = FormRequest {
            headers,
            query: None,
            body: body.as_bytes(),
            address: None,
        };
        self.issuer.token(&request, at(now)).await
    }

    pub(super) async fn redeem(
        &self,
        client: &Known,
        code: &str,
        now: i64,
    ) -> Result<TokenAnswer, EndpointError> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_id", &client.id),
        ];
        self.post(&form_headers(), &fields, now).await
    }

    /// A public client, signed in at second 0.
    pub(super) async fn signed_in(&self) -> (Known, TokenAnswer) {
        let client = self.client("none").await;
        let code = self.code(&client).await;
        let tokens = self.redeem(&client, &code, 0).await.unwrap();
        (client, tokens)
    }

    pub(super) async fn refresh(
        &self,
        client: &Known,
        token: &Secret,
        more: &[(&str, &str)],
        now: i64,
    ) -> Result<TokenAnswer, EndpointError> {
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", token.expose()),
            ("client_id", &client.id),
        ];
        fields.extend_from_slice(more);
        self.post(&form_headers(), &fields, now).await
    }

    pub(super) async fn is_live(&self, token: &Secret, now: i64) -> bool {
        self.issuer.verify(token, RESOURCE, at(now)).await.is_ok()
    }

    pub(super) async fn revoke(
        &self,
        client: &Known,
        fields: &[(&str, &str)],
    ) -> Result<(), EndpointError> {
        let mut fields = fields.to_vec();
        fields.push(("client_id", &client.id));
        let body = form(&fields);
        let request = FormRequest {
            headers: &form_headers(),
            query: None,
            body: body.as_bytes(),
            address: None,
        };
        self.issuer.revoke(&request, at(1)).await
    }
}

pub(super) fn form_headers() -> HeaderMap {
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    HeaderMap::from_iter([(header::CONTENT_TYPE, kind)])
}

pub(super) fn basic_headers(id: &str, secret: &str) -> HeaderMap {
    let mut headers = form_headers();
    let value = format!(
        "Basic {}",
        base64_encode(format!("{id}:{secret}").as_bytes())
    );
    headers.insert(
        header::AUTHORIZATION,
        HeaderValue::from_str(&value).unwrap(),
    );
    headers
}

pub(super) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

/// An authorization request; a field of `more` replaces ours, an empty one removes it.
pub(super) fn query(client: &Known, more: &[(&str, &str)]) -> String {
    let challenge = pkce_challenge(VERIFIER);
    let mut fields = BTreeMap::from([
        ("response_type", "code"),
        ("client_id", client.id.as_str()),
        ("redirect_uri", REDIRECT),
        ("state", "s t&="),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("resource", RESOURCE),
    ]);
    fields.extend(more.iter().copied());
    let fields: Vec<_> = fields
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    form(&fields)
}

pub(super) fn answer(location: &str) -> BTreeMap<String, String> {
    let (front, query) = location.split_once('?').unwrap();
    assert_eq!(front, REDIRECT);
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
    // A065: exactly one `iss`, and nothing twice.
    assert_eq!(map.len(), pairs.len());
    assert_eq!(map["iss"], ISSUER);
    map
}
