//! A fetch that answers from a script and remembers what it was asked.

use core::fmt;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use claviger_ports::{Fetch, FetchError, FetchRequest, FetchResponse, Reach, Sink};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use url::form_urlencoded;

use crate::Gate;

/// Answers by method and URL; an unexpected request panics.
#[derive(Default)]
pub struct ScriptedFetch {
    state: Mutex<State>,
}

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// What it was for.
    pub sink: Sink,
    /// The method.
    pub method: Method,
    /// The URL as given.
    pub url: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; empty if there was none.
    pub body: Bytes,
    /// How far it was allowed to reach.
    pub reach: Reach,
}

type Answer = Result<FetchResponse, FetchError>;
type Responder = Arc<dyn Fn(&Recorded) -> Answer + Send + Sync>;

#[derive(Default)]
struct State {
    routes: Vec<Route>,
    requests: Vec<Recorded>,
}

struct Route {
    method: Method,
    url: String,
    once: VecDeque<(Responder, Option<Gate>)>,
    always: Option<(Responder, Option<Gate>)>,
}

// === impl ScriptedFetch ===

impl ScriptedFetch {
    /// Expects nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers the next request to this URL; several calls queue up.
    pub fn once(&self, method: Method, url: &str, answer: Answer) -> &Self {
        self.push(method, url, (fixed(answer), None));
        self
    }

    /// Answers the next request to this URL as soon as the gate is open.
    pub fn once_behind(&self, gate: &Gate, method: Method, url: &str, answer: Answer) -> &Self {
        self.push(method, url, (fixed(answer), Some(gate.clone())));
        self
    }

    /// Answers every request to this URL that no queued answer takes.
    pub fn always(&self, method: Method, url: &str, answer: Answer) -> &Self {
        self.route(method, url, |route| {
            route.always = Some((fixed(answer), None));
        });
        self
    }

    /// Answers every such request by asking `responder`, which sees the request.
    pub fn with(
        &self,
        method: Method,
        url: &str,
        responder: impl Fn(&Recorded) -> Answer + Send + Sync + 'static,
    ) -> &Self {
        self.route(method, url, |route| {
            route.always = Some((Arc::new(responder), None));
        });
        self
    }

    /// `GET` of this URL always gives this JSON with status 200.
    pub fn document(&self, url: &str, document: &Value) -> &Self {
        self.always(Method::GET, url, json_answer(200, document))
    }

    /// All requests so far, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state().requests.clone()
    }

    /// The requests so far to this URL.
    pub fn requests_to(&self, url: &str) -> Vec<Recorded> {
        let mut requests = self.requests();
        requests.retain(|request| request.url == url);
        requests
    }

    /// Panics unless every queued answer was taken.
    #[track_caller]
    pub fn assert_drained(&self) {
        for route in &self.state().routes {
            assert!(
                route.once.is_empty(),
                "{} answers for {} {} were never asked for",
                route.once.len(),
                route.method,
                route.url
            );
        }
    }

    fn push(&self, method: Method, url: &str, answer: (Responder, Option<Gate>)) {
        self.route(method, url, |route| route.once.push_back(answer));
    }

    fn route(&self, method: Method, url: &str, change: impl FnOnce(&mut Route)) {
        let mut state = self.state();
        let known = state
            .routes
            .iter()
            .position(|route| route.method == method && route.url == url);
        let at = known.unwrap_or_else(|| {
            state.routes.push(Route {
                method,
                url: url.to_owned(),
                once: VecDeque::new(),
                always: None,
            });
            state.routes.len() - 1
        });
        if let Some(route) = state.routes.get_mut(at) {
            change(route);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no request was unexpected so far; see the first panic")
    }

    fn take(&self, request: &Recorded) -> Option<(Responder, Option<Gate>)> {
        let mut state = self.state();
        state.requests.push(request.clone());
        let route = state
            .routes
            .iter_mut()
            .find(|route| route.method == request.method && route.url == request.url)?;
        route.once.pop_front().or_else(|| route.always.clone())
    }

    fn script(&self) -> String {
        let state = self.state();
        let lines: Vec<String> = state
            .routes
            .iter()
            .map(|route| {
                let always = if route.always.is_some() {
                    " and always"
                } else {
                    ""
                };
                format!(
                    "  {} {} ({} queued{always})",
                    route.method,
                    route.url,
                    route.once.len()
                )
            })
            .collect();
        lines.join("\n")
    }
}

#[async_trait]
impl Fetch for ScriptedFetch {
    async fn fetch(&self, request: FetchRequest, reach: &Reach) -> Answer {
        let recorded = Recorded {
            sink: request.sink,
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body.unwrap_or_default(),
            reach: reach.clone(),
        };
        let Some((responder, gate)) = self.take(&recorded) else {
            panic!(
                "nobody scripted an answer to {} {} ({:?}); the script knows:\n{}",
                recorded.method,
                recorded.url,
                recorded.sink,
                self.script()
            );
        };
        if let Some(gate) = gate {
            gate.pass().await;
        }
        responder(&recorded)
    }
}

