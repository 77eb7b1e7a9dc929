//! Places where a fault test makes this process die, hang, fail or misread the time.
//!
//! Only with the feature `failpoints`, which no default and no release has. `CLAVIGER_FAILPOINTS` is
//! a list of `name=action[@n]`, separated by `;`, where `n` is the hit at which it happens: the first
//! one without it, each one with `@*`. Actions are `kill` (the process aborts), `hold:PATH` (makes
//! the file, then never goes on), `sleep:MS`, `error` (an `io::Error`, where the place asks for one),
//! and for the name `clock` a number of seconds, such as `clock=+3600`, by which the wall clock is
//! wrong from its n-th reading on.

use core::str::FromStr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs, process, thread};

use crate::Clock as _;
use crate::system::SystemClock;

/// Dies or hangs here if a test asks for it. Blocks the thread.
pub fn hit(name: &str) {
    for action in PLAN.due(name) {
        match action {
            Action::Hold(path) => {
                mark(path);
                loop {
                    thread::park();
                }
            }
            Action::Kill => process::abort(),
            Action::Sleep(span) => sleep(*span),
            Action::Clock(_) | Action::Error => {}
        }
    }
}

/// The same inside a task; other tasks go on.
pub async fn hit_in_task(name: &str) {
    for action in PLAN.due(name) {
        match action {
            Action::Hold(path) => {
                mark(path);
                core::future::pending::<()>().await;
            }
            Action::Kill => process::abort(),
            Action::Sleep(span) => SystemClock.sleep(*span).await,
            Action::Clock(_) | Action::Error => {}
        }
    }
}

/// The same where the place can fail.
pub fn hit_io(name: &str) -> io::Result<()> {
    for action in PLAN.due(name) {
        match action {
            Action::Error => return Err(io::Error::other("a failpoint says so")),
            Action::Hold(path) => {
                mark(path);
                loop {
                    thread::park();
                }
            }
            Action::Kill => process::abort(),
            Action::Sleep(span) => sleep(*span),
            Action::Clock(_) => {}
        }
    }
    Ok(())
}

/// Whether anything is to happen at `name`.
pub fn is_set(name: &str) -> bool {
    PLAN.0.iter().any(|point| point.name == name)
}

/// By how many seconds the wall clock is wrong.
pub fn clock_shift() -> i64 {
    let due = PLAN.0.iter().filter(|point| point.name == CLOCK);
    let shift = |point: &Point| match point.action {
        Action::Clock(seconds) if point.has_begun() => seconds,
        _ => 0,
    };
    due.map(shift).sum()
}

const CLOCK: &str = "clock";

static PLAN: LazyLock<Plan> = LazyLock::new(Plan::of_environment);

#[derive(Debug)]
struct Plan(Vec<Point>);

#[derive(Debug)]
struct Point {
    name: String,
    action: Action,
    /// `None`: every time.
    at: Option<u32>,
    hits: AtomicU32,
}

#[derive(Debug, PartialEq, Eq)]
enum Action {
    Clock(i64),
    Error,
    Hold(PathBuf),
    Kill,
    Sleep(Duration),
}

// === impl Plan ===

impl Plan {
    #[expect(
        clippy::disallowed_methods,
        reason = "a fault test reaches into the process beside its configuration"
    )]
    fn of_environment() -> Self {
        let text = env::var("CLAVIGER_FAILPOINTS").unwrap_or_default();
        text.parse().unwrap_or_else(|wrong: Wrong| {
            // A typing error must not look like a test that passed.
            let line = format!("CLAVIGER_FAILPOINTS: cannot read `{}`\n", wrong.0);
            io::stderr().write_all(line.as_bytes()).unwrap_or_default();
            process::abort()
        })
    }

    fn due<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Action> {
        let named = self.0.iter().filter(move |point| point.name == name);
        named
            .filter(|point| point.is_due())
            .map(|point| &point.action)
    }
}

struct Wrong(String);

impl FromStr for Plan {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let entries = text
            .split(';')
            .map(str::trim)
            .filter(|entry| !entry.is_empty());
        let points =
            entries.map(|entry| Point::parse(entry).ok_or_else(|| Wrong(entry.to_owned())));
        Ok(Self(points.collect::<Result<_, _>>()?))
    }
}

// === impl Point ===

impl Point {
    fn parse(entry: &str) -> Option<Self> {
        let (entry, at) = match entry.rsplit_once('@') {
            Some((entry, "*")) => (entry, None),
            Some((entry, n)) => (entry, Some(n.parse().ok().filter(|n| *n > 0)?)),
            None => (entry, Some(1)),
        };
        let (name, action) = match entry.split_once('=') {
            Some((name, action)) => (name.trim(), action.trim()),
            None => (CLOCK, entry),
        };
        Some(Self {
            name: name.to_owned(),
            action: Action::parse(name, action)?,
            at,
            hits: AtomicU32::new(0),
        })
    }

    fn is_due(&self) -> bool {
        let hit = self.hits.fetch_add(1, Ordering::SeqCst) + 1;
        self.at.is_none_or(|at| at == hit)
    }

    fn has_begun(&self) -> bool {
        let hit = self.hits.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        self.at.is_none_or(|at| hit >= at)
    }
}

// === impl Action ===

impl Action {
    fn parse(name: &str, text: &str) -> Option<Self> {
        if name == CLOCK {
            let seconds = text.strip_prefix("clock:").unwrap_or(text);
            return seconds.parse().ok().map(Self::Clock);
        }
        match text.split_once(':') {
            None if text == "kill" => Some(Self::Kill),
            None if text == "error" => Some(Self::Error),
            Some(("hold", path)) if !path.is_empty() => Some(Self::Hold(PathBuf::from(path))),
            Some(("sleep", span)) => {
                let span = span.parse().ok()?;
                Some(Self::Sleep(Duration::from_millis(span)))
            }
            _ => None,
        }
    }
}

/// Tells the test that the place was reached.
fn mark(path: &Path) {
    fs::write(path, process::id().to_string()).unwrap_or_default();
}

/// Nobody unparks it.
fn sleep(span: Duration) {
    thread::park_timeout(span);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        text.parse()
            .unwrap_or_else(|wrong: Wrong| panic!("{}", wrong.0))
    }

    #[test]
    fn happens_at_the_hit_it_names() {
        let plan = plan("a=kill; a.b=hold:/tmp/x@3;b=sleep:20@*");
        assert!(plan.due("a").eq([&Action::Kill]));
        assert_eq!(plan.due("a").count(), 0);
        let third: Vec<_> = (0..5).map(|_| plan.due("a.b").count()).collect();
        assert_eq!(third, [0, 0, 1, 0, 0]);
        assert!(
            plan.due("b")
                .eq([&Action::Sleep(Duration::from_millis(20))])
        );
        assert_eq!(plan.due("b").count(), 1);
    }

    #[test]
    fn the_clock_stays_wrong() {
        for text in ["clock=+3600", "clock:+3600", "clock=clock:+3600"] {
            assert_eq!(plan(text).0[0].action, Action::Clock(3_600));
        }
        let late = plan("clock=-5@2");
        let begun: Vec<_> = (0..3).map(|_| late.0[0].has_begun()).collect();
        assert_eq!(begun, [false, true, true]);
    }

    #[test]
    fn a_typing_error_is_not_a_plan_without_points() {
        for text in ["a", "a=die", "a=kill@0", "a=hold:", "a=sleep:x", "clock=x"] {
            assert!(text.parse::<Plan>().is_err(), "{text}");
        }
    }
}
