//! Somebody who can write the database, or has the wrong key, gets nothing.

use std::sync::{Arc, Mutex};
use std::{fs, io};

use claviger_broker::{Attach as _, Missing, VaultError};
use claviger_model::{
    Credential, RegistrationId, RegistrationOrigin, Server, ServerId, Slug, UserId,
};
use claviger_store::Guarded;

use crate::support::{Installation, Node, linear, own, refusal};

/// Writes `row` as somebody with the database open would.
async fn overwrite(node: &Node, server: &Server, mut row: Credential) {
    row.version += 1;
    write(node, server, row).await;
}

async fn write(node: &Node, server: &Server, row: Credential) {
    let connection = node.connection(server).await.unwrap();
    let rows = node.rows();
    let ended = rows
        .end_credential(&row.key, &row.fingerprint, &connection)
        .await;
    assert!(matches!(
        ended,
        Ok(Guarded::Written(_) | Guarded::Superseded)
    ));
    let rows = node.rows();
    let mut connection = connection;
    connection.key = row.key.clone();
    rows.replace_credential(&row, &connection).await.unwrap();
    node.broker.invalidate();
}

async fn is_refused(node: &Node, server: &Server, user: &UserId) {
    let missing = node
        .broker
        .attach(server, &user.clone().into())
        .await
        .unwrap_err();
    assert!(
        matches!(missing, Missing::Misconfigured { .. }),
        "{missing:?}"
    );
}

#[tokio::test]
async fn a205_a_repointed_server_opens_nothing() {
    let (installation, node, mut server) = Installation::signed_in().await;
    installation.world.forget();
    let seen = server.clone();
    server.url = "https://evil.example/mcp".to_owned();
    node.rows().update_server(&seen, &server).await.unwrap();
    node.broker.invalidate();
    is_refused(&node, &server, &UserId::owner()).await;
    node.expire();
    is_refused(&node, &server, &UserId::owner()).await;
    assert!(installation.world.requests().is_empty());
    // A path of the same origin is another matter: a rename keeps what is held.
    let seen = server.clone();
    server.url = "https://linear.example/other".to_owned();
    node.rows().update_server(&seen, &server).await.unwrap();
    node.broker.invalidate();
    node.bearer(&server).await;
}

#[tokio::test]
async fn a205_q39_a_repointed_endpoint_is_sent_nothing() {
    let changes: [fn(&mut Credential); 5] = [
        |row| row.token_endpoint = "https://evil.example/token".to_owned(),
        |row| row.revocation_endpoint = Some("https://evil.example/revoke".to_owned()),
        |row| row.resource = "https://evil.example/mcp".to_owned(),
        |row| row.issuer = "https://evil.example".to_owned(),
        |row| row.registration = Some(RegistrationId::from_random([9; 16])),
    ];
    for change in changes {
        let (installation, node, server) = Installation::signed_in().await;
        node.expire();
        installation.world.forget();
        let mut row = node.credential(&server).await.unwrap();
        change(&mut row);
        write(&node, &server, row).await;
        is_refused(&node, &server, &UserId::owner()).await;
        node.broker
            .disconnect(&server, &UserId::owner())
            .await
            .unwrap();
        assert!(installation.world.requests().is_empty());
    }
}

#[tokio::test]
async fn a203_a204_swapped_replayed_and_flipped_records_are_refused() {
    let (_installation, node, server) = Installation::signed_in().await;
    let (owner, other) = (UserId::owner(), UserId::parse("other").unwrap());
    node.sign_in(&server, &other).await;
    let ours = node.credential(&server).await.unwrap();
    let key = crate::support::key(&server, &other);
    let theirs = node.rows().find_credential(&key).await.unwrap().unwrap();
    // Another user's, in our row.
    let mut row = ours.clone();
    row.sealed.clone_from(&theirs.sealed);
    write(&node, &server, row).await;
    is_refused(&node, &server, &owner).await;
    // Theirs is as good as it was.
    node.broker
        .attach(&server, &other.clone().into())
        .await
        .unwrap();
    // An older record under a newer version.
    overwrite(&node, &server, ours.clone()).await;
    is_refused(&node, &server, &owner).await;
    for at in [0, 1, ours.sealed.len() / 2, ours.sealed.len() - 1] {
        let mut row = ours.clone();
        row.sealed[at] ^= 1;
        write(&node, &server, row).await;
        is_refused(&node, &server, &owner).await;
    }
    // Another server's row.
    let twin = node
        .add(Server {
            id: ServerId::parse("twin").unwrap(),
            slug: Slug::parse("twin").unwrap(),
            ..linear()
        })
        .await;
    let mut row = ours.clone();
    row.key.server = twin.id.clone();
    write(&node, &server, row).await;
    is_refused(&node, &twin, &owner).await;
    write(&node, &server, ours).await;
    node.bearer(&server).await;
}

#[tokio::test]
async fn a203_a_registration_that_claims_to_be_the_operators_gets_no_secret() {
    let (installation, node, mut server) = Installation::signed_in().await;
    node.expire();
    let mut row = node.registrations(&server).await[0].clone();
    let mut forged = node.credential(&server).await.unwrap();
    row.id = RegistrationId::from_random([3; 16]);
    row.origin = RegistrationOrigin::Static;
    node.rows().insert_registration(&row).await.unwrap();
    forged.registration = Some(row.id);
    write(&node, &server, forged).await;
    server.auth = own(&node).await.auth;
    installation.world.forget();
    let missing = node.attach(&server).await.unwrap_err();
    assert!(
        matches!(missing, Missing::Misconfigured { .. }),
        "{missing:?}"
    );
    let bare = claviger_broker::Attachment::default();
    drop(node.refused(&server, &bare, &refusal(401, "Bearer")).await);
    for request in installation.world.requests() {
        assert!(!request.text().contains("static"), "{}", request.url);
    }
}

#[tokio::test]
async fn a207_a_wrong_key_refuses_and_writes_nothing() {
    let (installation, node, _server) = Installation::signed_in().await;
    let file = node.file.as_ref().unwrap();
    file.close().await.unwrap();
    drop(node);
    let before = fs::read(installation.database()).unwrap();
    let refused = installation.node_with([8; 32], 2).await;
    assert!(matches!(refused, Err(VaultError::WrongKey { .. })));
    assert_eq!(fs::read(installation.database()).unwrap(), before);
}

/// The log of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a212_an_old_row_put_back_is_noticed_by_who_saw_the_newer_one() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(log.finish());
    let said = || String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let (_installation, node, server) = Installation::signed_in().await;
    node.bearer(&server).await;
    let old = node.credential(&server).await.unwrap();
    node.expire();
    node.bearer(&server).await;
    node.broker.invalidate();
    node.bearer(&server).await;
    assert!(!said().contains("an old row"), "{}", said());
    let now = node.credential(&server).await.unwrap();
    let connection = node.connection(&server).await.unwrap();
    let rows = node.rows();
    let ended = rows.end_credential(&now.key, &now.fingerprint, &connection);
    assert!(matches!(ended.await, Ok(Guarded::Written(_))));
    rows.replace_credential(&old, &connection).await.unwrap();
    node.broker.invalidate();
    drop(node.attach(&server).await);
    assert!(said().contains("an old row"), "{}", said());
}
