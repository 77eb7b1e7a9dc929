//! Instants as people write them: how long ago, a day, or a day and a time in UTC.

use core::str::FromStr;

use claviger_model::Timestamp;

/// An instant, or how long ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instant {
    /// So many seconds ago.
    Ago(i64),
    /// Then.
    At(Timestamp),
}

/// Not an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `30m`, `24h`, `7d`, `2026-11-21` or `2026-11-21T14:00:00Z`")]
pub(crate) struct InvalidInstant;

impl Instant {
    /// Counted from `now`.
    pub(crate) fn counted_from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(seconds) => now.plus(-seconds),
            Self::At(at) => at,
        }
    }
}

impl FromStr for Instant {
    type Err = InvalidInstant;

    fn from_str(text: &str) -> Result<Self, InvalidInstant> {
        ago(text)
            .map(Self::Ago)
            .or_else(|| at(text).map(Self::At))
            .ok_or(InvalidInstant)
    }
}

fn ago(text: &str) -> Option<i64> {
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let (digits, unit) = units
        .iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(*unit)?, *seconds)))?;
    number(digits)?.checked_mul(unit)
}

/// RFC 3339 in UTC, by days from the civil date.
fn at(text: &str) -> Option<Timestamp> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let [year, month, day] = three(date, '-')?;
    let [hour, minute, second] = three(time, ':')?;
    let is_fit = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_fit {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let month_of_era = (month + 9) % 12;
    let day_of_year = (153 * month_of_era + 2) / 5 + day - 1;
    let year_of_era = shifted % 400;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = shifted / 400 * 146_097 + day_of_era - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    let at = Timestamp::from_secs(seconds);
    // 31 February is no day.
    at.to_string().starts_with(date).then_some(at)
}

fn three(text: &str, between: char) -> Option<[i64; 3]> {
    let mut parts = text.split(between).map(number);
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

fn number(text: &str) -> Option<i64> {
    let is_plain =
        !text.is_empty() && text.len() < 10 && text.bytes().all(|one| one.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_spans_days_and_instants() {
        let now = Timestamp::from_secs(1_800_000_000);
        let read = |text: &str| {
            text.parse::<Instant>()
                .map(|one| one.counted_from(now).to_string())
        };
        assert_eq!(read("24h").unwrap(), now.plus(-86_400).to_string());
        assert_eq!(read("2026-11-21").unwrap(), "2026-11-21T00:00:00Z");
        assert_eq!(
            read("2024-02-29T23:59:58Z").unwrap(),
            "2024-02-29T23:59:58Z"
        );
        for text in [
            "",
            "h",
            "-1h",
            "2026-13-01",
            "2026-02-30",
            "2026-11-21T25:00:00Z",
            "1e3d",
            "2026-11-21T14:00",
        ] {
            assert_eq!(text.parse::<Instant>(), Err(InvalidInstant), "{text}");
        }
    }
}
