//! Turning the keys while others sign in and refresh, broken off anywhere, and going on.

use core::future::Future;
use core::pin::pin;
use core::task::Poll;
use std::collections::BTreeMap;
use std::sync::Arc;

use claviger_broker::{Attach as _, Keks, Missing, Turn, TurnEvent};
use claviger_crypto::{Kek, hex};
use claviger_model::{Outcome, RegistrationId, Server, Timestamp, UserId};
use claviger_ports::FetchError;
use claviger_store::SealedRow;
use proptest::prelude::{Just, ProptestConfig, Strategy};
use proptest::{prop_oneof, proptest};

use crate::support::{Installation, NOW, Node, bearer, forced, own};

const USERS: [&str; 3] = ["owner", "ann", "bob"];

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn keks(first: u8, old: Option<u8>) -> Keks {
    let kek = |byte| Arc::new(Kek::new([byte; 32])) as _;
    Keks::new(kek(first), old.into_iter().map(kek).collect())
}

/// Polls `work` at most `most` times, then drops it where it stands, as a crash would.
async fn broken_off<T>(work: impl Future<Output = T>, most: usize) -> Option<T> {
    let (mut work, mut polls) = (pin!(work), 0);
    core::future::poll_fn(|cx| {
        polls += 1;
        match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if polls >= most => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn turn(node: &Node, turn: Turn) -> Vec<TurnEvent> {
    let mut events = Vec::new();
    let mut on = |event| events.push(event);
    node.broker.turn_keys(&turn, &mut on).await.unwrap();
    events
}

async fn verified(node: &Node) -> Vec<TurnEvent> {
    let mut events = Vec::new();
    let mut on = |event| events.push(event);
    node.broker.verify_keys(true, &mut on).await.unwrap();
    events
}

fn broken(events: &[TurnEvent]) -> usize {
    let is_broken = |event: &&TurnEvent| matches!(event, TurnEvent::Broken { .. });
    events.iter().filter(is_broken).count()
}

async fn newest(node: &Node) -> u32 {
    let keys = node.broker.list_keys().await.unwrap();
    let tenant = |purpose: &str| purpose == "tenant";
    let keys = keys.iter().filter(|found| tenant(&found.key.id.purpose));
    keys.map(|found| found.key.id.generation).max().unwrap()
}

/// What every user is given by a process that starts now.
async fn given(
    installation: &Installation,
    server: &Server,
    keks: Keks,
) -> BTreeMap<&'static str, String> {
    let node = installation.node_of(keks, 77).await.unwrap();
    let mut given = BTreeMap::new();
    for name in USERS {
        let attached = node
            .broker
            .attach(server, &user(name).into())
            .await
            .unwrap();
        given.insert(name, bearer(&attached));
    }
    given
}

async fn everybody() -> (Installation, Node, Server) {
    let (installation, node, server) = Installation::signed_in().await;
    for name in &USERS[1..] {
        let ended = node.sign_in(&server, &user(name)).await;
        assert_eq!(ended.outcome, Outcome::Success);
    }
    (installation, node, server)
}

#[tokio::test]
async fn n10_a_turn_seals_every_kind_of_row_anew_and_a_dry_run_does_nothing() {
    let (installation, node, server) = everybody().await;
    let mut machine = own(&node).await;
    machine.id = claviger_model::ServerId::parse("machine").unwrap();
    machine.slug = claviger_model::Slug::parse("machine").unwrap();
    // Sealed for another id: it must not open there, and must not hold up the rest.
    node.add(machine).await;
    // A revocation that the issuer has not confirmed yet.
    let gone = user("carl");
    node.sign_in(&server, &gone).await;
    let issuer = &installation.issuer;
    issuer.set(|issuer| issuer.next_revocations.push_back(Err(FetchError::Timeout)));
    node.broker.disconnect(&server, &gone).await.unwrap();
    // A sign-in that waits for its person while the keys are turned.
    let started = node.start(&server, &user("ann"), forced()).await;
    let before = given(&installation, &server, keks(7, None)).await;
    let keys = node.store.keys().list_keys().await.unwrap();
    let dry = Turn {
        dry_run: true,
        ..Turn::default()
    };
    let events = turn(&node, dry).await;
    let would = events.iter().find_map(|event| match event {
        TurnEvent::Resealed { total, .. } => Some(*total),
        _ => None,
    });
    // Three credentials, a registration, a revocation, a sign-in, a server.
    assert_eq!(would, Some(7), "{events:?}");
    assert_eq!(node.store.keys().list_keys().await.unwrap(), keys);
    let events = turn(&node, Turn::default()).await;
    assert_eq!(broken(&events), 1, "{events:?}");
    assert_eq!(newest(&node).await, 2);
    let left = node.rows().list_sealed_before(2, 100).await.unwrap();
    assert!(matches!(&left[..], [SealedRow::Server(row)] if row.slug.as_str() == "machine"));
    assert_eq!(given(&installation, &server, keks(7, None)).await, before);
    // The waiting person comes back to another process.
    let other = installation.node(3).await;
    let query = installation.issuer.agree(&started.authorization_url);
    let ended = crate::support::ended(other.complete(&server, &query).await);
    assert_eq!(ended.outcome, Outcome::Success, "{ended:?}");
    // What is owed is still owed, and can still be sent.
    assert_eq!(other.broker.try_revocations().await, 0);
    installation.clock.advance_secs(4_000);
    assert_eq!(other.broker.try_revocations().await, 1);
    assert_eq!(issuer.revoked(), ["refresh"]);
    // What does not open keeps its key, however often it is asked for (A208).
    installation.clock.advance_secs(600);
    let drop = Turn {
        drop_old: true,
        ..Turn::default()
    };
    turn(&node, drop).await;
    assert!(node.rows().count_sealed_before(2).await.unwrap() == 1);
    let keys = node.store.keys().list_keys().await.unwrap();
    assert!(
        keys.iter()
            .any(|row| row.purpose == "tenant" && row.generation == 1)
    );
    assert_eq!(broken(&verified(&node).await), 1);
}

#[tokio::test]
async fn n10_all_is_proved_page_by_page_and_says_how_far_it_has_come() {
    let (_installation, node, server) = everybody().await;
    // Sealed for nothing: each is named, and none of them holds up the rest.
    for number in 0..230 {
        let mut row = node
            .rows()
            .list_registrations(&server.id)
            .await
            .unwrap()
            .remove(0);
        row.id = RegistrationId::parse(&format!("foreign-{number}")).unwrap();
        row.issuer = format!("https://issuer-{number}.example");
        node.rows().insert_registration(&row).await.unwrap();
    }
    let events = verified(&node).await;
    assert_eq!(broken(&events), 230);
    let pages: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            TurnEvent::Verified {
                opened,
                done,
                total,
                ..
            } => Some((*opened, *done, *total)),
            _ => None,
        })
        .collect();
    // Three credentials and one registration of their own.
    let opened: u64 = pages.iter().map(|(opened, ..)| opened).sum();
    assert_eq!(opened, 4, "{pages:?}");
    let done: Vec<_> = pages
        .iter()
        .map(|(_, done, total)| (*done, *total))
        .collect();
    assert_eq!(done, [(100, Some(234)), (200, Some(234)), (234, Some(234))]);
    // A sample is one look, of every kind.
    let mut events = Vec::new();
    let mut on = |event| events.push(event);
    node.broker.verify_keys(false, &mut on).await.unwrap();
    // Its own may be in the sample or not.
    assert!((99..=100).contains(&broken(&events)), "{}", events.len());
}

