//! What a first start makes, and what later starts refuse.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use claviger_admin_api::{AddServer, Request};
use claviger_server::{McpRequest, OpenError, ServeError};
use http::{HeaderMap, Method, StatusCode};
use tokio::net::TcpListener;

use crate::support::{Place, Upstream, act, ask, done, initialize, read, rpc};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn all_files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// The error of a start that must not succeed.
async fn refused(place: &Place) -> OpenError {
    claviger_server::open(&place.config())
        .await
        .expect_err("it does not open")
}

#[tokio::test]
async fn a196_the_first_start_makes_what_only_the_owner_may_touch_and_the_second_keeps_it() {
    let place = Place::new();
    let first = place.serve().await;
    assert!(first.ready.is_first_start);
    assert_eq!(mode(&place.dir()), 0o700);
    for file in ["claviger.db", "key", "token", "admin.sock"] {
        assert_eq!(mode(&place.file(file)), 0o600, "{file}");
    }
    let (key, token) = (read(&place.file("key")), read(&place.file("token")));
    first.stopped().await;

    let second = place.serve().await;
    assert!(!second.ready.is_first_start);
    assert_eq!(read(&place.file("key")), key);
    assert_eq!(read(&place.file("token")), token);
    second.stopped().await;
}

#[tokio::test]
async fn a207_a_missing_key_file_is_refused_and_nothing_is_written() {
    let place = Place::new();
    place.open().await.close().await;
    fs::remove_file(place.file("key")).unwrap();
    let before = all_files(&place.dir());
    let error = refused(&place).await;
    assert!(matches!(error, OpenError::KeyFileMissing { .. }), "{error}");
    assert!(error.hint().unwrap().contains("key"), "{:?}", error.hint());
    assert_eq!(all_files(&place.dir()), before);
}

#[tokio::test]
async fn a207_a_wrong_or_broken_key_file_is_refused() {
    let (place, other) = (Place::new(), Place::new());
    place.open().await.close().await;
    other.open().await.close().await;
    let key = read(&place.file("key"));
    fs::write(place.file("key"), read(&other.file("key"))).unwrap();
    let error = refused(&place).await;
    assert!(matches!(error, OpenError::Vault { .. }), "{error}");
    assert!(error.hint().is_some());
    // A210: truncated, or readable by others.
    fs::write(place.file("key"), key.split_at(key.len() / 2).0).unwrap();
    assert!(matches!(refused(&place).await, OpenError::KeyFile { .. }));
    fs::write(place.file("key"), &key).unwrap();
    fs::set_permissions(place.file("key"), Permissions::from_mode(0o644)).unwrap();
    let error = refused(&place).await;
    assert!(error.hint().unwrap().starts_with("chmod"), "{error}");
    fs::set_permissions(place.file("key"), Permissions::from_mode(0o600)).unwrap();
    place.open().await.close().await;
}

#[tokio::test]
async fn a_deleted_token_file_means_a_new_token_and_the_end_of_the_old_one() {
    let place = Place::new();
    let first = place.serve().await;
    let old = first.token();
    let status = |answer: &crate::support::Answer| answer.status;
    assert_eq!(status(&first.call("none").await), StatusCode::NOT_FOUND);
    first.stopped().await;
    fs::remove_file(place.file("token")).unwrap();

    let second = place.serve().await;
    assert_ne!(second.token(), old);
    assert_eq!(status(&second.call("none").await), StatusCode::NOT_FOUND);
    let late = ask(rpc(&second.url("/none/mcp"), &old, &initialize())).await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
    second.stopped().await;

    fs::write(place.file("token"), "not a token\n").unwrap();
    let error = refused(&place).await;
    assert!(matches!(error, OpenError::TokenFile { .. }), "{error}");
    assert!(error.hint().unwrap().starts_with("delete"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_at_once_agree_on_key_and_token() {
    let (place, upstream) = (Place::new(), Upstream::start().await);
    let opening = (0..6).map(|_| place.open());
    let gateways = futures_util::future::join_all(opening).await;
    let names: Vec<_> = all_files(&place.dir())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert!(!names.iter().any(|name| name.contains(".new")), "{names:?}");

    // What one of them seals every other one can open.
    let add = AddServer {
        headers: vec!["X-Key: sealed".to_owned()],
        no_discover: true,
        ..upstream.as_server("fixed")
    };
    done(act(&*gateways[0], Request::AddServer(Box::new(add))).await);
    for gateway in &gateways {
        // Each has its own memory, and only a server polls: this one reads the change now.
        let none = Request::RemoveServer {
            yes: false,
            slug: "none".to_owned(),
        };
        act(&**gateway, none).await;
        gateway.close().await;
    }
    let last = place.open().await;
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    headers.insert(
        "accept",
        "application/json, text/event-stream".parse().unwrap(),
    );
    let request = McpRequest {
        slug: "fixed".to_owned(),
        method: Method::POST,
        headers,
        body: initialize().to_string().into(),
    };
    // The header was opened and sent: the upstream's own refusal is what came back, not ours.
    let answer = last.mcp(request).await.unwrap();
    assert_ne!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    last.close().await;

    let server = place.serve().await;
    assert_eq!(server.call("none").await.status, StatusCode::NOT_FOUND);
    server.stopped().await;
}

#[tokio::test]
async fn a_second_server_is_refused_and_a_dead_ones_socket_is_replaced() {
    let place = Place::new();
    let first = place.serve().await;
    let error = place.try_serve().await.err().expect("a second one");
    assert!(matches!(error, ServeError::AdminSocket { .. }), "{error}");
    assert!(error.hint().unwrap().contains("another server"));
    assert_eq!(first.call("none").await.status, StatusCode::NOT_FOUND);
    assert!(place.file("admin.sock").exists());
    first.stopped().await;
    assert!(!place.file("admin.sock").exists());

    // A process that was killed leaves its socket behind.
    drop(UnixListener::bind(place.file("admin.sock")).unwrap());
    let again = place.serve().await;
    let kind = fs::metadata(place.file("admin.sock")).unwrap().file_type();
    assert!(kind.is_socket());
    assert_eq!(mode(&place.file("admin.sock")), 0o600);
    again.stopped().await;
}

#[tokio::test]
async fn every_reason_not_to_start_has_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::new().with("server.listen", address);
    let error = place.try_serve().await.err().expect("the port is taken");
    assert!(matches!(error, ServeError::Listen { .. }), "{error}");
    assert!(error.hint().unwrap().contains("--listen"));

    let place = Place::new();
    fs::write(place.dir(), "a file, not a directory").unwrap();
    let error = refused(&place).await;
    assert!(
        error.hint().unwrap().contains("--data-dir"),
        "{:?}",
        error.hint()
    );

    let place = Place::new();
    place.open().await.close().await;
    fs::set_permissions(place.file("claviger.db"), Permissions::from_mode(0o644)).unwrap();
    let hint = refused(&place).await.hint().unwrap();
    assert!(hint.starts_with("chmod 600"), "{hint}");
    fs::set_permissions(place.file("claviger.db"), Permissions::from_mode(0o600)).unwrap();
    for beside in ["claviger.db-wal", "claviger.db-shm"] {
        drop(fs::remove_file(place.file(beside)));
    }
    fs::write(place.file("claviger.db"), vec![b'x'; 4096]).unwrap();
    let error = refused(&place).await;
    assert!(error.hint().is_some(), "{error:?}");
}
