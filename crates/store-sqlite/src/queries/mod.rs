//! Every statement, checked against the schema when this crate is built.
//!
//! Only the portable subset is spoken here: `$1` placeholders, `ON CONFLICT … DO UPDATE`,
//! `RETURNING`, no clock. What only SQLite knows stands in `clock`, `pragmas` and `migrate`.
//!
//! After a change of a statement or of the schema, write `.sqlx` anew: apply the migrations to an
//! empty database file, then run `cargo check -p claviger-store-sqlite` with `STORE_SQLITE_URL`
//! naming that file and `SQLX_OFFLINE_DIR` naming the `.sqlx` folder.

pub(crate) mod api_tokens;
pub(crate) mod connections;
pub(crate) mod credentials;
pub(crate) mod keys;
pub(crate) mod leases;
pub(crate) mod registrations;
pub(crate) mod servers;
pub(crate) mod sign_ins;

/// The connection all statements run on; the one name that differs between databases.
pub(crate) type Db = sqlx::SqliteConnection;