impl fmt::Debug for ScriptedFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedFetch").finish_non_exhaustive()
    }
}

// === impl Recorded ===

impl Recorded {
    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.body).expect("the request's body is text")
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the request's body is JSON")
    }

    /// The body's form fields, in order, doubled ones included.
    pub fn form(&self) -> Vec<(String, String)> {
        form_pairs(&self.body)
    }

    /// The form field `name`; panics if it is there twice.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<String> {
        let mut values = self.form().into_iter().filter(|(key, _)| key == name);
        let value = values.next().map(|(_, value)| value);
        assert!(values.next().is_none(), "the form has `{name}` twice");
        value
    }

    /// The header `name` as text.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        Some(value.to_str().expect("the header is text"))
    }
}

/// Form fields of a body or query, in order, doubled ones included.
pub fn form_pairs(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form).into_owned().collect()
}

/// A JSON answer.
pub fn json_answer(status: u16, document: &Value) -> Answer {
    text_answer(
        status,
        &[("content-type", "application/json")],
        &document.to_string(),
    )
}

/// An answer with these headers and this text.
pub fn text_answer(status: u16, headers: &[(&str, &str)], text: &str) -> Answer {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::try_from(*name).expect("the script's header name is valid"),
            HeaderValue::try_from(*value).expect("the script's header value is valid"),
        );
    }
    let length = HeaderValue::from(text.len());
    map.insert(header::CONTENT_LENGTH, length);
    Ok(FetchResponse {
        status: StatusCode::from_u16(status).expect("the script's status is valid"),
        headers: map,
        body: Bytes::copy_from_slice(text.as_bytes()),
    })
}

fn fixed(answer: Answer) -> Responder {
    Arc::new(move |_| answer.clone())
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use claviger_ports::{Fetch, FetchError, FetchRequest, Reach, Sink};
    use futures_util::FutureExt;
    use http::Method;
    use serde_json::json;

    use super::{ScriptedFetch, json_answer, text_answer};
    use crate::Gate;

    const URL: &str = "https://issuer.example/token";

    #[tokio::test]
    async fn queued_answers_come_before_the_standing_one() {
        let fetch = ScriptedFetch::new();
        fetch
            .once(Method::POST, URL, Err(FetchError::Timeout))
            .once(Method::POST, URL, text_answer(503, &[], "later"))
            .always(Method::POST, URL, json_answer(200, &json!({"a": 1})));
        let post = || FetchRequest::post(Sink::Token, URL, "grant_type=x&a=b%20c");
        let reach = Reach::public().with_private_host("localhost");
        assert_eq!(
            fetch.fetch(post(), &reach).await.unwrap_err(),
            FetchError::Timeout
        );
        assert_eq!(fetch.fetch(post(), &reach).await.unwrap().status, 503);
        assert_eq!(
            fetch.fetch(post(), &reach).await.unwrap().body,
            r#"{"a":1}"#
        );
        fetch.assert_drained();
        let requests = fetch.requests_to(URL);
        assert_eq!(requests.len(), 3);
        let first = requests.first().unwrap();
        assert_eq!(first.field("a").as_deref(), Some("b c"));
        assert_eq!(first.reach, reach);
    }

    #[tokio::test]
    async fn a_responder_sees_the_request() {
        let fetch = ScriptedFetch::new();
        fetch.with(Method::POST, URL, |request| {
            text_answer(200, &[], &request.field("code").unwrap_or_default())
        });
        let request = FetchRequest::post(Sink::Token, URL, "code=xyz");
        let answer = fetch.fetch(request, &Reach::public()).await.unwrap();
        assert_eq!(answer.body, "xyz");
    }

    #[tokio::test]
    async fn a_gate_holds_the_answer_back() {
        let (fetch, gate) = (ScriptedFetch::new(), Gate::closed());
        fetch.once_behind(&gate, Method::GET, URL, text_answer(200, &[], ""));
        let reach = Reach::public();
        let mut held = fetch.fetch(FetchRequest::get(Sink::KeySet, URL), &reach);
        assert!((&mut held).now_or_never().is_none());
        gate.arrived(1).await;
        gate.open();
        assert_eq!(held.await.unwrap().status, 200);
    }

    #[tokio::test]
    async fn an_unexpected_request_panics_and_names_itself() {
        let fetch = ScriptedFetch::new();
        let reach = Reach::public();
        let request = FetchRequest::get(Sink::KeySet, "https://nobody.example/");
        let panic = AssertUnwindSafe(fetch.fetch(request, &reach))
            .catch_unwind()
            .await
            .unwrap_err();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("GET https://nobody.example/"), "{text}");
    }
}
