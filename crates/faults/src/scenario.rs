//! What a scenario is given, and what it answers.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};

use crate::process::{Backend, LOG};

/// One fault of the list, on one backend where that matters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// The ids it answers for; the first is its name.
    pub(crate) ids: &'static str,
    pub(crate) title: &'static str,
    pub(crate) backend: Option<Backend>,
    /// Runs beside others, or alone because it counts on the machine.
    pub(crate) is_alone: bool,
    pub(crate) run: fn(Arc<Circumstances>) -> BoxFuture<'static, Outcome>,
}

/// What every scenario may rely on.
#[derive(Debug)]
pub(crate) struct Circumstances {
    pub(crate) binary: PathBuf,
    pub(crate) seed: u64,
    /// How often to do what can be done often: 1 for the short set.
    pub(crate) rounds: Option<u64>,
    pub(crate) is_long: bool,
    /// The binary knows `CLAVIGER_FAILPOINTS`.
    pub(crate) has_failpoints: bool,
    /// The scenario's name.
    pub(crate) name: String,
    /// The database that was asked for.
    pub(crate) backend: Backend,
}

/// An invariant that did not hold.
#[derive(Debug)]
pub(crate) struct Broken {
    /// In a sentence.
    pub(crate) what: String,
    /// The last lines of the processes it is about.
    pub(crate) log: Vec<String>,
}

/// What a scenario found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) rounds: u64,
    /// Figures in the order in which they were first counted.
    pub(crate) figures: Vec<(&'static str, u64)>,
    pub(crate) broken: Vec<Broken>,
    /// Why it did not run.
    pub(crate) skipped: Option<String>,
    pub(crate) took: Duration,
}

// === impl Scenario ===

impl Scenario {
    /// `F01/sqlite`.
    pub(crate) fn name(&self) -> String {
        let first = self.ids.split(' ').next().unwrap_or(self.ids);
        match self.backend {
            Some(backend) => format!("{first}/{}", backend.name()),
            None => first.to_owned(),
        }
    }
}

// === impl Circumstances ===

impl Circumstances {
    /// The number of rounds: what was asked for, or what the long or the short set does.
    pub(crate) fn rounds(&self, short: u64, long: u64) -> u64 {
        let usual = if self.is_long { long } else { short };
        self.rounds.unwrap_or(usual)
    }

    /// Whether the binary has this failpoint: its name stands in the binary then.
    pub(crate) fn has_failpoint(&self, name: &str) -> bool {
        let binary = fs::read(&self.binary).unwrap_or_default();
        let mut places = binary.windows(name.len());
        self.has_failpoints && places.any(|place| place == name.as_bytes())
    }

    /// A line for whoever watches.
    pub(crate) fn tell(&self, line: &str) {
        eprintln!("{:<14} {line}", self.name);
    }
}

// === impl Outcome ===

impl Outcome {
    pub(crate) fn skipped(why: &str) -> Self {
        Self {
            skipped: Some(why.to_owned()),
            ..Self::default()
        }
    }

    pub(crate) fn no_failpoints() -> Self {
        Self::skipped("the binary was built without the feature `failpoints`")
    }

    pub(crate) fn no_postgres() -> Self {
        Self::skipped("there is no PostgreSQL on this machine")
    }

    pub(crate) fn count(&mut self, name: &'static str, more: u64) {
        match self.figures.iter_mut().find(|(known, _)| *known == name) {
            Some((_, figure)) => *figure += more,
            None => self.figures.push((name, more)),
        }
    }

    pub(crate) fn highest(&mut self, name: &'static str, value: u64) {
        match self.figures.iter_mut().find(|(known, _)| *known == name) {
            Some((_, figure)) => *figure = value.max(*figure),
            None => self.figures.push((name, value)),
        }
    }

    /// What is said behind [`LOG`] is the log.
    pub(crate) fn broke(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        eprintln!("!! broken: {sentence}");
        let (what, log) = sentence.split_once(LOG).unwrap_or((&sentence, ""));
        let log = log.lines().filter(|line| !line.is_empty());
        self.broken.push(Broken {
            what: what.to_owned(),
            log: log.map(ToOwned::to_owned).collect(),
        });
    }

    /// Holds, or is broken with this sentence.
    pub(crate) fn must(&mut self, holds: bool, sentence: impl FnOnce() -> String) {
        if !holds {
            self.broke(sentence());
        }
    }

    /// What was counted so far.
    pub(crate) fn figure(&self, name: &str) -> u64 {
        let found = self.figures.iter().find(|(known, _)| *known == name);
        found.map_or(0, |(_, figure)| *figure)
    }

    /// What another lane of the same scenario found.
    pub(crate) fn add(&mut self, lane: Self) {
        for (name, figure) in lane.figures {
            if name.starts_with("slowest") {
                self.highest(name, figure);
            } else {
                self.count(name, figure);
            }
        }
        self.rounds += lane.rounds;
        self.broken.extend(lane.broken);
        self.skipped = self.skipped.take().or(lane.skipped);
    }

    /// `kills 50, lost 0`.
    pub(crate) fn figures(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.figures {
            let comma = if text.is_empty() { "" } else { ", " };
            write!(text, "{comma}{name} {value}").ok();
        }
        text
    }
}

/// The same work several times beside each other; nothing is shared between them.
pub(crate) async fn lanes<F: Future<Output = Outcome> + Send + 'static>(
    at: &Arc<Circumstances>,
    count: u64,
    work: impl Fn(Arc<Circumstances>, u64) -> F,
) -> Outcome {
    let running = (0..count).map(|lane| tokio::spawn(work(Arc::clone(at), lane)));
    let mut outcome = Outcome::default();
    for lane in join_all(running).await {
        // A panic is the scenario's: `main` tells it.
        outcome.add(lane.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
    }
    outcome
}
