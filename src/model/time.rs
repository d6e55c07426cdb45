//! Event time: microseconds since the Unix epoch, and never a clock.
//!
//! Everything in the engine happens at the time that a record states. Nothing here can ask the
//! system what time it is.

use std::fmt;
use std::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z, as Avro's `timestamp-micros`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const EPOCH: Self = Self(0);
    /// The first moment of the range.
    pub const MIN: Self = Self(MICROS_MIN);
    /// The last: one that is in the year 9999 wherever on earth it is written.
    pub const MAX: Self = Self(MICROS_MAX);

    /// From [`Self::MIN`] to [`Self::MAX`]; `None` outside of it.
    #[must_use]
    pub fn from_micros(micros: i64) -> Option<Self> {
        (MICROS_MIN..=MICROS_MAX).contains(&micros).then_some(Self(micros))
    }

    #[must_use]
    pub fn from_seconds(seconds: i64) -> Option<Self> {
        Self::from_micros(seconds.checked_mul(MICROS_PER_SECOND)?)
    }

    /// Reads RFC 3339 (`2026-01-05T09:00:00Z`, any offset, up to nanoseconds, which are cut off).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(time) = parse_utc(text.as_bytes()) {
            return Some(time);
        }
        let parsed: jiff::Timestamp = text.parse().ok()?;
        Self::from_micros(parsed.as_microsecond())
    }

    /// Whether `text` is a time as [`Self::parse`] reads it, but for lying outside of the range.
    #[must_use]
    pub fn is_beyond_range(text: &str) -> bool {
        let pieces = jiff::fmt::temporal::Pieces::parse(text);
        let is_time = pieces.is_ok_and(|pieces| pieces.time().is_some() && pieces.offset().is_some());
        is_time && Self::parse(text).is_none()
    }

    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// RFC 3339 in UTC, with as many digits of a second as it needs, in a buffer of the caller's.
    pub fn text(self, room: &mut [u8; TEXT_BYTES]) -> &str {
        let length = write_utc(self.0, room);
        room.get(..length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
    }

    /// Time elapsed since `earlier`; `None` when that lies in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Option<Duration> {
        u64::try_from(self.0.checked_sub(earlier.0)?).ok().map(Duration::from_micros)
    }

    /// Time elapsed since `earlier`, nothing when that lies in the future.
    #[must_use]
    pub fn since_or_zero(self, earlier: Self) -> Duration {
        self.since(earlier).unwrap_or(Duration::ZERO)
    }

    /// Later by `by`, and no later than the range allows.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(by).min(MICROS_MAX))
    }

    /// Earlier by `by`, and no earlier than the range allows.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(by).max(MICROS_MIN))
    }
}

/// `2026-01-05T09:00:00Z` with at most 6 digits of a second: what nearly every sender writes, read
/// in a seventh of the time. `None` for anything else, which is not yet an error.
fn parse_utc(text: &[u8]) -> Option<Timestamp> {
    let (date_time, rest) = text.split_first_chunk::<19>()?;
    let [y0, y1, y2, y3, b'-', o0, o1, b'-', d0, d1, b'T', h0, h1, b':', m0, m1, b':', s0, s1] = date_time
    else {
        return None;
    };
    let two = |tens: &u8, ones: &u8| Some(digit(*tens)? * 10 + digit(*ones)?);
    let year = two(y0, y1)? * 100 + two(y2, y3)?;
    let (month, day) = (two(o0, o1)?, two(d0, d1)?);
    let (hour, minute, second) = (two(h0, h1)?, two(m0, m1)?, two(s0, s1)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1 || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match rest {
        b"Z" => 0,
        [b'.', fraction @ .., b'Z'] if (1..=6).contains(&fraction.len()) => {
            let mut micros = 0;
            let mut place = 100_000;
            for byte in fraction {
                micros += digit(*byte)? * place;
                place /= 10;
            }
            micros
        }
        _ => return None,
    };
    // Days since 1970 by years that begin in March, so that a leap day is the last of its year.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    Timestamp::from_micros(seconds * MICROS_PER_SECOND + micros)
}

/// Writes a time and returns its length. The years are 1 to 9999, as every time here.
fn write_utc(micros: i64, room: &mut [u8; TEXT_BYTES]) -> usize {
    let (seconds, fraction) = (micros.div_euclid(MICROS_PER_SECOND), micros.rem_euclid(MICROS_PER_SECOND));
    let (days, second_of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since the first of March of year 0; a leap day is the last of its year, and of its era of
    // 400 years.
    let day = days + 719_468;
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let year = year + era * 400 + i64::from(month >= 10);
    let month = if month < 10 { month + 3 } else { month - 9 };
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);

    *room = *b"0000-00-00T00:00:00.000000Z";
    let [
        y0,
        y1,
        y2,
        y3,
        _,
        o0,
        o1,
        _,
        d0,
        d1,
        _,
        h0,
        h1,
        _,
        m0,
        m1,
        _,
        s0,
        s1,
        point,
        f0,
        f1,
        f2,
        f3,
        f4,
        f5,
        _,
    ] = &mut *room;
    for (tens, ones, value) in [
        (y0, y1, year / 100),
        (y2, y3, year % 100),
        (o0, o1, month),
        (d0, d1, day),
        (h0, h1, hour),
        (m0, m1, minute),
        (s0, s1, second),
        (f0, f1, fraction / 10_000),
        (f2, f3, fraction / 100 % 100),
        (f4, f5, fraction % 100),
    ] {
        *tens += (value / 10).to_le_bytes()[0];
        *ones += (value % 10).to_le_bytes()[0];
    }
    if fraction == 0 {
        *point = b'Z';
        return 20;
    }
    let zeros = room.iter().rev().skip(1).take_while(|byte| **byte == b'0').count();
    let end = TEXT_BYTES - zeros;
    if let Some(last) = room.get_mut(end - 1) {
        *last = b'Z';
    }
    end
}

fn digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte - b'0'))
}

