//! How far a restore has come: a bar where a person looks on, a line every few seconds elsewhere.

#![expect(clippy::disallowed_methods, reason = "paces the lines")]

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

use super::log;

/// One partition that is being restored, from its first sign of progress until it is dropped.
#[derive(Debug)]
pub struct Restoring {
    partition: i32,
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Restoring {
    #[must_use]
    pub fn begin(partition: i32) -> Self {
        Self { partition, bar: None, told: Instant::now() }
    }

    /// `records` were read, the last at `offset`; the changelog ends at `end`.
    pub fn at(&mut self, offset: i64, end: i64, records: u64, because: &str) {
        if let Some(bars) = log::bars() {
            let bar = self.bar.get_or_insert_with(|| bars.add(bar(self.partition)));
            draw(bar, offset, end, records, because);
        } else if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            info!(partition = self.partition, records, offset, end, because, "restoring");
        }
    }
}

impl Drop for Restoring {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(partition: i32) -> ProgressBar {
    let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::hidden().with_style(style).with_prefix(partition.to_string())
}

fn draw(bar: &ProgressBar, offset: i64, end: i64, records: u64, because: &str) {
    bar.set_length(u64::try_from(end).unwrap_or(0));
    bar.set_message(format!("{records} records ({because})"));
    bar.set_position(u64::try_from(offset.saturating_add(1)).unwrap_or(0));
}

/// Readable at 80 columns.
const TEMPLATE: &str = "restoring partition {prefix} [{bar:20}] offset {pos}/{len}, {msg}";
const TELL_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_partition_offset_end_and_records() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
        let bar = bar(7);
        draw(&bar, 41_999, 84_000, 40_000, "no_store");
        assert_eq!((bar.position(), bar.length()), (42_000, Some(84_000)));
        assert_eq!((bar.prefix().as_str(), bar.message().as_str()), ("7", "40000 records (no_store)"));
    }
}