#[tokio::test]
async fn a208_old_keys_go_once_nothing_is_sealed_with_them_and_everybody_knows_the_new_one() {
    let (installation, node, server) = everybody().await;
    let drop = Turn {
        drop_old: true,
        ..Turn::default()
    };
    let dropped = |events: &[TurnEvent]| -> Vec<String> {
        let key = |event: &TurnEvent| match event {
            TurnEvent::Dropped(key) => Some(key.to_string()),
            _ => None,
        };
        events.iter().filter_map(key).collect()
    };
    let before = given(&installation, &server, keks(7, None)).await;
    // Too young: another process may not have heard of it.
    assert!(dropped(&turn(&node, drop).await).is_empty());
    installation.clock.advance_secs(600);
    let events = turn(&node, drop).await;
    // Generation 2 was the newest until now, so only the one before it is old enough to go.
    assert!(dropped(&events).is_empty(), "{events:?}");
    let in_use = Turn {
        made_before: Some(Timestamp::from_secs(0)),
        ..drop
    };
    installation.clock.advance_secs(600);
    let events = turn(&node, in_use).await;
    assert_eq!(
        dropped(&events),
        [
            "tenant default, generation 1",
            "tenant default, generation 2"
        ]
    );
    assert_eq!(given(&installation, &server, keks(7, None)).await, before);
    assert_eq!(broken(&verified(&node).await), 0);
}

