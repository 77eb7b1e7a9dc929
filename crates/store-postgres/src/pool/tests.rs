//! Units of work: whose rows they see, what they leave behind, and whom they wait for.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use claviger_crypto::{Secret, base64_encode};
use claviger_model::{Auth, HeaderTemplate, Standing};
use claviger_store::contract::fixtures::{
    api_token, connection, credential, entry, insert_servers, installation, key, key_of, key_row,
    record, registration, revocation, rows, server, sign_in, tenant,
};
use claviger_store::{Store, StoreError};
use claviger_testkit::postgres::{self, Database};
use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, query, query_scalar, raw_sql};

use super::{Pool, Scope};
use crate::db::Db;
use crate::error::Failure;
use crate::retry::retry;
use crate::{PostgresStore, Settings};

fn settings(database: &Database) -> Settings {
    let mut settings = Settings::new(Secret::new(database.url()));
    settings.owner_url = Some(Secret::new(database.owner_url()));
    settings.max_connections = 3;
    settings
}

async fn fresh() -> Option<(Database, Settings, PostgresStore)> {
    let database = postgres::database()?;
    let settings = settings(&database);
    let store = PostgresStore::connect(&settings).await.unwrap();
    Some((database, settings, store))
}

async fn fill(store: &PostgresStore, name: &str) {
    insert_servers(store, name).await;
    let (rows, key) = (
        store.tenant(&tenant(name)),
        key_of(name, "u1", "linear", "default"),
    );
    let standing = connection(&key, Standing::Connected);
    rows.replace_credential(&credential(&key, b"a"), &standing)
        .await
        .unwrap();
    let mut registered = registration("linear", "r1", "https://issuer.example");
    registered.tenant = tenant(name);
    rows.insert_registration(&registered).await.unwrap();
    rows.insert_sign_in(&sign_in(&key, "i1")).await.unwrap();
    rows.insert_api_token(&api_token(name, "p1")).await.unwrap();
    rows.acquire_lease(&key, "a", 1).await.unwrap();
    rows.insert_revocation(&revocation(&key, "o1"))
        .await
        .unwrap();
    let own = key_row(Some(name), "tenant", 1);
    store.keys().insert_key(&own).await.unwrap();
    let mut sealed = server(name, "sealed");
    sealed.auth = Auth::Headers {
        headers: vec![HeaderTemplate {
            name: "X-Key".to_owned(),
            sealed_value: base64_encode(&record(1, b"")),
        }],
    };
    rows.insert_server(&sealed).await.unwrap();
    let mut entry = entry(name, 1);
    entry.tenant = Some(tenant(name));
    store.audit().append_audit(&[entry]).await.unwrap();
}

// A218: ten thousand units on three connections, some of them given up or failed half-way.
#[tokio::test(flavor = "multi_thread")]
async fn a218_g3_no_unit_sees_the_tenant_before_it() {
    let Some((_database, settings, store)) = fresh().await else {
        return;
    };
    for n in 0..8 {
        insert_servers(&store, &format!("t{n}")).await;
    }
    let pool = Pool::new(&settings).unwrap();
    let leaks = join_all((0..8).map(|worker| switch_tenants(&pool, worker))).await;
    assert_eq!(leaks, [0; 8]);
}

/// Asks 1,250 times for all that can be seen, each time in another tenant; answers how often that
/// was anything but the tenant's own.
async fn switch_tenants(pool: &Pool, worker: usize) -> usize {
    let mut leaks = 0;
    for turn in 0..1250 {
        let own = tenant(&format!("t{}", (worker + turn) % 8));
        let scope = Scope::Tenant(&own);
        let begun = if turn % 4 == 0 {
            pool.write(scope).await
        } else {
            pool.read(scope).await
        };
        let mut db = begun.unwrap();
        let seen: Vec<String> = query_scalar("SELECT tenant_id FROM servers")
            .fetch_all(&mut db)
            .await
            .unwrap();
        leaks += usize::from(seen != [own.as_str(), own.as_str()]);
        if turn % 8 == 0 {
            db.commit().await.unwrap();
        } else if turn % 7 == 0 {
            assert!(query("nonsense").execute(&mut db).await.is_err());
        }
    }
    leaks
}

