//! Every statement both databases speak, and what its rows mean: one text, compiled into both backends.
//!
//! Each backend includes this folder by its path and brings `crate::db::Db`, what a statement runs
//! on. Only the portable subset is spoken here: `$1` placeholders, `ON CONFLICT … DO UPDATE`,
//! `RETURNING`, no clock. What only one database knows stands in its own crate.
//!
//! Every statement is checked against the schema of the database it is built for. After a change of
//! a statement or of a schema, write the `.sqlx` folder of both backends anew: apply the migrations
//! to an empty database, then run `cargo check -p claviger-store-…` with `STORE_SQLITE_URL` or
//! `STORE_POSTGRES_URL` naming it (the latter with `?options=-c%20search_path%3Dclaviger`) and
//! `SQLX_OFFLINE_DIR` naming the folder.

pub(crate) mod api_tokens;
pub(crate) mod audit;
pub(crate) mod changes;
pub(crate) mod columns;
pub(crate) mod connections;
pub(crate) mod credentials;
pub(crate) mod estates;
pub(crate) mod generation;
pub(crate) mod installation;
pub(crate) mod key;
pub(crate) mod keys;
pub(crate) mod leases;
pub(crate) mod purges;
pub(crate) mod registrations;
pub(crate) mod reseals;
pub(crate) mod revocations;
pub(crate) mod sealed;
pub(crate) mod servers;
pub(crate) mod sign_ins;
pub(crate) mod sweeps;

use crate::db::Db;
