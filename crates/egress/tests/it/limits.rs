//! Peers that send too much, too slowly or not at all.

use core::time::Duration;
use std::io::Write;

use claviger_ports::{Fetch, FetchError, FetchRequest, Sink};
use claviger_testkit::{RawPeer, ScriptedResolve, Step};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::{egress, loopback};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const CHUNKED: &[(&str, &str)] = &[("transfer-encoding", "chunked")];

async fn fetch(peer: &RawPeer, sink: Sink) -> Result<claviger_ports::FetchResponse, FetchError> {
    let door = egress(ScriptedResolve::new(), |settings| {
        settings.document_timeout = Duration::from_millis(400);
        settings.token_timeout = Duration::from_millis(800);
        settings.probe_body_timeout = Duration::from_millis(100);
    });
    let request = FetchRequest::get(sink, peer.url("/document"));
    door.fetch(request, &loopback()).await
}

#[tokio::test]
async fn a_document_within_its_limit_arrives_whole() {
    let body = vec![b'a'; 64 * 1_024];
    let sent = body.clone();
    let peer = RawPeer::start(move |_| Step::answer(200, JSON, &sent)).await;
    let answer = fetch(&peer, Sink::IssuerMetadata).await.unwrap();
    assert_eq!(answer.body, body);
    assert_eq!(answer.headers["content-type"], "application/json");
    let request = peer.requests().pop().unwrap();
    assert!(
        request.starts_with("GET /document HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains(&format!("host: {}\r\n", peer.address())),
        "{request}"
    );
}

#[tokio::test]
async fn a012_an_announced_gigabyte_is_cut() {
    let peer = RawPeer::start(|_| {
        vec![
            Step::head(200, &[("content-length", "1073741824")]),
            Step::Repeat(vec![b' '; 16 * 1_024]),
        ]
    })
    .await;
    for (sink, limit) in [(Sink::ClientDocument, 5_120), (Sink::KeySet, 65_536)] {
        let error = fetch(&peer, sink).await.unwrap_err();
        assert_eq!(error, FetchError::TooLarge { limit });
    }
    // Nobody goes on reading what is not wanted.
    peer.disconnected(2).await;
}

#[tokio::test]
async fn a012_endless_chunks_are_cut() {
    let peer = RawPeer::start(|_| {
        vec![
            Step::head(200, CHUNKED),
            Step::Repeat(Step::chunk(&[b' '; 1_000])),
        ]
    })
    .await;
    let error = fetch(&peer, Sink::ResourceMetadata).await.unwrap_err();
    assert_eq!(error, FetchError::TooLarge { limit: 65_536 });
    peer.disconnected(1).await;
}

#[tokio::test]
async fn a012_a_gzip_bomb_is_cut_after_decoding() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 16 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 32 << 10);
    let peer =
        RawPeer::start(move |_| Step::answer(200, &[("content-encoding", "gzip")], &bomb)).await;
    let error = fetch(&peer, Sink::ClientDocument).await.unwrap_err();
    assert_eq!(error, FetchError::TooLarge { limit: 5_120 });
}

