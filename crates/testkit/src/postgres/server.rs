//! One server in a folder of its own.

use std::net::TcpListener;
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
    port: u16,
    is_root: bool,
}

// === impl Server ===

impl Server {
    /// Starts one with more settings than usual, such as `fsync=on`.
    pub fn start(settings: &[&str]) -> Option<Self> {
        Self::start_on(PORT, settings)
    }

    /// Starts one that listens on the loopback address as well, for whoever wants TLS or a proxy.
    pub fn start_on_loopback(settings: &[&str]) -> Option<Self> {
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let settings = [&["listen_addresses=127.0.0.1"], settings].concat();
        Self::start_on(port, &settings)
    }

    fn start_on(port: u16, settings: &[&str]) -> Option<Self> {
        let programs = find::programs()?;
        let folder = tempfile::tempdir().expect("a folder for the server");
        let cluster = Cluster::create(programs, folder.path(), port, settings);
        cluster.start();
        Some(Self { cluster, folder })
    }

    /// Writes a file that the server alone may read, such as the key of its certificate.
    pub fn install(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("our own folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
        find::hand_over(&path);
        path
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.cluster.port
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
    pub(super) fn create(programs: PathBuf, folder: &Path, port: u16, settings: &[&str]) -> Self {
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
        let mut options = format!(
            "-c port={port} -c unix_socket_directories={}",
            socket.display()
        );
        for setting in USUAL.iter().chain(settings) {
            options.push_str(" -c ");
            options.push_str(setting);
        }
        Self {
            programs,
            folder: folder.to_owned(),
            options,
            port,
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
        admin_url(&self.folder, self.port)
    }
}

/// How to reach the server in a folder.
pub(super) fn admin_url(folder: &Path, port: u16) -> Url {
    socket_url(&folder.join("socket"), port, ADMIN)
}

/// Whether a server answers there.
pub(super) fn is_alive(folder: &Path) -> io::Result<()> {
    UnixStream::connect(folder.join("socket").join(format!(".s.PGSQL.{PORT}"))).map(drop)
}

/// Of a socket alone it is a part of the name, and taken by nobody else.
pub(super) const PORT: u16 = 5432;
const ADMIN: &str = "postgres";
/// Nothing here outlives the machine, so nothing waits for a disk.
const USUAL: &[&str] = &[
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=300",
];
