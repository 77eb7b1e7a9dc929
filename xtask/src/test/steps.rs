//! The steps in the order in which they run, cheap ones first.

use core::time::Duration;
use std::process::Command;

use anyhow::Result;

use crate::machine::{self, cargo};
use crate::{coverage, faults, tidy};

use super::Outcome;
use super::newcomer;
use super::places::Places;
use super::tally::Tally;

/// One step: a name to ask for it, a purpose to print, and what it does.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) purpose: &'static str,
    pub(crate) run: fn(&mut Places) -> Result<Outcome>,
}

/// A cold build of everything on two slow cores.
pub(crate) const BUILD_LIMIT: Duration = Duration::from_mins(40);
const QUICK_LIMIT: Duration = Duration::from_mins(5);
const SUITE_LIMIT: Duration = Duration::from_mins(30);

pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        purpose: "the code is formatted",
        run: fmt,
    },
    Step {
        name: "clippy",
        purpose: "no lint of the workspace fires",
        run: clippy,
    },
    Step {
        name: "rustdoc",
        purpose: "the documentation builds, and its links hold",
        run: rustdoc,
    },
    Step {
        name: "tidy",
        purpose: "the rules of the house hold, and no id is lost",
        run: tidy_step,
    },
    Step {
        name: "bare",
        purpose: "the engines build without HTTP",
        run: bare,
    },
    Step {
        name: "unit",
        purpose: "unit, engine and contract tests",
        run: unit,
    },
    Step {
        name: "features",
        purpose: "what is in no default build builds, and its tests pass",
        run: features,
    },
    Step {
        name: "doctests",
        purpose: "the examples in the documentation run",
        run: doctests,
    },
    Step {
        name: "binary",
        purpose: "the binary builds",
        run: binary,
    },
    Step {
        name: "e2e",
        purpose: "the whole product, process by process",
        run: e2e,
    },
    Step {
        name: "faults",
        purpose: "kills, broken networks and broken disks, against a ledger of every token",
        run: faults_step,
    },
    Step {
        name: "setup",
        purpose: "what the tests below need from npm and PyPI",
        run: setup,
    },
    Step {
        name: "peers",
        purpose: "real servers, issuers and callers from elsewhere",
        run: peers,
    },
    Step {
        name: "conformance",
        purpose: "the official MCP conformance suite",
        run: conformance,
    },
    Step {
        name: "newcomer",
        purpose: "a clean clone, and the first command of its README",
        run: newcomer::run,
    },
];

fn fmt(places: &mut Places) -> Result<Outcome> {
    let command = &mut cargo(&places.root);
    judge(
        command.args(["fmt", "--all", "--check"]),
        QUICK_LIMIT,
        "run `cargo fmt --all`",
    )
}

fn clippy(places: &mut Places) -> Result<Outcome> {
    let command = &mut cargo(&places.root);
    command.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    judge(command, BUILD_LIMIT, "a lint fired")
}

fn rustdoc(places: &mut Places) -> Result<Outcome> {
    let command = &mut cargo(&places.root);
    command
        .args([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ])
        .env("RUSTDOCFLAGS", "-D warnings");
    judge(command, BUILD_LIMIT, "the documentation has a fault")
}

fn tidy_step(places: &mut Places) -> Result<Outcome> {
    let mut faults = tidy::check(&places.root)?;
    faults.extend(coverage::check(&places.root)?);
    for fault in &faults {
        machine::say(fault);
    }
    Ok(if faults.is_empty() {
        Outcome::Passed(Tally::default())
    } else {
        Outcome::failed(format!("{} rules broken", faults.len()))
    })
}

fn bare(places: &mut Places) -> Result<Outcome> {
    let command = &mut cargo(&places.root);
    command.args(["check", "-p", "claviger-issuer", "-p", "claviger-guard"]);
    command.arg("--no-default-features");
    judge(
        command,
        BUILD_LIMIT,
        "HTTP is a skin: an engine needs it to build",
    )
}

fn unit(places: &mut Places) -> Result<Outcome> {
    let command = &mut cargo(&places.root);
    if has_nextest(places) {
        // The same selection of packages as in `e2e`, so that both share one build.
        command.args([
            "nextest",
            "run",
            "--workspace",
            "-E",
            "not package(claviger-e2e)",
        ]);
    } else {
        command.args(["test", "--workspace", "--exclude", "claviger-e2e"]);
        command.args(["--lib", "--bins", "--tests", "--no-fail-fast"]);
    }
    judge(command, BUILD_LIMIT, "a test failed")
}

