//! Streams: event by event, timed, and what becomes of them when the caller leaves.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_ports::{Body, Forward, ForwardError, Reach, full_body};
use claviger_proxy::Settings;
use claviger_testkit::Gate;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use serde_json::json;

use crate::support::*;

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn g14_events_arrive_one_by_one() {
    let gateway = Gateway::new();
    let stream = gateway.forward.stream(200, &[EVENTS]);
    let answer = gateway.open(post(CALL)).await;
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    for event in [
        ": keep-alive\n\n",
        "data: {\"a\":1}\n\n",
        "data: {\"b\":2}\n\n",
    ] {
        assert!(body.frame().now_or_never().is_none());
        stream.send(event).await;
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), event);
    }
    drop(stream);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn g13_t12_in_the_modern_era_a_caller_who_leaves_ends_the_upstreams_work() {
    let gateway = Gateway::new();
    let stream = gateway.forward.stream(200, &[EVENTS]);
    let answer = gateway.open(modern_call()).await;
    drop(answer);
    stream.dropped().await;
    assert_eq!(gateway.tasks.spawned(), 0);
}

#[tokio::test]
async fn g13_in_the_older_era_the_upstream_goes_on_to_its_end() {
    let gateway = Gateway::new();
    let stream = gateway.forward.stream(200, &[EVENTS]);
    let answer = gateway.open(post(CALL)).await;
    drop(answer);
    settle().await;
    assert!(!stream.is_dropped());
    stream.send("data: {}\n\n").await;
    settle().await;
    assert!(!stream.is_dropped());
    drop(stream);
    gateway.tasks.finished().await;
}

#[tokio::test]
async fn g13_in_the_older_era_a_call_goes_on_before_it_was_answered() {
    let gateway = Gateway::new();
    let gate = Gate::closed();
    gateway.forward.text_behind(&gate, 200, RESULT);
    let mut call = Box::pin(gateway.open(post(CALL)));
    assert!((&mut call).now_or_never().is_none());
    gate.arrived(1).await;
    drop(call);
    assert_eq!(gateway.tasks.spawned(), 1);
    gate.open();
    gateway.tasks.finished().await;
    assert_eq!(gateway.forward.requests().len(), 1);
}

#[tokio::test]
async fn g13_in_the_modern_era_a_call_ends_before_it_was_answered() {
    let gateway = Gateway::new();
    let gate = Gate::closed();
    gateway.forward.text_behind(&gate, 200, RESULT);
    let mut call = Box::pin(gateway.open(modern_call()));
    assert!((&mut call).now_or_never().is_none());
    drop(call);
    assert_eq!(gateway.tasks.spawned(), 0);
}

#[tokio::test]
async fn g13_what_goes_on_without_a_caller_is_bounded() {
    let gateway = Gateway::with(Settings {
        max_drain_bytes: 8,
        max_drains: 1,
        ..Settings::default()
    });
    let first = gateway.forward.stream(200, &[EVENTS]);
    let second = gateway.forward.stream(200, &[EVENTS]);
    drop(gateway.open(post(CALL)).await);
    drop(gateway.open(post(CALL)).await);
    // In number,
    second.dropped().await;
    assert!(!first.is_dropped());
    // in bytes,
    first.send("0123456789").await;
    first.dropped().await;
    gateway.tasks.finished().await;
    // and in time.
    let third = gateway.forward.stream(200, &[EVENTS]);
    drop(gateway.open(post(CALL)).await);
    settle().await;
    assert!(!third.is_dropped());
    gateway.clock.advance_secs(301);
    third.dropped().await;
}

#[tokio::test]
async fn a_stream_by_get_ends_with_its_caller() {
    let gateway = Gateway::new();
    let session = gateway.session("{}").await;
    let stream = gateway.forward.stream(200, &[EVENTS]);
    let get = request("GET", "/notes/mcp").header("mcp-session-id", session);
    drop(gateway.open(without_body(get)).await);
    stream.dropped().await;
}

#[tokio::test]
async fn closing_ends_what_has_no_end_and_finishes_what_has_one() {
    let gateway = Gateway::new();
    let (listening, calling, left) = (
        gateway.forward.stream(200, &[EVENTS]),
        gateway.forward.stream(200, &[EVENTS]),
        gateway.forward.stream(200, &[EVENTS]),
    );
    let get = without_body(request("GET", "/notes/mcp"));
    let mut listener = gateway.open(get).await.into_body();
    let mut caller = gateway.open(post(CALL)).await.into_body();
    drop(gateway.open(post(CALL)).await);
    settle().await;
    assert!(listener.frame().now_or_never().is_none());
    gateway.proxy.close();
    assert!(listener.frame().await.is_none());
    listening.dropped().await;
    left.dropped().await;
    gateway.tasks.finished().await;
    calling.send("data: {}\n\n").await;
    caller.frame().await.unwrap().unwrap();
    drop(calling);
    assert!(caller.frame().await.is_none());
}

