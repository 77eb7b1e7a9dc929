//! `cargo xtask fuzz`: the fuzz targets of `fuzz/`, on the one toolchain there is.
//!
//! libFuzzer asks the compiler for coverage counters. The flags that insert them are stable, so
//! neither a nightly compiler nor `cargo-fuzz` is needed; sanitizers would want both, and there is
//! no `unsafe` of ours for them to watch.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::machine::{self, ask, cargo, say};
use crate::repository;

const FLAGS: &[&str] = &[
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

/// How long each target runs where nobody says otherwise.
const SECONDS: u64 = 60;

pub(crate) fn main(words: &[&str]) -> Result<bool> {
    let (names, seconds) = match words {
        [] => return list(),
        ["all"] => (targets()?, SECONDS),
        [name] => (vec![(*name).to_owned()], SECONDS),
        [name, "--seconds", seconds] => {
            let seconds = seconds.parse().context("--seconds wants a number")?;
            let names = if *name == "all" {
                targets()?
            } else {
                vec![(*name).to_owned()]
            };
            (names, seconds)
        }
        other => bail!("cannot read {other:?}; try `cargo xtask fuzz all --seconds 60`"),
    };
    let known = targets()?;
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        bail!(
            "there is no fuzz target `{unknown}`; there are: {}",
            known.join(", ")
        );
    }
    let host = host()?;
    if !build(&host)? {
        return Ok(false);
    }
    let mut is_clean = true;
    for name in names {
        is_clean &= run(&name, &host, seconds)?;
    }
    Ok(is_clean)
}

fn list() -> Result<bool> {
    for name in targets()? {
        say(&name);
    }
    Ok(true)
}

/// Every target is a file.
fn targets() -> Result<Vec<String>> {
    let folder = repository::root()?.join("fuzz/fuzz_targets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("no folder {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names)
}

/// Named, so that build scripts are built without the counters.
fn host() -> Result<String> {
    let about = ask("rustc", &["-vV"]).context("rustc does not answer")?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(ToOwned::to_owned)
        .context("rustc does not say what it builds for")
}

fn build(host: &str) -> Result<bool> {
    let root = repository::root()?;
    let built = machine::run(
        cargo(&root)
            .args(["build", "--release", "--locked", "--target", host])
            .arg("--manifest-path")
            .arg(root.join("fuzz/Cargo.toml"))
            .arg("--target-dir")
            .arg(target(&root))
            .env("RUSTFLAGS", FLAGS.join(" ")),
        Duration::from_mins(30),
    )?;
    Ok(built.is_ok)
}

/// What it finds new goes into the folder of its corpus; commit what is worth keeping.
fn run(name: &str, host: &str, seconds: u64) -> Result<bool> {
    let root = repository::root()?;
    let corpus = root.join("fuzz/corpus").join(name);
    fs::create_dir_all(&corpus)?;
    say(&format!("\n━━ {name}, {seconds} s"));
    let mut command = Command::new(target(&root).join(host).join("release").join(name));
    command
        .current_dir(root.join("fuzz"))
        .arg(format!("-max_total_time={seconds}"))
        .args(["-print_final_stats=1", "-verbosity=0", "-timeout=10"])
        .arg(&corpus);
    let ran = machine::run(&mut command, Duration::from_secs(seconds + 120))?;
    say(&format!(
        "{name}: {}",
        if ran.is_ok { "clean" } else { "FAILED" }
    ));
    Ok(ran.is_ok)
}

fn target(root: &Path) -> PathBuf {
    repository::target(root).join("fuzz")
}
