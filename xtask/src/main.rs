//! Repository chores: the one test command, the rules of the house, the table of ids, the benchmarks,
//! the faults.
//!
//! Start at [`mod@test`] for `cargo xtask test`, at [`tidy`] for the rules a machine can keep, and at
//! [`coverage`] for the ids. Nothing here is part of the product, and the product never calls it.

mod bench;
mod coverage;
mod faults;
mod fuzz;
mod machine;
mod repository;
mod source;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;

use crate::machine::say;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Runs one command; `Ok(false)` means that it ran and found something wrong.
fn dispatch(words: &[&str]) -> Result<bool> {
    match words.split_first() {
        Some((&"test", rest)) => test::main(rest),
        Some((&"tidy", rest)) => tidy::main(rest),
        Some((&"words", [])) => tidy::words_only(),
        Some((&"coverage", rest)) => coverage::main(rest),
        Some((&"bench", rest)) => bench::main(rest),
        Some((&"fuzz", rest)) => fuzz::main(rest),
        Some((&"faults", rest)) => faults::main(rest),
        None | Some((&("help" | "-h" | "--help"), _)) => {
            say(USAGE);
            Ok(true)
        }
        Some((other, _)) => {
            say(&format!("unknown command `{other}`\n\n{USAGE}"));
            Ok(false)
        }
    }
}

const USAGE: &str = "\
usage: cargo xtask <command>

  test [--all] [--step NAME]… [--list]   run everything this machine can run; --all fails on a skip
  tidy [--write]                         check the rules of the house; --write renews the code map
  words                                  check the names of public items against xtask/words.txt
  coverage [--found|--missing|--write]   show which ids have a test; --write renews docs/coverage.txt
  bench [NAME]                           run a benchmark side by side with its yardsticks
  fuzz [TARGET|all] [--seconds N]        run a fuzz target of fuzz/; without a name: list them
  faults [--long] [--only F01,…] [--write]
                                         run the fault harness; --write renews docs/faults.md";
