//! Settings that change end what was obtained under the old ones, whatever is under way.

use claviger_broker::{AtIssuer, ChangeError, Completed, MayEnd, Missing, ServerChange};
use claviger_model::{Auth, Outcome, Reason, Server, Standing, UserId};
use claviger_ports::FetchError;
use claviger_testkit::Gate;
use futures_util::FutureExt as _;

use crate::support::{Installation, Node, bearer, begin, ended, forced, own, refusal};

fn moved(server: &Server) -> Server {
    Server {
        url: "https://linear.example/v2/mcp".to_owned(),
        ..server.clone()
    }
}

/// The same server, of which only one scope may be asked for.
fn narrowed(server: &Server) -> Server {
    let Auth::Oauth(settings) = &server.auth else {
        panic!("a server with a sign-in");
    };
    let mut settings = settings.clone();
    settings.issuer = Some("https://elsewhere.example".to_owned());
    Server {
        auth: Auth::Oauth(settings),
        ..server.clone()
    }
}

async fn change(node: &Node, old: &Server, new: &Server) -> ServerChange {
    let owner = UserId::owner();
    let changed = node
        .broker
        .change_server(old, new, MayEnd::OnlyOf(&owner))
        .await;
    changed.unwrap()
}

#[tokio::test]
async fn g6_a_new_address_ends_what_was_obtained_for_the_old_one() {
    let (installation, node, server) = Installation::signed_in().await;
    let other = installation.node(2).await;
    other.bearer(&server).await;
    node.start(&server, &UserId::owner(), forced()).await;
    let new = moved(&server);
    let changed = change(&node, &server, &new).await;
    assert_eq!(changed.settings, ["url"]);
    // Before the issuer was asked.
    assert!(node.credential(&server).await.is_none());
    assert!(node.attach(&server).await.unwrap().mark.is_none());
    let connection = node.connection(&server).await.unwrap();
    assert_eq!(
        (connection.standing, connection.reason),
        (Standing::NeedsSignIn, Some(Reason::SettingsChanged))
    );
    let ended = node.broker.revoke_ended(changed.ended).await;
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].at_issuer, AtIssuer::Revoked);
    assert_eq!(installation.issuer.revoked(), ["refresh", "access"]);
    // Another process attaches nothing old, whichever row it was routed with.
    other.broker.invalidate();
    assert!(other.attach(&server).await.unwrap().mark.is_none());
    assert!(other.attach(&new).await.unwrap().mark.is_none());
    let stored = node.rows().find_server_by_id(&server.id).await.unwrap();
    assert_eq!(stored.unwrap().url, new.url);
    assert_eq!(installation.issuer.live(), 0);
}

#[tokio::test]
async fn g6_a_name_and_a_switch_keep_everything() {
    let (installation, node, server) = Installation::signed_in().await;
    let held = node.bearer(&server).await;
    let new = Server {
        display_name: "Another".to_owned(),
        enabled: false,
        ..server.clone()
    };
    let changed = change(&node, &server, &new).await;
    assert!(changed.settings.is_empty());
    assert_eq!(node.bearer(&new).await, held);
    assert!(installation.issuer.revoked().is_empty());
}

#[tokio::test]
async fn g6_a_refresh_under_way_brings_nothing_that_is_kept() {
    let (installation, node, server) = Installation::signed_in().await;
    let issuer = &installation.issuer;
    let other = installation.node(2).await;
    node.expire();
    let gate = Gate::closed();
    issuer.set(|issuer| issuer.gate = Some(gate.clone()));
    let changing = async {
        gate.arrived(1).await;
        let changed = change(&other, &server, &narrowed(&server)).await;
        other.broker.revoke_ended(changed.ended).await;
        gate.open();
    };
    let (refreshed, ()) = tokio::join!(node.attach(&server), changing);
    let Err(Missing::NeedsSignIn { reason, .. }) = refreshed else {
        panic!("{refreshed:?}");
    };
    assert_eq!(reason, Some(Reason::SettingsChanged));
    assert!(node.credential(&server).await.is_none());
    node.tasks.finished().await;
    // The old one by whoever changed it (its access token had ended), the new one by whoever
    // obtained it.
    assert_eq!(issuer.live(), 0);
    assert_eq!(issuer.revoked(), ["refresh", "refresh", "access"]);
}

