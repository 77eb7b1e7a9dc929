//! The figures as a table of Markdown.

use core::time::Duration;

use crate::house::House;
use crate::load::Load;

/// What was measured so far.
pub(crate) struct Table {
    head: String,
    rows: Vec<String>,
    statements: Vec<String>,
}

// === impl Table ===

impl Table {
    pub(crate) fn begin(rounds: usize, span: Duration) -> Self {
        let span = span.as_millis();
        let head = format!(
            "Medians of {rounds} rounds of {span} ms each, the candidates in turns within a round."
        );
        eprintln!("{head}");
        Self {
            head,
            rows: Vec::new(),
            statements: Vec::new(),
        }
    }

    /// What one candidate did on one database; beside which yardstick, and its share of it.
    pub(crate) fn row(
        &mut self,
        house: &House,
        what: &str,
        in_flight: usize,
        loads: &[Load],
        beside: Option<(&str, f64)>,
    ) {
        self.push(house.backend, what, in_flight, loads, beside);
    }

    /// The same for what needs no database.
    pub(crate) fn disk(
        &mut self,
        what: &str,
        in_flight: usize,
        loads: &[Load],
        beside: Option<(&str, f64)>,
    ) {
        self.push("a file", what, in_flight, loads, beside);
    }

    pub(crate) fn statements(&mut self, house: &House, hot: u64, cold: u64, commit: u64) {
        let backend = house.backend;
        let row = format!("| {backend} | {hot} | {cold} | {commit} |");
        eprintln!("{row}");
        self.statements.push(row);
    }

    pub(crate) fn print(&self) {
        println!("{}\n\n{HEAD}", self.head);
        for row in &self.rows {
            println!("{row}");
        }
        println!("\n{STATEMENTS}");
        for row in &self.statements {
            println!("{row}");
        }
    }

    fn push(
        &mut self,
        place: &str,
        what: &str,
        in_flight: usize,
        loads: &[Load],
        beside: Option<(&str, f64)>,
    ) {
        let share = beside.map_or_else(String::new, |(probe, share)| {
            format!("{share:.2} of {probe}")
        });
        let row = format!(
            "| {place} | {what} | {in_flight} | {:.0} | {:.1} | {:.1} | {share} |",
            median(loads.iter().map(Load::rate)),
            median(loads.iter().map(|load| load.percentile_us(50))),
            median(loads.iter().map(|load| load.percentile_us(99))),
        );
        eprintln!("{row}");
        self.rows.push(row);
    }
}

/// The median of what each round says: two rounds of a shared machine have little in common.
pub(crate) fn ratio(ours: &[Load], probes: &[Load]) -> f64 {
    let pairs = ours.iter().zip(probes);
    median(pairs.map(|(ours, probe)| ours.rate() / probe.rate()))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

const HEAD: &str = "\
| where | what | in flight | per second | p50 µs | p99 µs | share |
|---|---|---|---|---|---|---|";

const STATEMENTS: &str = "\
| where | statements for a credential from memory | for a sealed read | for a refresh commit |
|---|---|---|---|";
