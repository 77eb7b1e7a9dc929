//! What a handle promises whose write stands in one transaction with an entry of the audit log.

use core::slice;
use std::sync::Arc;

use claviger_model::{AuditEntry, AuditFilter, Outcome, Standing};

use super::fixtures::{
    api_token, at, connection, credential, entry, insert_servers, installation, key, key_row,
    registration, revocation, rows, server, sign_in, tenant,
};
use crate::{Guarded, Store, StoreError, TenantStore};

async fn log(store: &dyn Store) -> Vec<AuditEntry> {
    let filter = AuditFilter {
        limit: 1000,
        ..AuditFilter::default()
    };
    let mut log = store.audit().list_audit(&filter).await.unwrap();
    log.reverse();
    log
}

/// Handles for one write each, and the entries that were given out.
struct Recorder<'a> {
    rows: Arc<dyn TenantStore>,
    store: &'a dyn Store,
    given: Vec<AuditEntry>,
}

impl<'a> Recorder<'a> {
    fn new(store: &'a dyn Store) -> Self {
        Self {
            rows: rows(store),
            store,
            given: Vec::new(),
        }
    }

    fn next(&mut self) -> Arc<dyn TenantStore> {
        let seq = u64::try_from(self.given.len()).unwrap() + 1;
        self.given.push(entry("a", seq));
        self.rows
            .recorded(slice::from_ref(self.given.last().unwrap()))
    }

    /// The last write changed nothing.
    fn give_back(&mut self) {
        self.given.pop();
    }

    async fn check(&self) {
        assert_eq!(log(self.store).await, self.given);
    }
}

/// Every write of a tenant's rows records its entry with itself, and only if it changes something.
pub async fn every_write_records_itself_once(store: &dyn Store) {
    let mut with = Recorder::new(store);
    let (key, up) = (key("up"), server("t1", "up"));
    let standing = connection(&key, Standing::Connected);
    with.next().insert_server(&up).await.unwrap();
    assert!(with.next().update_server(&up, &up).await.unwrap());
    with.next().update_connection(&standing).await.unwrap();
    let held = credential(&key, b"a");
    with.next()
        .replace_credential(&held, &standing)
        .await
        .unwrap();
    let mut second = credential(&key, b"b");
    second.version = 2;
    let rotated = with
        .next()
        .rotate_credential(b"a", &second, &standing)
        .await;
    assert_eq!(rotated.unwrap(), Guarded::Written(2));
    let late = with
        .next()
        .rotate_credential(b"a", &second, &standing)
        .await;
    assert_eq!(late.unwrap(), Guarded::Superseded);
    with.give_back();
    let late = with.next().end_credential(&key, b"a", &standing).await;
    assert_eq!(late.unwrap(), Guarded::Superseded);
    with.give_back();
    with.check().await;
    let owed = revocation(&key, "o1");
    let ended = with.next();
    let ended = ended
        .surrender_credential(&key, b"b", &standing, &owed)
        .await;
    assert_eq!(ended.unwrap(), Guarded::Written(2));
    let claimed = with.next();
    let claimed = claimed
        .claim_revocation(&owed.id, owed.next_at, at(9))
        .await;
    assert!(claimed.unwrap());
    assert!(with.next().delete_revocation(&owed.id).await.unwrap());
    assert!(!with.next().delete_revocation(&owed.id).await.unwrap());
    with.give_back();
    with.check().await;
}

/// So does every other one.
pub async fn every_other_write_records_itself_too(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let mut with = Recorder::new(store);
    let key = key("linear");
    let owed = revocation(&key, "o1");
    with.next().insert_revocation(&owed).await.unwrap();
    let token = api_token("t1", "p1");
    with.next().insert_api_token(&token).await.unwrap();
    assert!(with.next().delete_api_token(&token.id).await.unwrap());
    assert!(!with.next().delete_api_token(&token.id).await.unwrap());
    with.give_back();
    let client = registration("linear", "r1", "https://issuer.example");
    with.next().insert_registration(&client).await.unwrap();
    assert!(with.next().retire_registration(&client.id).await.unwrap());
    assert!(!with.next().retire_registration(&client.id).await.unwrap());
    with.give_back();
    let (held, standing) = (
        credential(&key, b"a"),
        connection(&key, Standing::Connected),
    );
    let flight = sign_in(&key, "i1");
    with.next().insert_sign_in(&flight).await.unwrap();
    assert!(
        with.next()
            .end_sign_in(&flight.id, Outcome::Denied)
            .await
            .unwrap()
    );
    let again = with
        .next()
        .complete_sign_in(&flight.id, &held, &standing, None)
        .await;
    assert!(!again.unwrap());
    with.give_back();
    assert_eq!(with.next().sweep(at(900), at(900)).await.unwrap(), 2);
    assert_eq!(with.next().sweep(at(900), at(900)).await.unwrap(), 0);
    with.give_back();
    let up = server("t1", "linear");
    assert!(with.next().purge_server(&up, &up, &[]).await.unwrap());
    assert!(with.next().surrender_server(&up.id, &[]).await.unwrap());
    assert!(!with.next().surrender_server(&up.id, &[]).await.unwrap());
    with.give_back();
    assert!(!with.next().delete_server(&up.id).await.unwrap());
    with.give_back();
    with.check().await;
}

