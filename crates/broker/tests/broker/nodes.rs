//! N14: what one node began, another finishes.

use claviger_broker::{Begin, BeginError, Begun, Completed, Link, Missing};
use claviger_crypto::Secret;
use claviger_model::{Outcome, Server, Standing, UserId};
use futures_util::future::join_all;

use crate::support::{Installation, Node, begin, ended, forced, linear, refusal};

/// Runs a test on two nodes of each kind of database there is.
async fn on_each<T: Future<Output = ()>>(test: impl Fn(Installation) -> T) {
    Box::pin(test(Installation::new())).await;
    if let Some(installation) = Installation::on_postgres() {
        Box::pin(test(installation)).await;
    }
}

async fn pair(installation: &Installation) -> (Node, Node, Server) {
    let one = installation.node(1).await;
    let server = one.add(linear()).await;
    (one, installation.node(2).await, server)
}

/// The name of the link a call is answered with.
async fn link_of(node: &Node, server: &Server) -> String {
    let bare = node.attach(server).await.unwrap();
    let refused = node.refused(server, &bare, &refusal(401, "Bearer")).await;
    match refused.unwrap_err() {
        Missing::NeedsSignIn { link, .. } => link.rsplit('/').next().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}

async fn opened(node: &Node, name: &str, cookie: Option<&Secret>) -> Option<Link> {
    node.broker.open_link(name, cookie).await.unwrap()
}

fn by(link: Link) -> Begin {
    Begin {
        binding: Some(Secret::new("this-browser")),
        link: Some(link),
        ..begin()
    }
}

async fn finish(node: &Node, server: &Server, query: &str) -> Completed {
    let cookie = Secret::new("this-browser");
    node.broker.complete(&server.id, query, Some(&cookie)).await
}

#[tokio::test]
async fn n14_a_link_of_one_node_opens_on_another_and_is_good_for_one_sign_in() {
    on_each(|installation| async move {
        let (one, two, server) = pair(&installation).await;
        let owner = UserId::owner();
        let name = link_of(&one, &server).await;
        let link = opened(&two, &name, None).await.unwrap();
        assert!(link.may_follow);
        assert_eq!(link.key.server, server.id);
        let cookie = two.broker.link_cookie(&link);
        let started = two.start(&server, &owner, by(link)).await;

        // A056: from now on it is this browser's, wherever it asks.
        for node in [&one, &two] {
            let foreign = Secret::new("guessed");
            assert!(!opened(node, &name, None).await.unwrap().may_follow);
            assert!(
                !opened(node, &name, Some(&foreign))
                    .await
                    .unwrap()
                    .may_follow
            );
            assert!(opened(node, &name, Some(&cookie)).await.unwrap().may_follow);
        }
        // Whoever asks the first node again is not shown a link that is somebody's.
        assert_ne!(link_of(&one, &server).await, name);

        let query = installation.issuer.agree(&started.authorization_url);
        let done = ended(finish(&one, &server, &query).await);
        assert_eq!(done.outcome, Outcome::Success, "{done:?}");
        for node in [&one, &two] {
            assert!(opened(node, &name, Some(&cookie)).await.is_none());
            node.broker.invalidate();
            node.bearer(&server).await;
        }
    })
    .await;
}

#[tokio::test]
async fn n14_of_two_browsers_on_two_nodes_a_link_is_the_first_ones() {
    on_each(|installation| async move {
        let (one, two, server) = pair(&installation).await;
        let owner = UserId::owner();
        let name = link_of(&one, &server).await;
        let links = (
            opened(&one, &name, None).await.unwrap(),
            opened(&two, &name, None).await.unwrap(),
        );
        let (here, there) = tokio::join!(
            one.begin(&server, &owner, by(links.0)),
            two.begin(&server, &owner, by(links.1)),
        );
        let begun = [&here, &there].map(|one| matches!(one, Ok(Begun::Started(_))));
        assert_eq!(begun.iter().filter(|one| **one).count(), 1, "{begun:?}");
        let refused = if begun[0] { there } else { here };
        assert!(matches!(refused, Err(BeginError::InFlight { .. })));
        assert!(!opened(&one, &name, None).await.unwrap().may_follow);
    })
    .await;
}

#[tokio::test]
async fn a_link_can_be_begun_with_again_by_its_browser_but_not_without_end() {
    let installation = Installation::new();
    let (one, two, server) = pair(&installation).await;
    let owner = UserId::owner();
    let name = link_of(&one, &server).await;
    let mut cookie = None;
    for round in 0..8 {
        let node = if round % 2 == 0 { &one } else { &two };
        let link = opened(node, &name, cookie.as_ref()).await.unwrap();
        assert!(link.may_follow, "{round}");
        cookie = Some(node.broker.link_cookie(&link));
        let over = Begin {
            start_over: true,
            ..by(link)
        };
        node.start(&server, &owner, over).await;
    }
    assert!(opened(&one, &name, cookie.as_ref()).await.is_none());
}

#[tokio::test]
async fn a_link_that_was_changed_or_is_old_is_none() {
    let installation = Installation::new();
    let (one, two, server) = pair(&installation).await;
    let name = link_of(&one, &server).await;
    for at in 0..name.len() {
        let mut forged = name.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert!(opened(&two, &forged, None).await.is_none(), "{at}");
    }
    for other in [
        "",
        "a",
        name.trim_start_matches('A'),
        &format!("{name}A"),
        "%00",
    ] {
        assert!(opened(&two, other, None).await.is_none(), "{other}");
    }
    installation.clock.advance_secs(599);
    assert!(opened(&two, &name, None).await.is_some());
    installation.clock.advance_secs(1);
    assert!(opened(&two, &name, None).await.is_none());
}

#[tokio::test]
async fn m4_n14_whoever_waits_on_one_node_hears_of_the_end_on_another() {
    on_each(|installation| async move {
        let (one, two, server) = pair(&installation).await;
        let owner = UserId::owner();
        let started = one.start(&server, &owner, begin()).await;
        let query = installation.issuer.agree(&started.authorization_url);
        let waiting = async {
            let both = tokio::join!(one.broker.ended(&started.id), one.broker.ended(&started.id));
            assert_eq!(both.0.outcome, both.1.outcome);
            both.0
        };
        let finishing = async { ended(two.complete(&server, &query).await) };
        let (heard, done) = installation
            .driven(async { tokio::join!(waiting, finishing) })
            .await;
        assert_eq!(done.outcome, Outcome::Success, "{done:?}");
        assert_eq!(heard.outcome, Outcome::Success);
        assert_eq!(heard.standing, Standing::Connected);
        // Both serve it at once.
        assert_eq!(one.bearer(&server).await, two.bearer(&server).await);
        // G5, M4: asked late, the end is the same, and the callback is nobody's.
        assert_eq!(
            one.broker.ended(&started.id).await.outcome,
            Outcome::Success
        );
        for node in [&one, &two] {
            let again = node.complete(&server, &query).await;
            assert!(matches!(again, Completed::NotOurs));
        }
    })
    .await;
}

#[tokio::test]
async fn a074_of_a_hundred_callbacks_on_two_nodes_one_wins() {
    on_each(|installation| async move {
        let (one, two, server) = pair(&installation).await;
        let started = one.start(&server, &UserId::owner(), begin()).await;
        let query = installation.issuer.agree(&started.authorization_url);
        let nodes = [&one, &two];
        let all = (0..100).map(|number| nodes[number % 2].complete(&server, &query));
        let all = installation.driven(join_all(all)).await;
        let won = all
            .into_iter()
            .filter_map(|one| match one {
                Completed::Ended { ended, .. } => Some(ended),
                Completed::NotOurs => None,
            })
            .collect::<Vec<_>>();
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(won[0].outcome, Outcome::Success);
        let asked = installation
            .world
            .requests_to(&installation.issuer.token_url());
        assert_eq!(asked.len(), 1);
        assert_eq!(one.credential(&server).await.unwrap().version, 1);
    })
    .await;
}

#[tokio::test]
async fn m3_a_second_beginning_on_another_node_is_pointed_to_the_first() {
    on_each(|installation| async move {
        let (one, two, server) = pair(&installation).await;
        let owner = UserId::owner();
        let started = one.start(&server, &owner, begin()).await;
        installation.clock.advance_secs(7);
        match two.begin(&server, &owner, begin()).await.unwrap_err() {
            BeginError::InFlight { id, since_s } => assert_eq!((id, since_s), (started.id, 7)),
            other => panic!("{other:?}"),
        }
    })
    .await;
}

#[tokio::test]
async fn m3_m4_a_cancellation_on_one_node_against_the_callback_on_another() {
    on_each(|installation| async move {
        let (one, two, server) = pair(&installation).await;
        let owner = UserId::owner();
        for _round in 0..8 {
            let started = one.start(&server, &owner, forced()).await;
            let query = installation.issuer.agree(&started.authorization_url);
            let before = one.credential(&server).await;
            let revoked = installation.issuer.set(|issuer| issuer.revoked.len());
            let racing = async {
                tokio::join!(
                    one.broker.cancel(&server, &owner),
                    two.complete(&server, &query),
                    one.broker.ended(&started.id)
                )
            };
            let (cancelled, completed, heard) = installation.driven(racing).await;
            cancelled.unwrap();
            let stored = one.rows().find_sign_in(&started.id).await.unwrap().unwrap();
            let outcome = stored.outcome.unwrap();
            assert_eq!(heard.outcome, outcome);
            let after = one.credential(&server).await;
            let given_back = installation.issuer.set(|issuer| issuer.revoked.len()) - revoked;
            match (outcome, completed) {
                (Outcome::Success, Completed::Ended { ended, .. }) => {
                    assert_eq!(ended.outcome, Outcome::Success);
                    assert_ne!(after, before);
                    assert_eq!(given_back, 0);
                }
                (Outcome::Cancelled, Completed::Ended { ended, .. }) => {
                    assert_eq!(ended.outcome, Outcome::Cancelled);
                    assert_eq!(after, before);
                    assert!(given_back > 0, "what was obtained is revoked");
                }
                (Outcome::Cancelled, Completed::NotOurs) => assert_eq!(after, before),
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}
