//! One database of one test.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use url::Url;

use super::find;

/// A database that is dropped with this value. Its owner and its user are two plain roles.
#[derive(Debug)]
pub struct Database {
    admin_url: Url,
    name: String,
}

// === impl Database ===

impl Database {
    /// Makes one through the URL of a role that may.
    pub(super) fn create(admin_url: Url) -> Self {
        // Two tests never choose the same name, in whatever process they run.
        let name = format!("claviger_test_{:016x}", RandomState::new().hash_one(0_u8));
        psql(&admin_url, ROLES);
        psql(
            &admin_url,
            &format!("CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0 ENCODING 'UTF8'"),
        );
        Self { admin_url, name }
    }

    /// For the application: a role that owns nothing.
    pub fn url(&self) -> String {
        self.url_of(USER)
    }

    /// For migrations: the role that owns the database.
    pub fn owner_url(&self) -> String {
        self.url_of(OWNER)
    }

    /// For what only an administrator may do.
    pub fn admin_url(&self) -> String {
        let mut url = self.admin_url.clone();
        url.set_path(&self.name);
        url.into()
    }

    /// Runs SQL as the administrator and answers the rows, columns separated by `|`.
    pub fn query(&self, sql: &str) -> String {
        let mut url = self.admin_url.clone();
        url.set_path(&self.name);
        psql(&url, sql)
    }

    /// The name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the server's socket and its port, if it has one.
    pub(super) fn socket(&self) -> Option<(PathBuf, u16)> {
        let mut pairs = self.admin_url.query_pairs();
        let (_, folder) = pairs.find(|(name, _)| name == "host")?;
        Some((PathBuf::from(&*folder), self.admin_url.port()?))
    }

    fn url_of(&self, role: &str) -> String {
        let mut url = self.admin_url.clone();
        let set = url.set_username(role).and(url.set_password(Some(PASSWORD)));
        set.expect("the URL of a database has a host");
        url.set_path(&self.name);
        url.into()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // The server may be gone already, and its databases with it.
        command(&self.admin_url, &sql).output().ok();
    }
}

/// The address of a server on a unix socket.
pub(super) fn socket_url(folder: &Path, port: u16, role: &str) -> Url {
    let folder = folder.display();
    let text = format!("postgres://{role}@localhost:{port}/postgres?host={folder}");
    Url::parse(&text).expect("a folder for tests has a plain name")
}

fn psql(url: &Url, sql: &str) -> String {
    find::run(&mut command(url, sql))
}

fn command(url: &Url, sql: &str) -> Command {
    let program = find::programs().map_or_else(|| "psql".into(), |folder| folder.join("psql"));
    let mut command = Command::new(program);
    command
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql])
        .arg(url.as_str())
        .stdin(Stdio::null());
    command
}

/// The role of the application, and the role that owns the schema.
pub(super) const USER: &str = "claviger_test_app";
pub(super) const OWNER: &str = "claviger_test_owner";
const PASSWORD: &str = "claviger";

/// Two tests may do this at once: whoever comes second finds them there.
const ROLES: &str = "
DO $$
DECLARE
    name TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock(4091);
    FOREACH name IN ARRAY ARRAY['claviger_test_app', 'claviger_test_owner'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', name, 'claviger');
        END IF;
    END LOOP;
END $$";
