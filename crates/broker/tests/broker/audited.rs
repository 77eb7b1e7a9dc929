//! Every change of a credential and its entry in the audit log are one transaction (A226).

use std::collections::BTreeSet;

use claviger_broker::{Verdict, Verifier};
use claviger_model::{AuditEntry, AuditFilter, Outcome, UserId};

use crate::support::{Installation, Node, bearer, forced, own};

/// Everything recorded, in the order of the chains.
async fn log(node: &Node) -> Vec<AuditEntry> {
    let audit = node.store.audit();
    let mut all = Vec::new();
    for head in audit.list_chain_heads().await.unwrap() {
        all.extend(audit.list_chain(&head.chain, 0, 1_000).await.unwrap());
    }
    all
}

async fn verdict(node: &Node) -> Verdict {
    let key = node.vault.audit_key().await.unwrap();
    let mut verifier = Verifier::new([key]);
    for entry in log(node).await {
        verifier.push(&entry);
    }
    verifier.finish()
}

/// What was recorded with this name, as outcomes.
async fn outcomes(node: &Node, act: &str) -> Vec<String> {
    let filter = AuditFilter {
        act: Some(act.to_owned()),
        limit: 1_000,
        ..AuditFilter::default()
    };
    let found = node.store.audit().list_audit(&filter).await.unwrap();
    found.into_iter().map(|entry| entry.outcome).collect()
}

#[tokio::test]
async fn n11_every_change_of_a_credential_leaves_exactly_one_entry() {
    let (_installation, node, server) = Installation::signed_in().await;
    assert_eq!(outcomes(&node, "credential.store").await, ["ok"]);
    assert_eq!(outcomes(&node, "registration.create").await, ["ok"]);
    assert_eq!(outcomes(&node, "sign_in.begin").await, ["ok"]);
    for round in 1..=3 {
        node.expire();
        node.bearer(&server).await;
        assert_eq!(outcomes(&node, "credential.refresh").await.len(), round);
    }
    let ended = node
        .broker
        .disconnect(&server, &UserId::owner())
        .await
        .unwrap();
    assert!(ended.ended_here);
    assert_eq!(outcomes(&node, "credential.end").await, ["ok"]);
    // Nothing is left to end, so nothing is recorded.
    node.broker
        .disconnect(&server, &UserId::owner())
        .await
        .unwrap();
    assert_eq!(outcomes(&node, "credential.end").await, ["ok"]);
    node.tasks.finished().await;
    node.broker.audit().close().await;
    assert_eq!(verdict(&node).await.problems, []);
}

#[tokio::test]
async fn n11_an_entry_says_who_what_and_which_version() {
    let (_installation, node, server) = Installation::signed_in().await;
    node.expire();
    node.bearer(&server).await;
    let all = log(&node).await;
    let stored = all
        .iter()
        .find(|one| one.act == "credential.store")
        .unwrap();
    assert_eq!(
        (stored.actor.as_str(), stored.object.as_str()),
        ("user:owner", "linear")
    );
    assert_eq!(stored.tenant.as_ref().unwrap().as_str(), "default");
    let renewed = all
        .iter()
        .find(|one| one.act == "credential.refresh")
        .unwrap();
    assert_eq!(renewed.actor, "system");
    assert!(
        renewed.detail.contains("\"version\":2"),
        "{}",
        renewed.detail
    );
}

/// A log that does not take an entry takes the change with it.
#[tokio::test]
async fn a226_an_entry_that_cannot_be_stored_undoes_the_change() {
    let (_installation, node, server) = Installation::signed_in().await;
    let before = node.credential(&server).await.unwrap();
    // The place of the next entry of every chain is taken.
    let audit = node.store.audit();
    for mut head in audit.list_chain_heads().await.unwrap() {
        head.seq += 1;
        audit.append_audit(&[head]).await.unwrap();
    }
    let refused = node.broker.disconnect(&server, &UserId::owner()).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(node.credential(&server).await.unwrap(), before);
    // The chain is given up, and another one takes the change and its entry.
    node.broker
        .disconnect(&server, &UserId::owner())
        .await
        .unwrap();
    assert!(node.credential(&server).await.is_none());
    assert_eq!(outcomes(&node, "credential.end").await, ["ok"]);
    assert!(!verdict(&node).await.problems.is_empty());
}

#[tokio::test]
async fn n11_uses_are_counted_together_and_shipped_at_the_end() {
    let (_installation, node, server) = Installation::signed_in().await;
    for _ in 0..5 {
        bearer(&node.attach(&server).await.unwrap());
    }
    node.expire();
    node.bearer(&server).await;
    node.tasks.finished().await;
    node.broker.audit().close().await;
    let all = log(&node).await;
    let uses: Vec<_> = all
        .iter()
        .filter(|one| one.act == "credential.use")
        .collect();
    let counts: Vec<_> = uses.iter().map(|one| one.count).collect();
    assert_eq!(counts, [5, 1], "{uses:?}");
    assert_eq!(verdict(&node).await.problems, []);
}

#[tokio::test]
async fn n11_two_nodes_write_chains_of_their_own() {
    let (installation, one, server) = Installation::signed_in().await;
    let two = installation.node(2).await;
    for node in [&one, &two, &one] {
        node.expire();
        node.bearer(&server).await;
    }
    for node in [&one, &two] {
        node.tasks.finished().await;
        node.broker.audit().checkpoint().await.unwrap();
        node.broker.audit().close().await;
    }
    let renewals: BTreeSet<_> = log(&one)
        .await
        .into_iter()
        .filter(|entry| entry.act == "credential.refresh")
        .map(|entry| entry.chain)
        .collect();
    assert_eq!(renewals.len(), 2);
    assert_eq!(verdict(&one).await.problems, []);
}

/// A221: no entry holds what only the issuer and we may know.
#[tokio::test]
async fn a221_no_secret_is_in_any_entry() {
    let (_installation, node, server) = Installation::signed_in().await;
    node.expire();
    node.bearer(&server).await;
    let ended = node.sign_in_with(&server, &UserId::owner(), forced()).await;
    assert_eq!(ended.outcome, Outcome::Success);
    let machine = own(&node).await;
    drop(machine);
    node.broker
        .disconnect(&server, &UserId::owner())
        .await
        .unwrap();
    node.tasks.finished().await;
    node.broker.audit().close().await;
    for entry in log(&node).await {
        let text = format!("{entry:?}").to_lowercase();
        for secret in ["canary", "access-", "refresh-", "bearer", "code=", "state="] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
