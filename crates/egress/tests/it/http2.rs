//! HTTP/2 by ALPN: the same rules over shared connections.

use core::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use claviger_ports::{Body, Fetch, FetchError, FetchRequest, Forward, Reach, Sink, full_body};
use claviger_testkit::{FakeForward, Streamed};
use http::{Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tls::server_config;
use crate::{egress, get, resolve_to_loopback};

/// An upstream that speaks HTTP/2 alone and answers with what it is given.
struct Upstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Upstream {
    async fn start(answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server_config(&[b"h2"])));
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let (counted, noted) = (Arc::clone(&connections), Arc::clone(&seen));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let stream = acceptor.accept(stream).await.unwrap();
                open.spawn(serve(stream, answer.clone(), Arc::clone(&noted)));
            }
        });
        Self {
            address,
            connections,
            seen,
            _serving: serving,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("https://peer.example:{}{path}", self.address.port())
    }
}

async fn serve(
    stream: TlsStream<TcpStream>,
    answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
    noted: Arc<Mutex<Vec<String>>>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (answer, noted) = (answer.clone(), Arc::clone(&noted));
        async move {
            let (head, body) = request.into_parts();
            let seen = format!(
                "{:?} {} {} {:?}",
                head.version, head.method, head.uri, head.headers
            );
            noted.lock().unwrap().push(seen);
            let read = body.collect().await.unwrap().to_bytes();
            assert!(read.len() < 1_000, "requests are small here");
            Ok::<_, Infallible>(answer())
        }
    });
    http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await
        .unwrap_or_default();
}

fn reach() -> Reach {
    Reach::public().with_private_host("peer.example")
}

#[tokio::test]
async fn many_requests_share_one_connection() {
    let upstream = Upstream::start(|| Response::new(full_body("{}"))).await;
    let door = egress(resolve_to_loopback(&["peer.example"]), |_| {});
    let url = upstream.url("/mcp?a=b");
    for _ in 0..5 {
        let request = Request::post(&url)
            .header("host", "front.example")
            .body(full_body("{}"))
            .unwrap();
        let answer = door.forward(request, &reach()).await.unwrap();
        assert_eq!(answer.version(), Version::HTTP_2);
        answer.into_body().collect().await.unwrap();
    }
    let reach = reach();
    let (one, two) = tokio::join!(
        door.forward(get(&url), &reach),
        door.forward(get(&url), &reach)
    );
    assert!(one.unwrap().status().is_success() && two.unwrap().status().is_success());
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
    let seen = upstream.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 7);
    let expected = format!("HTTP/2.0 POST {url} ");
    assert!(seen[0].starts_with(&expected), "{}", seen[0]);
    assert!(!seen[0].contains("front.example"), "{}", seen[0]);
}

#[tokio::test]
async fn a_fetch_takes_a_connection_of_its_own_and_keeps_its_limits() {
    let upstream = Upstream::start(|| Response::new(full_body(vec![b'a'; 6_000]))).await;
    let door = egress(resolve_to_loopback(&["peer.example"]), |_| {});
    for _ in 0..2 {
        let request = FetchRequest::post(Sink::Token, upstream.url("/token"), "a=b");
        let answer = door.fetch(request, &reach()).await.unwrap();
        assert_eq!(answer.body.len(), 6_000);
    }
    let request = FetchRequest::get(Sink::ClientDocument, upstream.url("/client"));
    assert_eq!(
        door.fetch(request, &reach()).await.unwrap_err(),
        FetchError::TooLarge { limit: 5_120 }
    );
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn dropping_a_streamed_body_resets_its_stream_and_no_other() {
    let streams = Arc::<Mutex<Vec<Streamed>>>::default();
    let kept = Arc::clone(&streams);
    let upstream = Upstream::start(move || {
        let fake = FakeForward::new();
        kept.lock().unwrap().push(fake.stream(200, &[]));
        fake.take_response()
    })
    .await;
    let door = egress(resolve_to_loopback(&["peer.example"]), |_| {});
    let url = upstream.url("/mcp");
    let mut one = door.forward(get(&url), &reach()).await.unwrap().into_body();
    let mut two = door.forward(get(&url), &reach()).await.unwrap().into_body();
    let streams: Vec<Streamed> = streams.lock().unwrap().drain(..).collect();
    let [first, second] = &streams[..] else {
        panic!("two streams were opened");
    };
    first.send("one").await;
    assert_eq!(
        one.frame().await.unwrap().unwrap().into_data().unwrap(),
        "one"
    );
    drop(one);
    first.dropped().await;
    second.send("two").await;
    assert_eq!(
        two.frame().await.unwrap().unwrap().into_data().unwrap(),
        "two"
    );
    assert!(!second.is_dropped());
    assert_eq!(upstream.connections.load(Ordering::SeqCst), 1);
}
