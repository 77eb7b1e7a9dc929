//! The newcomer: a clean clone, and the first command of its README, letter by letter.

use core::time::Duration;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::machine;
use crate::repository;

use super::Outcome;
use super::places::Places;
use super::tally::Tally;

const CLONE_LIMIT: Duration = Duration::from_mins(2);
/// A cold release build on two slow cores, and the demo.
const COMMAND_LIMIT: Duration = Duration::from_mins(30);

pub(crate) fn run(places: &mut Places) -> Result<Outcome> {
    let clone = places.cache().join("newcomer");
    if clone.exists() {
        fs::remove_dir_all(&clone).context("cannot remove the last clone")?;
    }
    let cloned = machine::run(&mut git_clone(&places.root, &clone), CLONE_LIMIT)?;
    anyhow::ensure!(cloned.is_ok, "git cannot clone the repository");
    let readme = fs::read_to_string(clone.join("README.md")).context("the clone has no README")?;
    let line = first_command(&readme).context("README.md has no first command")?;
    machine::say(&format!("$ {line}"));
    let mut words = line.split_whitespace();
    let program = words.next().context("the first command is empty")?;
    let mut command = Command::new(program);
    command.args(words).current_dir(&clone).env(
        "CARGO_TARGET_DIR",
        repository::target(&places.root).join("newcomer"),
    );
    let ran = machine::run(&mut command, COMMAND_LIMIT)?;
    Ok(if ran.is_ok {
        Outcome::Passed(Tally {
            passed: 1,
            failed: 0,
        })
    } else {
        Outcome::failed_after(format!("`{line}` failed in a clean clone"), &ran.lines)
    })
}

fn git_clone(root: &Path, clone: &Path) -> Command {
    let mut command = Command::new("git");
    command.args([
        "-c",
        "safe.directory=*",
        "clone",
        "--quiet",
        "--no-hardlinks",
    ]);
    command.arg(root).arg(clone);
    command
}

/// The first line of the first shell block.
fn first_command(readme: &str) -> Option<&str> {
    let (_, block) = readme.split_once("```sh\n")?;
    block.lines().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_command_is_the_demo() {
        let root = repository::root().unwrap();
        let readme = fs::read_to_string(root.join("README.md")).unwrap();
        assert_eq!(first_command(&readme), Some("cargo run --release -- demo"));
    }
}
