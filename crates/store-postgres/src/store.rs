//! The database as the rest of Claviger sees it.

use std::sync::Arc;

use async_trait::async_trait;
use claviger_crypto::Secret;
use claviger_model::TenantId;
use claviger_store::{Audit, Changes, Cursor, Installations, Keys, Store, StoreError, TenantStore};
use sqlx::query_scalar;

use crate::audit::PostgresAudit;
use crate::error::store_error;
use crate::feed::list_changes;
use crate::installation::PostgresInstallation;
use crate::keys::PostgresKeys;
use crate::migrate::{Found, KNOWN, MIGRATIONS, grant, inspect, migrate};
use crate::open::Role;
use crate::pool::{Pool, Scope};
use crate::queries::columns::text;
use crate::retry::retry;
use crate::tenant::PostgresTenant;
use crate::{OpenError, Settings};

/// A PostgreSQL database. Other nodes may use the same one.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pub(crate) pool: Arc<Pool>,
}

impl PostgresStore {
    /// Connects and brings the schema up to date; several nodes may do so at once.
    ///
    /// Refuses roles that row-level security does not hold for, schemas of other programs and of
    /// later versions, and changes nothing then.
    pub async fn connect(settings: &Settings) -> Result<Self, OpenError> {
        let failed = OpenError::of("of the URL");
        let pool = Pool::new(settings).map_err(failed)?;
        let mut db = pool.read(Scope::Nobody).await.map_err(failed)?;
        let role = Role::find(&mut db).await.map_err(failed)?;
        drop(db);
        role.accept()?;
        match &settings.owner_url {
            Some(owner) => migrate_as_owner(settings, owner, &role).await?,
            None => migrate_what_is_pending(&pool).await?,
        }
        Ok(Self {
            pool: Arc::new(pool),
        })
    }

    /// The database as it is now, to be read only: whatever is written meanwhile, all of it is of
    /// one instant. Keep it for as long as a copy takes, and no longer.
    pub async fn snapshot(&self) -> Result<Self, StoreError> {
        let pool = self.pool.snapshot().await.map_err(store_error)?;
        Ok(Self {
            pool: Arc::new(pool),
        })
    }

    /// Connects to a schema that is up to date already, and migrates nothing.
    pub async fn connect_as_is(settings: &Settings) -> Result<Self, OpenError> {
        let failed = OpenError::of("of the URL");
        let pool = Pool::new(settings).map_err(failed)?;
        let mut db = pool.read(Scope::Nobody).await.map_err(failed)?;
        let role = Role::find(&mut db).await.map_err(failed)?;
        role.accept()?;
        let found = match &settings.owner_url {
            Some(owner) => look_as_owner(settings, owner, &role).await?,
            None => accept(inspect(&mut db, &MIGRATIONS).await.map_err(failed)?)?,
        };
        drop(db);
        up_to_date(found)?;
        Ok(Self {
            pool: Arc::new(pool),
        })
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn tenant(&self, tenant: &TenantId) -> Arc<dyn TenantStore> {
        Arc::new(PostgresTenant {
            pool: Arc::clone(&self.pool),
            tenant: tenant.clone(),
            entries: Vec::new(),
        })
    }

    fn keys(&self) -> Arc<dyn Keys> {
        Arc::new(PostgresKeys {
            pool: Arc::clone(&self.pool),
            entries: Vec::new(),
        })
    }

    fn audit(&self) -> Arc<dyn Audit> {
        Arc::new(PostgresAudit {
            pool: Arc::clone(&self.pool),
        })
    }

    fn installation(&self) -> Arc<dyn Installations> {
        Arc::new(PostgresInstallation {
            pool: Arc::clone(&self.pool),
            entries: Vec::new(),
        })
    }

    async fn locate(&self, mac: &[u8]) -> Result<Option<TenantId>, StoreError> {
        let found: Option<String> = retry(|| async {
            let mut db = self.pool.read(Scope::Nobody).await?;
            let located = query_scalar("SELECT locate($1)").bind(mac);
            Ok(located.fetch_one(&mut db).await?)
        })
        .await?;
        found.map(|tenant| text(tenant, "tenant_id")).transpose()
    }

    async fn list_tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let found: Vec<String> = retry(|| async {
            let mut db = self.pool.read(Scope::Nobody).await?;
            let listed = query_scalar("SELECT list_tenants()");
            Ok(listed.fetch_all(&mut db).await?)
        })
        .await?;
        found
            .into_iter()
            .map(|tenant| text(tenant, "tenant_id"))
            .collect()
    }

    async fn list_changes(&self, since: Option<&Cursor>) -> Result<Changes, StoreError> {
        list_changes(&self.pool, since).await
    }

    async fn data_version(&self) -> Result<i64, StoreError> {
        retry(|| async {
            let mut db = self.pool.read(Scope::Nobody).await?;
            let counted = query_scalar("SELECT count_changes()");
            Ok(counted.fetch_one(&mut db).await?)
        })
        .await
    }
}

async fn migrate_what_is_pending(pool: &Pool) -> Result<(), OpenError> {
    let failed = OpenError::of("of the URL");
    let mut db = pool.read(Scope::Nobody).await.map_err(failed)?;
    let found = inspect(&mut db, &MIGRATIONS).await.map_err(failed)?;
    drop(db);
    let is_marked = !matches!(found, Found::Earlier(_));
    if accept(found)? < KNOWN || !is_marked {
        accept(migrate(pool, &MIGRATIONS).await.map_err(failed)?)?;
    }
    Ok(())
}

/// The version, by the one role that may always look. What the other role may do is made good
/// where there is something to do it with, since a copy by the owner grants nothing.
async fn look_as_owner(settings: &Settings, owner: &Secret, role: &Role) -> Result<i64, OpenError> {
    let failed = OpenError::of("of the owner's URL");
    let pool = Pool::new(&as_owner(settings, owner)).map_err(failed)?;
    let mut db = pool.read(Scope::Nobody).await.map_err(failed)?;
    let found = accept(inspect(&mut db, &MIGRATIONS).await.map_err(failed)?)?;
    drop(db);
    up_to_date(found)?;
    grant(&pool, &role.name).await.map_err(failed)?;
    pool.close().await;
    Ok(found)
}

fn up_to_date(found: i64) -> Result<(), OpenError> {
    let known = KNOWN;
    if found < known {
        return Err(OpenError::Older { found, known });
    }
    Ok(())
}

pub(crate) fn as_owner(settings: &Settings, owner: &Secret) -> Settings {
    Settings {
        url: owner.clone(),
        max_connections: 1,
        ..settings.clone()
    }
}

async fn migrate_as_owner(
    settings: &Settings,
    owner: &Secret,
    role: &Role,
) -> Result<(), OpenError> {
    let failed = OpenError::of("of the owner's URL");
    let pool = Pool::new(&as_owner(settings, owner)).map_err(failed)?;
    accept(migrate(&pool, &MIGRATIONS).await.map_err(failed)?)?;
    grant(&pool, &role.name).await.map_err(failed)?;
    pool.close().await;
    Ok(())
}

/// The version of a schema that may be used or migrated.
pub(crate) fn accept(found: Found) -> Result<i64, OpenError> {
    match found {
        Found::Changed(version) => Err(OpenError::Changed { version }),
        Found::Empty => Ok(0),
        Found::Later { version } => Err(OpenError::Later { version }),
        Found::Newer(found) => Err(OpenError::Newer {
            found,
            known: KNOWN,
        }),
        Found::NotOurs => Err(OpenError::NotOurs),
        Found::Earlier(version) | Found::Version(version) => Ok(version),
    }
}
