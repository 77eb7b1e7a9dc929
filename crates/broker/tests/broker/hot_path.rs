//! The hot path is dry (ARCHITECTURE.md, invariant 6).

use claviger_broker::Missing;

use crate::support::Installation;

#[tokio::test]
async fn a_credential_in_memory_is_attached_without_the_database() {
    let (_installation, node, server) = Installation::signed_in().await;
    let first = node.bearer(&server).await;
    // From here on every question to the database fails, whoever asks.
    let store = node.file.as_ref().unwrap();
    store.close().await.unwrap();
    for _ in 0..1_000 {
        assert_eq!(node.bearer(&server).await, first);
    }
    node.broker.invalidate();
    let missing = node.attach(&server).await.unwrap_err();
    assert!(matches!(missing, Missing::Unreachable { .. }), "{missing}");
}