const LISTEN: &str = r#"{"jsonrpc":"2.0","id":"s1","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;

#[tokio::test]
async fn t13_a_subscription_that_closing_ends_gets_its_last_result() {
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "subscriptions/listen"),
    ];
    for (sent, is_told) in [("data: {}\n\n", true), ("data: {", false)] {
        let gateway = Gateway::new();
        let stream = gateway.forward.stream(200, &[EVENTS]);
        let mut body = gateway.open(post_with(LISTEN, &headers)).await.into_body();
        stream.send(sent).await;
        body.frame().await.unwrap().unwrap();
        assert!(body.frame().now_or_never().is_none());
        gateway.proxy.close();
        if is_told {
            let last = body.frame().await.unwrap().unwrap().into_data().unwrap();
            let text = String::from_utf8(last.to_vec()).unwrap();
            let data = text.strip_prefix("event: message\ndata: ").unwrap();
            let message: serde_json::Value = serde_json::from_str(data.trim_end()).unwrap();
            let result = json!({
                "resultType": "complete",
                "_meta": { "io.modelcontextprotocol/subscriptionId": "s1" },
            });
            let expected = json!({ "jsonrpc": "2.0", "id": "s1", "result": result });
            assert_eq!(message, expected);
            assert!(text.ends_with("\n\n"));
        }
        assert!(body.frame().await.is_none());
        stream.dropped().await;
    }
}

#[tokio::test]
async fn g14_a_silent_stream_is_given_up_and_a_living_one_is_not() {
    let gateway = Gateway::new();
    let stream = gateway.forward.stream(200, &[EVENTS]);
    let mut body = gateway.open(modern_call()).await.into_body();
    for _ in 0..4 {
        assert!(body.frame().now_or_never().is_none());
        gateway.clock.advance_secs(600);
        assert!(body.frame().now_or_never().is_none());
        stream.send(": ping\n\n").await;
        body.frame().await.unwrap().unwrap();
    }
    gateway.clock.advance_secs(901);
    body.frame().await.unwrap().unwrap_err();
    stream.dropped().await;
}

#[tokio::test]
async fn a_json_answer_that_drips_is_given_up() {
    let gateway = Gateway::new();
    let stream = gateway.forward.stream(200, &[JSON]);
    let mut body = gateway.open(modern_call()).await.into_body();
    for _ in 0..2 {
        gateway.clock.advance_secs(149);
        stream.send(" ").await;
        body.frame().await.unwrap().unwrap();
    }
    gateway.clock.advance_secs(3);
    body.frame().await.unwrap().unwrap_err();
    stream.dropped().await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_breaks_off_for_the_caller() {
    let gateway = Gateway::new();
    let stream = gateway.forward.stream(200, &[EVENTS]);
    let mut body = gateway.open(post(CALL)).await.into_body();
    stream.break_off().await;
    body.frame().await.unwrap().unwrap_err();
}

/// Answers with the very body it got, after a while that depends on it.
struct Mirror;

#[async_trait]
impl Forward for Mirror {
    async fn forward(
        &self,
        request: Request<Body>,
        _: &Reach,
    ) -> Result<Response<Body>, ForwardError> {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        for _ in 0..body.iter().map(|byte| usize::from(*byte)).sum::<usize>() % 17 {
            tokio::task::yield_now().await;
        }
        let answer = Response::builder().header("content-type", "application/json");
        Ok(answer.body(full_body(body)).unwrap())
    }
}

#[tokio::test]
async fn a154_answers_reach_whoever_asked_though_all_ids_are_equal() {
    let gateway = Gateway::before(Arc::new(Mirror));
    let calls = (0..10_000).map(|number| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"n":{number}}}}}}}"#
        );
        let gateway = &gateway;
        async move {
            let answer = gateway.send(post(&body)).await;
            answer.body == body
        }
    });
    let outcomes = futures_util::future::join_all(calls).await;
    assert_eq!(outcomes.iter().filter(|is_own| !**is_own).count(), 0);
}
