//! One partition of one topic.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::model::time::Timestamp;
use crate::ports::ledger::Mark;

/// A record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub offset: i64,
    pub recorded_at: Option<Timestamp>,
    pub key: Option<Arc<[u8]>>,
    pub value: Option<Arc<[u8]>>,
    /// The mark of the unit that wrote it: as Kafka's headers carry it.
    pub mark: Option<Mark>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Partition {
    records: BTreeMap<i64, Stored>,
    /// In a compacted partition, where each key last stands.
    latest: BTreeMap<Arc<[u8]>, i64>,
    start: i64,
    end: i64,
}

/// What falls out of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cleanup {
    /// All but the last so many records.
    Keep(usize),
    /// All but the last record of each key.
    Compact,
}

impl Partition {
    pub(super) fn append(&mut self, record: Stored, cleanup: Cleanup) -> i64 {
        let offset = self.end;
        self.end += 1;
        match cleanup {
            Cleanup::Keep(most) => {
                while self.records.len() >= most.max(1) {
                    self.records.pop_first();
                    self.start = self.records.first_key_value().map_or(offset, |(first, _)| *first);
                }
            }
            Cleanup::Compact => {
                let key = record.key.clone().unwrap_or_default();
                if let Some(old) = self.latest.insert(key, offset) {
                    self.records.remove(&old);
                }
            }
        }
        self.records.insert(offset, Stored { offset, ..record });
        offset
    }

    /// The marker that ends a transaction takes an offset too, and no reader ever sees it.
    pub(super) fn mark_end(&mut self) {
        self.end += 1;
    }

    /// First and next offset. Compaction does not move the first.
    pub(super) const fn range(&self) -> Range<i64> {
        self.start..self.end
    }

    pub(super) fn from(&self, offset: i64) -> impl Iterator<Item = &Stored> {
        self.records.range(offset..).map(|(_, record)| record)
    }

    pub(super) fn get(&self, offset: i64) -> Option<&Stored> {
        self.records.get(&offset)
    }

    pub(super) fn last(&self) -> Option<&Stored> {
        self.records.last_key_value().map(|(_, record)| record)
    }

    /// As retention would: nothing before `offset` is left.
    pub(super) fn delete_before(&mut self, offset: i64) {
        self.records = self.records.split_off(&offset);
        self.start = self.start.max(offset.min(self.end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str) -> Stored {
        let key = Some(key.as_bytes().into());
        Stored { offset: 0, recorded_at: None, key, value: None, mark: None }
    }

    #[track_caller]
    fn check(keys: &str, cleanup: Cleanup, expected: &str) {
        let mut partition = Partition::default();
        for key in keys.split(' ') {
            partition.append(record(key), cleanup);
        }
        let found: Vec<_> = partition
            .from(0)
            .map(|record| {
                format!("{}{}", String::from_utf8_lossy(record.key.as_ref().unwrap()), record.offset)
            })
            .collect();
        assert_eq!(format!("{} of {:?}", found.join(" "), partition.range()), expected);
    }

    #[test]
    fn keeps_the_last_records_or_the_last_of_each_key() {
        check("a b a c", Cleanup::Keep(3), "b1 a2 c3 of 1..4");
        check("a b a c", Cleanup::Keep(9), "a0 b1 a2 c3 of 0..4");
        check("a b a c", Cleanup::Compact, "b1 a2 c3 of 0..4");
        check("a a a", Cleanup::Compact, "a2 of 0..3");
    }
}
