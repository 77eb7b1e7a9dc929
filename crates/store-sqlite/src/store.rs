//! The database as the rest of Claviger sees it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use claviger_model::TenantId;
use claviger_store::{Audit, Changes, Cursor, Installations, Keys, Store, StoreError, TenantStore};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::OpenError;
use crate::audit::SqliteAudit;
use crate::copy::failed;
use crate::error::store_error;
use crate::feed::list_changes;
use crate::installation::SqliteInstallation;
use crate::keys::SqliteKeys;
use crate::locate::{list_tenants, locate};
use crate::migrate::{Found, KNOWN, MIGRATIONS, inspect, migrate};
use crate::open::probing;
use crate::pool::Pool;
use crate::queries::columns::text;
use crate::tenant::SqliteTenant;

/// A database in one SQLite file. Other processes may have the same file open.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pub(crate) pool: Arc<Pool>,
}

impl SqliteStore {
    /// Opens the file, makes it if it is not there, and brings its schema up to date. Beside it
    /// stands a lock file, held only while somebody opens.
    ///
    /// Refuses links, files that others can read, databases of other programs and of later
    /// versions, and changes nothing then.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_as(path, false).await
    }

    /// A store on these connections, once the schema is up to date.
    pub(crate) async fn migrated(path: &Path, pool: Pool) -> Result<Self, OpenError> {
        let failed = |source| failed(path, source);
        let mut writer = pool.writer().await.map_err(failed)?;
        accept(
            path,
            migrate(&mut writer, &MIGRATIONS).await.map_err(failed)?,
        )?;
        drop(writer);
        Ok(Self {
            pool: Arc::new(pool),
        })
    }

    /// Waits for what is under way, writes the log back into the file and closes it.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.pool.close().await
    }
}

#[async_trait]
impl Store for SqliteStore {
    fn tenant(&self, tenant: &TenantId) -> Arc<dyn TenantStore> {
        Arc::new(SqliteTenant {
            pool: Arc::clone(&self.pool),
            tenant: tenant.clone(),
            entries: Vec::new(),
        })
    }

    fn keys(&self) -> Arc<dyn Keys> {
        Arc::new(SqliteKeys {
            pool: Arc::clone(&self.pool),
            entries: Vec::new(),
        })
    }

    fn audit(&self) -> Arc<dyn Audit> {
        Arc::new(SqliteAudit {
            pool: Arc::clone(&self.pool),
        })
    }

    fn installation(&self) -> Arc<dyn Installations> {
        Arc::new(SqliteInstallation {
            pool: Arc::clone(&self.pool),
            entries: Vec::new(),
        })
    }

    async fn locate(&self, mac: &[u8]) -> Result<Option<TenantId>, StoreError> {
        let mut db = self.pool.read().await?;
        let tenants = locate(&mut db, mac).await.map_err(store_error)?;
        // Two rows with one MAC do not happen by themselves: whoever planted the second gets
        // nobody's tenant.
        match <[String; 1]>::try_from(tenants) {
            Ok([tenant]) => text(tenant, "tenant_id").map(Some),
            Err(_) => Ok(None),
        }
    }

    async fn list_tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        let mut db = self.pool.read().await?;
        let tenants = list_tenants(&mut db).await.map_err(store_error)?;
        tenants
            .into_iter()
            .map(|tenant| text(tenant, "tenant_id"))
            .collect()
    }

    async fn list_changes(&self, since: Option<&Cursor>) -> Result<Changes, StoreError> {
        list_changes(&mut *self.pool.read().await?, since).await
    }

    async fn data_version(&self) -> Result<i64, StoreError> {
        self.pool.data_version().await
    }
}

/// In one transaction, since another process may be migrating.
pub(crate) async fn probe(path: &Path) -> sqlx::Result<Found> {
    let mut db = probing(path).connect().await?;
    let mut transaction = db.begin().await?;
    let found = inspect(&mut transaction, KNOWN).await?;
    transaction.rollback().await?;
    db.close().await?;
    Ok(found)
}

pub(crate) fn accept(path: &Path, found: Found) -> Result<(), OpenError> {
    match found {
        Found::Empty | Found::Version(_) => Ok(()),
        Found::Later { version } => Err(OpenError::Later { version }),
        Found::Newer(found) => Err(OpenError::Newer {
            found,
            known: KNOWN,
        }),
        Found::NotOurs => Err(OpenError::NotOurs {
            path: path.to_owned(),
        }),
    }
}
