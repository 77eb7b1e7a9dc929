//! Fixed headers instead of OAuth.

use claviger_broker::{Missing, Setting};
use claviger_crypto::Secret;
use claviger_model::{Auth, HeaderTemplate, Server, UserId};

use crate::support::{Installation, Node, begin, linear, refusal};

async fn with_header(node: &Node, value: &str) -> Server {
    let (server, value) = (linear(), Secret::new(value));
    let role = Setting::Header { name: "x-api-key" };
    let sealed = node.broker.seal_setting(&server, role, &value).await;
    let header = HeaderTemplate {
        name: "x-api-key".to_owned(),
        sealed_value: sealed.unwrap(),
    };
    Server {
        auth: Auth::Headers {
            headers: vec![header],
        },
        ..server
    }
}

#[tokio::test]
async fn fixed_headers_are_attached_and_need_no_sign_in() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let server = with_header(&node, "canary").await;
    let attached = node.attach(&server).await.unwrap();
    let (name, value) = &attached.headers[0];
    assert_eq!(
        (name.as_str(), value.to_str().unwrap()),
        ("x-api-key", "canary")
    );
    assert!(value.is_sensitive() && attached.mark.is_none());
    assert!(!format!("{attached:?}").contains("canary"));
    let begun = node
        .begin(&server, &UserId::owner(), begin())
        .await
        .unwrap();
    assert!(matches!(begun, claviger_broker::Begun::NoSignIn));
    let no = refusal(401, "Bearer");
    let missing = node.refused(&server, &attached, &no).await.unwrap_err();
    assert!(matches!(missing, Missing::Misconfigured { .. }));
    assert!(installation.world.requests().is_empty());
}

#[tokio::test]
async fn a205_a086_fixed_headers_go_to_no_other_origin_and_split_nothing() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let repointed = Server {
        url: "https://evil.example/mcp".to_owned(),
        ..with_header(&node, "canary").await
    };
    let split = with_header(&node, "a\r\nx-evil: 1").await;
    for server in [repointed, split] {
        let missing = node.attach(&server).await.unwrap_err();
        assert!(
            matches!(missing, Missing::Misconfigured { .. }),
            "{missing:?}"
        );
        assert!(!format!("{missing:?} {missing}").contains("canary"));
    }
}

#[tokio::test]
async fn a204_a_client_secret_that_was_moved_into_a_header_does_not_open() {
    let installation = Installation::new();
    let node = installation.node(1).await;
    let roles = [
        Setting::ClientSecret { client_id: "i" },
        Setting::PrivateKey { client_id: "i" },
        Setting::Header { name: "x-other" },
    ];
    for role in roles {
        let value = Secret::new("canary");
        let sealed = node.broker.seal_setting(&linear(), role, &value).await;
        let header = HeaderTemplate {
            name: "x-api-key".to_owned(),
            sealed_value: sealed.unwrap(),
        };
        let server = Server {
            auth: Auth::Headers {
                headers: vec![header],
            },
            ..linear()
        };
        let missing = node.attach(&server).await.unwrap_err();
        assert!(matches!(missing, Missing::Misconfigured { .. }), "{role:?}");
    }
}
