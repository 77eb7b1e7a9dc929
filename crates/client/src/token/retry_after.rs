//! `Retry-After`: how long a peer asks us to wait. Seconds or a date, never more than an hour.

use core::time::Duration;

use claviger_model::Timestamp;
use http::HeaderMap;
use http::header::RETRY_AFTER;

/// RFC 9110 §10.2.3. What does not read asks for nothing, and a date that has passed for no time.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => u64::try_from(date(text)?.saturating_sub(now.as_secs())).unwrap_or(0),
    };
    Some(Duration::from_secs(seconds.min(MOST_S)))
}

const MOST_S: u64 = 3_600;

/// RFC 9110 §5.6.7: seconds since 1970 of a date in any of the three forms.
fn date(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match words.as_slice() {
        // The usual one, and that of asctime.
        [_, day, month, year, time, "GMT"] | [_, month, day, time, year] => {
            seconds(day, month, year.parse().ok()?, time)
        }
        // RFC 850: two figures of a year that is not far ahead.
        [_, date, time, "GMT"] => {
            let mut parts = date.splitn(3, '-');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            let year: i64 = year.parse().ok().filter(|year| *year < 100)?;
            seconds(
                day,
                month,
                year + if year < 70 { 2_000 } else { 1_900 },
                time,
            )
        }
        _ => None,
    }
}

fn seconds(day: &str, month: &str, year: i64, time: &str) -> Option<i64> {
    let day: i64 = day.parse().ok().filter(|day| (1..=31).contains(day))?;
    let month = MONTHS.iter().position(|name| *name == month)?;
    let month = i64::try_from(month).ok()? + 1;
    if !(1_970..=9_999).contains(&year) {
        return None;
    }
    let mut parts = time.splitn(3, ':');
    let mut part = |most: i64| -> Option<i64> {
        let part = parts.next()?.parse().ok()?;
        (0..=most).contains(&part).then_some(part)
    };
    let (hour, minute, second) = (part(23)?, part(59)?, part(60)?);
    // Days from the civil date; the year begins in March.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    Some((days - DAYS_TO_1970) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// From the first of March of the year 0.
const DAYS_TO_1970: i64 = 719_468;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(text: &str, now: i64) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
        retry_after(&headers, Timestamp::from_secs(now)).map(|span| span.as_secs())
    }

    #[test]
    fn a126_reads_seconds_and_dates_up_to_an_hour() {
        const AT: i64 = 784_111_777;
        for (text, expected) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999", Some(3_600)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(77)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(77)),
            ("Sun Nov  6 08:49:37 1994", Some(77)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 2094 08:49:37 GMT", Some(3_600)),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
            ("Sun, 06 Nox 1994 08:49:37 GMT", None),
            ("Sun, 32 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:49:37 GMT", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(read(text, AT - 77), expected, "{text}");
        }
        assert_eq!(
            read("Thu, 29 Feb 2024 00:00:01 GMT", 1_709_164_800),
            Some(1)
        );
        assert_eq!(
            read("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_199),
            Some(1)
        );
    }
}
