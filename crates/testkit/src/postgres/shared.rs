//! One server for all tests that run at the time, whichever processes they run in.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::{env, io};

use url::Url;

use super::find;
use super::server::{Cluster, PORT, admin_url as url_in, is_alive};

/// The server, started if it does not run; it stays while this process lives.
pub(super) fn admin_url() -> Option<Url> {
    if let Some(named) = find::named_url() {
        return Some(Url::parse(&named).expect("CLAVIGER_TEST_POSTGRES_URL is no URL"));
    }
    let programs = find::programs()?;
    let folder = folder();
    let mut held = HELD.lock().expect("no test panicked here");
    if held.is_none() {
        let lock = open(&folder.join("start.lock"));
        lock.lock().expect("the lock of the server");
        if is_alive(&folder).is_err() {
            start(programs, &folder);
        }
        let user = open(&folder.join("users.lock"));
        user.lock_shared().expect("the lock of its users");
        fs::write(folder.join("used"), "").expect("our own folder");
        *held = Some(user);
    }
    Some(url_in(&folder, PORT))
}

fn start(programs: PathBuf, folder: &Path) {
    for left in ["data", "socket"] {
        match fs::remove_dir_all(folder.join(left)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                panic!("could not remove what a killed server left: {error}")
            }
            _ => {}
        }
    }
    Cluster::create(programs, folder, PORT, &[]).start();
    // A process of its own: the tests come and go, and none of them knows that it is the last.
    let watched = Command::new("sh")
        .args(["-c", &format!("({WATCH}) &"), "watch"])
        .arg(folder)
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("there is a shell");
    assert!(
        watched.success(),
        "the shell that ends the server: {watched}"
    );
}

fn folder() -> PathBuf {
    let probe = tempfile::tempdir().expect("a folder for tests");
    let us = probe.path().metadata().expect("it was just made").uid();
    let folder = env::temp_dir().join(format!("claviger-postgres-{us}"));
    match fs::DirBuilder::new().mode(0o755).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            panic!("could not make {}: {error}", folder.display())
        }
        _ => {}
    }
    // The folder of temporary files is everybody's.
    let found = fs::symlink_metadata(&folder).expect("it is there");
    assert!(
        found.is_dir() && found.uid() == us,
        "{} is not ours",
        folder.display()
    );
    folder
}

fn open(path: &Path) -> File {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    options.open(path).expect("our own folder")
}

/// Held until this process ends.
static HELD: Mutex<Option<File>> = Mutex::new(None);

/// Stops the server when nobody has used it for half a minute.
const WATCH: &str = r#"
cd "$1" || exit
idle=0
while sleep 5; do
    exec 9>start.lock 8>users.lock
    if flock -n 9 && flock -n -x 8; then
        if [ used -nt seen ] || [ ! -e seen ]; then idle=0; else idle=$((idle + 1)); fi
        touch seen
        if [ "$idle" -ge 6 ] || [ ! -e data/postmaster.pid ]; then
            server=$(head -n 1 data/postmaster.pid)
            kill -INT "$server"
            while kill -0 "$server"; do sleep 1; done
            rm -rf data socket seen used
            exit
        fi
    else
        idle=0
    fi
    exec 9>&- 8>&-
done
"#;
