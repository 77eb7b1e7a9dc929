//! Plain HTTP/1.1 with nothing done behind the test's back: no redirects, no cookies, no retries.

use core::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
pub(crate) use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::timeout;
use url::Url;

const PATIENCE: Duration = Duration::from_secs(15);

/// An answer that has been read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// A header as text, if it is there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON, whether it came as a document or as the last event of a stream.
    pub(crate) fn json(&self) -> Value {
        let text = self
            .text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("data:"))
            .unwrap_or(&self.text);
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn ask(request: Request<Full<Bytes>>) -> Answer {
    let response = ask_streaming(request).await;
    let (parts, body) = response.into_parts();
    let body = timeout(PATIENCE, body.collect())
        .await
        .expect("the answer ends")
        .expect("the answer can be read");
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
    }
}

/// Sends a request and leaves the body to the test.
pub(crate) async fn ask_streaming(request: Request<Full<Bytes>>) -> http::Response<Incoming> {
    let what = format!("{} {}", request.method(), request.uri());
    let client = Client::builder(TokioExecutor::new()).build_http();
    timeout(PATIENCE, client.request(request))
        .await
        .unwrap_or_else(|_| panic!("no answer to {what}"))
        .unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// A GET without anything.
pub(crate) fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).body(Full::default()).unwrap()
}

/// One stateful-era MCP request, as a client of 2025-11-25 sends it.
pub(crate) fn rpc(
    url: &str,
    token: Option<&str>,
    method: &str,
    params: &Value,
) -> Request<Full<Bytes>> {
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let mut request = Request::post(url)
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(header::CONTENT_TYPE, "application/json")
        .header("mcp-protocol-version", "2025-11-25");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Full::from(body.to_string())).unwrap()
}

/// Follows redirects as a browser does, until a page says something.
pub(crate) async fn browse(start: &str) -> Answer {
    let mut url = Url::parse(start).unwrap();
    for _ in 0..10 {
        let answer = ask(get(url.as_str())).await;
        match answer.header("location") {
            Some(location) if answer.status.is_redirection() => url = url.join(location).unwrap(),
            _ => return answer,
        }
    }
    panic!("too many redirects from {start}");
}