#[tokio::test]
async fn g6_a_change_during_a_refresh_that_just_landed_ends_what_it_brought() {
    for seed in 0..20 {
        let (installation, node, server) = Installation::signed_in().await;
        let other = installation.node(seed + 2).await;
        node.expire();
        let changing = async {
            for _ in 0..seed {
                tokio::task::yield_now().await;
            }
            let changed = change(&other, &server, &narrowed(&server)).await;
            other.broker.revoke_ended(changed.ended).await;
        };
        let work = async { tokio::join!(node.attach(&server), changing) };
        drop(installation.driven(work).await);
        node.tasks.finished().await;
        assert!(node.credential(&server).await.is_none(), "{seed}");
        assert_eq!(installation.issuer.live(), 0, "{seed}");
        let connection = node.connection(&server).await.unwrap();
        assert_eq!(connection.reason, Some(Reason::SettingsChanged), "{seed}");
    }
}

#[tokio::test]
async fn g6_a_sign_in_begun_before_cannot_be_completed() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    let started = node.start(&server, &owner, forced()).await;
    let query = installation.issuer.agree(&started.authorization_url);
    let new = narrowed(&server);
    change(&node, &server, &new).await;
    let completed = node.complete(&new, &query).await;
    assert!(matches!(completed, Completed::NotOurs), "{completed:?}");
    assert!(node.credential(&new).await.is_none());
}

#[tokio::test]
async fn g6_a_sign_in_begun_by_a_process_that_had_not_heard_brings_nothing() {
    let (installation, node, server) = Installation::signed_in().await;
    let owner = UserId::owner();
    let new = narrowed(&server);
    change(&node, &server, &new).await;
    // It still has the old row.
    let late = installation.node(2).await;
    let started = late.start(&server, &owner, begin()).await;
    let query = installation.issuer.agree(&started.authorization_url);
    installation.world.forget();
    let ended = ended(late.complete(&server, &query).await);
    assert_eq!(ended.outcome, Outcome::Failed);
    assert!(ended.message.unwrap().contains("settings were changed"));
    assert!(late.credential(&new).await.is_none());
    let sent = installation
        .world
        .requests_to(&installation.issuer.token_url());
    assert!(sent.is_empty());
}

#[tokio::test]
async fn g6_a_sign_in_that_is_being_redeemed_brings_nothing() {
    let (installation, node, server) = Installation::signed_in().await;
    let issuer = &installation.issuer;
    let owner = UserId::owner();
    let started = node.start(&server, &owner, forced()).await;
    let query = issuer.agree(&started.authorization_url);
    let gate = Gate::closed();
    issuer.set(|issuer| issuer.gate = Some(gate.clone()));
    let changing = async {
        gate.arrived(1).await;
        let changed = change(&node, &server, &narrowed(&server)).await;
        node.broker.revoke_ended(changed.ended).await;
        gate.open();
    };
    let (completed, ()) = tokio::join!(node.complete(&server, &query), changing);
    assert_eq!(ended(completed).outcome, Outcome::Cancelled);
    node.tasks.finished().await;
    assert!(node.credential(&server).await.is_none());
    assert_eq!(issuer.live(), 0);
}

#[tokio::test]
async fn g6_a_machines_credential_that_is_being_obtained_is_not_kept() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = own(&node).await;
    let server = node.add(server).await;
    let gate = Gate::closed();
    installation
        .issuer
        .set(|issuer| issuer.gate = Some(gate.clone()));
    let bare = node.attach(&server).await.unwrap();
    let no = refusal(401, "Bearer");
    let changing = async {
        gate.arrived(1).await;
        change(&node, &server, &narrowed(&server)).await;
        gate.open();
    };
    let (obtained, ()) = tokio::join!(node.refused(&server, &bare, &no), changing);
    assert!(
        matches!(obtained, Err(Missing::Unreachable { .. })),
        "{obtained:?}"
    );
    assert!(node.credential(&server).await.is_none());
    assert_eq!(installation.issuer.revoked(), ["access"]);
}

