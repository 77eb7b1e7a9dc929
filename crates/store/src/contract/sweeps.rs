//! What sweeping promises.

use claviger_model::{Outcome, Standing};

use super::fixtures::{
    api_token, at, connection, credential, insert_servers, key, key_of, registration, rows,
    sign_in, tenant,
};
use crate::Store;

/// Expired sign-ins end, ended ones go when they are old, open ones stay.
pub async fn ends_what_expired_and_deletes_what_is_old(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let of = |user: &str| key_of("t1", user, "linear", "default");
    let (old, fresh) = (sign_in(&of("u1"), "i1"), {
        let mut fresh = sign_in(&of("u2"), "i2");
        fresh.created_at = at(100);
        fresh
    });
    let mut open = sign_in(&of("u3"), "i3");
    open.expires_at = at(9000);
    let ended = sign_in(&of("u4"), "i4");
    for row in [&old, &fresh, &open, &ended] {
        rows.insert_sign_in(row).await.unwrap();
    }
    rows.end_sign_in(&ended.id, Outcome::Success).await.unwrap();
    // Nothing expired, and nothing that ended began before.
    assert_eq!(rows.sweep(at(299), at(0)).await.unwrap(), 0);
    // Two expired: one began before and goes, the other ends. The third had ended and goes.
    assert_eq!(rows.sweep(at(300), at(100)).await.unwrap(), 3);
    assert_eq!(rows.find_sign_in(&old.id).await.unwrap(), None);
    assert_eq!(rows.find_sign_in(&ended.id).await.unwrap(), None);
    assert_eq!(rows.find_sign_in(&open.id).await.unwrap(), Some(open));
    let timed_out = rows.find_sign_in(&fresh.id).await.unwrap().unwrap();
    assert_eq!(timed_out.outcome, Some(Outcome::TimedOut));
    assert_eq!(timed_out.sealed, b"");
    assert_eq!(rows.sweep(at(300), at(100)).await.unwrap(), 0);
}

/// Client information goes when it is not current and nothing hangs on it.
pub async fn deletes_client_information_nobody_uses(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let key = key("linear");
    for id in ["r1", "r2", "r3"] {
        let row = registration("linear", id, "https://issuer.example");
        rows.insert_registration(&row).await.unwrap();
    }
    let other = registration("notion", "n1", "https://issuer.example");
    rows.insert_registration(&other).await.unwrap();
    rows.retire_registration(&other.id).await.unwrap();
    // It was obtained with `r1`.
    let standing = connection(&key, Standing::Connected);
    rows.replace_credential(&credential(&key, b"a"), &standing)
        .await
        .unwrap();
    let flight = sign_in(&key, "i1");
    rows.insert_sign_in(&flight).await.unwrap();
    let left = async || {
        let mut left = Vec::new();
        for server in ["linear", "notion"] {
            let server = super::fixtures::server("t1", server).id;
            for row in rows.list_registrations(&server).await.unwrap() {
                left.push(row.id.to_string());
            }
        }
        left
    };
    // A sign-in of that server is open: any of its clients may be the one it uses.
    assert_eq!(rows.sweep(at(1), at(0)).await.unwrap(), 1);
    assert_eq!(left().await, ["r1", "r2", "r3"]);
    rows.end_sign_in(&flight.id, Outcome::Denied).await.unwrap();
    assert_eq!(rows.sweep(at(1), at(0)).await.unwrap(), 1);
    assert_eq!(left().await, ["r1", "r3"]);
    rows.end_credential(&key, b"a", &standing).await.unwrap();
    assert_eq!(rows.sweep(at(1), at(0)).await.unwrap(), 1);
    assert_eq!(left().await, ["r3"]);
}

/// API tokens go some time after they expired; those that never do stay. A213: of another tenant
/// nothing goes.
pub async fn deletes_api_tokens_long_expired(store: &dyn Store) {
    let rows = rows(store);
    let (old, mut late, mut endless) = (
        api_token("t1", "p1"),
        api_token("t1", "p2"),
        api_token("t1", "p3"),
    );
    late.expires_at = Some(at(100));
    endless.expires_at = None;
    for token in [&old, &late, &endless] {
        rows.insert_api_token(token).await.unwrap();
    }
    let other = store.tenant(&tenant("t2"));
    other
        .insert_api_token(&api_token("t2", "p1"))
        .await
        .unwrap();
    assert_eq!(rows.sweep(at(1000), at(7)).await.unwrap(), 0);
    assert_eq!(rows.sweep(at(1000), at(100)).await.unwrap(), 1);
    assert_eq!(rows.list_api_tokens().await.unwrap(), [late, endless]);
    assert_eq!(other.list_api_tokens().await.unwrap().len(), 1);
}