#[tokio::test]
async fn f07_a_turn_broken_off_anywhere_goes_on_and_every_row_opens_meanwhile() {
    let (installation, node, server) = everybody().await;
    let before = given(&installation, &server, keks(7, None)).await;
    for most in 1..60 {
        let work = installation.node(most as u64 + 100).await;
        let seen = newest(&node).await;
        let left = node.rows().count_sealed_before(seen).await.unwrap();
        let mut on = |_event| {};
        drop(broken_off(work.broker.turn_keys(&Turn::default(), &mut on), most).await);
        drop(work);
        assert_eq!(
            given(&installation, &server, keks(7, None)).await,
            before,
            "after {most}"
        );
        // It goes on with what the one before it left, and only then begins anew.
        let most_new = u32::from(left == 0);
        assert!(newest(&node).await <= seen + most_new, "after {most}");
    }
    turn(&node, Turn::default()).await;
    let now = newest(&node).await;
    assert_eq!(node.rows().count_sealed_before(now).await.unwrap(), 0);
    assert_eq!(broken(&verified(&node).await), 0);
}

#[tokio::test]
async fn f07_rewrapping_broken_off_anywhere_goes_on_and_every_key_opens_meanwhile() {
    let (installation, node, server) = everybody().await;
    turn(&node, Turn::default()).await;
    let before = given(&installation, &server, keks(7, None)).await;
    let credential = node.credential(&server).await.unwrap();
    let mut done = false;
    for most in 1..200 {
        let work = installation
            .node_of(keks(9, Some(7)), most as u64 + 300)
            .await
            .unwrap();
        let mut on = |_event| {};
        let ended = broken_off(work.broker.rewrap_keys(false, &mut on), most).await;
        // What was broken off may still hold the database for a moment: then it is run again.
        done = matches!(ended, Some(Ok(())));
        drop(work);
        assert_eq!(
            given(&installation, &server, keks(9, Some(7))).await,
            before
        );
        if done {
            break;
        }
    }
    assert!(done);
    // The old one may go; alone it opens nothing any more.
    assert_eq!(given(&installation, &server, keks(9, None)).await, before);
    assert!(installation.node_of(keks(7, None), 5).await.is_err());
    // Blind: nothing that is sealed was touched.
    assert_eq!(node.credential(&server).await.unwrap(), credential);
    // Its sentinel goes with it, and no key of its is left to be dropped.
    let new = installation.node_of(keks(9, None), 6).await.unwrap();
    let old = hex(&Kek::new([7; 32]).id());
    let keys = new.broker.list_keys().await.unwrap();
    let left = keys.iter().filter(|found| found.key.kek_id == old);
    assert_eq!(
        left.map(|found| found.key.id.purpose.as_str())
            .collect::<Vec<_>>(),
        ["sentinel"]
    );
    let drop = Turn {
        drop_old: true,
        ..Turn::default()
    };
    turn(&new, drop).await;
    let keys = new.broker.list_keys().await.unwrap();
    assert!(keys.iter().all(|found| found.key.kek_id != old));
}

async fn refresh_or_sign_in(node: &Node, server: &Server, name: &str, signs_in: bool) {
    if signs_in {
        let ended = node.sign_in_with(server, &user(name), forced()).await;
        assert_eq!(ended.outcome, Outcome::Success, "{ended:?}");
    } else {
        // While others hold the one database, a caller may be told to come back later, and does.
        while let Err(missing) = node.broker.attach(server, &user(name).into()).await {
            assert!(
                matches!(missing, Missing::Unreachable { .. }),
                "{missing:?}"
            );
            node.expire();
        }
    }
}

#[tokio::test]
async fn f07_keys_are_turned_on_two_nodes_while_a_third_refreshes_and_signs_in() {
    let (installation, node, server) = everybody().await;
    let (one, two) = (installation.node(21).await, installation.node(22).await);
    let busy = async {
        for round in 0..6 {
            node.expire();
            for name in USERS {
                refresh_or_sign_in(&node, &server, name, (round + name.len()) % 3 == 0).await;
            }
        }
    };
    let turning = |node: Node| async move {
        for _ in 0..4 {
            let drop = Turn {
                drop_old: true,
                ..Turn::default()
            };
            assert_eq!(broken(&turn(&node, drop).await), 0);
        }
        node
    };
    let all = async { tokio::join!(busy, turning(one), turning(two)) };
    let ((), one, _two) = Box::pin(installation.driven(all)).await;
    let held: BTreeMap<_, _> = {
        let mut held = BTreeMap::new();
        for name in USERS {
            let attached = node
                .broker
                .attach(&server, &user(name).into())
                .await
                .unwrap();
            held.insert(name, bearer(&attached));
        }
        held
    };
    assert_eq!(given(&installation, &server, keks(7, None)).await, held);
    turn(&one, Turn::default()).await;
    let now = newest(&one).await;
    assert_eq!(one.rows().count_sealed_before(now).await.unwrap(), 0);
    assert_eq!(given(&installation, &server, keks(7, None)).await, held);
}

