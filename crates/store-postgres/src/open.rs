//! How a connection is set up, and whom we are then.

use core::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Result, query_as};

use crate::OpenError;
use crate::db::Db;

/// What a URL says, without what `PgBouncer` would not pass on.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?
        .application_name("claviger")
        .statement_cache_capacity(0)
        .extra_float_digits(None))
}

/// The role a unit of work runs as.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) name: String,
    passes_the_fence: bool,
    server: i32,
}

impl Role {
    pub(crate) async fn find(db: &mut Db) -> Result<Self> {
        let (name, passes_the_fence, server) = query_as(
            "SELECT rolname::text, rolsuper OR rolbypassrls,
                 current_setting('server_version_num')::integer
             FROM pg_catalog.pg_roles WHERE rolname = current_user",
        )
        .fetch_one(db)
        .await?;
        Ok(Self {
            name,
            passes_the_fence,
            server,
        })
    }

    /// G3: row-level security does not exist for some roles.
    pub(crate) fn accept(&self) -> Result<(), OpenError> {
        if self.server < OLDEST {
            return Err(OpenError::OldServer {
                found: self.server / 10_000,
                oldest: OLDEST / 10_000,
            });
        }
        if self.passes_the_fence {
            return Err(OpenError::Unfenced {
                role: self.name.clone(),
            });
        }
        Ok(())
    }
}

/// The oldest version that is still maintained.
const OLDEST: i32 = 140_000;