#[tokio::test]
async fn a_compressed_document_is_decoded() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(br#"{"issuer":"x"}"#).unwrap();
    let small = encoder.finish().unwrap();
    let peer =
        RawPeer::start(move |_| Step::answer(200, &[("content-encoding", "gzip")], &small)).await;
    let answer = fetch(&peer, Sink::IssuerMetadata).await.unwrap();
    assert_eq!(answer.body, r#"{"issuer":"x"}"#);
    assert!(!answer.headers.contains_key("content-encoding"));
    assert!(!answer.headers.contains_key("content-length"));
}

#[tokio::test]
async fn a013_one_byte_at_a_time_meets_the_deadline() {
    let peer = RawPeer::start(|_| {
        vec![
            Step::head(200, &[("content-length", "60000")]),
            Step::Drip(b"{".to_vec(), Duration::from_millis(20)),
        ]
    })
    .await;
    for sink in [Sink::IssuerMetadata, Sink::Token] {
        assert_eq!(fetch(&peer, sink).await.unwrap_err(), FetchError::Timeout);
    }
    peer.disconnected(2).await;
}

#[tokio::test]
async fn a013_a_head_that_never_ends_or_never_comes_meets_the_deadline() {
    for steps in [
        vec![Step::Hang],
        vec![Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Step::Hang],
        vec![
            Step::Send(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
            Step::Drip(b"y".to_vec(), Duration::from_millis(20)),
        ],
        vec![Step::Drip(
            b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
            Duration::from_millis(20),
        )],
    ] {
        let peer = RawPeer::start(move |_| steps.clone()).await;
        let error = fetch(&peer, Sink::KeySet).await.unwrap_err();
        assert_eq!(error, FetchError::Timeout);
        assert!(!error.surely_unsent());
        peer.disconnected(1).await;
    }
}

#[tokio::test]
async fn a_head_without_end_is_broken_off() {
    let peer = RawPeer::start(|_| {
        vec![
            Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()),
            Step::Repeat(b"x-filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".to_vec()),
        ]
    })
    .await;
    let error = fetch(&peer, Sink::KeySet).await.unwrap_err();
    assert_eq!(error, FetchError::Broken);
}

#[tokio::test]
async fn what_is_not_http_or_breaks_off_is_no_answer() {
    for bytes in [
        &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"",
    ] {
        let steps = vec![Step::Send(bytes.to_vec()), Step::Close];
        let peer = RawPeer::start(move |_| steps.clone()).await;
        let error = fetch(&peer, Sink::Token).await.unwrap_err();
        assert_eq!(error, FetchError::Broken);
        // A token request that may have arrived is never said to be unsent.
        assert!(!error.surely_unsent());
        assert_eq!(peer.connections(), 1);
    }
}

#[tokio::test]
async fn a_probe_is_content_with_the_head_of_an_endless_stream() {
    let peer = RawPeer::start(|_| {
        vec![
            Step::head(
                401,
                &[
                    ("www-authenticate", "Bearer resource_metadata=\"x\""),
                    ("content-type", "text/event-stream"),
                    ("transfer-encoding", "chunked"),
                ],
            ),
            Step::Send(Step::chunk(b"data: {}\n\n")),
            Step::Hang,
        ]
    })
    .await;
    let answer = fetch(&peer, Sink::Probe).await.unwrap();
    assert_eq!(answer.status, 401);
    assert_eq!(answer.body, "data: {}\n\n");
    assert!(answer.headers.contains_key("www-authenticate"));
    peer.disconnected(1).await;
}

#[tokio::test]
async fn a_probe_keeps_the_beginning_of_what_is_too_large() {
    let peer = RawPeer::start(|_| {
        vec![
            Step::head(200, CHUNKED),
            Step::Repeat(Step::chunk(&[b'x'; 1_000])),
        ]
    })
    .await;
    let answer = fetch(&peer, Sink::Probe).await.unwrap();
    assert_eq!(answer.body.len(), 65_536);
}

#[tokio::test]
async fn nobody_listening_is_surely_unsent() {
    let peer = RawPeer::start(|_| vec![]).await;
    let url = peer.url("/");
    drop(peer);
    // The listener closes when its task is dropped, which the runtime does in its own time.
    tokio::task::yield_now().await;
    let door = egress(ScriptedResolve::new(), |_| {});
    let request = FetchRequest::post(Sink::Token, url, "refresh_token=1");
    let error = door.fetch(request, &loopback()).await.unwrap_err();
    assert!(error.surely_unsent(), "{error:?}");
}

#[tokio::test]
async fn a_peer_that_does_not_shake_hands_is_given_up_and_surely_unsent() {
    let peer = RawPeer::start(|_| vec![Step::Hang]).await;
    let door = egress(ScriptedResolve::new(), |settings| {
        settings.connect_timeout = Duration::from_millis(100);
    });
    let url = format!("https://{}/", peer.address());
    let request = FetchRequest::post(Sink::Token, url, "refresh_token=1");
    let error = door.fetch(request, &loopback()).await.unwrap_err();
    assert_eq!(
        error,
        FetchError::Connect {
            reason: "connecting took too long"
        }
    );
}

// The bounded concurrency A045 asks for: documents wait for their turn and give up unsent, and each
// kind of request has turns of its own.
#[tokio::test]
async fn a_flood_of_documents_does_not_hold_up_a_token() {
    let slow = RawPeer::start(|_| vec![Step::Hang]).await;
    let issuer = RawPeer::start(|_| Step::answer(200, JSON, b"{}")).await;
    let door = egress(ScriptedResolve::new(), |settings| {
        settings.concurrent_fetches = 1;
        settings.document_timeout = Duration::from_millis(300);
    });
    let reach = loopback();
    let document = || FetchRequest::get(Sink::ClientDocument, slow.url("/"));
    let token = FetchRequest::post(Sink::Token, issuer.url("/token"), "a=b");
    let metadata = FetchRequest::get(Sink::IssuerMetadata, issuer.url("/metadata"));
    let (first, second, token, metadata) = tokio::join!(
        door.fetch(document(), &reach),
        door.fetch(document(), &reach),
        door.fetch(token, &reach),
        door.fetch(metadata, &reach),
    );
    assert_eq!(metadata.unwrap().status, 200);
    assert_eq!(first.unwrap_err(), FetchError::Timeout);
    assert!(second.unwrap_err().surely_unsent());
    assert_eq!(token.unwrap().status, 200);
    assert_eq!(slow.connections(), 1);
}
