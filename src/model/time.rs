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

    /// The range that RFC 3339 can write: years 0001 to 9999. `None` outside of it.
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
        let parsed: jiff::Timestamp = text.parse().ok()?;
        Self::from_micros(parsed.as_microsecond())
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

/// RFC 3339 in UTC, with as many digits of a second as it needs.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => f.write_str("0001-01-01T00:00:00Z"),
        }
    }
}

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
    fn arithmetic_stays_in_range() {
        let end = Timestamp::from_micros(MICROS_MAX).unwrap();
        assert_eq!(end.plus(Duration::from_secs(u64::MAX)), end);
        assert_eq!(Timestamp::from_micros(i64::MAX), None);
        assert_eq!(Timestamp::EPOCH.since(end), None);
    }
}
