//! One server in a folder of its own.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use tempfile::TempDir;
use url::Url;

use super::database::{Database, socket_url};
use super::find;

/// A server of one test, which may stop and start it. It ends with this value.
#[derive(Debug)]
pub struct Server {
    cluster: Cluster,
    folder: TempDir,
}

/// The files of a server and how to start it.
#[derive(Debug)]
pub(super) struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    options: String,
    is_root: bool,
}

// === impl Server ===

impl Server {
    /// Starts one with more settings than usual, such as `ssl=on`.
    pub fn start(settings: &[&str]) -> Option<Self> {
        let programs = find::programs()?;
        let folder = tempfile::tempdir().expect("a folder for the server");
        let cluster = Cluster::create(programs, folder.path(), settings);
        cluster.start();
        Some(Self { cluster, folder })
    }

    /// A new database.
    pub fn database(&self) -> Database {
        Database::create(self.cluster.admin_url())
    }

    /// Kills it in the middle of what it does, as a crash would.
    pub fn crash(&self) {
        self.cluster.stop("immediate");
    }

    /// Starts it again.
    pub fn start_again(&self) {
        self.cluster.start();
    }

    /// The folder with all its files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut command = self.cluster.pg_ctl("stop");
        // It may be stopped already.
        command.args(["-m", "immediate"]).output().ok();
    }
}

// === impl Cluster ===

impl Cluster {
    /// Makes the files of a server.
    pub(super) fn create(programs: PathBuf, folder: &Path, settings: &[&str]) -> Self {
        // The folder may be root's, and the server is not.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("our own folder");
        let (data, socket) = (folder.join("data"), folder.join("socket"));
        fs::create_dir(&data).expect("a folder for the data");
        fs::create_dir(&socket).expect("a folder for the socket");
        find::hand_over(&socket);
        let is_root = find::hand_over(&data);
        let mut initdb = find::unprivileged(&programs.join("initdb"), is_root);
        initdb.args([
            "-U",
            ADMIN,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        find::run(initdb.arg(&data));
        let mut options = format!("-c unix_socket_directories={}", socket.display());
        for setting in USUAL.iter().chain(settings) {
            options.push_str(" -c ");
            options.push_str(setting);
        }
        Self {
            programs,
            folder: folder.to_owned(),
            options,
            is_root,
        }
    }

    /// Starts it and waits until it answers.
    pub(super) fn start(&self) {
        let mut command = self.pg_ctl("start");
        let log = self.folder.join("data").join("log");
        command.arg("-l").arg(log).args(["-o", &self.options]);
        // The server would keep a pipe open for as long as it runs.
        command.stderr(Stdio::null());
        let done = command.status().expect("pg_ctl runs");
        assert!(
            done.success(),
            "the server did not start in {}",
            self.folder.display()
        );
    }

    fn stop(&self, mode: &str) {
        find::run(self.pg_ctl("stop").args(["-m", mode]));
    }

    fn pg_ctl(&self, verb: &str) -> Command {
        let mut command = find::unprivileged(&self.programs.join("pg_ctl"), self.is_root);
        command.args([verb, "-w", "-t", "60", "-D"]);
        command.arg(self.folder.join("data"));
        command
    }

    fn admin_url(&self) -> Url {
        admin_url(&self.folder)
    }
}

/// How to reach the server in a folder.
pub(super) fn admin_url(folder: &Path) -> Url {
    socket_url(&folder.join("socket"), ADMIN)
}

/// Whether a server answers there.
pub(super) fn is_alive(folder: &Path) -> io::Result<()> {
    UnixStream::connect(folder.join("socket").join(".s.PGSQL.5432")).map(drop)
}

const ADMIN: &str = "postgres";
/// Nothing here outlives the machine, so nothing waits for a disk.
const USUAL: &[&str] = &[
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=300",
];
