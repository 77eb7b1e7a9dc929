//! Two processes on one data directory: each sees what the other one did.

use core::time::Duration;

use claviger_admin_api::Request;
use claviger_model::TenantId;
use claviger_store::Store;
use claviger_store_sqlite::SqliteStore;
use http::StatusCode;
use tokio::time::{Instant, sleep};

use crate::support::{Answer, Place, Running, Upstream, act, done, slug};

/// Waits until a call is answered as it should be. The promise is a second, of which the poll takes
/// a quarter; the rest is patience with a busy machine.
async fn until(running: &Running, server: &str, is_right: impl Fn(&Answer) -> bool) {
    let began = Instant::now();
    loop {
        let answer = running.call(server).await;
        let took = began.elapsed();
        if is_right(&answer) {
            return;
        }
        assert!(took < Duration::from_secs(10), "{answer:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn servers_that_another_process_adds_and_removes_are_followed() {
    let (place, upstream) = (Place::new(), Upstream::start().await);
    // Opened first: this one works on the database itself, beside the server.
    let beside = place.open().await;
    assert!(format!("{beside:?}").contains("Local"), "{beside:?}");
    let running = place.serve().await;
    assert_eq!(running.call("demo").await.status, StatusCode::NOT_FOUND);
    upstream.add(&*beside, "demo").await;
    until(&running, "demo", |answer| answer.text.contains("/login/")).await;

    done(
        act(
            &*beside,
            Request::RemoveServer {
                slug: slug("demo"),
                yes: false,
            },
        )
        .await,
    );
    let is_gone = |answer: &Answer| answer.status == StatusCode::NOT_FOUND;
    until(&running, "demo", is_gone).await;
    beside.close().await;
    running.stopped().await;
}

#[tokio::test]
async fn a_token_that_another_process_deletes_ends_here_too() {
    let place = Place::new();
    let running = place.serve().await;
    assert_eq!(running.call("none").await.status, StatusCode::NOT_FOUND);
    let store = SqliteStore::open(&place.file("claviger.db")).await.unwrap();
    let rows = store.tenant(&TenantId::default_tenant());
    for token in rows.list_api_tokens().await.unwrap() {
        assert!(rows.delete_api_token(&token.id).await.unwrap());
    }
    let is_refused = |answer: &Answer| answer.status == StatusCode::UNAUTHORIZED;
    until(&running, "none", is_refused).await;
    running.stopped().await;
}
