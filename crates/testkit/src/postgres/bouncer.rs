//! `PgBouncer` in front of a database.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::{fs, thread};

use tempfile::TempDir;
use url::Url;

use super::database::{Database, OWNER, USER, socket_url};
use super::find;

/// `PgBouncer` in transaction mode: every transaction may meet another connection of the server.
#[derive(Debug)]
pub struct Bouncer {
    _folder: TempDir,
    child: Child,
    url: Url,
}

// === impl Bouncer ===

impl Bouncer {
    /// Starts one. `None` also for a server that speaks on no unix socket.
    pub fn start(database: &Database) -> Option<Self> {
        let program = find::bouncer()?;
        let (server, port) = database.socket()?;
        let folder = tempfile::tempdir().expect("a folder for PgBouncer");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our own");
        let socket = folder.path().join("socket");
        fs::create_dir(&socket).expect("a folder for the socket");
        let is_root = find::hand_over(&socket);
        let users = folder.path().join("users");
        fs::write(&users, format!("\"{USER}\" \"\"\n\"{OWNER}\" \"\"\n")).expect("our own folder");
        let settings = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={} port={port}\n\
             [pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {}\n\
             auth_type = trust\nauth_file = {}\npool_mode = transaction\n\
             default_pool_size = 3\nmax_client_conn = 200\n",
            server.display(),
            socket.display(),
            users.display(),
        );
        fs::write(&settings, text).expect("our own folder");
        let mut child = find::unprivileged(&program, is_root)
            .arg(&settings)
            .stderr(Stdio::null())
            .spawn()
            .expect("PgBouncer runs");
        let address = socket.join(".s.PGSQL.6432");
        while UnixStream::connect(&address).is_err() {
            let ended = child.try_wait().expect("it is our child");
            assert!(ended.is_none(), "PgBouncer did not start: {ended:?}");
            thread::yield_now();
        }
        let mut url = socket_url(&socket, 6432, USER);
        url.set_path(database.name());
        Some(Self {
            _folder: folder,
            child,
            url,
        })
    }

    /// For the application, through `PgBouncer`.
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// For migrations, through `PgBouncer` as well.
    pub fn owner_url(&self) -> String {
        let mut url = self.url.clone();
        url.set_username(OWNER).expect("it has a host");
        url.into()
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
