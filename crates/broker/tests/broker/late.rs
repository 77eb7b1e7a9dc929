//! A process that is stopped for longer than its lease comes back with an answer.

use core::pin::pin;
use core::time::Duration;

use claviger_broker::Missing;
use claviger_model::{Reason, Server};
use claviger_ports::{Clock as _, FetchError};
use claviger_testkit::{Gate, json_answer};
use serde_json::json;

use crate::support::{Installation, Node, bearer};

/// Two nodes send one token; the first is stopped meanwhile, and hears its answer when the second
/// has sent as well. The second hears its own answer last.
async fn stopped_beyond_its_lease(is_tolerant: bool) -> (Installation, Node, Node, Server) {
    let (installation, one, server) = Installation::signed_in().await;
    let two = installation.node(2).await;
    let (first, second) = (Gate::closed(), Gate::closed());
    installation.issuer.set(|issuer| {
        issuer.tolerant = is_tolerant;
        issuer.gate = Some(first.clone());
    });
    one.expire();
    {
        let (mut stopped, mut taking_over) = (pin!(one.attach(&server)), pin!(two.attach(&server)));
        tokio::select! {
            answer = &mut stopped => panic!("the gate is closed: {answer:?}"),
            () = first.arrived(1) => {}
        }
        installation.end_leases().await;
        installation
            .issuer
            .set(|issuer| issuer.gate = Some(second.clone()));
        tokio::select! {
            answer = &mut taking_over => panic!("the gate is closed: {answer:?}"),
            () = second.arrived(1) => {}
        }
        // Not before: a beat of the first would take the lease again.
        installation.clock.advance_secs(16);
        first.open();
        let both = async {
            let late = async {
                // Time for the first one to store, if it dared to.
                installation.clock.sleep(Duration::from_secs(1)).await;
                second.open();
            };
            tokio::join!(stopped, taking_over, late)
        };
        let (stopped, taking_over, ()) = installation.driven(both).await;
        assert!(stopped.is_ok(), "{stopped:?}");
        if is_tolerant {
            assert_eq!(bearer(&stopped.unwrap()), bearer(&taking_over.unwrap()));
        }
    }
    installation.issuer.set(|issuer| issuer.gate = None);
    (installation, one, two, server)
}

#[tokio::test]
async fn f18_the_answer_the_issuer_gave_last_is_kept() {
    let (installation, one, two, server) = stopped_beyond_its_lease(true).await;
    one.expire();
    for node in [&one, &two] {
        node.broker.invalidate();
        installation.driven(node.bearer(&server)).await;
    }
    assert_eq!(installation.issuer.set(|issuer| issuer.reused), 0);
}

#[tokio::test]
async fn f18_what_a_strict_issuer_ends_over_it_is_marked() {
    let (installation, one, two, server) = stopped_beyond_its_lease(false).await;
    one.expire();
    two.broker.invalidate();
    let answer = installation.driven(two.attach(&server)).await;
    let Err(Missing::NeedsSignIn { reason, .. }) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(reason, Some(Reason::AmbiguousRotation));
}

/// The first one learns late that its request never left. By then the second one sent the same
/// token, and what it heard was lost: that doubt is not the first one's to take back.
#[tokio::test]
async fn f18_a_late_flight_does_not_take_back_the_intent_of_the_next() {
    let (installation, one, server) = Installation::signed_in().await;
    let (two, three) = (installation.node(2).await, installation.node(3).await);
    let (first, second) = (Gate::closed(), Gate::closed());
    installation.issuer.set(|issuer| {
        issuer.gate = Some(first.clone());
        issuer.next.extend([
            Err(FetchError::Connect { reason: "refused" }),
            Err(FetchError::Broken),
            json_answer(400, &json!({"error": "invalid_grant"})),
        ]);
    });
    one.expire();
    let (mut late, mut next) = (pin!(one.attach(&server)), pin!(two.attach(&server)));
    tokio::select! {
        answer = &mut late => panic!("the gate is closed: {answer:?}"),
        () = first.arrived(1) => {}
    }
    installation.end_leases().await;
    let gate = Some(second.clone());
    installation.issuer.set(|issuer| issuer.gate = gate);
    tokio::select! {
        answer = &mut next => panic!("the gate is closed: {answer:?}"),
        () = second.arrived(1) => {}
    }
    second.open();
    assert!(matches!(next.await, Err(Missing::Unreachable { .. })));
    first.open();
    assert!(matches!(late.await, Err(Missing::Unreachable { .. })));
    let missing = three.attach(&server).await.unwrap_err();
    let Missing::NeedsSignIn { reason, .. } = missing else {
        panic!("{missing:?}");
    };
    assert_eq!(reason, Some(Reason::AmbiguousRotation));
}
