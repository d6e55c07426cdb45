//! What the pipeline wrote, read back as the units in which it was written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::Failure;
use super::ground::Ground;
use crate::adapters::kafka::{KafkaLog, decisions};
use crate::ports::ledger::{Mark, Output, Unit};

/// The units of each partition, in order, handed out to whoever has the partition.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) partitions: Vec<Mutex<VecDeque<Arc<Unit>>>>,
}

/// A record of a unit that is being put together.
struct Record {
    output: Output,
    offset: i64,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl Recorded {
    pub(super) fn read(ground: &Ground) -> Result<Self, Failure> {
        let partitions = (0..ground.partitions).map(|partition| Ok(Mutex::new(units(ground, partition)?)));
        Ok(Self { partitions: partitions.collect::<Result<_, Failure>>()? })
    }
}

/// The changelog carries the mark of its unit in every record: it says where units ended. A decision
/// belongs to the unit that its event's offset lies in; alerts, revocations and rejected records do not
/// say where they came from and are spread evenly, few as they are.
fn units(ground: &Ground, partition: i32) -> Result<VecDeque<Arc<Unit>>, Failure> {
    let names = &ground.names;
    let mut units: Vec<(Mark, Vec<Record>)> = Vec::new();
    let mut log = KafkaLog::open(&ground.connection, &names.profiles, partition)?;
    while log
        .next_change(|change| {
            let Some(mark) = change.mark else { return };
            if units.last().is_none_or(|(last, _)| *last != mark) {
                units.push((mark, Vec::new()));
            }
            if let Some((_, records)) = units.last_mut() {
                records.push(Record {
                    output: Output::Profiles,
                    offset: mark.offset - 1,
                    key: change.key.to_vec(),
                    value: change.value.map(<[u8]>::to_vec),
                });
            }
        })?
        .is_some()
    {}
    let mut log = KafkaLog::open(&ground.connection, &names.decisions, partition)?;
    while log
        .next(|record| {
            let Some(mark) = record.value.and_then(decisions::avro) else { return };
            let unit = units.partition_point(|(to, _)| to.offset <= mark.offset);
            if let Some((_, records)) = units.get_mut(unit) {
                records.push(owned(Output::Decisions, mark.offset, record.key, record.value));
            }
        })?
        .is_some()
    {}
    for (output, topic) in [
        (Output::Alerts, &names.alerts),
        (Output::Revocations, &names.revocations),
        (Output::Rejected, &names.rejected),
    ] {
        let mut found = Vec::new();
        let mut log = KafkaLog::open(&ground.connection, topic, partition)?;
        while log.next(|record| found.push(owned(output, 0, record.key, record.value)))?.is_some() {}
        let (count, of) = (found.len().max(1), units.len());
        for (number, record) in found.into_iter().enumerate() {
            if let Some((_, records)) = units.get_mut(number * of / count) {
                records.push(record);
            }
        }
    }
    Ok(units
        .into_iter()
        .zip(0..)
        .map(|((to, records), number)| built(partition, number, to, records))
        .collect())
}

fn owned(output: Output, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Record {
    Record { output, offset, key: key.unwrap_or_default().to_vec(), value: value.map(<[u8]>::to_vec) }
}

fn built(partition: i32, number: u64, to: Mark, records: Vec<Record>) -> Arc<Unit> {
    let mut unit = Unit::default();
    unit.reset(partition, number, to);
    for record in records {
        let key = unit.key(&record.key);
        match record.value {
            Some(value) => {
                unit.push(record.output, record.offset, key, |bytes| bytes.extend_from_slice(&value));
            }
            None => unit.push_end(record.output, record.offset, key),
        }
    }
    Arc::new(unit)
}
