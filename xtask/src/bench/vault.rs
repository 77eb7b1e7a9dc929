//! Credentials from memory, sealed, and kept durably, beside bare probes.
//!
//! The candidates are pieces of the product and run in one process: `crates/e2e/benches/vault`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::machine::{self, Ran, ask, cargo, say};
use crate::repository;

const FILE: &str = "docs/benchmarks.md";
const BEGIN: &str = "<!-- vault:begin -->\n";
const END: &str = "<!-- vault:end -->";

/// A cold release build on two slow cores, and some minutes of measuring.
const LIMIT: Duration = Duration::from_hours(1);

pub(crate) fn run(words: &[&str]) -> Result<bool> {
    for word in words {
        if !["--quick", "--write"].contains(word) {
            bail!("the benchmark knows --quick and --write, and no {word:?}");
        }
    }
    let is_quick = words.contains(&"--quick");
    let is_written = words.contains(&"--write");
    if is_quick && is_written {
        bail!("figures of a quick run mean nothing; write those of a whole one");
    }
    let root = repository::root()?;
    let command = &mut cargo(&root);
    command.args(["bench", "--package", "claviger-e2e", "--bench", "vault"]);
    if is_quick {
        command.args(["--", "--quick"]);
    }
    let ran = machine::run(command, LIMIT)?;
    if ran.is_ok && is_written {
        write(&root, &ran)?;
        say(&format!("{FILE} is written"));
    }
    Ok(ran.is_ok)
}

fn write(root: &Path, ran: &Ran) -> Result<()> {
    let path = root.join(FILE);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {FILE}"))?;
    let renewed = replaced(&text, &figures(&ran.lines)?, &machine())?;
    fs::write(&path, renewed).with_context(|| format!("cannot write {FILE}"))
}

/// What the benchmark says in the end, from the sentence above its tables on.
fn figures(lines: &[String]) -> Result<String> {
    // The same rows came one by one while it ran; the tables begin with the last head.
    let mut at = lines.iter();
    let head = at.rposition(|line| line.starts_with("Medians of "));
    let head = head.context("the benchmark printed no figures")?;
    let kept = lines.iter().skip(head);
    let kept = kept.filter(|line| !line.starts_with("warning"));
    Ok(kept.map(String::as_str).collect::<Vec<_>>().join("\n"))
}

fn replaced(text: &str, figures: &str, machine: &str) -> Result<String> {
    let (head, rest) = text.split_once(BEGIN).context("no beginning")?;
    let (_, tail) = rest.split_once(END).context("no end")?;
    let figures = figures.trim_end();
    Ok(format!("{head}{BEGIN}{machine}\n{figures}\n{END}{tail}"))
}

/// When and where: without it a figure says nothing.
fn machine() -> String {
    let day = ask("date", &["-u", "+%Y-%m-%d"]).unwrap_or_default();
    let cores = ask("nproc", &[]).unwrap_or_default();
    let kernel = ask("uname", &["-sr"]).unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = about
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(':'))
        .map_or_else(String::new, |(_, name)| format!(" ({})", name.trim()));
    format!(
        "Last run: {day}, {cores} cores{cpu}, {kernel}, load {load} at the end, release profile."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tables_replace_what_was_there() {
        let lines = [
            "noise",
            "Medians of 1",
            "| a |",
            "Medians of 1",
            "",
            "| b |",
        ];
        let lines: Vec<String> = lines.map(str::to_owned).into();
        let figures = figures(&lines).unwrap();
        let text = format!("# Title\n\n{BEGIN}old\n{END}\ntail\n");
        let renewed = replaced(&text, &figures, "Here.").unwrap();
        let expected = format!("# Title\n\n{BEGIN}Here.\nMedians of 1\n\n| b |\n{END}\ntail\n");
        assert_eq!(renewed, expected);
    }
}
