//! What the pipeline wrote, read back by the input record that led to it.

use super::Failure;
use super::ground::Ground;
use crate::adapters::kafka::topics::NETWORK_LANES;
use crate::adapters::kafka::{KafkaLog, decisions};
use crate::ports::ledger::{Mark, Output, Unit};

/// The output of each partition, in the order of its input.
#[derive(Debug)]
pub(super) struct Recorded(Vec<Vec<Written>>);

#[derive(Debug)]
struct Written {
    /// Of the input record.
    offset: i64,
    output: Output,
    key: Box<[u8]>,
    value: Option<Box<[u8]>>,
}

impl Recorded {
    pub(super) fn read(ground: &Ground) -> Result<Self, Failure> {
        let lanes = (0..ground.partitions).map(|partition| partition_of(ground, partition));
        let mut lanes = lanes.collect::<Result<Vec<_>, _>>()?;
        // These lie where their origins do, and say nothing of the lane that saw them: each has its share.
        let mut sighted = Vec::new();
        for partition in 0..NETWORK_LANES {
            sighted.append(&mut topic_of(ground, Output::Sightings, &ground.names.sightings, partition)?);
        }
        let share = sighted.len().div_ceil(lanes.len().max(1));
        for lane in &mut lanes {
            let mut seen = sighted.split_off(sighted.len().saturating_sub(share));
            spread(&mut seen, 0, lane.last().map_or(0, |last| last.offset + 1));
            lane.append(&mut seen);
            lane.sort_by_key(|written| written.offset);
        }
        Ok(Self(lanes))
    }

    /// Where the output of a partition goes on that comes from its input at `offset` and after.
    pub(super) fn place(&self, partition: i32, offset: i64) -> usize {
        self.of(partition).partition_point(|written| written.offset < offset)
    }

    /// Adds to `unit` what its partition's input up to `offset` led to, from `place` on, and moves that.
    /// Says whether the pipeline would have waited for nothing more.
    pub(super) fn write(&self, unit: &mut Unit, place: &mut usize, offset: i64) -> bool {
        let mut urgent = false;
        let written = self.of(unit.partition).get(*place..).unwrap_or_default();
        for one in written.iter().take_while(|written| written.offset <= offset) {
            *place += 1;
            urgent |= one.output == Output::Revocations;
            let key = unit.key(&one.key);
            match &one.value {
                Some(value) => unit.push(one.output, offset, key, |bytes| bytes.extend_from_slice(value)),
                None => unit.push_end(one.output, offset, key),
            }
        }
        urgent
    }

    fn of(&self, partition: i32) -> &[Written] {
        usize::try_from(partition).ok().and_then(|partition| self.0.get(partition)).map_or(&[], Vec::as_slice)
    }
}

/// A decision says which event it is of. The changelog says of which unit, as the pipeline cut them:
/// its records are spread over the unit's input, since the pass cuts anew. Alerts, revocations and
/// rejected records say neither and are spread over everything, few as they are.
fn partition_of(ground: &Ground, partition: i32) -> Result<Vec<Written>, Failure> {
    let names = &ground.names;
    let mut all = Vec::new();
    let mut log = KafkaLog::open(&ground.connection, &names.decisions, partition)?;
    let decision = |key: Option<&[u8]>, value: Option<&[u8]>| {
        let mark = value.and_then(decisions::avro)?;
        Some(written(Output::Decisions, mark.offset, key.unwrap_or_default(), value))
    };
    while let Some(found) = log.next(|record| decision(record.key, record.value))? {
        all.extend(found);
    }
    let end = all.last().map_or(0, |last| last.offset + 1);
    for (output, topic) in [
        (Output::Alerts, &names.alerts),
        (Output::Revocations, &names.revocations),
        (Output::Rejected, &names.rejected),
    ] {
        let mut found = topic_of(ground, output, topic, partition)?;
        spread(&mut found, 0, end);
        all.append(&mut found);
    }
    let (mut from, mut unit, mut to) = (0, Vec::new(), Mark::default());
    let mut log = KafkaLog::open(&ground.connection, &names.profiles, partition)?;
    while let Some(change) = log.next_change(|change| {
        let mark = change.mark?;
        Some((mark, written(Output::Profiles, 0, change.key, change.value)))
    })? {
        let Some((mark, change)) = change else { continue };
        if mark != to {
            spread(&mut unit, from, to.offset);
            all.append(&mut unit);
            (from, to) = (to.offset, mark);
        }
        unit.push(change);
    }
    spread(&mut unit, from, to.offset);
    all.append(&mut unit);
    // Stable: what one event led to stays in the order of the topics.
    all.sort_by_key(|written| written.offset);
    Ok(all)
}

/// What stands in a partition of a topic, whatever input led to it.
fn topic_of(ground: &Ground, output: Output, topic: &str, partition: i32) -> Result<Vec<Written>, Failure> {
    let mut found = Vec::new();
    let mut log = KafkaLog::open(&ground.connection, topic, partition)?;
    while let Some(one) =
        log.next(|record| written(output, 0, record.key.unwrap_or_default(), record.value))?
    {
        found.push(one);
    }
    Ok(found)
}

fn written(output: Output, offset: i64, key: &[u8], value: Option<&[u8]>) -> Written {
    Written { offset, output, key: key.into(), value: value.map(Into::into) }
}

/// Evenly over the input from `from` up to `to`, the last on the last.
fn spread(records: &mut [Written], from: i64, to: i64) {
    let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
    for (record, number) in records.iter_mut().zip(1..) {
        record.offset = from + ((to - from) * number / count - 1).max(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(count: usize, from: i64, to: i64, expected: &[i64]) {
        let mut records: Vec<_> = (0..count).map(|_| written(Output::Alerts, 0, b"", None)).collect();
        spread(&mut records, from, to);
        assert_eq!(records.iter().map(|one| one.offset).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_unit_of_the_pipeline_is_spread_over_its_input() {
        check(0, 0, 9, &[]);
        check(1, 10, 20, &[19]);
        check(2, 10, 20, &[14, 19]);
        check(4, 10, 12, &[10, 10, 10, 11]);
    }

    #[test]
    fn what_was_written_comes_with_the_input_that_led_to_it() {
        let log = [(Output::Decisions, 3, "a"), (Output::Revocations, 3, "b"), (Output::Decisions, 4, "c")];
        let log = log.map(|(output, offset, key)| written(output, offset, key.as_bytes(), Some(b"value")));
        let recorded = Recorded(vec![log.into()]);
        let (mut unit, mut place) = (Unit::default(), recorded.place(0, 1));
        let keys = |unit: &Unit| unit.records().map(|one| one.key.to_vec()).collect::<Vec<_>>().concat();
        assert!(!recorded.write(&mut unit, &mut place, 2), "nothing came of it");
        assert_eq!(keys(&unit), b"");
        assert!(recorded.write(&mut unit, &mut place, 3), "a revocation waits for nothing");
        assert_eq!(keys(&unit), b"ab");
        assert!(!recorded.write(&mut unit, &mut place, 4));
        assert_eq!(keys(&unit), b"abc");
        assert_eq!(recorded.place(0, 4), 2);
    }
}