/// Further places for the key, and backups for an age recipient: `claviger-server` alone has code
/// for them.
fn features(places: &mut Places) -> Result<Outcome> {
    let which = ["--package", "claviger-server", "--features", "age,keyring"];
    let clippy = &mut cargo(&places.root);
    clippy.arg("clippy").args(which);
    clippy.args(["--all-targets", "--", "-D", "warnings"]);
    let linted = judge(clippy, BUILD_LIMIT, "a lint fired")?;
    if !matches!(linted, Outcome::Passed(_)) {
        return Ok(linted);
    }
    let tests = &mut cargo(&places.root);
    if has_nextest(places) {
        tests.args(["nextest", "run"]).args(which);
    } else {
        tests.arg("test").args(which).arg("--no-fail-fast");
    }
    tests.args(["--lib", "kek", "wrap"]);
    judge(tests, BUILD_LIMIT, "a test failed")
}

fn doctests(places: &mut Places) -> Result<Outcome> {
    let command = &mut cargo(&places.root);
    judge(
        command.args(["test", "--workspace", "--doc"]),
        BUILD_LIMIT,
        "an example failed",
    )
}

fn binary(places: &mut Places) -> Result<Outcome> {
    let binary = places.binary()?;
    machine::say(&binary.display().to_string());
    Ok(Outcome::Passed(Tally::default()))
}

fn e2e(places: &mut Places) -> Result<Outcome> {
    let binary = places.binary()?;
    let command = &mut cargo(&places.root);
    if has_nextest(places) {
        command.args([
            "nextest",
            "run",
            "--workspace",
            "-E",
            "package(claviger-e2e)",
        ]);
    } else {
        command.args(["test", "--package", "claviger-e2e", "--no-fail-fast"]);
    }
    places.equip(command, &binary);
    judge(command, BUILD_LIMIT, "a test failed")
}

fn faults_step(places: &mut Places) -> Result<Outcome> {
    let ran = faults::short(&places.root)?;
    let tally = Tally::read(&ran.lines);
    if ran.is_ok {
        return Ok(Outcome::Passed(tally));
    }
    let why = "an invariant was broken; its seed repeats the run";
    Ok(Outcome::failed_after(why, &ran.lines))
}

fn setup(places: &mut Places) -> Result<Outcome> {
    let absent = places.tools()?.absent.join("; ");
    Ok(if absent.is_empty() {
        Outcome::Passed(Tally::default())
    } else {
        Outcome::Skipped(absent)
    })
}

fn peers(places: &mut Places) -> Result<Outcome> {
    runner(places, "peers")
}

fn conformance(places: &mut Places) -> Result<Outcome> {
    runner(places, "conformance")
}

/// A suite with a runner of its own, which judges by its exit code.
fn runner(places: &mut Places, suite: &str) -> Result<Outcome> {
    let folder = places.root.join("tests").join(suite);
    let tools = places.tools()?;
    let Some(system_node) = tools.node.clone() else {
        return Ok(Outcome::Skipped(tools.absent.join("; ")));
    };
    if folder.join("requirements.txt").is_file() && tools.python.is_none() {
        return Ok(Outcome::Skipped(tools.absent.join("; ")));
    }
    let binary = places.binary()?;
    // A suite that needs a certain Node pins it among its packages.
    let pinned = folder
        .join("node_modules")
        .join("node")
        .join("bin")
        .join("node");
    let node = if pinned.is_file() {
        pinned
    } else {
        system_node
    };
    let command = &mut Command::new(node);
    command.arg("run.mjs").current_dir(&folder);
    places.equip(command, &binary);
    judge(command, SUITE_LIMIT, "the suite failed")
}

fn has_nextest(places: &Places) -> bool {
    let asked = cargo(&places.root).args(["nextest", "--version"]).output();
    asked.is_ok_and(|answer| answer.status.success())
}

fn judge(command: &mut Command, limit: Duration, why: &str) -> Result<Outcome> {
    let ran = machine::run(command, limit)?;
    let tally = Tally::read(&ran.lines);
    if ran.is_ok {
        return Ok(Outcome::Passed(tally));
    }
    let why = if ran.is_late {
        format!("not done after {} s", limit.as_secs())
    } else {
        why.to_owned()
    };
    Ok(Outcome::failed_after(why, &ran.lines))
}