#[tokio::test]
async fn n10_keys_turn_by_themselves_once_they_are_old() {
    let (installation, node, _server) = Installation::signed_in().await;
    let old = |days: i64| Turn {
        made_before: Some(Timestamp::from_secs(NOW + (days - 90) * 86_400)),
        ..Turn::default()
    };
    installation.clock.advance_secs(90 * 86_400);
    assert!(
        turn(&node, old(90)).await.is_empty(),
        "not older than that yet"
    );
    assert_eq!(
        turn(&node, old(91)).await.len(),
        4,
        "tenant, journal, audit, and the rows"
    );
    assert!(
        turn(&node, old(91)).await.is_empty(),
        "they are young again"
    );
}

#[tokio::test]
async fn a203_a204_a_check_names_what_was_changed_and_shows_nothing() {
    let (_installation, node, server) = everybody().await;
    assert_eq!(broken(&verified(&node).await), 0);
    let mut row = node.credential(&server).await.unwrap();
    let last = row.sealed.len() - 1;
    row.sealed[last] ^= 1;
    let connection = node.connection(&server).await.unwrap();
    row.version += 1;
    node.rows()
        .replace_credential(&row, &connection)
        .await
        .unwrap();
    let events = verified(&node).await;
    assert_eq!(broken(&events), 1, "{events:?}");
    let tokens = node
        .broker
        .attach(&server, &user("ann").into())
        .await
        .unwrap();
    let shown = format!("{events:?}");
    assert!(
        !shown.contains(bearer(&tokens).trim_start_matches("Bearer ")),
        "{shown}"
    );
    assert!(shown.contains("the credential of owner"), "{shown}");
}

// === PROP4 ===

#[derive(Debug, Clone)]
enum Act {
    /// The KEK before the first one is the other one now.
    NextKek,
    Refresh(usize),
    Rewrap {
        polls: usize,
    },
    SignIn(usize),
    Turn {
        polls: usize,
        drop_old: bool,
    },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let polls = || prop_oneof![1..40_usize, Just(10_000)];
    let act = prop_oneof![
        3 => (0..USERS.len()).prop_map(Act::Refresh),
        1 => (0..USERS.len()).prop_map(Act::SignIn),
        2 => polls().prop_map(|polls| Act::Rewrap { polls }),
        3 => (polls(), proptest::bool::ANY)
            .prop_map(|(polls, drop_old)| Act::Turn { polls, drop_old }),
        1 => Just(Act::NextKek),
    ];
    proptest::collection::vec(act, 1..12)
}

async fn play(acts: Vec<Act>) {
    let (installation, node, server) = everybody().await;
    drop(node);
    let mut held = given(&installation, &server, keks(7, None)).await;
    let (mut first, mut old) = (7, None);
    for (number, act) in acts.into_iter().enumerate() {
        let at = installation
            .node_of(keks(first, old), number as u64 + 200)
            .await
            .unwrap();
        let mut on = |_event| {};
        match act {
            Act::NextKek if old.is_none() => (first, old) = (first + 1, Some(first)),
            Act::NextKek => {}
            Act::Refresh(who) => {
                let name = USERS[who];
                installation.clock.advance_secs(3_601);
                let who = user(name);
                let seen = installation
                    .driven(at.broker.attach(&server, &who.clone().into()))
                    .await;
                let seen = seen.unwrap();
                held.insert(name, bearer(&seen));
                // The others are renewed as well, by whoever looks next.
                for other in USERS {
                    let who = user(other);
                    let seen = installation
                        .driven(at.broker.attach(&server, &who.clone().into()))
                        .await;
                    let seen = seen.unwrap();
                    held.insert(other, bearer(&seen));
                }
            }
            Act::Rewrap { polls } => {
                let ended = broken_off(at.broker.rewrap_keys(false, &mut on), polls).await;
                if matches!(ended, Some(Ok(()))) {
                    // Now it can be left out.
                    old = None;
                }
            }
            Act::SignIn(who) => {
                let name = USERS[who];
                let ended = at.sign_in_with(&server, &user(name), forced()).await;
                assert_eq!(ended.outcome, Outcome::Success);
                let seen = at.broker.attach(&server, &user(name).into()).await.unwrap();
                held.insert(name, bearer(&seen));
            }
            Act::Turn { polls, drop_old } => {
                installation.clock.advance_secs(130);
                let turn = Turn {
                    drop_old,
                    ..Turn::default()
                };
                drop(broken_off(at.broker.turn_keys(&turn, &mut on), polls).await);
            }
        }
        drop(at);
        assert_eq!(given(&installation, &server, keks(first, old)).await, held);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16,
        max_shrink_iters: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn prop4_turning_and_rewrapping_commute_with_refreshes(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(acts));
    }
}
