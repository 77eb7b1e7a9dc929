//! Every act has its entry, which names who did it (N11).

use claviger_broker::{Actor, MayEnd, Setting, Turn};
use claviger_crypto::Secret;
use claviger_model::{
    ApiToken, ApiTokenId, AuditEntry, AuditFilter, Auth, HeaderTemplate, Server, TenantId,
    Timestamp, UserId,
};
use claviger_ports::FetchError;
use serde_json::Value;

use crate::support::{Installation, Node, forced, linear};

/// Whoever asks over the admin socket.
fn peer() -> Actor {
    Actor::Socket(Some(1_000))
}

/// What was recorded with this name, the oldest first.
async fn told(node: &Node, act: &str) -> Vec<AuditEntry> {
    let filter = AuditFilter {
        act: Some(act.to_owned()),
        limit: 1_000,
        ..AuditFilter::default()
    };
    let mut found = node.store.audit().list_audit(&filter).await.unwrap();
    found.reverse();
    found
}

async fn told_at_the_end(node: &Node, act: &str) -> Vec<AuditEntry> {
    node.tasks.finished().await;
    node.broker.audit().close().await;
    told(node, act).await
}

fn detail(entry: &AuditEntry, name: &str) -> Value {
    let detail: Value = serde_json::from_str(&entry.detail).unwrap();
    detail[name].clone()
}

fn moved(server: &Server) -> Server {
    Server {
        url: "https://linear.example/v2/mcp".to_owned(),
        ..server.clone()
    }
}

#[tokio::test]
async fn n11_a_change_of_settings_names_every_credential_it_ended() {
    let (_installation, node, server) = Installation::signed_in().await;
    let other = UserId::parse("other").unwrap();
    node.sign_in(&server, &other).await;
    let broker = node.broker.acting(peer());
    let new = moved(&server);
    let changed = broker.change_server(&server, &new, MayEnd::All);
    assert_eq!(changed.await.unwrap().ended.len(), 2);
    let set = told(&node, "server.set").await;
    assert_eq!((set.len(), set[0].actor.as_str()), (1, "socket:1000"));
    assert_eq!(
        (detail(&set[0], "ended"), detail(&set[0], "settings")),
        (2.into(), "url".into())
    );
    let purged = told(&node, "credential.purge").await;
    let users: Vec<_> = purged.iter().map(|one| detail(one, "user")).collect();
    assert_eq!(users, ["other", "owner"].map(Value::from));
    let queued = told(&node, "revocation.queued").await;
    assert_eq!(queued.len(), 2);
    // One transaction: all of it follows in one chain.
    let mut all = [set, purged, queued].concat();
    all.sort_by_key(|one| one.seq);
    let first = all[0].seq;
    let seqs: Vec<_> = all.iter().map(|one| one.seq - first).collect();
    assert_eq!(seqs, [0, 1, 2, 3, 4]);
    assert!(all.iter().all(|one| one.chain == all[0].chain));
}

#[tokio::test]
async fn n11_removing_a_server_names_every_credential_it_ended() {
    let (_installation, node, server) = Installation::signed_in().await;
    let broker = node.broker.acting(peer());
    broker.remove_server(&server, MayEnd::All).await.unwrap();
    for act in ["server.remove", "credential.purge"] {
        let told = told(&node, act).await;
        assert_eq!(
            (told.len(), told[0].actor.as_str()),
            (1, "socket:1000"),
            "{act}"
        );
    }
    assert_eq!(told(&node, "revocation.queued").await.len(), 1);
}

#[tokio::test]
async fn n11_a_revocation_is_told_from_its_queue_to_its_end() {
    let (installation, node, server) = Installation::signed_in().await;
    installation.issuer.set(|issuer| {
        issuer.next_revocations.push_back(Err(FetchError::Timeout));
    });
    let broker = node.broker.acting(peer());
    broker.disconnect(&server, &UserId::owner()).await.unwrap();
    installation.clock.advance_secs(60);
    assert_eq!(node.broker.try_revocations().await, 1);
    let ended = told(&node, "credential.end").await;
    assert_eq!(ended[0].actor, "socket:1000");
    let all = told_at_the_end(&node, "revocation").await;
    let mut acts: Vec<_> = all
        .iter()
        .map(|one| (one.act.as_str(), one.outcome.as_str()))
        .collect();
    acts.sort_unstable();
    assert_eq!(
        acts,
        [
            ("revocation.confirmed", "ok"),
            ("revocation.failed", "failed"),
            ("revocation.queued", "ok"),
            ("revocation.sent", "ok"),
            ("revocation.sent", "ok"),
        ]
    );
    let id = detail(&all[0], "revocation");
    assert!(id.is_string());
    assert!(all.iter().all(|one| detail(one, "revocation") == id));
    let failed = told(&node, "revocation.failed").await;
    assert_eq!(detail(&failed[0], "attempt"), 1);
}

