//! What a statement runs on: a unit of work.

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{
    Describe, Either, Execute, Executor, PgConnection, Postgres, Result, SqlStr, Transaction,
};

use crate::pool::Scope;

/// One transaction. Dropped without [`Db::commit`], all of it is undone.
///
/// No statement it runs is given a name: behind `PgBouncer` the name would stay with a connection
/// that the next transaction does not get.
#[derive(Debug)]
pub(crate) struct Db {
    transaction: Transaction<'static, Postgres>,
}

impl Db {
    pub(crate) const fn new(transaction: Transaction<'static, Postgres>) -> Self {
        Self { transaction }
    }

    /// Commits; call it on what [`crate::pool::Pool::write`] gave.
    pub(crate) async fn commit(mut self) -> Result<()> {
        self.count().await?;
        self.transaction.commit().await
    }

    /// Commits what is no tenant's: the schema.
    pub(crate) async fn commit_uncounted(self) -> Result<()> {
        self.transaction.commit().await
    }

    /// Goes on with the rows of another: what was written so far stays in the same unit.
    pub(crate) async fn turn_to(&mut self, scope: Scope<'_>) -> Result<()> {
        sqlx::query("SELECT set_config('app.tenant', $1, true)")
            .bind(scope.as_str())
            .execute(self)
            .await
            .map(drop)
    }

    /// Counts this unit among the changes of its tenant, so that every node sees within one poll
    /// that something was written. Last, since its row stays locked until the commit.
    async fn count(&mut self) -> Result<()> {
        sqlx::query(
            "INSERT INTO epochs (tenant_id, shard, epoch)
             VALUES (current_setting('app.tenant'), pg_backend_pid() & 7, 1)
             ON CONFLICT (tenant_id, shard) DO UPDATE SET epoch = epochs.epoch + 1",
        )
        .execute(self)
        .await
        .map(drop)
    }

    fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}

impl<'c> Executor<'c> for &'c mut Db {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.connection().fetch_many(Nameless(query))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        self.connection().fetch_optional(Nameless(query))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement>>
    where
        'c: 'e,
    {
        self.connection().prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        self.connection().describe(sql)
    }
}

/// A query that leaves nothing behind on the connection.
struct Nameless<E>(E);

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Nameless<E> {
    fn sql(self) -> SqlStr {
        self.0.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.0.take_arguments()
    }

    fn persistent(&self) -> bool {
        false
    }
}
