//! The fault harness: kills, broken networks and broken disks against a ledger of every token.
//!
//! `cargo xtask faults` builds the binary and starts this. A scenario is a file in [`scenarios`]: it
//! starts gateways as real processes ([`process`]), signs in at an [`issuer`] that writes down every
//! token it gives away, breaks something, and asks the [`oracle`] what became of each grant.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for tests: it stands outside the doors, and fails loudly"
)]

mod arguments;
mod dice;
mod http;
mod issuer;
mod oracle;
mod process;
mod proxy;
mod report;
mod scenario;
mod scenarios;
mod shim;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::arguments::Arguments;
use crate::process::{Backend, take_last_words};
use crate::report::{Line, table};
use crate::scenario::{Circumstances, Outcome, Scenario};

/// How many scenarios run at one time; most of their time is waiting.
const BESIDE: usize = 6;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(sentence) => {
            eprintln!("{sentence}");
            return ExitCode::from(2);
        }
    };
    let all = scenarios::all();
    if arguments.is_list {
        for scenario in &all {
            println!("{:<16} {}", scenario.name(), scenario.title);
        }
        return ExitCode::SUCCESS;
    }
    let chosen: Vec<_> = all
        .into_iter()
        .filter(|one| is_wanted(one, &arguments))
        .collect();
    if chosen.is_empty() || !arguments.binary.is_file() {
        eprintln!("nothing to run, or no binary\n{}", arguments::USAGE);
        return ExitCode::from(2);
    }
    let arguments = Arc::new(arguments);
    eprintln!("seed {}", arguments.seed);
    let lines = run(chosen, &arguments).await;
    println!("{}", table(&lines, arguments.seed));
    if lines.iter().any(|line| line.result() == "BROKEN") {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn is_wanted(scenario: &Scenario, arguments: &Arguments) -> bool {
    let name = scenario.name();
    let is_named = |wish: &String| name == *wish || scenario.ids.split(' ').any(|id| id == wish);
    arguments.only.is_empty() || arguments.only.iter().any(is_named)
}

async fn run(chosen: Vec<Scenario>, arguments: &Arc<Arguments>) -> Vec<Line> {
    let order: Vec<String> = chosen.iter().map(Scenario::name).collect();
    let (alone, beside): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|one| one.is_alone);
    let slots = Arc::new(Semaphore::new(BESIDE));
    let mut running = JoinSet::new();
    for scenario in beside {
        let (slots, arguments) = (Arc::clone(&slots), Arc::clone(arguments));
        running.spawn(async move {
            let _slot = slots.acquire().await.unwrap();
            one(scenario, &arguments).await
        });
    }
    let mut lines = running.join_all().await;
    for scenario in alone {
        lines.push(one(scenario, arguments).await);
    }
    lines.sort_by_key(|line| order.iter().position(|name| *name == line.scenario.name()));
    lines
}

async fn one(scenario: Scenario, arguments: &Arguments) -> Line {
    let at = Arc::new(Circumstances {
        binary: arguments.binary.clone(),
        seed: arguments.seed,
        rounds: arguments.rounds,
        is_long: arguments.is_long,
        has_failpoints: arguments.has_failpoints,
        name: scenario.name(),
        backend: scenario.backend.unwrap_or(Backend::Sqlite),
    });
    let since = Instant::now();
    // A scenario that panics is a broken one, and no reason to leave the others out.
    let mut outcome = match tokio::spawn((scenario.run)(at)).await {
        Ok(outcome) => outcome,
        Err(error) => {
            let mut outcome = Outcome::default();
            let words = take_last_words();
            outcome.broke(format!("the scenario itself failed: {error}{words}"));
            outcome
        }
    };
    outcome.took = since.elapsed();
    if let Some(why) = outcome.skipped.clone() {
        eprintln!("!! SKIPPED {}: {why}", scenario.name());
        if arguments.is_strict {
            outcome.skipped = None;
            outcome.broke(format!("skipped where nothing may be: {why}"));
        }
    }
    let line = Line { scenario, outcome };
    eprintln!("{}", line.text());
    if arguments.is_json {
        println!("{}", line.json(arguments.seed));
    }
    line
}
