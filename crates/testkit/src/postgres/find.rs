//! Where the programs are, and as whom they may run.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// The server a tester named.
pub(super) fn named_url() -> Option<String> {
    variable("CLAVIGER_TEST_POSTGRES_URL")
}

/// The folder with `initdb`, `pg_ctl` and `psql`, in the latest version.
pub(super) fn programs() -> Option<PathBuf> {
    let on_path = variable("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&on_path)
        .filter_map(|folder| fs::canonicalize(folder.join("initdb")).ok())
        .filter_map(|program| program.parent().map(Path::to_owned))
        .collect();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut versions: Vec<PathBuf> = debian.flatten().map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| {
        let number = path.file_name().and_then(|name| name.to_str());
        number.and_then(|number| number.parse::<u32>().ok())
    });
    folders.extend(versions.into_iter().rev().map(|path| path.join("bin")));
    let whole = |folder: &PathBuf| {
        let mut needed = ["initdb", "pg_ctl", "psql"].into_iter();
        needed.all(|name| folder.join(name).is_file())
    };
    let found = folders.into_iter().find(whole);
    if found.is_none() {
        missing(
            "PostgreSQL",
            "install it, or name a server in CLAVIGER_TEST_POSTGRES_URL",
        );
    }
    found
}

/// `PgBouncer`, which Debian keeps outside of most paths.
pub(super) fn bouncer() -> Option<PathBuf> {
    let on_path = variable("PATH").unwrap_or_default();
    let found = env::split_paths(&on_path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file());
    if found.is_none() {
        missing("PgBouncer", "install it");
    }
    found
}

/// A command that does not run as root, which PostgreSQL and `PgBouncer` refuse.
pub(super) fn unprivileged(program: &Path, is_root: bool) -> Command {
    let mut command = if is_root {
        let mut dropped = Command::new("setpriv");
        dropped
            .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "--"])
            .arg(program);
        dropped
    } else {
        Command::new(program)
    };
    command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Gives a folder to whoever runs the server.
pub(super) fn hand_over(folder: &Path) -> bool {
    let is_root = fs::metadata(folder)
        .expect("the folder was just made")
        .uid()
        == 0;
    if is_root {
        let id = NOBODY.parse().ok();
        chown(folder, id, id).expect("root may give a folder away");
    }
    is_root
}

/// Runs to the end and shows what was said when it fails.
pub(super) fn run(command: &mut Command) -> String {
    let done = command
        .output()
        .unwrap_or_else(|error| panic!("could not run {command:?}: {error}"));
    assert!(
        done.status.success(),
        "{command:?} failed: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

#[expect(clippy::print_stderr, reason = "a skipped test must not be overlooked")]
fn missing(what: &str, remedy: &str) {
    assert!(
        variable("CI").is_none_or(|value| value != "true"),
        "{what} is not on this machine, and CI skips nothing: {remedy}"
    );
    eprintln!("\n!!! SKIPPED: {what} is not on this machine; {remedy} !!!\n");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a chore of tests; see xtask/owners.txt"
)]
fn variable(name: &str) -> Option<String> {
    let value = env::var_os(name)?.into_string().ok()?;
    (!value.is_empty()).then_some(value)
}

/// `nobody` and its group, the same number everywhere that matters.
const NOBODY: &str = "65534";
