//! Storage traits. A backend passes `contract` and promises what is written here.
//!
//! The only way to rows is [`Store::tenant`]; what arrives before a tenant is known is first
//! located. Repositories call no clock: they receive values. Leases alone run on the database's
//! own time, since several processes must agree on it.
//!
//! Verbs: `find` gives an `Option`, `list` gives all, `insert` fails with [`StoreError::Conflict`]
//! on an existing key, `update` and `delete` say whether there was a row.

pub use api_tokens::ApiTokens;
pub use audit::Audit;
pub use changes::{Change, Changes, Cursor};
pub use connections::Connections;
pub use credentials::{Credentials, Guarded};
pub use error::StoreError;
pub use estates::{Estate, Estates};
pub use installations::Installations;
pub use keys::Keys;
pub use leases::{Intended, Lease, Leases};
pub use registrations::Registrations;
pub use reseals::{Reseals, SealedRow};
pub use revocations::Revocations;
pub use servers::{Purged, Servers};
pub use sign_ins::SignIns;
pub use sweeps::Sweeps;
pub use tenant::{Store, TenantStore};

/// What this binary writes into the newest schema (F34).
///
/// It goes up when rows begin to mean what an earlier binary would misread although no table
/// changed: another version of sealed records, another reading of a column. The database remembers
/// the highest one that worked on it, and every binary of a lower one refuses it.
pub const FORMAT: i64 = 1;

mod api_tokens;
mod audit;
mod changes;
mod connections;
#[cfg(feature = "contract")]
pub mod contract;
mod credentials;
mod error;
mod estates;
mod installations;
mod keys;
mod leases;
mod registrations;
mod reseals;
mod revocations;
mod servers;
mod sign_ins;
mod sweeps;
mod tenant;
