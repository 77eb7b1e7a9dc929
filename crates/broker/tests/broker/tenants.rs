//! The end of a tenant: nothing of it is used or opens any more, nothing under way brings it back,
//! and its issuers are told.

use claviger_broker::{AtIssuer, Completed, RemoveTenantError, VaultError};
use claviger_crypto::{Context, SealedFor};
use claviger_model::{AuditFilter, Outcome, Server, TenantId, UserId};
use claviger_ports::FetchError;
use claviger_testkit::Gate;

use crate::support::{Installation, Node, begin, key, linear};

fn acme() -> TenantId {
    TenantId::parse("acme").unwrap()
}

/// On SQLite, and on PostgreSQL where there is one.
fn installations() -> Vec<Installation> {
    let mut all = vec![Installation::new()];
    all.extend(Installation::on_postgres());
    all
}

/// A server of the tenant, and one of the same name in the default tenant; the owner of each is
/// signed in.
async fn signed_in(node: &Node) -> [Server; 2] {
    let twin = node.add(linear()).await;
    let server = Server {
        tenant: acme(),
        ..linear()
    };
    let rows = node.store.tenant(&server.tenant);
    rows.insert_server(&server).await.unwrap();
    for server in [&server, &twin] {
        let ended = node.sign_in(server, &UserId::owner()).await;
        assert_eq!(ended.outcome, Outcome::Success, "{ended:?}");
    }
    [server, twin]
}

/// The names of those that have any row, keys included.
async fn tenants(node: &Node) -> Vec<String> {
    let all = node.store.list_tenants().await.unwrap();
    all.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a220_a_removed_tenant_opens_nothing_and_its_issuers_are_told() {
    for installation in installations() {
        let (node, other) = (installation.node(1).await, installation.node(2).await);
        let issuer = &installation.issuer;
        let [server, twin] = signed_in(&node).await;
        other.bearer(&server).await;
        // It owes something already: an issuer that was away.
        let second = UserId::parse("second").unwrap();
        node.sign_in(&server, &second).await;
        issuer.set(|issuer| issuer.next_revocations.push_back(Err(FetchError::Broken)));
        node.broker.disconnect(&server, &second).await.unwrap();
        // A backup has the rows.
        let copy = node.store.tenant(&acme());
        let copy = copy.find_credential(&key(&server, &UserId::owner())).await;
        let sealed = copy.unwrap().unwrap().sealed;
        let context = Context::new(SealedFor::Credential);
        let opened = other.vault.open_record(&acme(), &context, &sealed).await;
        assert!(matches!(opened, Err(VaultError::Tampered { .. })));

        let removed = node.broker.remove_tenant(&acme()).await.unwrap();
        assert_eq!((removed.servers, removed.inherited), (1, 1));
        assert_eq!(removed.lost, 0);
        assert_eq!(tenants(&node).await, ["default"]);
        let keys = node.store.keys().list_keys().await.unwrap();
        assert!(keys.iter().all(|key| key.tenant != Some(acme())));
        other.broker.reload_keys().await.unwrap();
        other.broker.invalidate();
        let third = installation.node(3).await;
        for process in [&node, &other, &third] {
            let opened = process.vault.open_record(&acme(), &context, &sealed).await;
            assert!(matches!(opened, Err(VaultError::UnknownKey)), "{opened:?}");
            let attached = process.attach(&server).await.unwrap();
            assert!(attached.mark.is_none());
        }

        let ended = node.broker.revoke_ended(removed.ended).await;
        assert_eq!(ended[0].at_issuer, AtIssuer::Revoked);
        assert_eq!(issuer.revoked(), ["refresh", "access"]);
        // What it owed before is tried when it is due, by whichever process.
        installation.clock.advance_secs(60);
        assert_eq!(other.broker.try_revocations().await, 1);
        assert_eq!(issuer.revoked().len(), 4);
        let owed = node.broker.revocations(&TenantId::default_tenant()).await;
        assert!(owed.unwrap().is_empty());
        // The twin is as it was.
        assert_eq!(issuer.live(), 1);
        other.bearer(&twin).await;
        let filter = AuditFilter {
            act: Some("tenant.remove".to_owned()),
            limit: 9,
            ..AuditFilter::default()
        };
        let told = node.store.audit().list_audit(&filter).await.unwrap();
        assert_eq!((told.len(), &told[0].tenant), (1, &Some(acme())));
        assert!(told[0].detail.contains("\"owed\":2"), "{}", told[0].detail);
    }
}

#[tokio::test]
async fn f06_what_a_removed_tenant_owes_is_shown_until_its_issuer_confirms() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let issuer = &installation.issuer;
    signed_in(&node).await;
    issuer.set(|issuer| issuer.next_revocations.push_back(Err(FetchError::Broken)));
    let removed = node.broker.remove_tenant(&acme()).await.unwrap();
    // The process dies before it told anybody.
    drop(removed);
    let other = installation.node(2).await;
    let tenant = TenantId::default_tenant();
    let owed = other.broker.revocations(&tenant).await.unwrap();
    assert_eq!(owed.len(), 1);
    assert_eq!(owed[0].server_name, "acme/linear");
    assert_eq!(owed[0].key.tenant, tenant);
    installation.clock.advance_secs(31);
    assert_eq!(other.broker.try_revocations().await, 1);
    assert_eq!(other.broker.revocations(&tenant).await.unwrap().len(), 1);
    installation.clock.advance_secs(31);
    assert_eq!(other.broker.try_revocations().await, 1);
    assert_eq!(issuer.revoked(), ["refresh", "access"]);
    assert!(other.broker.revocations(&tenant).await.unwrap().is_empty());
}

