//! The end: streams are let go, whoever waits for a person is told, nothing hangs.

use core::time::Duration;

use claviger_admin_api::{Line, Request};
use claviger_server::demo::play_browser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::support::{PATIENCE, Place, Running, Upstream, slug};

/// Reads until `found` has come.
async fn read_until(stream: &mut TcpStream, found: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(found) {
        let mut piece = [0; 4096];
        let count = timeout(PATIENCE, stream.read(&mut piece))
            .await
            .unwrap()
            .unwrap();
        assert!(count > 0, "no {found} in {seen}");
        seen.push_str(core::str::from_utf8(&piece[..count]).unwrap());
    }
    seen
}

/// Opens the stream of a conversation, as clients do to be told of news.
async fn open_stream(running: &Running) -> TcpStream {
    let hello = running.call("demo").await;
    let session = hello.header("mcp-session-id");
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let request = format!(
        "GET /demo/mcp HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
         Accept: text/event-stream\r\nMcp-Session-Id: {session}\r\n\
         MCP-Protocol-Version: 2025-11-25\r\n\r\n",
        running.address(),
        running.token(),
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, "text/event-stream").await;
    stream
}

#[tokio::test]
async fn open_streams_end_within_the_grace() {
    let (place, upstream) = (
        Place::new().with("server.shutdown_grace_s", "10"),
        Upstream::start().await,
    );
    let running = place.serve().await;
    upstream.add(&*place.open().await, "demo").await;
    play_browser(&running.link("demo").await).await.unwrap();
    let mut stream = open_stream(&running).await;
    let address = running.address();
    let began = Instant::now();
    running.stop();
    let mut rest = Vec::new();
    let reading = stream.read_to_end(&mut rest);
    drop(timeout(PATIENCE, reading).await.expect("the stream ends"));
    running.stopped().await;
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!place.file("admin.sock").exists());
}

#[tokio::test]
async fn whoever_waits_for_a_person_is_told() {
    let (place, upstream) = (Place::new(), Upstream::start().await);
    let running = place.serve().await;
    let gateway = place.open().await;
    upstream.add(&*gateway, "demo").await;
    let (send, mut lines) = mpsc::unbounded_channel();
    let mut sink = |line| send.send(line).unwrap();
    let login = Request::Login {
        slug: slug("demo"),
        force: false,
    };
    let stopping = async {
        while !matches!(lines.recv().await.unwrap(), Line::SignInStarted(_)) {}
        timeout(PATIENCE, running.stopped()).await.expect("it ends");
    };
    let (asked, ()) = tokio::join!(gateway.act(login, &mut sink), stopping);
    asked.unwrap();
    let mut outcome = None;
    while let Ok(line) = lines.try_recv() {
        if let Line::SignInEnded(end) = line {
            outcome = Some(end.outcome);
        }
    }
    assert_eq!(outcome.as_deref(), Some("cancelled"));
}
