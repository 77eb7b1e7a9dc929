//! A forward that answers from a script, event by event if the test wants it.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use claviger_ports::{Body, BoxError, Forward, ForwardError, Reach, full_body};
use futures_util::Stream;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;

use crate::Gate;

/// Answers forwarded requests in the order of its script; an unexpected request panics.
#[derive(Default)]
pub struct FakeForward {
    state: Mutex<State>,
}

/// One forwarded request as it arrived, its body read to the end.
#[derive(Debug, Clone)]
pub struct Forwarded {
    /// The method.
    pub method: Method,
    /// The absolute URI.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; what arrived of it, if it broke off.
    pub body: Bytes,
    /// How far it was allowed to reach.
    pub reach: Reach,
}

/// The test's end of a response that is still being written.
#[derive(Debug)]
pub struct Streamed {
    chunks: mpsc::Sender<Result<Bytes, BoxError>>,
}

struct Chunks(mpsc::Receiver<Result<Bytes, BoxError>>);

type Answer = Result<Response<Body>, ForwardError>;

#[derive(Default)]
struct State {
    script: VecDeque<(Answer, Option<Gate>)>,
    requests: Vec<Forwarded>,
}

// === impl FakeForward ===

impl FakeForward {
    /// Expects nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers the next request with this response.
    pub fn respond(&self, response: Response<Body>) -> &Self {
        self.push(Ok(response), None)
    }

    /// Answers the next request with this status, these headers and this text.
    pub fn text(&self, status: u16, headers: &[(&str, &str)], text: &str) -> &Self {
        let body = full_body(text.to_owned());
        self.push(Ok(response(status, headers, body)), None)
    }

    /// Holds the next answer back until the gate is open.
    pub fn text_behind(&self, gate: &Gate, status: u16, text: &str) -> &Self {
        let body = full_body(text.to_owned());
        self.push(Ok(response(status, &[], body)), Some(gate.clone()))
    }

    /// Fails the next request.
    pub fn fail(&self, error: ForwardError) -> &Self {
        self.push(Err(error), None)
    }

    /// Answers the next request with a body the test writes chunk by chunk.
    pub fn stream(&self, status: u16, headers: &[(&str, &str)]) -> Streamed {
        let (chunks, received) = mpsc::channel(16);
        let body = StreamBody::new(Chunks(received)).boxed_unsync();
        self.push(Ok(response(status, headers, body)), None);
        Streamed { chunks }
    }

    /// The next response of the script itself, for a test that serves it by other means.
    #[track_caller]
    pub fn take_response(&self) -> Response<Body> {
        let next = self.state().script.pop_front();
        let (answer, _) = next.expect("a response is scripted");
        answer.expect("a response is scripted, not a failure")
    }

    /// All requests so far, oldest first.
    pub fn requests(&self) -> Vec<Forwarded> {
        self.state().requests.clone()
    }

    /// The only request so far; panics if there were none or more.
    #[track_caller]
    pub fn only_request(&self) -> Forwarded {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "expected exactly one forwarded request");
        requests.pop().expect("there is one")
    }

    fn push(&self, answer: Answer, gate: Option<Gate>) -> &Self {
        self.state().script.push_back((answer, gate));
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no request was unexpected so far; see the first panic")
    }
}

#[async_trait]
impl Forward for FakeForward {
    async fn forward(&self, request: Request<Body>, reach: &Reach) -> Answer {
        let (parts, mut body) = request.into_parts();
        let mut read = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data() {
                read.extend_from_slice(&data);
            }
        }
        let forwarded = Forwarded {
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            body: Bytes::from(read),
            reach: reach.clone(),
        };
        let (asked, next) = {
            let mut state = self.state();
            let asked = format!("{} {}", forwarded.method, forwarded.uri);
            state.requests.push(forwarded);
            (asked, state.script.pop_front())
        };
        let Some((answer, gate)) = next else {
            panic!("nobody scripted an answer to {asked}");
        };
        if let Some(gate) = gate {
            gate.pass().await;
        }
        answer
    }
}

impl fmt::Debug for FakeForward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeForward").finish_non_exhaustive()
    }
}

// === impl Forwarded ===

impl Forwarded {
    /// The header `name` as text.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        Some(value.to_str().expect("the header is text"))
    }
}

// === impl Streamed ===

impl Streamed {
    /// Writes a chunk; panics if the reader is gone.
    pub async fn send(&self, chunk: impl Into<Bytes>) {
        self.chunks
            .send(Ok(chunk.into()))
            .await
            .expect("somebody still reads the streamed body");
    }

    /// Breaks the body off.
    pub async fn break_off(self) {
        self.chunks
            .send(Err("the scripted body broke off".into()))
            .await
            .expect("somebody still reads the streamed body");
    }

    /// Waits until the reader dropped the body.
    pub async fn dropped(&self) {
        self.chunks.closed().await;
    }

    /// Whether the reader dropped the body.
    pub fn is_dropped(&self) -> bool {
        self.chunks.is_closed()
    }
}

// === impl Chunks ===

impl Stream for Chunks {
    type Item = Result<Frame<Bytes>, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0
            .poll_recv(cx)
            .map(|next| next.map(|chunk| chunk.map(Frame::data)))
    }
}

fn response(status: u16, headers: &[(&str, &str)], body: Body) -> Response<Body> {
    let mut response = Response::builder()
        .status(StatusCode::from_u16(status).expect("the script's status is valid"));
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body).expect("the script's headers are valid")
}

#[cfg(test)]
mod tests {
    use claviger_ports::{Forward, Reach, full_body};
    use http::Request;
    use http_body_util::BodyExt;

    use super::FakeForward;

    #[tokio::test]
    async fn streams_chunk_by_chunk_and_notices_a_dropped_body() {
        let forward = FakeForward::new();
        let stream = forward.stream(200, &[("content-type", "text/event-stream")]);
        let request = Request::post("https://up.example/mcp")
            .body(full_body("ask"))
            .unwrap();
        let answer = forward.forward(request, &Reach::public()).await.unwrap();
        assert_eq!(forward.only_request().body, "ask");
        let mut body = answer.into_body();
        stream.send("one").await;
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one");
        assert!(!stream.is_dropped());
        drop(body);
        stream.dropped().await;
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_an_error() {
        let forward = FakeForward::new();
        let stream = forward.stream(200, &[]);
        let request = Request::get("https://up.example/mcp")
            .body(full_body(""))
            .unwrap();
        let answer = forward.forward(request, &Reach::public()).await.unwrap();
        stream.break_off().await;
        answer.into_body().collect().await.unwrap_err();
    }
}
