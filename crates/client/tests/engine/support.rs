//! A world of scripted places, driven step by step without a runtime.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use claviger_client::{
    Authorization, Authorize, ClientInformation, Discover, DiscoverError, Discovered, Discovery,
    Event, Machine, Need, PendingAuthorization, Quirks, ScopeWish, Start, Step, authorize,
    choose_scopes, discover,
};
use claviger_model::{RegistrationOrigin, Timestamp};
use claviger_ports::{FetchError, FetchRequest, FetchResponse, Sink};
use claviger_wire::BearerChallenge;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const SERVER: &str = "https://mcp.example/a/mcp";
pub(crate) const PRM: &str = "https://mcp.example/.well-known/oauth-protected-resource/a/mcp";
pub(crate) const PRM_ROOT: &str = "https://mcp.example/.well-known/oauth-protected-resource";
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const META: &str = "https://issuer.example/.well-known/oauth-authorization-server";
pub(crate) const OIDC: &str = "https://issuer.example/.well-known/openid-configuration";
pub(crate) const TOKEN: &str = "https://issuer.example/token";
pub(crate) const REGISTER: &str = "https://issuer.example/register";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:7448/callback/c1";

type Answer = Result<FetchResponse, FetchError>;

/// Places that answer; every other place says 404.
#[derive(Default)]
pub(crate) struct World {
    routes: Vec<(Method, String, RefCell<Vec<Answer>>)>,
    seen: RefCell<Vec<Seen>>,
}

/// One request as it arrived.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) sink: Sink,
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

// === impl World ===

impl World {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A server and its issuer as the RFCs want them.
    pub(crate) fn usual() -> Self {
        Self::new().get(PRM, &prm()).get(META, &metadata(ISSUER))
    }

    /// `GET` gives this document.
    pub(crate) fn get(self, url: &str, document: &Value) -> Self {
        self.raw(Method::GET, url, 200, &[JSON], &document.to_string())
    }

    /// The next `POST` gives this; the last one goes on.
    pub(crate) fn post(self, url: &str, status: u16, document: &Value) -> Self {
        self.raw(Method::POST, url, status, &[JSON], &document.to_string())
    }

    pub(crate) fn raw(
        self,
        method: Method,
        url: &str,
        status: u16,
        headers: &[(&str, &str)],
        text: &str,
    ) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::try_from(*value).unwrap(),
            );
        }
        self.answer(
            method,
            url,
            Ok(FetchResponse {
                status: StatusCode::from_u16(status).unwrap(),
                headers: map,
                body: Bytes::copy_from_slice(text.as_bytes()),
            }),
        )
    }

    pub(crate) fn status(self, url: &str, status: u16) -> Self {
        self.raw(Method::GET, url, status, &[], "")
    }

    pub(crate) fn fail(self, method: Method, url: &str, error: FetchError) -> Self {
        self.answer(method, url, Err(error))
    }

    fn answer(mut self, method: Method, url: &str, answer: Answer) -> Self {
        let known = self
            .routes
            .iter()
            .find(|(one, place, _)| *one == method && place == url);
        if let Some((_, _, answers)) = known {
            answers.borrow_mut().push(answer);
        } else {
            let answers = RefCell::new(vec![answer]);
            self.routes.push((method, url.to_owned(), answers));
        }
        self
    }

    fn serve(&self, request: &FetchRequest) -> Answer {
        self.seen.borrow_mut().push(Seen {
            sink: request.sink,
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone().unwrap_or_default(),
        });
        let route = self
            .routes
            .iter()
            .find(|(method, url, _)| *method == request.method && *url == request.url);
        let Some((_, _, answers)) = route else {
            return Ok(FetchResponse {
                status: StatusCode::NOT_FOUND,
                headers: HeaderMap::new(),
                body: Bytes::new(),
            });
        };
        let mut answers = answers.borrow_mut();
        if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        }
    }

    /// Runs an errand to its end.
    pub(crate) fn run<T: Clone>(&self, machine: &mut Machine<T>) -> T {
        for _ in 0..100 {
            match machine.step(Timestamp::from_secs(NOW)) {
                Step::Done(end) => return end,
                Step::Need(Need::Http(request)) => {
                    let answer = self.serve(&request);
                    machine.answer(answer);
                }
                Step::Need(other) => panic!("{other:?}"),
            }
        }
        panic!("the errand does not end");
    }

    pub(crate) fn discover(&self, input: Discover) -> Result<Discovery, DiscoverError> {
        self.run(&mut discover(input))
    }

    /// Discovers and expects an issuer.
    pub(crate) fn discovered(&self, input: Discover) -> Discovered {
        match self.discover(input).unwrap() {
            Discovery::SignIn(found) => *found,
            other => panic!("{other:?}"),
        }
    }

    /// Discovers and gives what happened as well.
    pub(crate) fn discover_told(
        &self,
        input: Discover,
    ) -> (Result<Discovery, DiscoverError>, Vec<Event>) {
        let mut machine = discover(input);
        let end = self.run(&mut machine);
        (end, machine.drain_events())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.url).collect()
    }
}

