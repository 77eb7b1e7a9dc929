//! What keeps tenants apart, and what may be asked before a tenant is known.

use std::sync::Arc;

use claviger_model::{Outcome, Standing};

use super::fixtures::{
    api_token, at, connection, credential, entry, insert_servers, key, key_of, key_row,
    registration, revocation, rows, server, sign_in, tenant,
};
use crate::{Guarded, Store, TenantStore};

/// A214: what is taken in one tenant is free in another, and both keep their own.
pub async fn a214_same_names_in_two_tenants(store: &dyn Store) {
    fill(store).await;
    let other = store.tenant(&tenant("t2"));
    insert_servers(store, "t2").await;
    let mut token = api_token("t2", "p1");
    token.name = String::from("theirs");
    other.insert_api_token(&token).await.unwrap();
    let key = key_of("t2", "u1", "linear", "default");
    let theirs = credential(&key, b"theirs");
    other
        .replace_credential(&theirs, &connection(&key, Standing::Expiring))
        .await
        .unwrap();
    let mut registered = registration("linear", "r1", "https://issuer.example");
    registered.tenant = tenant("t2");
    other.insert_registration(&registered).await.unwrap();
    other.insert_sign_in(&sign_in(&key, "i1")).await.unwrap();
    let lease = other.acquire_lease(&key, "a", 600_000).await.unwrap();
    assert!(lease.is_some());

    assert_unchanged(store).await;
    assert_eq!(other.find_credential(&key).await.unwrap(), Some(theirs));
    assert_eq!(other.find_api_token(b"p1").await.unwrap(), Some(token));
    assert!(other.take_sign_in(b"i1", at(1)).await.unwrap().is_some());
    assert!(other.delete_server(&key.server).await.unwrap());
    assert_unchanged(store).await;
}

/// A213: no read of another tenant's rows, by any name.
pub async fn a213_reads_nothing_of_another(store: &dyn Store) {
    fill(store).await;
    let other = store.tenant(&tenant("t2"));
    let own = server("t1", "linear");
    for key in [key("linear"), key_of("t2", "u1", "linear", "default")] {
        assert_eq!(other.find_credential(&key).await.unwrap(), None);
        assert_eq!(other.find_connection(&key).await.unwrap(), None);
        let open = other.find_open_sign_in(&key, at(1)).await.unwrap();
        assert_eq!(open, None);
    }
    assert_eq!(other.list_servers().await.unwrap(), []);
    assert_eq!(other.find_server(&own.slug).await.unwrap(), None);
    assert_eq!(other.find_server_by_id(&own.id).await.unwrap(), None);
    assert_eq!(other.list_credentials(&own.id).await.unwrap(), []);
    assert_eq!(other.list_connections(&own.id).await.unwrap(), []);
    assert_eq!(other.list_api_tokens().await.unwrap(), []);
    assert_eq!(other.find_api_token(b"p1").await.unwrap(), None);
    let registered = registration("linear", "r1", "https://issuer.example");
    let found = other.find_registration(&own.id, &registered.issuer).await;
    assert_eq!(found.unwrap(), None);
    assert_eq!(other.list_registrations(&own.id).await.unwrap(), []);
    let found = other.find_registration_by_id(&registered.id).await;
    assert_eq!(found.unwrap(), None);
    let flight = sign_in(&key("linear"), "i1");
    assert_eq!(other.find_sign_in(&flight.id).await.unwrap(), None);
    assert_eq!(other.take_sign_in(b"i1", at(1)).await.unwrap(), None);
    assert_unchanged(store).await;
}

/// A213: no row of another tenant is written, neither through its own handle nor into this one.
pub async fn a213_writes_nothing_of_another(store: &dyn Store) {
    fill(store).await;
    let other = store.tenant(&tenant("t2"));
    insert_servers(store, "t2").await;
    let foreign = key("linear");
    let own = key_of("t2", "u1", "linear", "default");
    let changed = connection(&foreign, Standing::Misconfigured);
    assert!(other.update_connection(&changed).await.is_err());
    for (credential_key, connection_key) in
        [(&foreign, &foreign), (&own, &foreign), (&foreign, &own)]
    {
        let credential = credential(credential_key, b"stolen");
        let standing = connection(connection_key, Standing::Misconfigured);
        let replaced = other.replace_credential(&credential, &standing).await;
        assert!(replaced.is_err());
        let rotated = other
            .rotate_credential(b"token", &credential, &standing)
            .await;
        assert!(rotated.is_err());
        let ended = other
            .end_credential(credential_key, b"token", &standing)
            .await;
        assert!(!matches!(ended, Ok(Guarded::Written(_))));
    }
    let mut renamed = server("t1", "linear");
    renamed.display_name = String::from("Stolen");
    assert!(!matches!(
        other.update_server(&server("t1", "linear"), &renamed).await,
        Ok(true)
    ));
    assert!(other.insert_server(&server("t1", "third")).await.is_err());
    assert!(
        other
            .insert_registration(&registration("linear", "r2", "https://issuer.example"))
            .await
            .is_err()
    );
    let flight = sign_in(&key_of("t1", "u9", "linear", "default"), "i9");
    assert!(other.insert_sign_in(&flight).await.is_err());
    assert!(
        other
            .insert_api_token(&api_token("t1", "p9"))
            .await
            .is_err()
    );
    let lease = other.acquire_lease(&foreign, "thief", 600_000).await;
    assert!(!matches!(lease, Ok(Some(_))));
    assert_unchanged(store).await;
    assert_eq!(other.find_credential(&own).await.unwrap(), None);
    assert_eq!(other.find_connection(&own).await.unwrap(), None);
    let theirs = [server("t2", "linear"), server("t2", "notion")];
    assert_eq!(other.list_servers().await.unwrap(), theirs);
    assert_eq!(other.list_api_tokens().await.unwrap(), []);
}