/// RFC 3339 in UTC, with as many digits of a second as it needs.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; TEXT_BYTES]))
    }
}

/// Of the longest text of a time.
pub const TEXT_BYTES: usize = 27;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_MIN: i64 = -62_135_596_800 * MICROS_PER_SECOND;
const MICROS_MAX: i64 = 253_402_207_199 * MICROS_PER_SECOND;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Timestamp::parse(text).map(|time| time.to_string()).as_deref(), expected);
    }

    #[test]
    fn reads_and_writes_rfc_3339() {
        check("2026-01-05T09:00:00Z", Some("2026-01-05T09:00:00Z"));
        check("2026-01-05T10:00:00+01:00", Some("2026-01-05T09:00:00Z"));
        check("2026-01-05T09:00:00.123456789Z", Some("2026-01-05T09:00:00.123456Z"));
        check("2026-01-05", None);
        check("yesterday", None);
        check("", None);
    }

    #[test]
    fn a_time_beyond_the_range_is_still_a_time() {
        let beyond = [
            "0000-12-31T23:59:59Z",
            "9999-12-31T00:00:00Z",
            "9999-12-30T22:00:00Z",
            "9999-12-31T09:00:00+01:00",
        ];
        for text in beyond {
            assert!(Timestamp::is_beyond_range(text), "{text}");
        }
        for text in [
            "",
            "tomorrow",
            "9999-12-31",
            "9999-12-31T00:00:00",
            "9999-13-31T00:00:00Z",
            "2026-01-05T09:00:00Z",
        ] {
            assert!(!Timestamp::is_beyond_range(text), "{text}");
        }
        check(&Timestamp::MIN.to_string(), Some("0001-01-01T00:00:00Z"));
        check(&Timestamp::MAX.to_string(), Some("9999-12-30T21:59:59Z"));
    }

    /// The quick way and the whole one must agree wherever the quick one speaks.
    #[track_caller]
    fn same(text: &str) {
        let whole: Option<jiff::Timestamp> = text.parse().ok();
        let whole = whole.and_then(|time| Timestamp::from_micros(time.as_microsecond()));
        if let Some(quick) = parse_utc(text.as_bytes()) {
            assert_eq!(Some(quick), whole, "{text}");
        }
        assert_eq!(Timestamp::parse(text), whole, "{text}");
    }

    #[test]
    fn both_ways_read_the_same() {
        for year in [1, 1899, 1900, 1970, 1972, 2000, 2023, 2024, 2026, 2100, 9999] {
            for month in 0..=13 {
                for day in 0..=32 {
                    same(&format!("{year:04}-{month:02}-{day:02}T09:00:00Z"));
                }
            }
        }
        for text in [
            "0000-01-01T00:00:00Z",
            "2026-01-05T24:00:00Z",
            "2026-01-05T23:60:00Z",
            "2026-01-05T23:59:60Z",
            "2026-01-05T23:59:61Z",
            "2026-01-05T09:00:00.Z",
            "2026-01-05T09:00:00.1Z",
            "2026-01-05T09:00:00.123456Z",
            "2026-01-05T09:00:00.1234567Z",
            "2026-01-05t09:00:00z",
            "2026-01-05 09:00:00Z",
            "2026-01-05T09:00:00",
            "+026-01-05T09:00:00Z",
            "2026-01-05T09:00:00.-1Z",
        ] {
            same(text);
        }
    }

    #[track_caller]
    fn written_as_jiff_does(micros: i64) {
        let time = Timestamp::from_micros(micros).unwrap();
        assert_eq!(time.to_string(), jiff::Timestamp::from_microsecond(micros).unwrap().to_string());
    }

    #[test]
    fn every_day_is_written() {
        let mut day = MICROS_MIN;
        while day < MICROS_MAX {
            written_as_jiff_does(day);
            written_as_jiff_does((day + 86_399_999_999).min(MICROS_MAX));
            day += 86_400 * MICROS_PER_SECOND;
        }
        for micros in [MICROS_MIN, MICROS_MAX, -1, 0, 1, 10, 100_000, 999_990, 1_000_000] {
            written_as_jiff_does(micros);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_time_is_written_the_same(micros in MICROS_MIN..=MICROS_MAX) {
            written_as_jiff_does(micros);
        }

        #[test]
        fn any_time_is_read_the_same(micros in MICROS_MIN..=MICROS_MAX, cut in 0..30_usize, digit in 0..10_u8) {
            let mut text = Timestamp(micros).to_string();
            same(&text);
            if let Some(at) = text.get_mut(cut..) {
                let rest = at.chars().skip(1).collect::<String>();
                text.truncate(cut);
                text.push(char::from(b'0' + digit));
                text.push_str(&rest);
                same(&text);
            }
        }
    }

    #[test]
    fn arithmetic_stays_in_range() {
        let end = Timestamp::from_micros(MICROS_MAX).unwrap();
        assert_eq!(end.plus(Duration::from_secs(u64::MAX)), end);
        assert_eq!(Timestamp::from_micros(i64::MAX), None);
        assert_eq!(Timestamp::EPOCH.since(end), None);
    }
}
