//! What the end of a tenant promises.

use claviger_model::{CredentialKey, ServerId, Standing};
use futures_util::future::{join, join_all};

use super::fixtures::{
    api_token, at, connection, credential, entry, insert_servers, key_of, key_row, record,
    revocation, sign_in, tenant,
};
use crate::{Change, Estate, Guarded, Store, StoreError};

/// A tenant that leaves, one that stays, and the one that inherits; each has one row of every kind.
const LEAVES: &str = "leaves";
const STAYS: &str = "stays";
const HEIR: &str = "heir";

fn held(name: &str) -> [CredentialKey; 2] {
    [("u1", "linear"), ("u2", "notion")].map(|(user, server)| key_of(name, user, server, "default"))
}

async fn fill(store: &dyn Store, name: &str) {
    for generation in [1, 2] {
        let row = key_row(Some(name), "tenant", generation);
        store.keys().insert_key(&row).await.unwrap();
    }
    insert_servers(store, name).await;
    let rows = store.tenant(&tenant(name));
    for (key, fingerprint) in held(name).iter().zip([b"a", b"b"]) {
        let mut row = credential(key, fingerprint);
        row.sealed = record(1, fingerprint);
        let standing = connection(key, Standing::Connected);
        rows.replace_credential(&row, &standing).await.unwrap();
    }
    let mut owed = revocation(&key_of(name, "u1", "gone", "default"), "o1");
    owed.sealed = record(2, b"owed");
    rows.insert_revocation(&owed).await.unwrap();
    let token = format!("{name}-token");
    rows.insert_api_token(&api_token(name, &token))
        .await
        .unwrap();
    let flight = key_of(name, "u3", "linear", "default");
    rows.insert_sign_in(&sign_in(&flight, &format!("{name}-flight")))
        .await
        .unwrap();
}

/// All that the tenant has; its revocations get these ids.
fn estate(ids: [&str; 2]) -> Estate {
    let [one, other] = held(LEAVES);
    let inherited = ids.map(|id| {
        let mut row = revocation(&key_of(HEIR, "u1", "linear", "default"), id);
        row.sealed = record(1, id.as_bytes());
        row
    });
    Estate {
        credentials: vec![(one, b"a".to_vec()), (other, b"b".to_vec())],
        owed: vec![revocation(&key_of(LEAVES, "u1", "gone", "default"), "o1").id],
        inherited: inherited.to_vec(),
    }
}

async fn fill_all(store: &dyn Store) {
    for name in [HEIR, LEAVES, STAYS] {
        fill(store, name).await;
    }
}

async fn keys_of(store: &dyn Store, name: &str) -> usize {
    let keys = store.keys().list_keys().await.unwrap();
    let own = |row: &&claviger_model::KeyRow| row.tenant == Some(tenant(name));
    keys.iter().filter(own).count()
}

/// Every row of a tenant, as a number.
async fn count(store: &dyn Store, name: &str) -> [usize; 5] {
    let rows = store.tenant(&tenant(name));
    let mut credentials = 0;
    for server in ["linear", "notion"] {
        let id = ServerId::parse(server).unwrap();
        credentials += rows.list_credentials(&id).await.unwrap().len();
    }
    [
        rows.list_servers().await.unwrap().len(),
        credentials,
        rows.list_revocations().await.unwrap().len(),
        rows.list_api_tokens().await.unwrap().len(),
        keys_of(store, name).await,
    ]
}

const FULL: [usize; 5] = [2, 2, 1, 1, 2];

