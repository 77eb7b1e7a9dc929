//! Streams through the door: both ways, kept connections, and peers that go away.

use core::time::Duration;

use bytes::Bytes;
use claviger_ports::{Body, Forward, ForwardError, full_body};
use claviger_testkit::{FakeForward, RawPeer, ScriptedResolve, Step};
use http::Request;
use http_body_util::BodyExt;

use crate::{egress, get, loopback};

const EVENTS: &[(&str, &str)] = &[
    ("content-type", "text/event-stream"),
    ("transfer-encoding", "chunked"),
];

async fn text(body: Body) -> String {
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn request_and_answer_pass_unchanged() {
    let peer =
        RawPeer::start(|_| Step::answer(202, &[("mcp-session-id", "7")], b"{\"ok\":1}")).await;
    let door = egress(ScriptedResolve::new(), |_| {});
    let request = Request::post(peer.url("/mcp/%7Ea/../b?q=%20&x"))
        .header("host", "front.example")
        .header("mcp-protocol-version", "2025-11-25")
        .body(full_body("{}"))
        .unwrap();
    let answer = door.forward(request, &loopback()).await.unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(answer.headers()["mcp-session-id"], "7");
    assert_eq!(text(answer.into_body()).await, "{\"ok\":1}");
    let seen = peer.requests().pop().unwrap();
    assert!(
        seen.starts_with("POST /mcp/%7Ea/../b?q=%20&x HTTP/1.1\r\n"),
        "{seen}"
    );
    assert!(
        seen.contains(&format!("host: {}\r\n", peer.address())),
        "{seen}"
    );
    assert!(
        seen.contains("mcp-protocol-version: 2025-11-25\r\n"),
        "{seen}"
    );
    assert!(!seen.contains("front.example"), "{seen}");
    assert!(seen.ends_with("\r\n\r\n{}"), "{seen}");
}

#[tokio::test]
async fn connections_are_kept_and_given_up_when_told() {
    let peer = RawPeer::start(|_| Step::answer(200, &[], b"{}")).await;
    let door = egress(ScriptedResolve::new(), |_| {});
    for _ in 0..5 {
        let answer = door
            .forward(get(&peer.url("/")), &loopback())
            .await
            .unwrap();
        text(answer.into_body()).await;
    }
    assert_eq!(peer.connections(), 1);
    door.close_idle();
    peer.disconnected(1).await;
    door.forward(get(&peer.url("/")), &loopback())
        .await
        .unwrap();
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn events_arrive_one_by_one_and_a_dropped_body_closes_the_connection() {
    let peer = RawPeer::start(|_| {
        vec![
            Step::head(200, EVENTS),
            Step::Send(Step::chunk(b"data: 1\n\n")),
            Step::Hang,
        ]
    })
    .await;
    let door = egress(ScriptedResolve::new(), |_| {});
    let answer = door
        .forward(get(&peer.url("/")), &loopback())
        .await
        .unwrap();
    let mut body = answer.into_body();
    let frame = body.frame().await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "data: 1\n\n");
    drop(body);
    peer.disconnected(1).await;
}

#[tokio::test]
async fn a_request_is_streamed_chunk_by_chunk() {
    let upstream = RawPeer::start(|request| {
        Step::answer(200, &[], request.lines().last().unwrap().as_bytes())
    })
    .await;
    let door = egress(ScriptedResolve::new(), |_| {});
    // Any streaming body will do; a scripted answer's has the chunks under the test's control.
    let source = FakeForward::new();
    let chunks = source.stream(200, &[]);
    let streamed = source.forward(get("https://x.example/"), &loopback()).await;
    let request = Request::post(upstream.url("/"))
        .body(streamed.unwrap().into_body())
        .unwrap();
    let reach = loopback();
    let writing = async move {
        for part in ["one ", "two ", "three"] {
            chunks.send(Bytes::from_static(part.as_bytes())).await;
            tokio::task::yield_now().await;
        }
    };
    let (answer, ()) = tokio::join!(door.forward(request, &reach), writing);
    assert_eq!(answer.unwrap().status(), 200);
    let seen = upstream.requests().pop().unwrap();
    assert!(seen.contains("transfer-encoding: chunked"), "{seen}");
    assert!(seen.contains("one ") && seen.contains("three"), "{seen}");
}

#[tokio::test]
async fn an_upstream_that_says_nothing_or_breaks_off_is_told_apart() {
    for (steps, expected) in [
        (vec![Step::Hang], ForwardError::Timeout),
        (vec![Step::Close], ForwardError::Broken),
        (
            vec![Step::Send(b"nonsense\r\n\r\n".to_vec()), Step::Close],
            ForwardError::Broken,
        ),
    ] {
        let peer = RawPeer::start(move |_| steps.clone()).await;
        let door = egress(ScriptedResolve::new(), |settings| {
            settings.head_timeout = Duration::from_millis(200);
        });
        let request = Request::post(peer.url("/")).body(full_body("{}")).unwrap();
        let error = door.forward(request, &loopback()).await.unwrap_err();
        assert_eq!(error, expected);
        // A call may have had its effect: it is made once.
        assert_eq!(peer.requests().len(), 1);
        peer.disconnected(1).await;
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_without_words_of_the_peer() {
    let peer = RawPeer::start(|_| {
        vec![
            Step::head(200, EVENTS),
            Step::Send(Step::chunk(b"data: 1\n\n")),
            Step::Close,
        ]
    })
    .await;
    let door = egress(ScriptedResolve::new(), |_| {});
    let answer = door
        .forward(get(&peer.url("/")), &loopback())
        .await
        .unwrap();
    let error = answer.into_body().collect().await.unwrap_err();
    assert_eq!(error.to_string(), "the upstream broke off");
}

// Upstreams close kept connections whenever they like. A request that has not begun is written again.
#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_is_replaced() {
    let peer = RawPeer::start(|_| {
        let mut steps = Step::answer(200, &[], b"{}");
        steps.push(Step::Close);
        steps
    })
    .await;
    let door = egress(ScriptedResolve::new(), |_| {});
    for round in 1..=5 {
        let answer = door
            .forward(get(&peer.url("/")), &loopback())
            .await
            .unwrap();
        text(answer.into_body()).await;
        peer.disconnected(round).await;
    }
    assert_eq!(peer.requests().len(), 5);
}

#[tokio::test]
async fn reaches_beyond_the_bound_push_out_the_oldest_connections() {
    let peer = RawPeer::start(|_| Step::answer(200, &[], b"{}")).await;
    let door = egress(ScriptedResolve::new(), |settings| settings.pools = 2);
    for number in 0..4 {
        let reach = loopback().with_private_host(&format!("{number}.example"));
        let answer = door.forward(get(&peer.url("/")), &reach).await.unwrap();
        text(answer.into_body()).await;
    }
    assert_eq!(peer.connections(), 4);
    peer.disconnected(2).await;
}
