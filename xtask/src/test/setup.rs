//! Installs what the tests in `tests/` need, pinned by their lock files, and says what is absent.
//!
//! A folder with a `package-lock.json` gets its `node_modules`, one with a `requirements.txt` a
//! virtual environment. Nothing is installed outside the repository, and nothing twice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::machine::{self, ask, find_program, say};

/// What was found or installed, and what is absent on this machine.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    /// The Node on the PATH, new enough for npm.
    pub(crate) node: Option<PathBuf>,
    /// The Python of the virtual environment.
    pub(crate) python: Option<PathBuf>,
    /// One sentence for each thing that is absent.
    pub(crate) absent: Vec<String>,
}

/// Enough to run npm; the suites pin the Node they run on among their packages.
const OLDEST_NODE: u32 = 18;
const INSTALL_LIMIT: Duration = Duration::from_mins(15);

pub(crate) fn install(root: &Path, cache: &Path) -> Result<Tools> {
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let mut tools = Tools::default();
    match node() {
        Ok(node) => tools.node = Some(node),
        Err(absent) => tools.absent.push(absent),
    }
    let npm = find_program("npm");
    if npm.is_none() {
        tools.absent.push("npm is not on the PATH".to_owned());
    }
    for folder in folders(root)? {
        if let Some(npm) = npm
            .as_ref()
            .filter(|_| folder.join("package-lock.json").is_file())
        {
            packages(npm, &folder, cache)?;
        }
        if folder.join("requirements.txt").is_file() {
            match environment(&folder, cache)? {
                Ok(python) => tools.python = Some(python),
                Err(absent) => tools.absent.push(absent),
            }
        }
    }
    Ok(tools)
}

fn folders(root: &Path) -> Result<Vec<PathBuf>> {
    let tests = root.join("tests");
    if !tests.is_dir() {
        return Ok(Vec::new());
    }
    let mut folders: Vec<PathBuf> = fs::read_dir(&tests)
        .context("cannot read tests/")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir() && !path.ends_with(".cache"))
        .collect();
    folders.sort();
    Ok(folders)
}

fn node() -> Result<PathBuf, String> {
    let absent = || format!("Node {OLDEST_NODE} or newer is not on the PATH");
    let path = find_program("node").ok_or_else(absent)?;
    let version = ask(&path, &["--version"]).ok_or_else(absent)?;
    let major = version.trim_start_matches('v').split('.').next();
    match major.and_then(|major| major.parse::<u32>().ok()) {
        Some(major) if major >= OLDEST_NODE => Ok(path),
        _ => Err(format!("{} (found {version})", absent())),
    }
}

fn packages(npm: &Path, folder: &Path, cache: &Path) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let stamp = stamp(cache, folder, "npm");
    if folder.join("node_modules").is_dir() && same(&lock, &stamp) {
        return Ok(());
    }
    say(&format!("npm ci in {}", folder.display()));
    let ran = machine::run(
        Command::new(npm)
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(folder),
        INSTALL_LIMIT,
    )?;
    anyhow::ensure!(ran.is_ok, "npm ci failed in {}", folder.display());
    fs::copy(&lock, &stamp).context("cannot remember what npm installed")?;
    Ok(())
}

fn environment(folder: &Path, cache: &Path) -> Result<Result<PathBuf, String>> {
    let wanted = folder.join("requirements.txt");
    let home = cache.join(format!("python-{}", name_of(folder)));
    let python = home.join("bin").join("python");
    let stamp = stamp(cache, folder, "pip");
    if python.exists() && same(&wanted, &stamp) {
        return Ok(Ok(python));
    }
    let Some(system) = find_program("python3") else {
        return Ok(Err("python3 is not on the PATH".to_owned()));
    };
    say(&format!("virtual environment for {}", folder.display()));
    let made = machine::run(
        Command::new(system)
            .args(["-m", "venv", "--clear"])
            .arg(&home),
        INSTALL_LIMIT,
    )?;
    if !made.is_ok {
        return Ok(Err(
            "python3 cannot make a virtual environment (python3-venv)".to_owned(),
        ));
    }
    let ran = machine::run(
        Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
            ])
            .arg(&wanted),
        INSTALL_LIMIT,
    )?;
    anyhow::ensure!(ran.is_ok, "pip install failed for {}", wanted.display());
    fs::copy(&wanted, &stamp).context("cannot remember what pip installed")?;
    Ok(Ok(python))
}

fn name_of(folder: &Path) -> String {
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// A copy of the lock file as it was when its packages were installed.
fn stamp(cache: &Path, folder: &Path, kind: &str) -> PathBuf {
    cache.join(format!("{}.{kind}.installed", name_of(folder)))
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}
