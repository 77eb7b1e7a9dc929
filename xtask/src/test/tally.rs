//! Reads how many tests passed and failed from what a test runner printed.

use core::fmt;
use core::ops::AddAssign;

/// Tests that passed and tests that did not.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

// === impl Tally ===

impl Tally {
    /// Understands nextest's summary, libtest's result lines, and `N passed, N failed`.
    pub(crate) fn read(lines: &[String]) -> Self {
        let mut total = Self::default();
        for line in lines.iter().map(|line| line.trim()) {
            if let Some((_, counts)) = line
                .split_once("run: ")
                .filter(|_| line.starts_with("Summary ["))
            {
                total += Self::of_parts(counts.split(','));
            } else if let Some((_, counts)) = line
                .strip_prefix("test result: ")
                .and_then(|rest| rest.split_once(". "))
            {
                total += Self::of_parts(counts.split(';'));
            } else if let Some(own) = Self::own_line(line) {
                total += own;
            }
        }
        total
    }

    fn own_line(line: &str) -> Option<Self> {
        let (passed, failed) = line.split_once(" passed, ")?;
        Some(Self {
            passed: passed.parse().ok()?,
            failed: failed.strip_suffix(" failed")?.parse().ok()?,
        })
    }

    fn of_parts<'a>(parts: impl Iterator<Item = &'a str>) -> Self {
        let mut tally = Self::default();
        for part in parts {
            let mut words = part.split_whitespace();
            let Some(count) = words.next().and_then(|word| word.parse::<u64>().ok()) else {
                continue;
            };
            match words.next() {
                Some("passed") => tally.passed += count,
                // nextest counts what timed out and what could not start by itself.
                Some("failed" | "timed" | "exec") => tally.failed += count,
                _ => {}
            }
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, passed: u64, failed: u64) {
        assert_eq!(
            Tally::read(&[line.to_owned()]),
            Tally { passed, failed },
            "{line}"
        );
    }

    #[test]
    fn every_runner_is_understood() {
        check(
            "     Summary [   0.004s] 12 tests run: 12 passed, 0 skipped",
            12,
            0,
        );
        check(
            "     Summary [   0.004s] 1 test run: 1 passed (1 slow), 0 skipped",
            1,
            0,
        );
        check(
            "     Summary [   9.1s] 9/11 tests run: 6 passed, 2 failed, 1 timed out, 4 skipped",
            6,
            3,
        );
        check(
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            3,
            1,
        );
        check("40 passed, 2 failed", 40, 2);
        check(
            "PASS [ 0.1s] claviger-wire scope::tests::run: 3 passed",
            0,
            0,
        );
        check("of 40 passed, 2 failed", 0, 0);
    }
}
