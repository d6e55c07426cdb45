//! From a record's hand-over to its decision in the hands of a read_committed reader.
#![expect(clippy::disallowed_methods, reason = "measures how long something takes")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Failure;
use crate::adapters::kafka::{Connection, Follower, decisions};

/// The middle and the tail of what was measured, in milliseconds.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(super) struct Quantiles {
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Quantiles {
    /// Nearest rank; of nothing it is zero.
    pub(super) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            let time = times.get(rank - 1).copied().unwrap_or_default();
            (time.as_secs_f64() * 1e5).round() / 100.0
        };
        Self { p50: at(50), p99: at(99) }
    }
}

/// When each record of the input was handed over, by partition, from the first that counts.
#[derive(Debug, Default)]
pub(super) struct Sent {
    partitions: Vec<(i64, Vec<Instant>)>,
}

impl Sent {
    /// `ends`: the next offset of each partition.
    pub(super) fn after(ends: &[i64]) -> Self {
        Self { partitions: ends.iter().map(|end| (*end, Vec::new())).collect() }
    }

    pub(super) fn note(&mut self, partition: i32) {
        let partition = usize::try_from(partition).unwrap_or(usize::MAX);
        if let Some((_, times)) = self.partitions.get_mut(partition) {
            times.push(Instant::now());
        }
    }

    fn at(&self, partition: i32, offset: i64) -> Option<Instant> {
        let (first, times) = self.partitions.get(usize::try_from(partition).ok()?)?;
        times.get(usize::try_from(offset.checked_sub(*first)?).ok()?).copied()
    }
}

/// A decision that came: its partition, the offset of its event, and when.
type Seen = (i32, i64, Instant);

/// Reads the decisions of a topic on a thread of its own while `send` sends; `ends` are the next offsets of
/// the input. What was sent before may become visible now: a group's offsets are, a moment before.
pub(super) fn measure(
    connection: &Connection,
    topic: &str,
    ends: &[i64],
    expected: usize,
    send: impl FnOnce() -> Result<Sent, Failure>,
) -> Result<Quantiles, Failure> {
    let partitions = i32::try_from(ends.len()).unwrap_or(i32::MAX);
    let follower = Follower::new(connection, topic, partitions)?;
    follower.begin()?;
    let stop = AtomicBool::new(false);
    let (sent, seen) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| read(&follower, ends, expected, &stop));
        let sent = send();
        if sent.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        (sent, reading.join().unwrap_or_default())
    });
    let sent = sent?;
    let times: Vec<_> = seen
        .iter()
        .filter_map(|(partition, offset, at)| Some(at.duration_since(sent.at(*partition, *offset)?)))
        .collect();
    if times.len() < expected {
        return Err(Failure::Unreachable(format!(
            "found {} decisions of {expected} within {SILENCE_MAX:?} of the last; the pipeline does not keep up with this \
             --rate, or has stopped: try a lower one",
            times.len()
        )));
    }
    Ok(Quantiles::of(times))
}

fn read(follower: &Follower, ends: &[i64], expected: usize, stop: &AtomicBool) -> Vec<Seen> {
    let is_sent = |partition: i32, offset| {
        let end = usize::try_from(partition).ok().and_then(|partition| ends.get(partition));
        end.is_some_and(|end| offset >= *end)
    };
    let mut seen = Vec::with_capacity(expected);
    let mut heard = Instant::now();
    while seen.len() < expected && heard.elapsed() < SILENCE_MAX && !stop.load(Ordering::Relaxed) {
        let one = follower.next(WAIT, |record| {
            let mark = record.value.and_then(decisions::avro)?;
            is_sent(record.partition, mark.offset).then(|| (record.partition, mark.offset, Instant::now()))
        });
        if let Some(one) = one.flatten() {
            heard = one.2;
            seen.push(one);
        }
    }
    seen
}

const WAIT: Duration = Duration::from_millis(100);
const SILENCE_MAX: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_nearest_rank() {
        let times = |count: u64| (1..=count).rev().map(Duration::from_millis).collect();
        let found = Quantiles::of(times(100));
        assert_eq!((found.p50.to_bits(), found.p99.to_bits()), (50.0_f64.to_bits(), 99.0_f64.to_bits()));
        let found = Quantiles::of(times(1));
        assert_eq!((found.p50.to_bits(), found.p99.to_bits()), (1.0_f64.to_bits(), 1.0_f64.to_bits()));
        assert!(Quantiles::of(Vec::new()).p99.abs() < f64::EPSILON);
    }

    #[test]
    fn a_record_is_found_by_its_place() {
        let mut sent = Sent::after(&[5, 0]);
        sent.note(0);
        sent.note(0);
        assert!(sent.at(0, 5).is_some() && sent.at(0, 6).is_some());
        assert_eq!((sent.at(0, 4), sent.at(0, 7), sent.at(1, 0), sent.at(9, 0)), (None, None, None, None));
    }
}
