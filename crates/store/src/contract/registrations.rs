//! What client information promises.

use claviger_model::{RegistrationId, RegistrationOrigin, ServerId};

use super::fixtures::{at, insert_servers, registration, rows};
use crate::{Store, StoreError};

/// The one inserted last is current; those before stay, for the credentials obtained with them.
pub async fn the_last_one_is_current(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let server = ServerId::parse("linear").unwrap();
    let first = registration("linear", "r1", ISSUER);
    let mut second = registration("linear", "r2", ISSUER);
    second.origin = RegistrationOrigin::Document;
    second.redirect_uri = None;
    second.secret_expires_at = None;
    second.registration_client_uri = None;
    second.sealed = Vec::new();
    assert_eq!(rows.find_registration(&server, ISSUER).await.unwrap(), None);
    for row in [&first, &second] {
        rows.insert_registration(row).await.unwrap();
        let current = rows.find_registration(&server, ISSUER).await.unwrap();
        assert_eq!(current.as_ref(), Some(row));
    }
    for row in [&first, &second] {
        let found = rows.find_registration_by_id(&row.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(row));
    }
    let twice = rows.insert_registration(&first).await;
    assert!(matches!(twice, Err(StoreError::Conflict)), "{twice:?}");
    let current = rows.find_registration(&server, ISSUER).await.unwrap();
    assert_eq!(current, Some(second));
}

/// A retired one is not current but still there; retiring it again changes nothing.
pub async fn retiring_keeps_the_row(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let server = ServerId::parse("linear").unwrap();
    let row = registration("linear", "r1", ISSUER);
    rows.insert_registration(&row).await.unwrap();
    assert!(rows.retire_registration(&row.id).await.unwrap());
    assert!(!rows.retire_registration(&row.id).await.unwrap());
    let absent = RegistrationId::parse("absent").unwrap();
    assert!(!rows.retire_registration(&absent).await.unwrap());
    assert_eq!(rows.find_registration(&server, ISSUER).await.unwrap(), None);
    let found = rows.find_registration_by_id(&row.id).await.unwrap();
    assert_eq!(found, Some(row));
}

/// C-31: client information holds for one server at one issuer, which is compared as text.
pub async fn compares_issuers_as_text(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let rows_of = [
        registration("linear", "r1", ISSUER),
        registration("linear", "r2", "https://issuer.example/"),
        registration("linear", "r3", "https://ISSUER.example"),
        registration("notion", "r4", ISSUER),
    ];
    for row in &rows_of {
        rows.insert_registration(row).await.unwrap();
    }
    for row in &rows_of {
        let current = rows.find_registration(&row.server, &row.issuer).await;
        assert_eq!(current.unwrap().as_ref(), Some(row));
    }
    let elsewhere = rows
        .find_registration(&rows_of[0].server, "https://issuer.exampl_")
        .await;
    assert_eq!(elsewhere.unwrap(), None);
}

/// Every one that was made for a server is listed, current or not, the oldest first.
pub async fn lists_all_of_a_server(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let server = ServerId::parse("linear").unwrap();
    assert_eq!(rows.list_registrations(&server).await.unwrap(), []);
    let [mut newest, mut oldest, mut middle] =
        ["a", "b", "c"].map(|id| registration("linear", id, ISSUER));
    newest.created_at = at(30);
    oldest.created_at = at(10);
    middle.created_at = at(20);
    for row in [&newest, &oldest, &middle] {
        rows.insert_registration(row).await.unwrap();
    }
    rows.insert_registration(&registration("notion", "d", ISSUER))
        .await
        .unwrap();
    assert!(rows.retire_registration(&middle.id).await.unwrap());
    let listed = rows.list_registrations(&server).await.unwrap();
    assert_eq!(listed, [oldest, middle, newest]);
}

const ISSUER: &str = "https://issuer.example";
