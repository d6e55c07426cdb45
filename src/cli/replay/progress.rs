//! How far a replay has come, for whoever waits; and at the end how fast it was.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::super::interrupt::Interrupt;
use super::super::{Failure, counted, say};
use crate::pipeline::replay::{Report, grouped};

#[derive(Debug)]
pub(super) struct Progress {
    began: Instant,
    bar: ProgressBar,
    interrupt: Interrupt,
}

impl Progress {
    #[expect(clippy::disallowed_methods, reason = "the edge: how long a person has waited")]
    pub(super) fn begin() -> Self {
        // Hidden by itself where nobody looks.
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} records, {per_sec} {msg}") {
            bar.set_style(style);
        }
        Self { began: Instant::now(), bar, interrupt: Interrupt::listen() }
    }

    /// # Errors
    /// When the user has interrupted.
    pub(super) fn is_at(&self, records: u64) -> Result<(), Failure> {
        self.bar.set_position(records);
        if self.interrupt.is_set() { Err(Failure::Interrupted) } else { Ok(()) }
    }

    pub(super) fn is_about(&self, what: String) {
        self.bar.set_message(what);
    }

    pub(super) fn finish(&self, report: &Report, users: usize) {
        self.bar.finish_and_clear();
        say(&summary(report.records, users, self.began.elapsed()));
    }
}

fn summary(records: u64, users: usize, took: Duration) -> String {
    let (of, by) = (counted(records, "record"), counted(users as u64, "user"));
    let mut text = format!("{of} of {by} in {:.1} s", took.as_secs_f64());
    if took > Duration::from_millis(100) {
        let rate = u128::from(records) * 1000 / took.as_millis().max(1);
        text.push_str(&format!(" ({}/s)", grouped(u64::try_from(rate).unwrap_or(u64::MAX))));
    }
    text
}

/// How often it is looked at, in records.
pub(super) const EVERY: u64 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_told_when_it_means_something() {
        assert_eq!(summary(1, 1, Duration::ZERO), "1 record of 1 user in 0.0 s");
        assert_eq!(summary(10, 2, Duration::ZERO), "10 records of 2 users in 0.0 s");
        let long = summary(412_330, 9, Duration::from_secs(2));
        assert_eq!(long, "412,330 records of 9 users in 2.0 s (206,165/s)");
    }
}
