//! Plain HTTP with nothing done behind the test's back, and a person who approves.

use bytes::Bytes;
use claviger_ports::Tasks;
use claviger_testkit::TokioTasks;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::PATIENCE;

/// An answer that has been read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
            .to_str()
            .unwrap()
    }
}

pub(crate) fn get(url: &str) -> Request<Full<Bytes>> {
    request("GET", url, "")
}

pub(crate) fn post(url: &str) -> Request<Full<Bytes>> {
    let mut request = request("POST", url, "");
    let same = http::HeaderValue::from_static("same-origin");
    request.headers_mut().insert("sec-fetch-site", same);
    request
}

pub(crate) fn rpc(url: &str, token: &str, message: &Value) -> Request<Full<Bytes>> {
    let mut request = request("POST", url, &message.to_string());
    let bearer = format!("Bearer {token}");
    let fields = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("authorization", bearer.as_str()),
    ];
    for (name, value) in fields {
        request.headers_mut().insert(
            header::HeaderName::from_static(name),
            value.parse().unwrap(),
        );
    }
    request
}

pub(crate) fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }})
}

fn request(method: &str, url: &str, body: &str) -> Request<Full<Bytes>> {
    let url = Url::parse(url).unwrap();
    Request::builder()
        .method(method)
        .uri(url.as_str())
        .header(header::HOST, url.authority())
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap()
}

/// Sends a request to where its URL says, whatever its `Host` says.
pub(crate) async fn ask(mut request: Request<Full<Bytes>>) -> Answer {
    let url = Url::parse(&request.uri().to_string()).unwrap();
    *request.uri_mut() = url[url::Position::BeforePath..].parse().unwrap();
    let address = url.socket_addrs(|| None).unwrap()[0];
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    let tasks = TokioTasks::new();
    tasks.spawn(
        "connection",
        Box::pin(async move { drop(connection.await) }),
    );
    let asking = async {
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    };
    timeout(PATIENCE, asking).await.expect("an answer")
}

/// Opens the issuer's page, decides, and gives the address the browser is sent back to.
pub(crate) async fn approve(authorization_url: &str, decision: &str) -> String {
    let page = ask(get(authorization_url)).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    let action = between(&page.text, "action=\"", "\"").replace("&amp;", "&");
    let target = Url::parse(authorization_url)
        .unwrap()
        .join(&action)
        .unwrap();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for input in page.text.split("<input").skip(1) {
        let (tag, _) = input.split_once('>').unwrap();
        form.append_pair(
            between(tag, "name=\"", "\""),
            between(tag, "value=\"", "\""),
        );
    }
    form.append_pair("decision", decision);
    let mut decided = request("POST", target.as_str(), &form.finish());
    let headers = decided.headers_mut();
    let kind = http::HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(header::CONTENT_TYPE, kind);
    for cookie in page.headers.get_all(header::SET_COOKIE) {
        let pair = cookie.to_str().unwrap().split(';').next().unwrap();
        headers.append(header::COOKIE, pair.parse().unwrap());
    }
    let origin = target.origin().ascii_serialization();
    headers.insert(header::ORIGIN, origin.parse().unwrap());
    let answer = ask(decided).await;
    assert!(answer.status.is_redirection(), "{answer:?}");
    answer.header("location").to_owned()
}

#[track_caller]
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("no {start} in {text}"));
    rest.split_once(end).unwrap().0
}
