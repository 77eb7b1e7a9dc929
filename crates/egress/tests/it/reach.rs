//! Opening a private host opens that host, by that name, for that caller.

use core::time::Duration;

use claviger_ports::{Fetch, FetchError, FetchRequest, Forward, ForwardError, Reach, Sink};
use claviger_testkit::{Canary, RawPeer, ScriptedResolve, Step};

use crate::{egress, get, loopback, named_url, resolve_to_loopback};

async fn peer() -> RawPeer {
    RawPeer::start(|_| Step::answer(200, &[], b"{}")).await
}

#[tokio::test]
async fn a023_an_opened_host_works_and_its_neighbor_at_the_same_address_does_not() {
    let peer = peer().await;
    let resolve = resolve_to_loopback(&["tools.corp.example", "evil.example"]);
    let door = egress(resolve, |settings| settings.extra_ports = vec![peer.port()]);
    let reach = Reach::public().with_private_host("tools.corp.example");
    let fetch = |url: String| {
        let request = FetchRequest::get(Sink::ResourceMetadata, url);
        door.fetch(request, &reach)
    };
    let opened = fetch(named_url("http", "tools.corp.example", &peer)).await;
    assert_eq!(opened.unwrap().status, 200);
    for url in [
        named_url("http", "evil.example", &peer),
        named_url("https", "evil.example", &peer),
        named_url("http", "a.tools.corp.example", &peer),
        named_url("https", "corp.example", &peer),
        peer.url("/"),
    ] {
        let outcome = fetch(url.clone()).await;
        let is_refused = matches!(
            outcome,
            Err(FetchError::Blocked { .. } | FetchError::Connect { .. })
        );
        assert!(is_refused, "{url} {outcome:?}");
    }
    assert_eq!(peer.connections(), 1);
}

#[tokio::test]
async fn a023_another_caller_without_that_reach_is_refused() {
    let peer = peer().await;
    let door = egress(resolve_to_loopback(&["tools.corp.example"]), |settings| {
        settings.extra_ports = vec![peer.port()];
    });
    let url = named_url("https", "tools.corp.example", &peer);
    for reach in [Reach::public(), loopback()] {
        let request = FetchRequest::get(Sink::Probe, url.clone());
        let outcome = door.fetch(request, &reach).await;
        assert_eq!(
            outcome.unwrap_err(),
            FetchError::Blocked {
                reason: "the address is private"
            }
        );
    }
    assert_eq!(peer.connections(), 0);
}

// A kept connection is a way around every check, unless it is kept for the reach that made it.
#[tokio::test]
async fn a023_a_kept_connection_never_serves_another_reach() {
    let peer = peer().await;
    let door = egress(resolve_to_loopback(&["tools.corp.example"]), |settings| {
        settings.extra_ports = vec![peer.port()];
    });
    let opened = Reach::public().with_private_host("tools.corp.example");
    let url = named_url("http", "tools.corp.example", &peer);
    door.forward(get(&url), &opened).await.unwrap();
    let secure = named_url("https", "tools.corp.example", &peer);
    for (url, reach) in [
        (&url, Reach::public()),
        (&url, loopback()),
        (&secure, Reach::public()),
    ] {
        let outcome = door.forward(get(url), &reach).await;
        assert!(
            matches!(outcome, Err(ForwardError::Blocked { .. })),
            "{url} {reach:?}"
        );
    }
    // The same host, opened together with another, is dialled anew.
    let wider = opened.clone().with_private_host("127.0.0.1");
    door.forward(get(&url), &wider).await.unwrap();
    assert_eq!(peer.connections(), 2);
}

#[tokio::test]
async fn a026_a_listener_of_ours_is_refused_though_its_host_is_opened() {
    let (ours, upstream) = (peer().await, peer().await);
    let door = egress(ScriptedResolve::new(), |settings| {
        settings.own_addresses = vec![ours.address()];
    });
    let reach = loopback();
    let fetch = |url: String| door.fetch(FetchRequest::get(Sink::Probe, url), &reach);
    assert_eq!(fetch(upstream.url("/")).await.unwrap().status, 200);
    let refused = FetchError::Blocked {
        reason: "the address is our own",
    };
    assert_eq!(fetch(ours.url("/")).await.unwrap_err(), refused);
    door.add_own_address(upstream.address());
    assert_eq!(fetch(upstream.url("/")).await.unwrap_err(), refused);
    assert_eq!(ours.connections(), 0);
}

#[tokio::test]
async fn an_ipv6_address_is_opened_as_it_is_printed() {
    let Some(canary) = Canary::v6() else {
        return;
    };
    let door = egress(ScriptedResolve::new(), |settings| {
        settings.document_timeout = Duration::from_millis(200);
    });
    let url = format!("http://[0:0::1]:{}/", canary.port());
    for (host, expected) in [("[::1]", 1), ("::1", 1), ("127.0.0.1", 1)] {
        let reach = Reach::public().with_private_host(host);
        let request = FetchRequest::get(Sink::KeySet, url.clone());
        door.fetch(request, &reach).await.unwrap_err();
        assert_eq!(canary.touches(), expected, "{host}");
    }
}
