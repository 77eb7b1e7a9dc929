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
            "broken": self.outcome.broken, "skipped": self.outcome.skipped,
            "seconds": self.outcome.took.as_secs(), "seed": seed,
        })
        .to_string()
    }
}

/// The table, and the line of totals that ends every run.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut text = String::from(
        "\nscenario         result   seconds rounds  what was done, and its figures\n",
    );
    for line in lines {
        writeln!(text, "{}", line.text()).ok();
        for broken in &line.outcome.broken {
            let first: String = broken
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(240)
                .collect();
            writeln!(text, "    !! {first}").ok();
        }
    }
    let of = |result: &str| lines.iter().filter(|line| line.result() == result).count();
    writeln!(text, "{} skipped", of("skipped")).ok();
    write!(text, "{} passed, {} failed", of("holds"), of("BROKEN")).ok();
    text
}