#[tokio::test]
async fn a220_a_refresh_under_way_brings_no_tenant_back() {
    for installation in installations() {
        let (node, other) = (installation.node(1).await, installation.node(2).await);
        let [server, _] = signed_in(&node).await;
        node.expire();
        let gate = Gate::closed();
        installation
            .issuer
            .set(|issuer| issuer.gate = Some(gate.clone()));
        let removing = async {
            gate.arrived(1).await;
            let removed = other.broker.remove_tenant(&acme()).await.unwrap();
            other.broker.revoke_ended(removed.ended).await;
            gate.open();
        };
        let (attached, ()) = tokio::join!(node.attach(&server), removing);
        assert!(attached.is_err(), "{attached:?}");
        node.tasks.finished().await;
        node.broker.reload_keys().await.unwrap();
        assert_eq!(tenants(&node).await, ["default"]);
        // Whoever knew it makes it no key again.
        let context = Context::new(SealedFor::Credential);
        let sealed = node.vault.seal(&acme(), &context, b"x").await;
        assert!(matches!(sealed, Err(VaultError::UnknownKey)));
        assert_eq!(tenants(&node).await, ["default"]);
    }
}

#[tokio::test]
async fn a220_a_sign_in_under_way_brings_no_tenant_back_and_is_given_back() {
    for installation in installations() {
        let (node, other) = (installation.node(1).await, installation.node(2).await);
        let [server, _] = signed_in(&node).await;
        let issuer = &installation.issuer;
        let second = UserId::parse("second").unwrap();
        let started = node.start(&server, &second, begin()).await;
        let query = issuer.agree(&started.authorization_url);
        let gate = Gate::closed();
        issuer.set(|issuer| issuer.gate = Some(gate.clone()));
        let removing = async {
            gate.arrived(1).await;
            let removed = other.broker.remove_tenant(&acme()).await.unwrap();
            other.broker.revoke_ended(removed.ended).await;
            gate.open();
        };
        let (completed, ()) = tokio::join!(node.complete(&server, &query), removing);
        if let Completed::Ended { ended, .. } = completed {
            assert_ne!(ended.outcome, Outcome::Success, "{ended:?}");
        }
        node.tasks.finished().await;
        assert_eq!(tenants(&node).await, ["default"]);
        // That of the twin.
        assert_eq!(issuer.live(), 1);
        let revoked = ["refresh", "access", "refresh", "access"];
        assert_eq!(issuer.revoked(), revoked);
    }
}

#[tokio::test]
async fn the_default_tenant_and_one_that_is_not_there_are_not_removed() {
    let (_installation, node, server) = Installation::signed_in().await;
    let default = TenantId::default_tenant();
    let refused = node.broker.remove_tenant(&default).await;
    assert!(matches!(refused, Err(RemoveTenantError::Default)));
    let refused = node.broker.remove_tenant(&acme()).await;
    assert!(matches!(refused, Err(RemoveTenantError::Unknown)));
    node.bearer(&server).await;
    assert_eq!(tenants(&node).await, ["default"]);
}

#[tokio::test]
async fn a220_a_tenant_of_the_same_name_has_another_key() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    signed_in(&node).await;
    let context = Context::new(SealedFor::Credential);
    let old = node.vault.seal(&acme(), &context, b"old").await.unwrap();
    let sleeper = installation.node(2).await;
    let opened = sleeper.vault.open_record(&acme(), &context, &old).await;
    assert_eq!(opened.unwrap().as_slice(), b"old");
    node.broker.remove_tenant(&acme()).await.unwrap();
    // Somebody makes it again, within the same second: its first generation again.
    let third = installation.node(3).await;
    let new = third.vault.seal(&acme(), &context, b"new").await.unwrap();
    // Also where nobody heard that it was gone in between.
    sleeper.broker.reload_keys().await.unwrap();
    node.broker.reload_keys().await.unwrap();
    for process in [&node, &third, &sleeper] {
        let opened = process.vault.open_record(&acme(), &context, &new).await;
        assert_eq!(opened.unwrap().as_slice(), b"new");
        let opened = process.vault.open_record(&acme(), &context, &old).await;
        assert!(matches!(opened, Err(VaultError::Tampered { .. })));
    }
}
