//! `cargo xtask faults`: builds what the fault harness needs, runs it, and keeps its last figures.
//!
//! The scenarios themselves are in `crates/faults`.

mod document;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::machine::{self, Ran, cargo, variable};
use crate::repository;

/// A cold build of everything on two slow cores.
const BUILD_LIMIT: Duration = Duration::from_mins(40);
const SHORT_LIMIT: Duration = Duration::from_mins(15);
const LONG_LIMIT: Duration = Duration::from_hours(12);

/// Runs the harness with the words that were given; false if an invariant was broken.
pub(crate) fn main(words: &[&str]) -> Result<bool> {
    let root = repository::root()?;
    let is_written = words.contains(&"--write");
    let mut passed: Vec<&str> = words.to_vec();
    passed.retain(|word| *word != "--write");
    if is_written {
        passed.push("--json");
    }
    let limit = if passed.contains(&"--long") {
        LONG_LIMIT
    } else {
        SHORT_LIMIT
    };
    let ran = run(&root, &passed, limit)?;
    if is_written {
        document::write(&root, &ran.lines)?;
    }
    Ok(ran.is_ok)
}

/// The short set, as `cargo xtask test` runs it.
pub(crate) fn short(root: &Path) -> Result<Ran> {
    run(root, &[], SHORT_LIMIT)
}

fn run(root: &Path, words: &[&str], limit: Duration) -> Result<Ran> {
    let (harness, binary, has_failpoints) = build(root)?;
    let mut command = std::process::Command::new(harness);
    command.arg("--binary").arg(binary).args(words);
    if has_failpoints {
        command.arg("--failpoints");
    }
    if variable("CI").is_some_and(|value| value == "true") {
        command.arg("--no-skip");
    }
    let ran = machine::run(&mut command, limit)?;
    anyhow::ensure!(!ran.is_late, "not done after {} s", limit.as_secs());
    Ok(ran)
}

/// The harness, a binary with failpoints if it knows them, and whether it does. The binary gets a
/// place of its own, so that no build for people is left with them.
fn build(root: &Path) -> Result<(PathBuf, PathBuf, bool)> {
    let debug = repository::target(root).join("debug");
    let own = repository::target(root).join("faults");
    fs::create_dir_all(&own).with_context(|| format!("cannot make {}", own.display()))?;
    let manifest = fs::read_to_string(root.join("crates/cli/Cargo.toml"))
        .context("cannot read the manifest of the binary")?;
    let has_failpoints = manifest
        .lines()
        .any(|line| line.starts_with("failpoints = "));

    let harness = &mut cargo(root);
    harness.args(["build", "--package", "claviger-faults"]);
    anyhow::ensure!(
        machine::run(harness, BUILD_LIMIT)?.is_ok,
        "the harness does not build"
    );

    let (built, kept) = (debug.join("claviger"), debug.join("claviger-kept"));
    let was_there = fs::rename(&built, &kept).is_ok();
    let product = &mut cargo(root);
    product.args(["build", "--package", "claviger-cli"]);
    if has_failpoints {
        product.args(["--features", "failpoints"]);
    }
    let is_built = machine::run(product, BUILD_LIMIT)?.is_ok;
    let binary = own.join("claviger");
    let moved = fs::rename(&built, &binary);
    if was_there {
        fs::rename(&kept, &built).context("cannot put the plain binary back")?;
    }
    anyhow::ensure!(is_built, "the binary does not build");
    moved.with_context(|| format!("cannot place {}", binary.display()))?;
    Ok((debug.join("claviger-faults"), binary, has_failpoints))
}
