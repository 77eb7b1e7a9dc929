//! A PostgreSQL to test with: found or started here, a database for every test.
//!
//! `CLAVIGER_TEST_POSTGRES_URL` names a server and a role that may make roles and databases; without
//! it one server is started from the programs on this machine and shared by all tests that run at
//! the time. It speaks on a unix socket and goes away half a minute after its last user. A test that
//! stops its server, or sets it up in another way, starts its own with [`Server::start`].
//!
//! Where there is no PostgreSQL, everything here answers `None` and says so aloud; under `CI=true`
//! that is a failure.

pub use bouncer::Bouncer;
pub use database::Database;
pub use server::Server;

mod bouncer;
mod database;
mod find;
mod server;
mod shared;

/// A new database on the shared server; it is dropped with the answer.
pub fn database() -> Option<Database> {
    shared::admin_url().map(Database::create)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_database_is_new_and_goes_away() {
        let (Some(one), Some(two)) = (database(), database()) else {
            return;
        };
        assert_ne!(one.name(), two.name());
        one.query("CREATE TABLE notes (id BIGINT)");
        let tables = "SELECT count(*) FROM pg_class WHERE relname = 'notes'";
        assert_eq!(one.query(tables), "1");
        assert_eq!(two.query(tables), "0");
        let gone = one.name().to_owned();
        drop(one);
        let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{gone}'");
        assert_eq!(two.query(&left), "0");
    }

    #[test]
    fn a_server_of_its_own_crashes_and_comes_back() {
        let Some(server) = Server::start(&["log_min_messages=notice"]) else {
            return;
        };
        let database = server.database();
        database.query("CREATE TABLE notes (id BIGINT)");
        server.crash();
        server.start_again();
        assert_eq!(database.query("SELECT count(*) FROM notes"), "0");
    }
}