#[tokio::test]
async fn n11_what_came_too_late_and_is_given_back_is_recorded() {
    let (installation, node, server) = Installation::signed_in().await;
    let started = node.start(&server, &UserId::owner(), forced()).await;
    let query = installation.issuer.agree(&started.authorization_url);
    let gate = claviger_testkit::Gate::closed();
    installation
        .issuer
        .set(|issuer| issuer.gate = Some(gate.clone()));
    let cancelling = async {
        gate.arrived(1).await;
        node.broker.cancel(&server, &UserId::owner()).await.unwrap();
        gate.open();
    };
    tokio::join!(node.complete(&server, &query), cancelling);
    node.tasks.finished().await;
    assert_eq!(told(&node, "revocation.queued").await.len(), 1);
    assert_eq!(told(&node, "revocation.confirmed").await.len(), 1);
}

#[tokio::test]
async fn n11_removing_a_user_says_who_did_it_and_all_that_ended() {
    let (_installation, node, server) = Installation::signed_in().await;
    let other = UserId::parse("other").unwrap();
    node.sign_in(&server, &other).await;
    let token = ApiToken {
        id: ApiTokenId::from_random([7; 16]),
        tenant: TenantId::default_tenant(),
        user: other.clone(),
        name: "laptop".to_owned(),
        mac: vec![7; 32],
        servers: None,
        created_at: Timestamp::from_secs(0),
        expires_at: None,
    };
    node.rows().insert_api_token(&token).await.unwrap();
    let broker = node.broker.acting(peer());
    let removed = broker.remove_user(&server.tenant, &other).await.unwrap();
    assert_eq!((removed.ended.len(), removed.api_tokens), (1, 1));
    for act in ["api_token.delete", "credential.end", "user.remove"] {
        let told = told(&node, act).await;
        assert_eq!(
            (told.len(), told[0].actor.as_str()),
            (1, "socket:1000"),
            "{act}"
        );
    }
    let told = told(&node, "user.remove").await;
    assert_eq!(
        (told[0].object.as_str(), detail(&told[0], "ended")),
        ("other", 1.into())
    );
    assert_eq!(detail(&told[0], "api_tokens"), 1);
}

#[tokio::test]
async fn n10_n11_every_act_with_keys_names_who_did_it() {
    let (installation, node, _server) = Installation::signed_in().await;
    let broker = node.broker.acting(peer());
    let turn = Turn {
        drop_old: true,
        ..Turn::default()
    };
    broker.turn_keys(&turn, &mut |_| {}).await.unwrap();
    installation.clock.advance_secs(600);
    // Nothing is old enough to be renewed again, and what was renewed may go.
    let turn = Turn {
        made_before: Some(Timestamp::from_secs(0)),
        ..turn
    };
    broker.turn_keys(&turn, &mut |_| {}).await.unwrap();
    for act in ["keys.rotate", "keys.drop"] {
        let told = told(&node, act).await;
        assert!(!told.is_empty(), "{act}");
        assert!(told.iter().all(|one| one.actor == "socket:1000"), "{act}");
    }
}

#[tokio::test]
async fn n11_a_person_who_signs_out_is_named_unless_somebody_else_did_it() {
    let (_installation, node, server) = Installation::signed_in().await;
    node.broker
        .disconnect(&server, &UserId::owner())
        .await
        .unwrap();
    assert_eq!(told(&node, "credential.end").await[0].actor, "user:owner");
    assert_eq!(told(&node, "sign_in.begin").await[0].actor, "user:owner");
    let began = node.broker.acting(Actor::Cli(Some(501)));
    let (owner, mut unheard) = (UserId::owner(), |_| {});
    let began = began.begin(&server, &owner, forced(), &mut unheard);
    began.await.unwrap();
    assert_eq!(told(&node, "sign_in.begin").await[1].actor, "cli:501");
}

