//! The PostgreSQL backend and its migrations. Start at [`PostgresStore::connect`].
//!
//! Everything happens in units of work: one transaction that first says whose rows it is about
//! (`app.tenant`), so that row-level security is a second fence behind the queries (G3). Nothing is
//! kept in a session: `PgBouncer` in transaction mode may stand in between. What is promised is
//! written in `claviger_store` and checked by its contract suite.
//!
//! Two roles: one owns the schema `claviger` and migrates ([`Settings::owner_url`]); the other may
//! only read and write rows ([`Settings::url`]). One role may be both, and is fenced all the same;
//! a role that passes row-level security by, such as a superuser, is refused.

pub use error::OpenError;
pub use replace::Replacement;
pub use settings::Settings;
pub use store::PostgresStore;

mod audit;
mod clock;
mod db;
mod error;
mod feed;
mod finish;
mod installation;
mod keys;
mod migrate;
mod open;
mod pool;
#[path = "../../store/queries/mod.rs"]
mod queries;
mod replace;
mod retry;
mod settings;
mod store;
mod tenant;
