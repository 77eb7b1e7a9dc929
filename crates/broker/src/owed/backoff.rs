//! When a revocation is tried again: from ten seconds to an hour, for a day, and daily from then on.

use core::time::Duration;

const FIRST_S: u64 = 10;
const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 86_400;

/// This many tries within the first day; after them nobody expects the issuer back soon.
const FIRST_DAY: u32 = 33;

/// Seconds until the next try after `attempts` that failed: at least what the issuer asks for.
/// `random` spreads those who failed together over half the span (full herds come back as herds).
pub(super) fn wait_s(attempts: u32, asked: Option<Duration>, random: [u8; 2]) -> i64 {
    let span = if attempts > FIRST_DAY {
        DAY_S
    } else {
        let doublings = attempts.saturating_sub(1).min(16);
        (FIRST_S << doublings).min(HOUR_S)
    };
    let random = u64::from(u16::from_be_bytes(random));
    let spread = span * 3 / 4 + span * random / (2 * u64::from(u16::MAX));
    let asked = asked.map_or(0, |asked| asked.as_secs());
    i64::try_from(spread.max(asked)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_from_ten_seconds_to_an_hour_and_then_to_a_day() {
        for (attempts, span) in [
            (0, 10),
            (1, 10),
            (2, 20),
            (5, 160),
            (9, 2_560),
            (10, 3_600),
            (33, 3_600),
            (34, 86_400),
            (u32::MAX, 86_400),
        ] {
            let (least, most) = (
                wait_s(attempts, None, [0, 0]),
                wait_s(attempts, None, [255, 255]),
            );
            assert_eq!((least, most), (span * 3 / 4, span * 3 / 4 + span / 2));
        }
    }

    #[test]
    fn waits_at_least_as_long_as_the_issuer_asks() {
        let asked = Some(Duration::from_mins(10));
        assert_eq!(wait_s(1, asked, [128, 0]), 600);
        assert!(wait_s(10, asked, [128, 0]) > 3_000);
    }
}