/// A220: every row goes with its tenant, and every key: what is left of it in a backup is sealed for
/// nobody. What it owed is the heir's; nobody else's rows are touched, and everybody is told.
pub async fn a220_a_tenant_goes_with_all_it_has(store: &dyn Store) {
    fill_all(store).await;
    let before = store.list_changes(None).await.unwrap().cursor;
    let rows = store.tenant(&tenant(LEAVES));
    let estate = estate(["n1", "n2"]);
    assert!(rows.surrender_tenant(&tenant(HEIR), &estate).await.unwrap());
    assert_eq!(count(store, LEAVES).await, [0; 5]);
    assert_eq!(count(store, STAYS).await, FULL);
    assert_eq!(count(store, HEIR).await, [2, 2, 3, 1, 2]);
    let theirs = store.tenant(&tenant(HEIR)).list_revocations().await;
    let theirs = theirs.unwrap();
    assert!(estate.inherited.iter().all(|row| theirs.contains(row)));
    assert_eq!(
        store.list_tenants().await.unwrap(),
        [HEIR, STAYS].map(tenant)
    );
    for mac in ["leaves-token", "leaves-flight"] {
        assert_eq!(store.locate(mac.as_bytes()).await.unwrap(), None);
    }
    let mut told = store.list_changes(Some(&before)).await.unwrap().changes;
    told.sort();
    let gone = |name: &str| Change::Server(tenant(LEAVES), ServerId::parse(name).unwrap());
    let mut expected = [
        Change::ApiTokens(tenant(LEAVES)),
        gone("linear"),
        gone("notion"),
        Change::Keys,
    ];
    expected.sort();
    assert_eq!(told, expected);
    // There is nothing left to remove.
    let nothing = Estate::default();
    let again = rows.surrender_tenant(&tenant(HEIR), &nothing).await;
    assert!(!again.unwrap());
}

/// A220: whatever was under way when the tenant ended brings nothing back.
pub async fn a220_nothing_under_way_comes_back(store: &dyn Store) {
    fill_all(store).await;
    let rows = store.tenant(&tenant(LEAVES));
    let estate = estate(["n1", "n2"]);
    assert!(rows.surrender_tenant(&tenant(HEIR), &estate).await.unwrap());
    let [key, _] = held(LEAVES);
    let standing = connection(&key, Standing::Connected);
    let mut row = credential(&key, b"new");
    (row.version, row.sealed) = (2, record(2, b"new"));
    let rotated = rows.rotate_credential(b"a", &row, &standing).await;
    assert_eq!(rotated.unwrap(), Guarded::Superseded);
    assert!(rows.replace_credential(&row, &standing).await.is_err());
    assert!(rows.update_connection(&standing).await.is_err());
    let flight = sign_in(&key, "late");
    assert!(rows.insert_sign_in(&flight).await.is_err());
    let mut owed = revocation(&key, "late");
    owed.sealed = record(2, b"late");
    assert!(rows.insert_revocation(&owed).await.is_err());
    assert!(rows.acquire_lease(&key, "me", 60_000).await.is_err());
    assert_eq!(rows.sweep(at(900), at(900)).await.unwrap(), 0);
    assert_eq!(count(store, LEAVES).await, [0; 5]);
    let names = store.list_tenants().await.unwrap();
    assert_eq!(names, [HEIR, STAYS].map(tenant));
}