#[tokio::test]
async fn f06_removing_a_server_revokes_what_everybody_held() {
    let (installation, node, server) = Installation::signed_in().await;
    let issuer = &installation.issuer;
    let (owner, other) = (UserId::owner(), UserId::parse("other").unwrap());
    node.sign_in(&server, &other).await;
    assert_eq!(issuer.live(), 2);
    let refused = node
        .broker
        .remove_server(&server, MayEnd::OnlyOf(&owner))
        .await;
    assert!(matches!(
        refused,
        Err(ChangeError::OthersConnected { users: 1 })
    ));
    assert_eq!(issuer.live(), 2);
    issuer.set(|issuer| issuer.next_revocations.push_back(Err(FetchError::Broken)));
    let ending = node
        .broker
        .remove_server(&server, MayEnd::All)
        .await
        .unwrap();
    assert!(
        node.rows()
            .find_server_by_id(&server.id)
            .await
            .unwrap()
            .is_none()
    );
    let ended = node.broker.revoke_ended(ending).await;
    let users: Vec<_> = ended.iter().map(|one| one.user.as_str()).collect();
    assert_eq!(users, ["other", "owner"]);
    let pending = ended
        .iter()
        .filter(|one| one.at_issuer != AtIssuer::Revoked);
    assert_eq!(pending.count(), 1);
    // What is pending outlives the server, and the process that removed it.
    let late = installation.node(2).await;
    installation.clock.advance_secs(60);
    assert_eq!(late.broker.try_revocations().await, 1);
    assert_eq!(issuer.live(), 0);
    let gone = node.broker.remove_server(&server, MayEnd::All).await;
    assert!(matches!(gone, Err(ChangeError::Gone)));
}

#[tokio::test]
async fn f06_a_process_that_dies_after_a_purge_leaves_nothing_unrevoked() {
    let (installation, node, server) = Installation::signed_in().await;
    // Nobody is told: it died here.
    let changed = change(&node, &server, &moved(&server)).await;
    drop(changed);
    assert!(installation.issuer.revoked().is_empty());
    let late = installation.node(2).await;
    installation.clock.advance_secs(30);
    assert_eq!(late.broker.try_revocations().await, 1);
    assert_eq!(installation.issuer.revoked(), ["refresh", "access"]);
}

#[tokio::test]
async fn k11_a_server_that_is_off_refuses_to_begin_a_sign_in() {
    let (_installation, node, server) = Installation::signed_in().await;
    let off = Server {
        enabled: false,
        ..server.clone()
    };
    change(&node, &server, &off).await;
    let refused = node.begin(&off, &UserId::owner(), forced()).await;
    assert_eq!(refused.unwrap_err().code(), "server_disabled");
}

#[tokio::test]
async fn a_new_secret_or_key_of_the_same_client_is_used_at_once() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = own(&node).await;
    let server = node.add(server).await;
    let bare = node.attach(&server).await.unwrap();
    let first = node.refused(&server, &bare, &refusal(401, "Bearer")).await;
    let held = bearer(&first.unwrap());
    let new = own(&node).await;
    assert_ne!(new.auth, server.auth);
    let changed = change(&node, &server, &new).await;
    assert!(changed.settings.is_empty());
    assert_eq!(
        node.attach(&new)
            .now_or_never()
            .map(|one| bearer(&one.unwrap())),
        Some(held)
    );
}

#[tokio::test]
async fn f06_removing_a_user_ends_and_revokes_everything_of_theirs() {
    let (installation, node, server) = Installation::signed_in().await;
    let issuer = &installation.issuer;
    let other = UserId::parse("other").unwrap();
    node.sign_in(&server, &other).await;
    let started = node.start(&server, &other, forced()).await;
    let query = issuer.agree(&started.authorization_url);
    issuer.set(|issuer| {
        issuer.next_revocations.push_back(Err(FetchError::Broken));
    });
    let removed = node.broker.remove_user(&server.tenant, &other).await;
    let removed = removed.unwrap();
    assert_eq!((removed.sign_ins, removed.api_tokens), (1, 0));
    let ended = node.broker.revoke_ended(removed.ended).await;
    assert_eq!(ended.len(), 1);
    assert!(matches!(ended[0].at_issuer, AtIssuer::Pending(_)));
    let held = node.rows().list_user_credentials(&other).await.unwrap();
    assert!(held.is_empty());
    let late = node.complete(&server, &query).await;
    assert!(matches!(late, Completed::NotOurs), "{late:?}");
    installation.clock.advance_secs(60);
    assert_eq!(node.broker.try_revocations().await, 1);
    assert_eq!(issuer.revoked(), ["refresh", "access"]);
    // The owner's is as it was.
    assert!(node.attach(&server).await.unwrap().mark.is_some());
    assert_eq!(issuer.live(), 1);
}