/// A213: nothing of another tenant is deleted, ended or retired.
pub async fn a213_deletes_nothing_of_another(store: &dyn Store) {
    fill(store).await;
    let other = store.tenant(&tenant("t2"));
    let own = server("t1", "linear");
    assert!(!other.delete_server(&own.id).await.unwrap());
    let token = api_token("t1", "p1");
    assert!(!other.delete_api_token(&token.id).await.unwrap());
    let registered = registration("linear", "r1", "https://issuer.example");
    assert!(!other.retire_registration(&registered.id).await.unwrap());
    let flight = sign_in(&key("linear"), "i1");
    let ended = other.end_sign_in(&flight.id, Outcome::Cancelled).await;
    assert!(!ended.unwrap());
    assert_unchanged(store).await;
}

/// A MAC finds its tenant, whether it is a token's or a sign-in's; a MAC planted in a second
/// tenant finds nobody.
pub async fn locates_by_mac(store: &dyn Store) {
    fill(store).await;
    assert_eq!(store.locate(b"p1").await.unwrap(), Some(tenant("t1")));
    assert_eq!(store.locate(b"i1").await.unwrap(), Some(tenant("t1")));
    for unknown in [&b"p"[..], b"", b"p11"] {
        assert_eq!(store.locate(unknown).await.unwrap(), None);
    }
    let other = store.tenant(&tenant("t2"));
    other
        .insert_api_token(&api_token("t2", "p1"))
        .await
        .unwrap();
    assert_eq!(store.locate(b"p1").await.unwrap(), None);
}

/// Every tenant that has a row is listed, by name, whatever the row is; one whose rows went is not.
pub async fn lists_tenants_with_rows(store: &dyn Store) {
    assert_eq!(store.list_tenants().await.unwrap(), []);
    let own = key_row(None, "mac", 1);
    store.keys().insert_key(&own).await.unwrap();
    let mut noted = entry("a", 1);
    noted.tenant = Some(tenant("noted"));
    store.audit().append_audit(&[noted]).await.unwrap();
    assert_eq!(store.list_tenants().await.unwrap(), []);
    insert_servers(store, "t2").await;
    let token = api_token("t1", "p1");
    rows(store).insert_api_token(&token).await.unwrap();
    let of_t3 = key_row(Some("t3"), "tenant", 1);
    store.keys().insert_key(&of_t3).await.unwrap();
    let owed = revocation(&key_of("t0", "u1", "gone", "default"), "o1");
    let t0 = store.tenant(&tenant("t0"));
    t0.insert_revocation(&owed).await.unwrap();
    let names = ["t0", "t1", "t2", "t3"].map(tenant);
    assert_eq!(store.list_tenants().await.unwrap(), names);
    rows(store).delete_api_token(&token.id).await.unwrap();
    let names = ["t0", "t2", "t3"].map(tenant);
    assert_eq!(store.list_tenants().await.unwrap(), names);
}

/// The data version changes with every write and stands still without.
pub async fn sees_that_something_was_written(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let before = store.data_version().await.unwrap();
    assert_eq!(rows(store).list_servers().await.unwrap().len(), 2);
    assert_eq!(store.data_version().await.unwrap(), before);
    let changed = connection(&key("linear"), Standing::Expiring);
    rows(store).update_connection(&changed).await.unwrap();
    let after = store.data_version().await.unwrap();
    assert_ne!(after, before);
    assert_eq!(store.data_version().await.unwrap(), after);
}

/// One row of every kind, in the tenant `t1`.
async fn fill(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows: Arc<dyn TenantStore> = rows(store);
    let key = key("linear");
    rows.replace_credential(
        &credential(&key, b"token"),
        &connection(&key, Standing::Connected),
    )
    .await
    .unwrap();
    rows.insert_registration(&registration("linear", "r1", "https://issuer.example"))
        .await
        .unwrap();
    rows.insert_sign_in(&sign_in(&key, "i1")).await.unwrap();
    rows.insert_api_token(&api_token("t1", "p1")).await.unwrap();
}

async fn assert_unchanged(store: &dyn Store) {
    let rows = rows(store);
    let key = key("linear");
    let servers = [server("t1", "linear"), server("t1", "notion")];
    assert_eq!(rows.list_servers().await.unwrap(), servers);
    assert_eq!(
        rows.list_credentials(&key.server).await.unwrap(),
        [credential(&key, b"token")]
    );
    assert_eq!(
        rows.list_connections(&key.server).await.unwrap(),
        [connection(&key, Standing::Connected)]
    );
    let registered = registration("linear", "r1", "https://issuer.example");
    let current = rows
        .find_registration(&key.server, &registered.issuer)
        .await;
    assert_eq!(current.unwrap(), Some(registered));
    let open = rows.find_open_sign_in(&key, at(1)).await.unwrap();
    assert_eq!(open, Some(sign_in(&key, "i1")));
    assert_eq!(
        rows.list_api_tokens().await.unwrap(),
        [api_token("t1", "p1")]
    );
}
