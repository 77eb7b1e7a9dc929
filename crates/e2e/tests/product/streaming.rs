//! Events go through the gateway one by one, and an end at one side is an end at the other.

use core::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::support::{Claviger, Gateway, Incoming, Upstream, ask_streaming, rpc};

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_first_event_arrives_before_the_second_is_sent() {
    let claviger = Claviger::new();
    let upstream = Upstream::open().await;
    claviger.add("up", &upstream.url()).await;
    let gateway = claviger.serve().await;

    let response = ask_streaming(stream_call(&gateway, "2025-11-25")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut body = response.into_body();
    let first = next(&mut body).await.expect("a first event");
    assert!(first.contains("notifications/progress"), "{first}");

    assert!(upstream.release_second_event(), "nobody reads upstream");
    let second = next(&mut body).await.expect("a second event");
    assert!(second.contains("done"), "{second}");
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test]
async fn g13_a_client_that_goes_away_ends_a_stateless_call_upstream() {
    let claviger = Claviger::new();
    let upstream = Upstream::open().await;
    claviger.add("up", &upstream.url()).await;
    let gateway = claviger.serve().await;

    let response = ask_streaming(stream_call(&gateway, "2026-07-28")).await;
    let mut body = response.into_body();
    assert!(next(&mut body).await.is_some());
    drop(body);
    let closed = async {
        while !upstream.is_stream_closed() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(SOON, closed).await.expect("upstream is let go");
}

#[tokio::test]
async fn g13_a_client_that_goes_away_does_not_cancel_a_stateful_call() {
    let claviger = Claviger::new();
    let upstream = Upstream::open().await;
    claviger.add("up", &upstream.url()).await;
    let gateway = claviger.serve().await;

    let response = ask_streaming(stream_call(&gateway, "2025-11-25")).await;
    let mut body = response.into_body();
    assert!(next(&mut body).await.is_some());
    drop(body);
    // Long after a modern call would have been let go.
    sleep(Duration::from_millis(500)).await;
    assert!(!upstream.is_stream_closed());
    assert!(upstream.release_second_event(), "nobody reads upstream");
}

/// A call of the tool that streams, in either era.
fn stream_call(gateway: &Gateway, version: &str) -> Request<Full<Bytes>> {
    let mut params = json!({"name": "stream", "arguments": {}});
    if version == "2026-07-28" {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": version,
            "io.modelcontextprotocol/clientInfo": {"name": "e2e", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
            "progressToken": 1,
        });
    }
    let mut request = rpc(
        &gateway.mcp("up"),
        Some(&gateway.token),
        "tools/call",
        &params,
    );
    let headers = request.headers_mut();
    headers.insert("mcp-protocol-version", version.parse().unwrap());
    if version == "2026-07-28" {
        headers.insert("mcp-method", "tools/call".parse().unwrap());
        headers.insert("mcp-name", "stream".parse().unwrap());
    }
    request
}

async fn next(body: &mut Incoming) -> Option<String> {
    let frame = timeout(SOON, body.frame())
        .await
        .expect("an event in time")?;
    let bytes = frame.unwrap().into_data().unwrap();
    Some(String::from_utf8(bytes.to_vec()).unwrap())
}