/// An entry whose number is taken undoes the write, and is told apart from a row that is.
pub async fn a_taken_number_undoes_the_write(store: &dyn Store) {
    insert_servers(store, "t1").await;
    let there = entry("a", 1);
    let audit = store.audit();
    audit.append_audit(slice::from_ref(&there)).await.unwrap();
    let recorded = rows(store).recorded(slice::from_ref(&there));
    let refused = recorded.insert_server(&server("t1", "third")).await;
    assert!(
        matches!(refused, Err(StoreError::AuditConflict)),
        "{refused:?}"
    );
    let taken = recorded.insert_server(&server("t1", "linear")).await;
    assert!(matches!(taken, Err(StoreError::Conflict)), "{taken:?}");
    let own = key_row(None, "mac", 1);
    let refused = store
        .keys()
        .recorded(slice::from_ref(&there))
        .insert_key(&own)
        .await;
    assert!(
        matches!(refused, Err(StoreError::AuditConflict)),
        "{refused:?}"
    );
    let own = installation();
    let refused = store.installation().recorded(slice::from_ref(&there));
    let refused = refused.insert_installation(&own).await;
    assert!(
        matches!(refused, Err(StoreError::AuditConflict)),
        "{refused:?}"
    );
    assert_eq!(rows(store).list_servers().await.unwrap().len(), 2);
    assert_eq!(store.keys().list_keys().await.unwrap(), []);
    let found = store.installation().find_installation().await.unwrap();
    assert_eq!(found, None);
    assert_eq!(log(store).await, [there]);
}

/// Several entries stand with one write in their order, all of them or none.
pub async fn several_entries_stand_with_one_write(store: &dyn Store) {
    let given = [entry("a", 1), entry("a", 2), entry("b", 1)];
    let up = server("t1", "up");
    let recorded = rows(store).recorded(&given);
    recorded.insert_server(&up).await.unwrap();
    let mut logged = log(store).await;
    logged.sort_by_key(|entry| (entry.chain.clone(), entry.seq));
    assert_eq!(logged, given);
    let recorded = rows(store).recorded(&[entry("a", 3), entry("b", 1)]);
    let refused = recorded.surrender_server(&up.id, &[]).await;
    assert!(
        matches!(refused, Err(StoreError::AuditConflict)),
        "{refused:?}"
    );
    assert_eq!(rows(store).list_servers().await.unwrap(), [up]);
    assert_eq!(log(store).await.len(), given.len());
    // A213: one of another tenant spoils all of them.
    let mut foreign = entry("a", 4);
    foreign.tenant = Some(tenant("t2"));
    let recorded = rows(store).recorded(&[entry("a", 3), foreign]);
    assert!(recorded.insert_server(&server("t1", "down")).await.is_err());
    assert_eq!(log(store).await.len(), given.len());
}

/// A write that fails records nothing.
pub async fn a_failed_write_records_nothing(store: &dyn Store) {
    let key = key("linear");
    let (held, standing) = (
        credential(&key, b"a"),
        connection(&key, Standing::Connected),
    );
    let recorded = rows(store).recorded(&[entry("a", 1)]);
    assert!(recorded.replace_credential(&held, &standing).await.is_err());
    assert_eq!(log(store).await, []);
}

/// A213: nothing of one tenant is written with an entry of another; the installation's may stand
/// beside it.
pub async fn a213_records_for_its_own_tenant_only(store: &dyn Store) {
    let mut foreign = entry("a", 1);
    foreign.tenant = Some(tenant("t2"));
    let recorded = rows(store).recorded(slice::from_ref(&foreign));
    assert!(recorded.insert_server(&server("t1", "up")).await.is_err());
    assert_eq!(log(store).await, []);
    assert_eq!(rows(store).list_servers().await.unwrap(), []);
    let mut own = entry("a", 1);
    own.tenant = None;
    let recorded = rows(store).recorded(slice::from_ref(&own));
    recorded.insert_server(&server("t1", "up")).await.unwrap();
    assert_eq!(log(store).await, [own]);
}

/// Keys and the installation's row record like rows of tenants do.
pub async fn keys_and_the_installation_record_too(store: &dyn Store) {
    let mut given = Vec::new();
    for seq in 1..=5 {
        let mut entry = entry("a", seq);
        entry.tenant = None;
        given.push(entry);
    }
    let (first, second) = (
        key_row(Some("t1"), "tenant", 1),
        key_row(Some("t1"), "tenant", 2),
    );
    let keys = |at: usize| store.keys().recorded(slice::from_ref(&given[at]));
    keys(0).insert_key(&first).await.unwrap();
    let mut rewrapped = first.clone();
    rewrapped.kek_id = vec![9; 8];
    assert!(keys(1).rewrap_key(&rewrapped, &first.kek_id).await.unwrap());
    assert!(!keys(2).rewrap_key(&rewrapped, &first.kek_id).await.unwrap());
    store.keys().insert_key(&second).await.unwrap();
    let t1 = tenant("t1");
    assert!(keys(2).delete_key(Some(&t1), "tenant", 1).await.unwrap());
    assert!(!keys(3).delete_key(Some(&t1), "tenant", 1).await.unwrap());
    let own = |at: usize| store.installation().recorded(slice::from_ref(&given[at]));
    own(3).insert_installation(&installation()).await.unwrap();
    assert!(own(4).update_installation(&installation()).await.unwrap());
    assert_eq!(log(store).await, given);
}
