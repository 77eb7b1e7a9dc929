//! A redirect is an answer like any other; nobody goes there.

use claviger_ports::{Fetch, FetchRequest, Forward, Sink, full_body};
use claviger_testkit::{Canary, RawPeer, ScriptedResolve, Step};
use http::{HeaderValue, Request, header};

use crate::{egress, loopback};

#[tokio::test]
async fn a008_b15_no_sink_follows_a_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let canary = Canary::v4();
        let target = format!("http://{}/stolen", canary.address());
        let location = target.clone();
        let peer =
            RawPeer::start(move |_| Step::answer(status, &[("location", &location)], b"moved"))
                .await;
        let door = egress(ScriptedResolve::new(), |_| {});
        for sink in Sink::ALL {
            let request = FetchRequest::get(sink, peer.url("/"));
            let answer = door.fetch(request, &loopback()).await.unwrap();
            assert_eq!(answer.status, status, "{sink:?}");
            assert_eq!(answer.headers[header::LOCATION], target, "{sink:?}");
        }
        canary.assert_untouched();
    }
}

#[tokio::test]
async fn a087_a_token_endpoint_that_redirects_gets_the_secret_once_and_nobody_else_does() {
    let thief = RawPeer::start(|_| Step::answer(200, &[], b"{}")).await;
    let location = thief.url("/token");
    let issuer = RawPeer::start(move |_| Step::answer(307, &[("location", &location)], b"")).await;
    let door = egress(ScriptedResolve::new(), |_| {});
    let mut request = FetchRequest::post(Sink::Token, issuer.url("/token"), "client_secret=s3cret");
    request.headers.insert(
        header::AUTHORIZATION,
        HeaderValue::from_static("Basic s3cret"),
    );
    let answer = door.fetch(request, &loopback()).await.unwrap();
    assert_eq!(answer.status, 307);
    let requests = issuer.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].ends_with("\r\n\r\nclient_secret=s3cret"));
    assert!(requests[0].contains("authorization: Basic s3cret"));
    assert_eq!(thief.connections(), 0);
}

#[tokio::test]
async fn a144_an_upstream_that_redirects_takes_no_header_along() {
    let thief = RawPeer::start(|_| Step::answer(200, &[], b"{}")).await;
    let location = thief.url("/mcp");
    let upstream =
        RawPeer::start(move |_| Step::answer(307, &[("location", &location)], b"")).await;
    let door = egress(ScriptedResolve::new(), |_| {});
    let request = Request::post(upstream.url("/mcp"))
        .header("x-api-key", "s3cret")
        .header("mcp-session-id", "1")
        .body(full_body("{}"))
        .unwrap();
    let answer = door.forward(request, &loopback()).await.unwrap();
    assert_eq!(answer.status(), 307);
    assert_eq!(upstream.requests().len(), 1);
    assert_eq!(thief.connections(), 0);
}
