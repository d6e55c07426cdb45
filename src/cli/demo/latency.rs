//! How long decisions take, in constant memory: counts in buckets of at most 6 % width.

use std::time::Duration;

#[derive(Clone, Debug)]
pub(super) struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Latencies {
    pub(super) fn add(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count += 1;
            self.total += 1;
        }
    }

    /// The time within which `permille` of all were decided, in milliseconds; 0 when there are none.
    pub(super) fn quantile_ms(&self, permille: u64) -> f64 {
        let wanted = (self.total * permille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (number, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(upper(number)).as_secs_f64() * 1000.0;
            }
        }
        0.0
    }
}

/// Below 16 each value its own bucket, above 16 buckets an octave.
fn bucket(micros: u64) -> usize {
    let octave = micros.max(1).ilog2().saturating_sub(STEP_BITS);
    let step = micros >> octave;
    usize::try_from(u64::from(octave) * STEPS + step).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let number = u64::try_from(bucket).unwrap_or(0);
    let octave = (number / STEPS).saturating_sub(1);
    let step = number - octave * STEPS;
    ((step + 1) << octave) - 1
}

const STEP_BITS: u32 = 4;
const STEPS: u64 = 1 << STEP_BITS;
/// Up to an hour.
const BUCKETS: usize = 480;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(micros: &[u64], permille: u64, expected_ms: f64) {
        let mut latencies = Latencies::default();
        micros.iter().for_each(|&micros| latencies.add(Duration::from_micros(micros)));
        let found = latencies.quantile_ms(permille);
        assert!((expected_ms..=expected_ms * 1.07).contains(&found), "{found} for {expected_ms}");
    }

    #[test]
    fn quantiles_are_right_to_six_percent() {
        check(&[], 500, 0.0);
        check(&[7], 500, 0.007);
        check(&(1..=1000).collect::<Vec<_>>(), 500, 0.5);
        check(&(1..=1000).collect::<Vec<_>>(), 990, 0.99);
        check(&[100, 100, 100, 9_000_000], 999, 9_000.0);
    }

    #[test]
    fn every_value_lies_in_its_bucket() {
        for micros in (0..200_000).chain([1 << 20, 1 << 31]) {
            let number = bucket(micros);
            assert!(micros <= upper(number), "{micros} above bucket {number}");
            assert!(number == 0 || micros > upper(number - 1), "{micros} below bucket {number}");
        }
    }
}