// N6, G3: whatever table there is, a statement that forgot the tenant finds nothing in it, and one
// that names another tenant than its unit finds and changes nothing. The tables come from the
// catalogue: a new one without a policy, or one that nothing is put into here, fails.
#[tokio::test]
async fn n6_g3_no_table_shows_or_takes_a_row_of_another_tenant() {
    let Some((database, settings, store)) = fresh().await else {
        return;
    };
    for name in ["t1", "t2"] {
        fill(&store, name).await;
    }
    fill_installation(&store).await;
    let pool = Pool::new(&settings).unwrap();
    for table in bound_tables(&database) {
        let count = format!("SELECT count(*) FROM claviger.{table}");
        assert_ne!(database.query(&count), "0", "nothing is put into {table}");
        // As the session is, before any unit and after one.
        for _ in 0..2 {
            let mut session = pool.connections.acquire().await.unwrap();
            let seen: i64 = query_scalar(AssertSqlSafe(count.clone()))
                .fetch_one(&mut *session)
                .await
                .unwrap();
            assert_eq!(seen, 0, "{table}");
            drop(session);
            drop(pool.read(Scope::Tenant(&tenant("t1"))).await.unwrap());
        }
        let foreign = format!("SELECT count(*) FROM {table} WHERE tenant_id <> 't1'");
        let (own, other) = (tenant("t1"), tenant("t3"));
        for (scope, sql) in [
            (Scope::Nobody, &count),
            (Scope::Tenant(&other), &count),
            (Scope::Tenant(&own), &foreign),
        ] {
            let mut db = pool.read(scope).await.unwrap();
            let seen: i64 = query_scalar(AssertSqlSafe(sql.clone()))
                .fetch_one(&mut db)
                .await
                .unwrap();
            assert_eq!(seen, 0, "{table} {scope:?}");
        }
        changes_nothing_of_another(&database, &pool, &table).await;
    }
}