// === impl Seen ===

impl Seen {
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let mut values = form_urlencoded::parse(&self.body).filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value.into_owned());
        assert!(values.next().is_none(), "`{name}` stands there twice");
        value
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) fn quirks() -> Arc<Quirks> {
    Arc::new(Quirks::none())
}

pub(crate) fn quirks_of(host: &str, lines: &str) -> Arc<Quirks> {
    let text = format!("[[issuer]]\nhosts=[\"{host}\"]\n{lines}\n");
    Arc::new(Quirks::none().with_overrides(&text).unwrap())
}

/// A discovery that begins at the well-known places.
pub(crate) fn input() -> Discover {
    Discover {
        start: Start::WellKnown,
        ..Discover::new(SERVER, quirks())
    }
}

pub(crate) fn challenged(header: &str) -> Discover {
    Discover {
        start: Start::Challenge(BearerChallenge::parse([header]).value.unwrap()),
        ..input()
    }
}

pub(crate) fn prm() -> Value {
    json!({ "resource": SERVER, "authorization_servers": [ISSUER] })
}

pub(crate) fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "registration_endpoint": format!("{issuer}/register"),
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
    })
}

/// The same document with other members.
pub(crate) fn with(mut document: Value, members: &Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        document[name] = value.clone();
    }
    document
}

/// What the usual world gives.
pub(crate) fn found() -> Discovered {
    World::usual().discovered(input())
}

/// The same with other members in the issuer's metadata.
pub(crate) fn found_with(members: &Value) -> Discovered {
    let world = World::new()
        .get(PRM, &prm())
        .get(META, &with(metadata(ISSUER), members));
    world.discovered(input())
}

pub(crate) fn public_client() -> ClientInformation {
    ClientInformation {
        redirect_uri: Some(REDIRECT.to_owned()),
        ..ClientInformation::public(ISSUER, "client-1", RegistrationOrigin::Dynamic)
    }
}

/// An authorization request in the usual way.
pub(crate) fn begun(
    discovered: &Discovered,
    client: &ClientInformation,
    quirks: &Quirks,
) -> Authorization {
    let input = Authorize {
        discovered,
        client,
        redirect_uri: REDIRECT,
        scopes: choose_scopes(&ScopeWish::default(), discovered),
        is_first: true,
        state: [1; 32],
        verifier: [2; 32],
    };
    authorize(&input, quirks).unwrap()
}

pub(crate) fn pending() -> PendingAuthorization {
    begun(&found(), &public_client(), &Quirks::none()).pending
}

/// The parameters of a URL.
pub(crate) fn param(url: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(url).unwrap();
    let mut values = url.query_pairs().filter(|(key, _)| key == name);
    let value = values.next().map(|(_, value)| value.into_owned());
    assert!(values.next().is_none(), "`{name}` stands there twice");
    value
}

pub(crate) fn tokens() -> Value {
    json!({ "access_token": "at-1", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "rt-1" })
}

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const HTML: (&str, &str) = ("content-type", "text/html");
