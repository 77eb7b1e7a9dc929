//! The repository as the chores see it: its root, its tracked files and its packages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::machine;

/// What `cargo metadata` says, as far as we read it.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
    metadata: Option<serde_json::Value>,
}

/// One arrow out of a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    kind: Option<String>,
}

/// A tracked file, by its path from the root with forward slashes, and its text.
#[derive(Debug)]
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

// === impl Package ===

impl Package {
    /// The floor the package stands on; chores stand outside the house.
    pub(crate) fn floor(&self) -> Option<i64> {
        self.metadata.as_ref()?.pointer("/claviger/floor")?.as_i64()
    }
}

// === impl Dependency ===

impl Dependency {
    pub(crate) fn is_dev(&self) -> bool {
        self.kind.as_deref() == Some("dev")
    }
}

// === impl TextFile ===

impl TextFile {
    /// A file that holds nothing but tests, or the suites and harnesses that only tests run.
    pub(crate) fn is_test(&self) -> bool {
        let path = self.path.as_str();
        path.contains("/tests/")
            || path.ends_with("/tests.rs")
            || path.starts_with("tests/")
            || path.starts_with("crates/e2e/")
            || path.starts_with("crates/faults/")
            || path.starts_with("crates/store/src/contract")
    }

    pub(crate) fn is_rust(&self) -> bool {
        has_extension(&self.path, "rs")
    }
}

/// Whether a path ends in `.extension`.
pub(crate) fn has_extension(path: &str, extension: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|found| found == extension)
}

/// The root of the workspace.
pub(crate) fn root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here
        .parent()
        .context("xtask stands one folder below the root")?;
    Ok(root.to_path_buf())
}

/// Where cargo puts what it builds.
pub(crate) fn target(root: &Path) -> PathBuf {
    let chosen = machine::variable("CARGO_TARGET_DIR");
    root.join(chosen.as_deref().unwrap_or("target"))
}

/// The workspace as cargo sees it, without third-party packages.
pub(crate) fn metadata(root: &Path) -> Result<Metadata> {
    let output = machine::cargo(root)
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .output()
        .context("cannot start cargo")?;
    anyhow::ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    serde_json::from_slice(&output.stdout).context("cannot read cargo metadata")
}

/// Every text file git knows or would add, sorted; binary files are left out.
pub(crate) fn text_files(root: &Path) -> Result<Vec<TextFile>> {
    let root_text = root.display().to_string();
    let listed = machine::ask(
        "git",
        &[
            // A checkout may belong to another user than the one who tests it.
            "-c",
            "safe.directory=*",
            "-C",
            &root_text,
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
    )
    .context("cannot list the files of the repository with git")?;
    let mut paths: Vec<&str> = listed.lines().collect();
    paths.sort_unstable();
    paths.dedup();
    let mut files = Vec::new();
    for path in paths {
        // A file that was deleted but not yet committed is listed and cannot be read.
        let Ok(bytes) = fs::read(root.join(path)) else {
            continue;
        };
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(TextFile {
                path: path.to_owned(),
                text,
            });
        }
    }
    Ok(files)
}

/// The entries of a list, without comments and blank lines.
pub(crate) fn entries(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}