/// Every table that has a tenant's name in it; whatever else there is knows no tenants.
fn bound_tables(database: &Database) -> Vec<String> {
    let tables = |bound: &str| {
        database.query(&format!(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'claviger'::regnamespace
                 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {bound} EXISTS (SELECT FROM
                 pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id') ORDER BY 1"
        ))
    };
    assert_eq!(tables("NOT").lines().collect::<Vec<_>>(), UNBOUND);
    tables("").lines().map(str::to_owned).collect()
}

/// What is the installation's own and no secret: which schema it has, and what can read it.
const UNBOUND: [&str; 2] = ["migrations", "needs"];

async fn fill_installation(store: &PostgresStore) {
    let wrapped = key_row(None, "mac", 1);
    store.keys().insert_key(&wrapped).await.unwrap();
    let row = installation();
    store
        .installation()
        .insert_installation(&row)
        .await
        .unwrap();
}

/// In the name of one tenant every row of another is changed, deleted and added.
async fn changes_nothing_of_another(database: &Database, pool: &Pool, table: &str) {
    let all = format!(
        "SELECT md5(string_agg(t::text, ';' ORDER BY t::text)) FROM claviger.{table} t
         WHERE tenant_id <> 't1'"
    );
    let before = database.query(&all);
    assert_ne!(before, "", "{table} has rows of one tenant alone");
    let own = tenant("t1");
    for sql in [
        format!("UPDATE {table} SET tenant_id = tenant_id WHERE tenant_id <> 't1'"),
        format!("UPDATE {table} SET tenant_id = 't1' WHERE tenant_id <> 't1'"),
        format!("DELETE FROM {table} WHERE tenant_id <> 't1'"),
    ] {
        let mut db = pool.write(Scope::Tenant(&own)).await.unwrap();
        let done = query(AssertSqlSafe(sql.clone())).execute(&mut db).await;
        let touched = done.map_or(0, |done| done.rows_affected());
        assert_eq!(touched, 0, "{sql}");
        db.commit().await.unwrap();
    }
    // A row for another tenant, and a row of its own that is given away. No other rule of the table
    // may be what refuses it, so the fence has to say so itself.
    let columns = database.query(&format!(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
         WHERE attrelid = 'claviger.{table}'::regclass AND attnum > 0 AND attname <> 'tenant_id'
             AND NOT attisdropped"
    ));
    let row = database.query(&format!(
        "SELECT quote_literal(t::text) FROM claviger.{table} t WHERE tenant_id <> 't1' LIMIT 1"
    ));
    let insert = format!(
        "INSERT INTO {table} (tenant_id, {columns})
         SELECT 't2', {columns} FROM (SELECT ({row}::{table}).*) AS one"
    );
    let give = format!("UPDATE {table} SET tenant_id = 't2'");
    for sql in [insert, give] {
        let mut db = pool.write(Scope::Tenant(&own)).await.unwrap();
        let refused = query(AssertSqlSafe(sql.clone())).execute(&mut db).await;
        match refused {
            // Nothing of its own is visible to a tenant there.
            Ok(done) => assert_eq!(done.rows_affected(), 0, "{sql}"),
            Err(error) => {
                assert!(
                    error.to_string().contains("row-level security"),
                    "{sql}: {error}"
                );
            }
        }
    }
    assert_eq!(database.query(&all), before, "{table}");
}

// What the two functions may see, nobody else may, and they leave nothing open behind them.
#[tokio::test]
async fn g3_locating_opens_nothing() {
    let Some((_database, settings, store)) = fresh().await else {
        return;
    };
    fill(&store, "t1").await;
    let pool = Pool::new(&settings).unwrap();
    let other = tenant("t2");
    let mut db = pool.read(Scope::Tenant(&other)).await.unwrap();
    for sql in [
        "SELECT count(*) FROM sign_ins WHERE locate('p1') = 't1'",
        "SELECT count(*) FROM api_tokens WHERE count_changes() > 0",
        "SELECT count(*) FROM api_tokens, set_config('app.tenant', '?', true)",
    ] {
        let seen: i64 = query_scalar(sql).fetch_one(&mut db).await.unwrap();
        assert_eq!(seen, 0, "{sql}");
    }
    let left: i64 = query_scalar("SELECT count(*) FROM api_tokens")
        .fetch_one(&mut db)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn g3_every_table_is_fenced_and_unique_by_tenant() {
    let Some((database, ..)) = fresh().await else {
        return;
    };
    let fenced = "SELECT relname FROM pg_class WHERE relnamespace = 'claviger'::regnamespace
         AND relkind = 'r' AND relrowsecurity AND relforcerowsecurity ORDER BY 1";
    let fenced = database.query(fenced);
    assert_eq!(fenced.lines().collect::<Vec<_>>(), bound_tables(&database));
    // Who may pass at all is said by a policy that names the setting, or by none.
    let open =
        "SELECT tablename || '.' || policyname FROM pg_policies WHERE schemaname = 'claviger'
         AND coalesce(qual, with_check) NOT LIKE '%app.tenant%'";
    assert_eq!(database.query(open), "");
    let loose = "SELECT i.indexrelid::regclass FROM pg_index i
         JOIN pg_class c ON c.oid = i.indrelid
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE c.relnamespace = 'claviger'::regnamespace AND i.indisunique
             AND a.attname <> 'tenant_id'";
    // Chains of the audit log go through all tenants.
    assert_eq!(
        database.query(&format!("{loose} ORDER BY 1")),
        "claviger.migrations_pkey\nclaviger.audit_pkey"
    );
}

/// Of this session: other tests on the same server migrate meanwhile.
const LOCKS: &str =
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";

// F38: what PgBouncer would hand to somebody else.
#[tokio::test]
async fn f38_a_unit_leaves_nothing_in_its_session() {
    let Some((_database, mut settings, store)) = fresh().await else {
        return;
    };
    fill(&store, "t1").await;
    settings.max_connections = 1;
    let store = PostgresStore::connect(&settings).await.unwrap();
    let pool = Arc::clone(&store.pool);
    let settings_of = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name)
         FROM pg_settings WHERE source = 'session'";
    let mut before = None;
    for _ in 0..2 {
        let mut session = pool.connections.acquire().await.unwrap();
        let found: Option<String> = query_scalar(settings_of)
            .persistent(false)
            .fetch_one(&mut *session)
            .await
            .unwrap();
        let names: i64 = query_scalar("SELECT count(*) FROM pg_prepared_statements")
            .persistent(false)
            .fetch_one(&mut *session)
            .await
            .unwrap();
        let locks: i64 = query_scalar(LOCKS)
            .persistent(false)
            .fetch_one(&mut *session)
            .await
            .unwrap();
        assert_eq!((names, locks), (0, 0));
        assert_eq!(before.get_or_insert_with(|| found.clone()), &found);
        drop(session);
        rows(&store).list_servers().await.unwrap();
        rows(&store)
            .acquire_lease(&key("notion"), "a", 1)
            .await
            .unwrap();
        store.locate(b"p1").await.unwrap();
        store.data_version().await.unwrap();
    }
}

// F36: a bounded wait, then busy: for a row, for an answer, for a connection.
#[tokio::test]
async fn f36_whoever_waits_too_long_is_told_busy() {
    let Some((_database, mut settings, store)) = fresh().await else {
        return;
    };
    fill(&store, "t1").await;
    settings.lock_timeout = Duration::from_millis(50);
    settings.statement_timeout = Duration::from_millis(200);
    // A busy machine needs its time to connect as well.
    settings.acquire_timeout = Duration::from_secs(3);
    settings.max_connections = 2;
    let waiting = PostgresStore::connect(&settings).await.unwrap();
    let own = tenant("t1");
    let mut holder = store.pool.write(Scope::Tenant(&own)).await.unwrap();
    query("UPDATE credentials SET version = version")
        .execute(&mut holder)
        .await
        .unwrap();
    let (key, mut next) = (key("linear"), credential(&key("linear"), b"b"));
    next.version = 2;
    let standing = connection(&key, Standing::Connected);
    let refused = rows(&waiting).replace_credential(&next, &standing).await;
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    drop(holder);
    let slow = retry(|| async {
        let mut db = waiting.pool.read(Scope::Nobody).await?;
        raw_sql("SELECT pg_sleep(60)").execute(&mut db).await?;
        Ok(())
    });
    assert!(matches!(slow.await, Err(StoreError::Busy)));
    let one = waiting.pool.read(Scope::Nobody).await.unwrap();
    let two = waiting.pool.read(Scope::Nobody).await.unwrap();
    let refused = rows(&waiting).list_servers().await;
    assert!(matches!(refused, Err(StoreError::Busy)), "{refused:?}");
    drop((one, two));
    rows(&waiting)
        .replace_credential(&next, &standing)
        .await
        .unwrap();
}

// Two units that each hold what the other wants: the database undoes one, and it is done again.
#[tokio::test]
async fn f36_a_deadlock_is_nobodys_failure() {
    let Some((_database, _settings, store)) = fresh().await else {
        return;
    };
    insert_servers(&store, "t1").await;
    let (own, pool, tries) = (tenant("t1"), &store.pool, AtomicUsize::new(0));
    let meeting = tokio::sync::Barrier::new(2);
    let update = |slugs: [&'static str; 2]| {
        let (own, tries, meeting) = (&own, &tries, &meeting);
        retry(move || async move {
            let mut db = pool.write(Scope::Tenant(own)).await?;
            disable(&mut db, slugs[0]).await?;
            // Each holds one row now; only the first time, or the second try would wait for nobody.
            if tries.fetch_add(1, Ordering::SeqCst) < 2 {
                meeting.wait().await;
            }
            disable(&mut db, slugs[1]).await?;
            Ok(db.commit().await?)
        })
    };
    let (one, two) = tokio::join!(update(["linear", "notion"]), update(["notion", "linear"]));
    one.unwrap();
    two.unwrap();
    assert_eq!(tries.into_inner(), 3);
}

async fn disable(db: &mut Db, slug: &str) -> sqlx::Result<()> {
    let update = query("UPDATE servers SET enabled = 0 WHERE slug = $1").bind(slug);
    update.execute(db).await.map(drop)
}

#[tokio::test]
async fn gives_up_when_it_is_always_undone() {
    let tries = AtomicUsize::new(0);
    let done: Result<(), _> = retry(|| async {
        tries.fetch_add(1, Ordering::SeqCst);
        Err(Failure::Again)
    })
    .await;
    assert!(matches!(done, Err(StoreError::Busy)));
    assert_eq!(tries.into_inner(), 8);
}

// A request that is given up in the middle of a write leaves nothing, and frees its connection.
#[tokio::test]
async fn a_write_given_up_half_way_is_undone() {
    let Some((_database, _settings, store)) = fresh().await else {
        return;
    };
    insert_servers(&store, "t1").await;
    let own = tenant("t1");
    for _ in 0..10 {
        let mut half = store.pool.write(Scope::Tenant(&own)).await.unwrap();
        query("DELETE FROM servers")
            .execute(&mut half)
            .await
            .unwrap();
        drop(half);
    }
    assert_eq!(rows(&store).list_servers().await.unwrap().len(), 2);
}

// Of many that register at once, each becomes the current one in its turn.
#[tokio::test]
async fn many_registrations_at_once_are_all_kept() {
    let Some((_database, _settings, store)) = fresh().await else {
        return;
    };
    insert_servers(&store, "t1").await;
    let rows = rows(&store);
    let all: Vec<_> = (0..6)
        .map(|n| registration("linear", &format!("r{n}"), "https://issuer.example"))
        .collect();
    for done in join_all(all.iter().map(|one| rows.insert_registration(one))).await {
        done.unwrap();
    }
    let server = server("t1", "linear").id;
    let kept = rows.list_registrations(&server).await.unwrap();
    assert_eq!(kept.len(), 6);
    let current = rows.find_registration(&server, "https://issuer.example");
    assert!(current.await.unwrap().is_some());
}

#[tokio::test]
async fn nothing_is_answered_after_closing() {
    let Some((_database, _settings, store)) = fresh().await else {
        return;
    };
    store.close().await;
    assert!(store.data_version().await.is_err());
    assert!(rows(&store).list_servers().await.is_err());
    assert!(store.keys().list_keys().await.is_err());
}
