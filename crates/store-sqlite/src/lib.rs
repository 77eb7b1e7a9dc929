//! The SQLite backend and its migrations. Start at [`SqliteStore::open`].
//!
//! One connection writes, and those who wait for it share a commit; several read; other processes
//! may open the same file. What is promised is written in `claviger_store` and checked by its
//! contract suite; nothing here is told apart by callers from another backend.

pub use copy::{Depth, checkpoint, fold_log};
pub use error::OpenError;
pub use store::SqliteStore;

mod audit;
mod clock;
mod copy;
mod db;
mod error;
mod feed;
mod file;
mod finish;
mod holder;
mod installation;
mod keys;
mod locate;
mod migrate;
mod open;
mod pool;
#[path = "../../store/queries/mod.rs"]
mod queries;
mod store;
mod tenant;
