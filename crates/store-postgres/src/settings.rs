//! How to reach a database.

use core::time::Duration;

use claviger_crypto::Secret;

/// Where the database is and how many connections to it are kept.
///
/// Both URLs are of the form `postgres://user:password@host:port/database?sslmode=verify-full`.
/// `sslrootcert` names a file with the authorities to trust instead of the public ones; over a
/// network, nothing weaker than `sslmode=verify-full` keeps a stranger out of the middle.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The role that reads and writes rows.
    pub url: Secret,
    /// The role that owns the schema, if it is another; used to migrate, on one connection.
    pub owner_url: Option<Secret>,
    /// How many connections are open at most.
    pub max_connections: u32,
    /// How long a caller waits for a connection.
    pub acquire_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
    /// How long one statement waits for rows that another transaction holds.
    pub lock_timeout: Duration,
}

impl Settings {
    /// The usual settings: one role, ten connections, and waits of at most five seconds.
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            owner_url: None,
            max_connections: 10,
            acquire_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_secs(2),
        }
    }
}
