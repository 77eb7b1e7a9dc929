//! What connections promise.

use claviger_model::{Reason, ServerId, Standing};

use super::fixtures::{at, connection, insert_servers, key, key_of, rows};
use crate::Store;

/// Writing makes or replaces a row; lists go by user and account, for one server.
pub async fn finds_and_lists_what_was_written(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    assert_eq!(rows.find_connection(&key("linear")).await.unwrap(), None);
    let keys = [
        key_of("t1", "u1", "linear", "default"),
        key_of("t1", "u1", "linear", "work"),
        key_of("t1", "u2", "linear", "default"),
        key_of("t1", "u1", "notion", "default"),
    ];
    for key in keys.iter().rev() {
        rows.update_connection(&connection(key, Standing::NeedsScopes))
            .await
            .unwrap();
    }
    let mut changed = connection(&keys[0], Standing::Connected);
    changed.reason = None;
    changed.challenge = None;
    changed.step_ups = u32::MAX;
    changed.updated_at = at(50);
    rows.update_connection(&changed).await.unwrap();
    assert_eq!(
        rows.find_connection(&keys[0]).await.unwrap(),
        Some(changed.clone())
    );
    let linear = ServerId::parse("linear").unwrap();
    let listed = rows.list_connections(&linear).await.unwrap();
    let [_, second, third, _] = &keys;
    assert_eq!(
        listed,
        [
            changed,
            connection(second, Standing::NeedsScopes),
            connection(third, Standing::NeedsScopes),
        ]
    );
}

/// Every word comes back.
pub async fn keeps_every_standing_and_reason(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let rows = rows(store);
    let mut row = connection(&key("linear"), Standing::Connected);
    for standing in [
        Standing::Connected,
        Standing::Expiring,
        Standing::Misconfigured,
        Standing::NeedsScopes,
        Standing::NeedsSignIn,
        Standing::NeverConnected,
        Standing::NoSignIn,
        Standing::Unreachable,
    ] {
        row.standing = standing;
        rows.update_connection(&row).await.unwrap();
        let found = rows.find_connection(&row.key).await.unwrap();
        assert_eq!(found.as_ref(), Some(&row));
    }
    for reason in [
        Reason::AmbiguousRotation,
        Reason::ClientRefused,
        Reason::Expired,
        Reason::IssuerChanged,
        Reason::RefreshRefused,
        Reason::RefreshStuck,
        Reason::Disconnected,
        Reason::FreshTokenRefused,
        Reason::ScopesMissing,
        Reason::SignInFailed,
    ] {
        row.reason = Some(reason);
        rows.update_connection(&row).await.unwrap();
        let found = rows.find_connection(&row.key).await.unwrap();
        assert_eq!(found.as_ref(), Some(&row));
    }
}
