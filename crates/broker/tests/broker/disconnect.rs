//! Disconnecting: here first, then at the issuer.

use claviger_broker::AtIssuer;
use claviger_model::{Reason, Standing, UserId};
use futures_util::FutureExt as _;

use crate::support::Installation;

#[tokio::test]
async fn k10_ends_here_and_revokes_the_refresh_token_first() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    let done = node.broker.disconnect(&server, &owner).await.unwrap();
    assert_eq!((done.ended_here, done.at_issuer), (true, AtIssuer::Revoked));
    let revoked = installation.issuer.set(|issuer| issuer.revoked.clone());
    assert!(revoked[0].contains("refresh"), "{revoked:?}");
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(
        (status.standing, status.reason),
        (Standing::NeedsSignIn, Some(Reason::Disconnected))
    );
    assert!(node.attach(&server).await.unwrap().mark.is_none());
    let again = node.broker.disconnect(&server, &owner).await.unwrap();
    assert_eq!(
        (again.ended_here, again.at_issuer),
        (false, AtIssuer::NothingToRevoke)
    );
}

#[tokio::test]
async fn k10_says_what_the_issuer_made_of_it_and_ends_here_all_the_same() {
    let (_installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    let mut row = node.credential(&server).await.unwrap();
    row.version += 1;
    row.sealed.reverse();
    let connection = node.connection(&server).await.unwrap();
    let rows = node.rows();
    rows.replace_credential(&row, &connection).await.unwrap();
    let done = node.broker.disconnect(&server, &owner).await.unwrap();
    assert!(done.ended_here);
    assert!(matches!(done.at_issuer, AtIssuer::Failed(_)));
    assert!(node.credential(&server).await.is_none());

    let installation = Installation::new();
    installation.issuer.set(|issuer| issuer.revokes = false);
    let node = installation.node(1).await;
    let server = node.add(crate::support::linear()).await;
    node.sign_in(&server, &owner).await;
    let done = node.broker.disconnect(&server, &owner).await.unwrap();
    assert_eq!(
        (done.ended_here, done.at_issuer),
        (true, AtIssuer::NotOffered)
    );
}

#[tokio::test]
async fn k10_a_refresh_in_between_is_ended_too() {
    let (installation, node, server) = Installation::signed_in().await;
    let other = installation.node(2).await;
    node.expire();
    // Another process refreshes; this one still has the old row in memory.
    other.bearer(&server).await;
    let done = node
        .broker
        .disconnect(&server, &UserId::owner())
        .await
        .unwrap();
    assert!(done.ended_here);
    assert!(node.credential(&server).await.is_none());
    let stale = installation.issuer.set(|issuer| issuer.revoked.clone());
    assert!(!stale.is_empty());
    // The other one learns of it as soon as it looks.
    other.broker.invalidate();
    assert!(other.attach(&server).await.unwrap().mark.is_none());
}

#[tokio::test]
async fn k10_a_caller_that_goes_away_leaves_nothing_half_ended() {
    let (installation, node, server) = Installation::signed_in().await;
    {
        let owner = UserId::owner();
        let mut calling = Box::pin(node.broker.disconnect(&server, &owner));
        assert!(calling.as_mut().now_or_never().is_none());
    }
    node.tasks.finished().await;
    assert!(node.credential(&server).await.is_none());
    assert!(!installation.issuer.set(|issuer| issuer.revoked.is_empty()));
}