/// Whoever does not name exactly what is there changes nothing: what was left out would stay alive
/// at its issuer.
pub async fn an_estate_that_misses_something_changes_nothing(store: &dyn Store) {
    fill_all(store).await;
    let rows = store.tenant(&tenant(LEAVES));
    let whole = || estate(["n1", "n2"]);
    let (mut fewer, mut other_token, mut not_owed, mut owed_more) =
        (whole(), whole(), whole(), whole());
    fewer.credentials.pop();
    other_token.credentials[0].1 = b"old".to_vec();
    not_owed.owed.clear();
    owed_more.owed.push(whole().inherited[0].id.clone());
    for wrong in [fewer, other_token, not_owed, owed_more] {
        let refused = rows.surrender_tenant(&tenant(HEIR), &wrong).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
    // A213: neither another tenant's rows, nor an heir's that are not the heir's.
    let mut foreign = whole();
    foreign.credentials[0].0 = held(STAYS)[0].clone();
    let mut misdirected = whole();
    misdirected.inherited[0].key.tenant = tenant(STAYS);
    for wrong in [foreign, misdirected] {
        assert!(rows.surrender_tenant(&tenant(HEIR), &wrong).await.is_err());
    }
    assert!(
        rows.surrender_tenant(&tenant(LEAVES), &whole())
            .await
            .is_err()
    );
    for name in [HEIR, LEAVES, STAYS] {
        assert_eq!(count(store, name).await, FULL, "{name}");
    }
}

/// Of many that end one tenant at once, one does, and nothing is owed twice.
pub async fn one_of_many_ends_it(store: &dyn Store) {
    fill_all(store).await;
    let rows = store.tenant(&tenant(LEAVES));
    let estates = [["a1", "a2"], ["b1", "b2"], ["c1", "c2"], ["d1", "d2"]].map(estate);
    let heir = tenant(HEIR);
    let tries = estates
        .iter()
        .map(|estate| rows.surrender_tenant(&heir, estate));
    let done = join_all(tries).await;
    let won = done.iter().filter(|done| matches!(done, Ok(true))).count();
    let told = done
        .iter()
        .filter(|done| matches!(done, Ok(false) | Err(StoreError::Conflict)));
    assert_eq!((won, told.count()), (1, 3), "{done:?}");
    assert_eq!(count(store, HEIR).await, [2, 2, 3, 1, 2]);
    assert_eq!(count(store, LEAVES).await, [0; 5]);
}

/// I30: a refresh, a new debt and the end of their tenant at once: either the end saw them, or it is
/// told, or they are. No token is left behind that nobody owes.
pub async fn i30_an_end_loses_no_token(store: &dyn Store) {
    fill_all(store).await;
    let rows = store.tenant(&tenant(LEAVES));
    let [key, _] = held(LEAVES);
    let mut rotated = credential(&key, b"new");
    (rotated.version, rotated.sealed) = (2, record(2, b"new"));
    let standing = connection(&key, Standing::Connected);
    let mut late = revocation(&key, "late");
    late.sealed = record(2, b"late");
    let (heir, estate) = (tenant(HEIR), estate(["n1", "n2"]));
    let others = join(
        rows.rotate_credential(b"a", &rotated, &standing),
        rows.insert_revocation(&late),
    );
    let (ended, (rotation, debt)) = join(rows.surrender_tenant(&heir, &estate), others).await;
    let is_rotated = rotation.unwrap() != Guarded::Superseded;
    match ended {
        Ok(done) => {
            assert!(done && !is_rotated && debt.is_err());
            assert_eq!(count(store, LEAVES).await, [0; 5]);
        }
        Err(error) => {
            assert!(matches!(error, StoreError::Conflict), "{error:?}");
            assert!(is_rotated || debt.is_ok());
            assert_eq!(count(store, LEAVES).await[1], 2);
            assert_eq!(count(store, HEIR).await, FULL);
        }
    }
}

/// The end records itself, as its own tenant's, and only if there was something to end.
pub async fn the_end_records_itself(store: &dyn Store) {
    fill_all(store).await;
    let (heir, estate) = (tenant(HEIR), estate(["n1", "n2"]));
    let noted = |seq| {
        let mut noted = entry("a", seq);
        noted.tenant = Some(tenant(LEAVES));
        noted
    };
    let with = |seq| store.tenant(&tenant(LEAVES)).recorded(&[noted(seq)]);
    let refused = with(1).surrender_tenant(&heir, &Estate::default()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert!(with(1).surrender_tenant(&heir, &estate).await.unwrap());
    assert!(
        !with(2)
            .surrender_tenant(&heir, &Estate::default())
            .await
            .unwrap()
    );
    let log = store.audit().list_chain("a", 0, 10).await.unwrap();
    assert_eq!(log, [noted(1)]);
    let mut of_another = noted(2);
    of_another.tenant = Some(tenant(STAYS));
    let stays = store
        .tenant(&tenant(LEAVES))
        .recorded(&[of_another.clone()]);
    let refused = stays.surrender_tenant(&heir, &Estate::default()).await;
    assert!(!matches!(refused, Ok(true)), "{refused:?}");
    assert_eq!(store.audit().list_chain("a", 0, 10).await.unwrap().len(), 1);
}