async fn with_header(node: &Node) -> Server {
    let role = Setting::Header { name: "x-other" };
    let (server, value) = (linear(), Secret::new("canary"));
    let sealed = node.broker.seal_setting(&server, role, &value);
    let header = HeaderTemplate {
        name: "x-api-key".to_owned(),
        sealed_value: sealed.await.unwrap(),
    };
    Server {
        auth: Auth::Headers {
            headers: vec![header],
        },
        ..server
    }
}

/// A header that was moved is refused at every request; the log has it twice, counted.
#[tokio::test]
async fn a203_n11_settings_that_were_tampered_with_are_told_once_and_counted() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = with_header(&node).await;
    for _ in 0..100 {
        node.attach(&server).await.unwrap_err();
    }
    let told = told_at_the_end(&node, "tamper").await;
    let mut counts: Vec<_> = told.iter().map(|one| one.count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 99]);
    for one in told {
        assert_eq!(
            (one.object.as_str(), one.outcome.as_str()),
            ("linear", "refused")
        );
        assert_eq!(
            (detail(&one, "of"), detail(&one, "why")),
            ("header".into(), "seal".into())
        );
        assert!(!one.detail.contains("canary"));
    }
}

#[tokio::test]
async fn a203_n11_a_tampered_sign_in_registration_or_revocation_is_told() {
    let (installation, node, server) = Installation::signed_in().await;
    let started = node.start(&server, &UserId::owner(), forced()).await;
    let query = installation.issuer.agree(&started.authorization_url);
    installation.issuer.set(|issuer| {
        issuer.next_revocations.push_back(Err(FetchError::Timeout));
    });
    node.broker
        .disconnect(&server, &UserId::owner())
        .await
        .unwrap();
    let started = node.start(&server, &UserId::owner(), forced()).await;
    let again = installation.issuer.agree(&started.authorization_url);
    for table in [
        "UPDATE sign_ins SET sealed = zeroblob(length(sealed)) WHERE outcome IS NULL",
        "UPDATE registrations SET sealed = CAST(substr(sealed, 1, length(sealed) - 1) || x'00' AS BLOB)",
        "UPDATE revocations SET sealed = CAST(substr(sealed, 1, length(sealed) - 1) || x'00' AS BLOB)",
    ] {
        installation.sql(table).await;
    }
    drop((query, node.complete(&server, &again).await));
    installation.clock.advance_secs(60);
    node.broker.try_revocations().await;
    let registration = node.registrations(&server).await.remove(0);
    let checked = node.broker.check_registration(&server, &registration).await;
    assert!(checked.is_err());
    let told = told_at_the_end(&node, "tamper").await;
    let mut of: Vec<_> = told.iter().map(|one| detail(one, "of")).collect();
    of.sort_by_key(ToString::to_string);
    assert_eq!(
        of,
        ["registration", "revocation", "sign_in"].map(Value::from)
    );
}

/// What a process that died left in its journal, and somebody changed, is told as well.
#[tokio::test]
async fn f14_n11_what_is_put_back_from_a_journal_says_so_and_a_forged_entry_too() {
    let (installation, node, server) = Installation::signed_in().await;
    let before = node.credential(&server).await.unwrap();
    let connection = node.connection(&server).await.unwrap();
    node.expire();
    node.bearer(&server).await;
    let after = node.credential(&server).await.unwrap();
    let rows = node.rows();
    let ended = rows.end_credential(&after.key, &after.fingerprint, &connection);
    ended.await.unwrap();
    rows.replace_credential(&before, &connection).await.unwrap();
    let next = installation.node(2).await;
    let mut entries = node.journal.entries();
    let mut forged = entries.last().unwrap().clone();
    *forged.last_mut().unwrap() ^= 1;
    entries.push(forged);
    next.journal.leave(entries);
    next.broker.rescue().await;
    let renewed = told(&next, "credential.refresh").await;
    let is_rescued = |one: &&AuditEntry| detail(one, "rescued") == true;
    assert_eq!(renewed.len(), 2);
    assert_eq!(renewed.iter().filter(is_rescued).count(), 1);
    let told = told_at_the_end(&next, "tamper").await;
    assert_eq!(told.len(), 1);
    assert_eq!(detail(&told[0], "of"), "journal");
}
