//! `cargo xtask test`: the one test command.
//!
//! Every step can be run alone, shows its output as it comes and is timed. A step whose tools are
//! absent is skipped on a user's machine, loudly, and fails where nobody would read the warning.

mod newcomer;
mod places;
mod setup;
mod steps;
mod tally;

use core::fmt::Write as _;
use core::time::Duration;

use anyhow::Result;

use crate::machine::{now, say, variable};
use crate::repository;

use self::places::Places;
use self::steps::{STEPS, Step};
use self::tally::Tally;

/// How many lines of a failed step are printed again at the end, where they are looked for.
const TAIL: usize = 60;

/// How one step ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It found something wrong; the text says what to do about it. The lines are the end of what was printed.
    Failed {
        why: String,
        tally: Tally,
        tail: Vec<String>,
    },
    /// It ran and found nothing wrong.
    Passed(Tally),
    /// It could not run here; the text says what is absent.
    Skipped(String),
}

#[derive(Debug, Default)]
struct Wishes {
    is_all: bool,
    is_list: bool,
    steps: Vec<String>,
}

struct Line {
    name: &'static str,
    took: Duration,
    outcome: Outcome,
}

/// Runs the steps that were asked for; false if one of them failed.
pub(crate) fn main(words: &[&str]) -> Result<bool> {
    let wishes = Wishes::parse(words)?;
    if wishes.is_list {
        for step in STEPS {
            say(&format!("{:<12} {}", step.name, step.purpose));
        }
        return Ok(true);
    }
    let must_run_all = wishes.is_all || variable("CI").is_some_and(|value| value == "true");
    let mut places = Places::new(repository::root()?);
    let mut lines = Vec::new();
    for step in STEPS.iter().filter(|step| wishes.wants(step)) {
        say(&format!("\n━━ {}: {}", step.name, step.purpose));
        let start = now();
        let outcome = match (step.run)(&mut places) {
            Ok(Outcome::Skipped(why)) if must_run_all => Outcome::failed(format!("skipped: {why}")),
            Ok(outcome) => outcome,
            Err(error) => Outcome::failed(format!("{error:#}")),
        };
        if let Outcome::Skipped(why) = &outcome {
            say(&format!("!! SKIPPED {}: {why}", step.name));
        }
        if let Outcome::Failed { why, .. } = &outcome {
            say(&format!("!! FAILED {}: {why}", step.name));
        }
        lines.push(Line {
            name: step.name,
            took: now() - start,
            outcome,
        });
    }
    say(&recap(&lines));
    say(&report(&lines));
    Ok(lines.iter().all(|line| !line.outcome.is_failed()))
}

// === impl Outcome ===

impl Outcome {
    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            tally: Tally::default(),
            tail: Vec::new(),
        }
    }

    /// A failure of a step whose program printed `lines`.
    pub(crate) fn failed_after(why: impl Into<String>, lines: &[String]) -> Self {
        Self::Failed {
            why: why.into(),
            tally: Tally::read(lines),
            tail: lines[lines.len().saturating_sub(TAIL)..].to_vec(),
        }
    }

    fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// What the step adds to the last line; a failure without a known test counts as one.
    fn tally(&self) -> Tally {
        match self {
            Self::Passed(tally) => *tally,
            Self::Failed { tally, .. } => Tally {
                failed: tally.failed.max(1),
                ..*tally
            },
            Self::Skipped(_) => Tally::default(),
        }
    }
}

// === impl Wishes ===

impl Wishes {
    fn parse(words: &[&str]) -> Result<Self> {
        let mut wishes = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--all" => wishes.is_all = true,
                "--list" => wishes.is_list = true,
                "--step" => {
                    let name = words.next().copied().unwrap_or_default();
                    anyhow::ensure!(
                        STEPS.iter().any(|step| step.name == name),
                        "there is no step `{name}`; `cargo xtask test --list` shows them"
                    );
                    wishes.steps.push(name.to_owned());
                }
                other => anyhow::bail!("unknown argument `{other}`; try `cargo xtask help`"),
            }
        }
        Ok(wishes)
    }

    fn wants(&self, step: &Step) -> bool {
        self.steps.is_empty() || self.steps.iter().any(|name| name == step.name)
    }
}

/// How each failed step ended, once more: the steps after it have pushed it out of sight.
fn recap(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        if let Outcome::Failed { why, tail, .. } = &line.outcome {
            writeln!(text, "\n!! FAILED {}: {why}", line.name).ok();
            for printed in tail {
                writeln!(text, "   | {printed}").ok();
            }
        }
    }
    text
}

/// The table of steps, then the line of totals that ends every run.
fn report(lines: &[Line]) -> String {
    let mut text = String::from("\nstep         result    seconds  tests\n");
    let mut total = Tally::default();
    for line in lines {
        let tally = line.outcome.tally();
        total += tally;
        let (word, why) = match &line.outcome {
            Outcome::Passed(_) => ("ok", ""),
            Outcome::Failed { why, .. } => ("FAILED", why.as_str()),
            Outcome::Skipped(why) => ("skipped", why.as_str()),
        };
        let tests = match tally.passed + tally.failed {
            0 => String::new(),
            count => count.to_string(),
        };
        let seconds = line.took.as_secs_f64();
        let row = format!(
            "{:<12} {word:<9} {seconds:>7.1}  {tests:<6} {why}",
            line.name
        );
        writeln!(text, "{}", row.trim_end()).ok();
    }
    let all: Duration = lines.iter().map(|line| line.took).sum();
    writeln!(text, "{:<22} {:>7.1}\n", "together", all.as_secs_f64()).ok();
    write!(text, "{total}").ok();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &'static str, outcome: Outcome) -> Line {
        Line {
            name,
            took: Duration::from_millis(1500),
            outcome,
        }
    }

    #[test]
    fn the_report_ends_with_the_totals_alone_on_a_line() {
        let passed = Tally {
            passed: 7,
            failed: 0,
        };
        let broken = Tally {
            passed: 2,
            failed: 3,
        };
        let text = report(&[
            line("unit", Outcome::Passed(passed)),
            line("fmt", Outcome::failed("not formatted")),
            line("peers", Outcome::Skipped("no node".to_owned())),
            line(
                "e2e",
                Outcome::Failed {
                    why: "3".to_owned(),
                    tally: broken,
                    tail: Vec::new(),
                },
            ),
        ]);
        assert_eq!(text.lines().last(), Some("9 passed, 4 failed"));
        assert!(text.contains("peers        skipped       1.5         no node"));
    }

    #[test]
    fn a_failed_step_is_shown_again_with_the_end_of_what_it_printed() {
        let mut printed: Vec<String> = (0..100).map(|number| format!("line {number}")).collect();
        printed.push("3 passed, 2 failed".to_owned());
        let outcome = Outcome::failed_after("a test failed", &printed);
        assert_eq!(outcome.tally().failed, 2);
        let text = recap(&[
            line("fmt", Outcome::Passed(Tally::default())),
            line("e2e", outcome),
        ]);
        assert!(text.contains("!! FAILED e2e: a test failed"));
        assert!(text.ends_with("   | line 99\n   | 3 passed, 2 failed\n"));
        assert!(!text.contains("line 40\n"));
        assert!(!text.contains("fmt"));
    }

    #[test]
    fn a_step_that_does_not_exist_is_refused() {
        assert!(Wishes::parse(&["--step", "nonsense"]).is_err());
        assert!(Wishes::parse(&["--step", "fmt", "--all"]).unwrap().is_all);
    }
}
