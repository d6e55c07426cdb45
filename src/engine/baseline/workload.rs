//! Workload: how often a program comes. People have no such part.
//!
//! Successes are counted by the clock hour. What an hour had is learned when the next one begins:
//! the peak rises to it, and falls by half in 60 days. An hour that had far more than the peak (the
//! policy says how far) teaches nothing, so that an intruder cannot raise the peak within a day;
//! on the third day of it the new rate is the usual one.

use super::codec::{Error, Reader, Writer};
use super::decay::Remains;
use crate::model::time::Timestamp;

/// What is known of a program's rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Hours from the epoch: the one that is being counted.
    hour: i64,
    /// Successes in it.
    count: u32,
    /// Hundredths of the most in an hour that was learned, decayed.
    peak_centi: u32,
    /// Hours learned.
    hours: u16,
    /// Distinct days with an hour too full to learn, and the last of them.
    hot_days: u8,
    hot_day: i32,
    /// Stands for the hour, address and device that last taught the habits, see `step/learn`.
    pub taught: u16,
}

impl Workload {
    /// Successes in the hour of `at`, with this one.
    #[must_use]
    pub fn with_this(&self, at: Timestamp) -> u32 {
        if hour_of(at) == self.hour { self.count.saturating_add(1) } else { 1 }
    }

    /// The most in an hour, rounded up.
    #[must_use]
    pub const fn peak(&self) -> u32 {
        self.peak_centi.div_ceil(100)
    }

    #[must_use]
    pub const fn hours(&self) -> u16 {
        self.hours
    }

    /// What an hour may have before it is a new rate; `None` while too little is known.
    #[must_use]
    pub fn limit(&self, times: u16) -> Option<u32> {
        (self.hours >= HOURS_MIN).then(|| self.peak().max(PEAK_MIN).saturating_mul(times.into()))
    }

    /// Counts a success. One of an hour that is past counts for nothing.
    pub(crate) fn count(&mut self, at: Timestamp, times: u16) {
        let hour = hour_of(at);
        if hour > self.hour || self.count == 0 {
            self.close(hour, times);
            (self.hour, self.count) = (hour, 0);
        }
        if hour == self.hour {
            self.count = self.count.saturating_add(1).min(COUNT_MAX);
        }
    }

    /// The rate of this hour is a usual one: somebody said so.
    pub(crate) fn accept(&mut self) {
        self.peak_centi = self.peak_centi.max(self.count.saturating_mul(100));
        self.hot_days = 0;
    }

    fn close(&mut self, next: i64, times: u16) {
        if self.count == 0 {
            return;
        }
        let day = day_of(self.hour);
        if self.limit(times).is_some_and(|limit| self.count > limit) {
            if self.hot_days == 0 || day.saturating_sub(self.hot_day) > HOT_WITHIN_DAYS {
                (self.hot_days, self.hot_day) = (1, day);
            } else if day > self.hot_day {
                (self.hot_days, self.hot_day) = (self.hot_days.saturating_add(1), day);
            }
            if self.hot_days >= HOT_DAYS {
                self.accept();
            }
        } else {
            self.peak_centi = self.peak_centi.max(self.count.saturating_mul(100));
        }
        self.hours = self.hours.saturating_add(1);
        let weeks = next.div_euclid(HOURS_A_WEEK) - self.hour.div_euclid(HOURS_A_WEEK);
        self.peak_centi = Remains::fast(u32::try_from(weeks).unwrap_or(0)).of(self.peak_centi);
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer::new(out);
        to.byte(VERSION);
        to.int(self.hour);
        to.uint(self.count.into());
        to.uint(self.peak_centi.into());
        to.uint(self.hours.into());
        to.byte(self.hot_days);
        to.int(self.hot_day.into());
        to.bytes(&self.taught.to_le_bytes());
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let workload = Self {
            hour: from.int()?,
            count: from.number("count")?,
            peak_centi: from.number("peak")?,
            hours: from.number("hours")?,
            hot_days: from.byte()?,
            hot_day: from.signed("day")?,
            taught: u16::from_le_bytes(from.bytes()?),
        };
        from.end()?;
        if HOURS.contains(&workload.hour) { Ok(workload) } else { Err(Error::Range("hour")) }
    }
}

fn hour_of(at: Timestamp) -> i64 {
    at.seconds().div_euclid(3600)
}

fn day_of(hour: i64) -> i32 {
    i32::try_from(hour.div_euclid(24)).unwrap_or(0)
}

const VERSION: u8 = 1;
/// A day of hours, or a day a month for two years.
const HOURS_MIN: u16 = 24;
/// Below this an hour is as quiet as another.
const PEAK_MIN: u32 = 10;
/// Far beyond what one program does, and a hundredth of what `u32` holds.
const COUNT_MAX: u32 = 10_000_000;
const HOT_DAYS: u8 = 3;
const HOT_WITHIN_DAYS: i32 = 14;
const HOURS_A_WEEK: i64 = 168;
/// Years 1 to 9999.
const HOURS: std::ops::RangeInclusive<i64> = -17_259_888..=70_389_528;

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts `each` events in every hour of `hours`.
    fn run(workload: &mut Workload, hours: std::ops::Range<i64>, each: u32) {
        for hour in hours {
            for _ in 0..each {
                workload.count(Timestamp::from_seconds(hour * 3600).unwrap(), 3);
            }
        }
    }

    #[track_caller]
    fn check(workload: &Workload, limit: Option<u32>) {
        assert_eq!(workload.limit(3), limit);
        let mut bytes = Vec::new();
        workload.encode(&mut bytes);
        assert!(bytes.len() <= 32, "{} bytes", bytes.len());
        assert_eq!(Workload::decode(&bytes).as_ref(), Ok(workload));
    }

    #[test]
    fn knows_its_rate_after_a_day() {
        let mut workload = Workload::default();
        run(&mut workload, 480_000..480_024, 20);
        check(&workload, None);
        run(&mut workload, 480_024..480_026, 20);
        check(&workload, Some(60));
    }

    #[test]
    fn a_burst_is_usual_on_its_third_day() {
        let mut workload = Workload::default();
        run(&mut workload, 480_000..480_048, 20);
        for day in [3, 4, 5] {
            check(&workload, Some(60));
            run(&mut workload, 480_000 + day * 24..480_002 + day * 24, 500);
        }
        run(&mut workload, 480_122..480_123, 1);
        check(&workload, Some(1500));
    }

    #[test]
    fn somebody_may_accept_it_at_once() {
        let mut workload = Workload::default();
        run(&mut workload, 480_000..480_048, 20);
        run(&mut workload, 480_048..480_049, 100);
        workload.accept();
        check(&workload, Some(300));
    }

    #[test]
    fn the_past_counts_for_nothing() {
        let mut workload = Workload::default();
        run(&mut workload, 480_000..480_001, 5);
        run(&mut workload, 479_990..479_991, 5);
        assert_eq!(workload.with_this(Timestamp::from_seconds(480_000 * 3600).unwrap()), 6);
    }
}
