//! A 403 that asks for more scopes.

use claviger_broker::{Attachment, Missing};
use claviger_model::{Server, Standing, UserId};

use crate::support::{Installation, Node, bearer, begin, linear, own, refusal};

const WANTS_WRITE: &str = "Bearer error=\"insufficient_scope\", scope=\"mcp:write\"";

async fn reader() -> (Installation, Node, Server, Attachment) {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = node.add(linear()).await;
    let bare = node.attach(&server).await.unwrap();
    let wants_read = refusal(401, "Bearer scope=\"mcp:read\"");
    node.refused(&server, &bare, &wants_read).await.unwrap_err();
    node.sign_in(&server, &UserId::owner()).await;
    let used = node.attach(&server).await.unwrap();
    (installation, node, server, used)
}

async fn link_of(node: &Node, server: &Server, used: &Attachment) -> Option<String> {
    let no = refusal(403, WANTS_WRITE);
    match node.refused(server, used, &no).await.unwrap_err() {
        Missing::NeedsScopes { scopes, link, .. } => {
            assert_eq!(scopes.to_string(), "mcp:write");
            link
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn c63_c64_c65_q34_n5_asks_once_for_the_union_and_then_works() {
    let (_installation, node, server, used) = reader().await;
    let owner = UserId::owner();
    // A client that tries on and on does not use up the person's chances.
    for _ in 0..10 {
        assert!(link_of(&node, &server, &used).await.is_some());
    }
    // The token stays in use for everything else.
    assert_eq!(node.bearer(&server).await, bearer(&used));
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(status.standing, Standing::NeedsScopes);
    node.sign_in_with(&server, &owner, begin()).await;
    let stored = node.credential(&server).await.unwrap();
    assert_eq!(stored.scopes_granted.to_string(), "mcp:read mcp:write");
    let status = node.broker.status(&server, &owner).await.unwrap();
    assert_eq!(status.standing, Standing::Connected);
    // A server that asks for what was granted is not believed.
    let used = node.attach(&server).await.unwrap();
    assert!(link_of(&node, &server, &used).await.is_none());
}

#[tokio::test]
async fn c66_q34_stops_asking_where_the_issuer_gives_less() {
    let (installation, node, server, mut used) = reader().await;
    installation
        .issuer
        .set(|issuer| issuer.withheld.push("mcp:write".to_owned()));
    for _ in 0..2 {
        assert!(link_of(&node, &server, &used).await.is_some());
        let ended = node.sign_in(&server, &UserId::owner()).await;
        assert_eq!(ended.standing, Standing::NeedsScopes);
        assert!(ended.message.unwrap().contains("mcp:write"));
        used = node.attach(&server).await.unwrap();
    }
    assert!(link_of(&node, &server, &used).await.is_none());
    assert_eq!(node.bearer(&server).await, bearer(&used));
}

#[tokio::test]
async fn c64_c66_our_own_client_steps_up_by_itself_and_stops() {
    for withheld in [false, true] {
        let installation = Installation::new();
        let node = installation.node(1).await;
        let server = own(&node).await;
        let server = node.add(server).await;
        let bare = node.attach(&server).await.unwrap();
        let wants_read = refusal(401, "Bearer scope=\"mcp:read\"");
        let mut used = node.refused(&server, &bare, &wants_read).await.unwrap();
        if withheld {
            installation
                .issuer
                .set(|issuer| issuer.withheld.push("mcp:write".to_owned()));
        }
        let no = refusal(403, WANTS_WRITE);
        for _ in 0..5 {
            match node.refused(&server, &used, &no).await {
                Ok(better) => used = better,
                Err(Missing::NeedsScopes { link: None, .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        let obtained = installation.issuer.set(|issuer| issuer.obtained);
        assert_eq!(obtained, if withheld { 3 } else { 2 });
        let stored = node.credential(&server).await.unwrap();
        assert_eq!(stored.scopes_requested.to_string(), "mcp:read mcp:write");
    }
}
