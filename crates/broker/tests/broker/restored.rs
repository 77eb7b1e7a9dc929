//! A copy that came from a backup: what it sends, what it takes for granted, what it says.

use std::sync::Arc;

use claviger_broker::{BeginError, Missing, Recheck};
use claviger_model::{Installation as Row, Reason, Server, Standing, Timestamp, UserId};

use crate::support::{Installation, NOW, Node, bearer, begin, forced, key, refusal};

fn restored(is_held: bool) -> Row {
    Row {
        id: "cluster".to_owned(),
        restore_epoch: 1,
        restored_at: Some(Timestamp::from_secs(NOW + 100)),
        is_held,
        created_at: Timestamp::from_secs(NOW),
    }
}

/// The same database as it was a moment ago, on its own; the issuer is the same.
async fn copy_of(installation: &Installation, node: &Node) -> (Installation, Node) {
    let copy = Installation {
        dir: tempfile::tempdir().unwrap(),
        clock: Arc::clone(&installation.clock),
        world: Arc::clone(&installation.world),
        issuer: Arc::clone(&installation.issuer),
        shared: None,
    };
    node.file.as_ref().unwrap().close().await.unwrap();
    std::fs::copy(installation.database(), copy.database()).unwrap();
    let there = copy.node(9).await;
    there.broker.set_installation(&restored(false));
    (copy, there)
}

async fn recheck(node: &Node, server: &Server) -> Recheck {
    let key = key(server, &UserId::owner());
    node.broker.recheck(server, &key).await.unwrap()
}

#[tokio::test]
async fn f33_a_held_copy_serves_what_is_valid_and_sends_nothing_to_an_issuer() {
    let (installation, node, server) = Installation::signed_in().await;
    node.broker.set_installation(&restored(true));
    installation.clock.advance_secs(200);
    installation.world.forget();
    let used = node.attach(&server).await.unwrap();
    let is_told = |missing: &Missing| {
        let text = missing.to_string();
        assert!(matches!(missing, Missing::Misconfigured { .. }), "{text}");
        assert!(text.contains("restore --confirm-live"), "{text}");
    };
    let refused = node.refused(&server, &used, &refusal(401, "Bearer")).await;
    is_told(&refused.unwrap_err());
    assert_eq!(recheck(&node, &server).await, Recheck::NotNeeded);
    node.expire();
    is_told(&node.attach(&server).await.unwrap_err());
    let begun = node.begin(&server, &UserId::owner(), forced()).await;
    assert!(matches!(begun, Err(BeginError::Held)), "{begun:?}");
    assert_eq!(installation.world.requests().len(), 0);
    node.broker.set_installation(&restored(false));
    assert_ne!(node.bearer(&server).await, bearer(&used));
    assert_eq!(installation.issuer.redeemed(), 1);
}

#[tokio::test]
async fn f31_the_first_use_of_a_restored_credential_renews_it_and_waits_for_nothing() {
    let (installation, node, server) = Installation::signed_in().await;
    node.broker.set_installation(&restored(false));
    installation.clock.advance_secs(200);
    let old = node.bearer(&server).await;
    // Its tracked task ends before anything else is asked of the clock.
    node.tasks.finished().await;
    assert_ne!(node.bearer(&server).await, old);
    assert_eq!(recheck(&node, &server).await, Recheck::NotNeeded);
    assert_eq!(installation.issuer.redeemed(), 1);
}

#[tokio::test]
async fn f31_a_token_that_was_rotated_since_the_backup_is_called_restored() {
    let (installation, node, server) = Installation::signed_in().await;
    let (_copy, there) = copy_of(&installation, &node).await;
    // The original goes on: a strict issuer gives it the successor.
    let here = installation.node(2).await;
    node.expire();
    here.bearer(&server).await;
    assert_eq!(recheck(&there, &server).await, Recheck::Ended);
    assert_eq!(there.credential(&server).await, None);
    let connection = there.connection(&server).await.unwrap();
    assert_eq!(connection.standing, Standing::NeedsSignIn);
    assert_eq!(connection.reason, Some(Reason::Restored));
    let begun = there.begin(&server, &UserId::owner(), begin()).await;
    assert!(begun.is_ok(), "{begun:?}");
}

#[tokio::test]
async fn f31_where_the_issuer_does_not_rotate_the_backup_goes_on_as_it_was() {
    let (installation, node, server) = Installation::signed_in().await;
    installation.issuer.set(|issuer| issuer.rotates = false);
    let (_copy, there) = copy_of(&installation, &node).await;
    let here = installation.node(2).await;
    node.expire();
    here.bearer(&server).await;
    assert_eq!(recheck(&there, &server).await, Recheck::Renewed);
    let connection = there.connection(&server).await.unwrap();
    assert_eq!(connection.reason, None);
    assert_eq!(recheck(&there, &server).await, Recheck::NotNeeded);
}

#[tokio::test]
async fn f31_a_restored_token_that_the_server_refuses_is_renewed_however_young() {
    let (installation, node, server) = Installation::signed_in().await;
    let used = node.attach(&server).await.unwrap();
    node.broker.set_installation(&Row {
        restored_at: Some(Timestamp::from_secs(NOW)),
        ..restored(false)
    });
    let better = node.refused(&server, &used, &refusal(401, "Bearer")).await;
    assert_ne!(bearer(&better.unwrap()), bearer(&used));
    assert_eq!(installation.issuer.redeemed(), 1);
}
