//! `client_credentials`: a sign-in without a person.

use claviger_broker::{Begun, Missing};
use claviger_model::{Server, Standing, UserId};
use claviger_ports::FetchError;
use claviger_testkit::json_answer;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Installation, Node, OTHER_ISSUER, bearer, begin, own, refusal};

async fn robot() -> (Installation, Node, Server) {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = own(&node).await;
    let server = node.add(server).await;
    (installation, node, server)
}

fn obtained(installation: &Installation) -> u32 {
    installation.issuer.set(|issuer| issuer.obtained)
}

#[tokio::test]
async fn g2_signs_in_as_itself_at_the_first_refusal_and_again_when_it_ends() {
    let (installation, node, server) = robot().await;
    let bare = node.attach(&server).await.unwrap();
    assert!(bare.mark.is_none());
    let no = refusal(401, "Bearer");
    let first = node.refused(&server, &bare, &no).await.unwrap();
    assert_eq!(node.bearer(&server).await, bearer(&first));
    node.expire();
    let second = node.bearer(&server).await;
    assert_ne!(second, bearer(&first));
    assert_eq!(obtained(&installation), 2);
    let owner = UserId::owner();
    let begun = node.begin(&server, &owner, begin()).await.unwrap();
    assert!(matches!(begun, Begun::Connected));
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(status.standing, Standing::Connected);
    assert_eq!(obtained(&installation), 2);
}

#[tokio::test]
async fn g2_a120_many_in_several_processes_obtain_one() {
    let (installation, one, server) = robot().await;
    let two = installation.node(2).await;
    let nodes = [&one, &two];
    let no = refusal(401, "Bearer");
    let calls = (0..20).map(|n| {
        let (node, server, no) = (nodes[n % 2], &server, &no);
        async move {
            let bare = claviger_broker::Attachment::default();
            bearer(&node.refused(server, &bare, no).await.unwrap())
        }
    });
    let all = installation.driven(join_all(calls)).await;
    assert!(all.iter().all(|one| *one == all[0]));
    assert_eq!(obtained(&installation), 1);
}

#[tokio::test]
async fn g7_a_401_on_its_token_obtains_another_once() {
    let (installation, node, server) = robot().await;
    let bare = node.attach(&server).await.unwrap();
    let no = refusal(401, "Bearer");
    let used = node.refused(&server, &bare, &no).await.unwrap();
    installation.clock.advance_secs(600);
    let better = node.refused(&server, &used, &no).await.unwrap();
    assert_ne!(bearer(&better), bearer(&used));
    for _ in 0..5 {
        node.refused(&server, &better, &no).await.unwrap_err();
    }
    assert_eq!(obtained(&installation), 2);
}

#[tokio::test]
async fn q07_an_issuer_in_trouble_is_not_a_wrong_setting() {
    let (installation, node, server) = robot().await;
    let bare = node.attach(&server).await.unwrap();
    let no = refusal(401, "Bearer");
    let troubles = [
        json_answer(503, &json!({"error": "temporarily_unavailable"})),
        Err(FetchError::Timeout),
    ];
    for trouble in troubles {
        installation
            .issuer
            .set(|issuer| issuer.next.push_back(trouble));
        let missing = node.refused(&server, &bare, &no).await.unwrap_err();
        assert!(
            matches!(missing, Missing::Unreachable { .. }),
            "{missing:?}"
        );
        installation.clock.advance_secs(60);
    }
    let refused = json_answer(401, &json!({"error": "invalid_client"}));
    installation
        .issuer
        .set(|issuer| issuer.next.push_back(refused));
    for _ in 0..3 {
        let missing = node.refused(&server, &bare, &no).await.unwrap_err();
        assert!(
            matches!(missing, Missing::Misconfigured { .. }),
            "{missing:?}"
        );
    }
    let asked = installation
        .world
        .requests_to(&installation.issuer.token_url());
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn a019_c33_b29_our_secret_never_goes_to_another_issuer() {
    let (installation, node, server) = robot().await;
    let bare = node.attach(&server).await.unwrap();
    let no = refusal(401, "Bearer");
    node.refused(&server, &bare, &no).await.unwrap();
    let other = std::sync::Arc::new(crate::support::Issuer::at(OTHER_ISSUER));
    installation.world.add(&other);
    installation.world.protect(&server.url, OTHER_ISSUER);
    node.expire();
    let missing = node.attach(&server).await.unwrap_err();
    assert!(
        matches!(missing, Missing::Misconfigured { .. }),
        "{missing:?}"
    );
    let token = installation.world.requests_to(&other.token_url());
    assert!(token.is_empty());
}
