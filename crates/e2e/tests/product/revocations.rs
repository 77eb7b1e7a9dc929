//! What ends here ends at its issuer, as soon as that answers (RFC 7009, K10, A139).

use core::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::support::{Claviger, Upstream};

const LIFE: Duration = Duration::from_mins(10);

/// Tries begin ten seconds apart, and the queue is looked at every five.
const PATIENCE: Duration = Duration::from_mins(1);

fn both(number: u32) -> [(String, String); 2] {
    // RFC 7009 §2.1: the refresh token first.
    [
        (format!("rt-{number}"), "refresh_token".to_owned()),
        (format!("at-{number}"), "access_token".to_owned()),
    ]
}

async fn signed_in() -> (Claviger, Upstream) {
    let (claviger, upstream) = (Claviger::new(), Upstream::protected(LIFE).await);
    claviger.add("up", &upstream.url()).await;
    let signed_in = claviger.sign_in("up").await;
    assert_eq!(signed_in.code, 0, "{signed_in:?}");
    (claviger, upstream)
}

async fn owed(claviger: &Claviger) -> Vec<Value> {
    claviger.must(&["status", "--revocations", "--json"]).await
}

/// What an act said of the one connection it ended.
fn at_issuer(lines: &[Value]) -> &str {
    let ended = lines.iter().find(|line| line["line"] == "logged_out");
    ended.expect("a connection that ended")["at_issuer"]
        .as_str()
        .unwrap()
}

#[tokio::test]
async fn g6_k10_a_purge_revokes_the_refresh_token_first_and_a_rename_nothing() {
    let (claviger, upstream) = signed_in().await;
    let standing = async || {
        let lines = claviger.must(&["status", "up", "--json"]).await;
        lines[0]["standing"].as_str().unwrap().to_owned()
    };
    claviger
        .must(&["server", "set", "up", "--name", "Another", "--json"])
        .await;
    assert_eq!(standing().await, "connected");
    assert_eq!(upstream.revoked(), []);
    let moved = format!("{}?moved", upstream.url());
    let words = ["server", "set", "up", "--url", &moved, "--allow-private"];
    let lines = claviger
        .must(&[&words[..], &["--no-discover", "--json"]].concat())
        .await;
    assert_eq!(at_issuer(&lines), "revoked", "{lines:?}");
    assert_eq!(standing().await, "needs_sign_in");
    assert_eq!(upstream.revoked(), both(1));
    assert!(owed(&claviger).await.is_empty());
}

#[tokio::test]
async fn a139_an_issuer_that_is_away_is_owed_until_it_is_back() {
    let (claviger, upstream) = signed_in().await;
    upstream.revokes(false);
    let lines = claviger.must(&["server", "remove", "up", "--json"]).await;
    assert_eq!(at_issuer(&lines), "pending", "{lines:?}");
    let rows = owed(&claviger).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        (&rows[0]["server"], &rows[0]["user"]),
        (&"up".into(), &"owner".into())
    );
    let why = rows[0]["last_failure"].as_str().unwrap();
    assert!(why.contains("503"), "{why}");
    let shown = claviger.run(&["status"]).await;
    assert!(
        shown.stdout.contains("1 revocation is not confirmed"),
        "{shown:?}"
    );

    // It outlives the server row, the process that queued it, and the issuer's bad day.
    let gateway = claviger.serve().await;
    assert_eq!(owed(&claviger).await.len(), 1);
    upstream.revokes(true);
    let since = Instant::now();
    while !owed(&claviger).await.is_empty() {
        assert!(since.elapsed() < PATIENCE, "{}", gateway.log());
        sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(upstream.revoked(), both(1));
}

#[tokio::test]
async fn f06_what_is_the_installations_own_is_not_removed() {
    let (claviger, upstream) = signed_in().await;
    let tenants = claviger.must(&["tenant", "list", "--json"]).await;
    assert_eq!(tenants.len(), 1, "{tenants:?}");
    assert_eq!(tenants[0]["tenant"], "default");
    assert_eq!(
        (&tenants[0]["servers"], &tenants[0]["connections"]),
        (&1.into(), &1.into())
    );
    for (words, why) in [
        (
            &["tenant", "remove", "default", "--yes"][..],
            "the installation's own",
        ),
        (&["tenant", "remove", "acme"][..], "there is no such tenant"),
        (&["user", "remove", "owner"][..], "cannot be removed"),
    ] {
        let refused = claviger.run(words).await;
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
    assert_eq!(upstream.revoked(), []);
    let standing = claviger.must(&["status", "up", "--json"]).await;
    assert_eq!(standing[0]["standing"], "connected");
}
