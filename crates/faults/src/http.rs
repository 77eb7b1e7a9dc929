//! Plain HTTP/1.1 that reports what went wrong instead of failing.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::timeout;
use url::Url;

/// An answer that has been read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// Whether a tool did what it was asked.
    pub(crate) fn is_done(&self) -> bool {
        let text = self.text.lines().rev();
        let event = text.clone().find_map(|line| line.strip_prefix("data:"));
        let value: Value = serde_json::from_str(event.unwrap_or(&self.text)).unwrap_or_default();
        let result = &value["result"];
        self.status.is_success() && result["content"].is_array() && result["isError"] != true
    }
}

/// Sends a request and reads the answer to its end.
pub(crate) async fn ask(
    request: Request<Full<Bytes>>,
    patience: Duration,
) -> Result<Answer, String> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let asking = async {
        let response = client
            .request(request)
            .await
            .map_err(|error| error.to_string())?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        })
    };
    timeout(patience, asking)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {patience:?}")))
}

/// A call of the tool that every server has.
pub(crate) fn call(url: &str, token: &str) -> Request<Full<Bytes>> {
    let params = json!({"name": "echo", "arguments": {"word": "hello"}});
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    Request::post(url)
        .header(header::ACCEPT, "application/json, text/event-stream")
        .header(header::CONTENT_TYPE, "application/json")
        .header("mcp-protocol-version", "2025-11-25")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Full::from(body.to_string()))
        .unwrap()
}

/// Follows redirects as a browser does, until a page says something.
pub(crate) async fn browse(start: &str) -> Result<Answer, String> {
    let mut url = Url::parse(start).map_err(|error| error.to_string())?;
    for _ in 0..10 {
        let request = Request::get(url.as_str()).body(Full::default()).unwrap();
        let answer = ask(request, Duration::from_mins(2)).await?;
        let place = answer.headers.get(header::LOCATION);
        match place.and_then(|place| place.to_str().ok()) {
            Some(place) if answer.status.is_redirection() => {
                url = url.join(place).map_err(|error| error.to_string())?;
            }
            _ => return Ok(answer),
        }
    }
    Err(format!("too many redirects from {start}"))
}
