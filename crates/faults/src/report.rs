//! The table at the end, as text, as JSON lines and as a document.

use std::fmt::Write as _;

use serde_json::json;

use crate::scenario::{Outcome, Scenario};

/// A scenario and what it came to.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) scenario: Scenario,
    pub(crate) outcome: Outcome,
}

// === impl Line ===

impl Line {
    pub(crate) fn result(&self) -> &'static str {
        match (&self.outcome.skipped, self.outcome.broken.is_empty()) {
            (Some(_), _) => "skipped",
            (None, true) => "holds",
            (None, false) => "BROKEN",
        }
    }

    pub(crate) fn text(&self) -> String {
        let note = self.outcome.skipped.clone();
        let note = note.unwrap_or_else(|| self.outcome.figures());
        format!(
            "{:<16} {:<8} {:>7.1} {:>6}  {}: {note}",
            self.scenario.name(),
            self.result(),
            self.outcome.took.as_secs_f64(),
            self.outcome.rounds,
            self.scenario.title,
        )
    }

    pub(crate) fn json(&self, seed: u64) -> String {
        let figures: serde_json::Map<String, serde_json::Value> = self
            .outcome
            .figures
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        json!({
            "name": self.scenario.name(), "ids": self.scenario.ids, "title": self.scenario.title,
            "result": self.result(), "rounds": self.outcome.rounds, "figures": figures,
            "broken": self.outcome.broken.iter().map(|broken| &broken.what).collect::<Vec<_>>(),
            "skipped": self.outcome.skipped,
            "seconds": self.outcome.took.as_secs(), "seed": seed,
        })
        .to_string()
    }
}

/// The table, then what was broken, then the line of totals that ends every run.
pub(crate) fn table(lines: &[Line], seed: u64) -> String {
    let mut text = String::from(
        "\nscenario         result   seconds rounds  what was done, and its figures\n",
    );
    for line in lines {
        writeln!(text, "{}", line.text()).ok();
    }
    text.push_str(&recap(lines, seed));
    let of = |result: &str| lines.iter().filter(|line| line.result() == result).count();
    writeln!(text, "{} skipped", of("skipped")).ok();
    write!(text, "{} passed, {} failed", of("holds"), of("BROKEN")).ok();
    text
}

/// How many lines of logs all broken scenarios share: only the end of a run may be seen.
const LOG_LINES: usize = 40;
/// How many of its broken invariants a scenario shows here; all were shown when they broke.
const MOST_BROKEN: usize = 3;
const MOST_CHARS: usize = 1_200;

/// What broke, how to repeat it, and what the processes said last: enough without the rest.
fn recap(lines: &[Line], seed: u64) -> String {
    let broken: Vec<&Line> = lines
        .iter()
        .filter(|line| line.result() == "BROKEN")
        .collect();
    let mut text = String::new();
    let share = LOG_LINES / broken.len().max(1);
    for line in broken {
        let name = line.scenario.name();
        let all = &line.outcome.broken;
        writeln!(
            text,
            "\n!! BROKEN {name}, {} times; repeat: cargo xtask faults --only {name} --seed {seed}",
            all.len()
        )
        .ok();
        for broken in all.iter().take(MOST_BROKEN) {
            let what: String = broken.what.chars().take(MOST_CHARS).collect();
            writeln!(text, "!! {what}").ok();
        }
        let log = all.iter().find(|broken| !broken.log.is_empty());
        for said in log.map_or(&[][..], |broken| last(&broken.log, share)) {
            let said: String = said.chars().take(MOST_CHARS / 4).collect();
            writeln!(text, "   | {said}").ok();
        }
    }
    text
}

fn last(lines: &[String], most: usize) -> &[String] {
    &lines[lines.len().saturating_sub(most)..]
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::process::LOG;

    #[test]
    fn what_broke_is_told_again_at_the_end() {
        let scenario = Scenario {
            ids: "F01",
            title: "a title",
            backend: None,
            is_alone: false,
            run: |_| async { Outcome::default() }.boxed(),
        };
        let mut outcome = Outcome::default();
        let lines: Vec<String> = (0..90).map(|number| format!("line {number}")).collect();
        let log = format!("\n{}", lines.join("\n"));
        outcome.broke(format!("s1 was lost{LOG}{log}"));
        let text = table(&[Line { scenario, outcome }], 7);
        assert!(text.contains("repeat: cargo xtask faults --only F01 --seed 7\n!! s1 was lost\n"));
        assert!(text.ends_with("   | line 89\n0 skipped\n0 passed, 1 failed"));
        assert!(!text.contains("line 49\n"));
        assert_eq!(text.matches("   | line").count(), LOG_LINES);
    }
}
