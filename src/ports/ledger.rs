//! The ledger: what is committed, and the only place where something becomes true.
//!
//! One transaction carries one unit of each lane that has something, with its mark as the committed
//! input offset. Either all of it can be read afterwards, or nothing.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::failure::Failure;
use super::tracer::Trace;
use crate::model::id::Digest;
use crate::model::tally::Tally;

/// How far a lane has come: the next input offset, and the chain after the last decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub offset: i64,
    pub chain: Digest,
}

impl Mark {
    /// The metadata of the committed offset: the chain as 64 hex digits.
    #[must_use]
    pub fn metadata(&self) -> String {
        self.chain.to_string()
    }

    /// Strict: 64 lower-case or upper-case hex digits, an offset that is not negative, nothing else.
    #[must_use]
    pub fn parse(offset: i64, metadata: &str) -> Option<Self> {
        (offset >= 0).then_some(())?;
        Digest::parse(metadata).map(|chain| Self { offset, chain })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:.8}", self.offset, self.chain.to_string())
    }
}

/// Where in the output a lane stands, as delivery reports gave it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// Of the last decision in `risk.decisions`; `None` while there is none that we know of.
    pub decision: Option<i64>,
    /// Of the next record in `risk.profiles`; `None` while we have written none.
    pub profiles: Option<i64>,
}

impl Positions {
    /// What is newer where it knows something, else what was known.
    #[must_use]
    pub fn then(self, newer: Self) -> Self {
        Self { decision: newer.decision.or(self.decision), profiles: newer.profiles.or(self.profiles) }
    }
}

/// The topics that a user lane writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    Decisions,
    Alerts,
    Revocations,
    Profiles,
    Rejected,
    /// By key: what a user shows goes to the network lane of its origin.
    Sightings,
}

impl Output {
    pub const ALL: [Self; 6] =
        [Self::Decisions, Self::Alerts, Self::Revocations, Self::Profiles, Self::Rejected, Self::Sightings];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decisions => "decisions",
            Self::Alerts => "alerts",
            Self::Revocations => "revocations",
            Self::Profiles => "profiles",
            Self::Rejected => "rejected",
            Self::Sightings => "sightings",
        }
    }
}

/// What one lane adds to one transaction. Sealed: nobody changes it any more.
///
/// Keys and values lie in one buffer; a unit costs two allocations, however many records it has,
/// and gives both back when it is done with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    pub partition: i32,
    /// Counts the lane's units since its assignment.
    pub number: u64,
    pub from: Mark,
    pub to: Mark,
    /// What the records were decided to be: counted when the unit is committed, and only then.
    pub tally: Tally,
    bytes: Vec<u8>,
    records: Vec<Entry>,
    /// Of the input records that came with one, by offset. Empty unless somebody traces.
    traces: Vec<Trace>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    output: Output,
    offset: i64,
    key: Range<usize>,
    value: Option<Range<usize>>,
}

/// One record of a unit, to be written to the lane's own partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing<'u> {
    pub output: Output,
    /// Offset of the input record that led to it.
    pub offset: i64,
    pub key: &'u [u8],
    /// `None` ends the key: only in [`Output::Profiles`].
    pub value: Option<&'u [u8]>,
    /// The one that the input record came with, to be carried on in the headers `traceparent` and
    /// `tracestate`. Never in [`Output::Profiles`]: a part is of many records.
    pub trace: Option<&'u Trace>,
}

impl Unit {
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of keys and values.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// In the order in which they must be written. Records of [`Output::Profiles`] carry the headers
    /// `offset` (decimal) and `chain` (hex) of [`Unit::to`].
    pub fn records(&self) -> impl Iterator<Item = Outgoing<'_>> {
        self.records.iter().map(|entry| Outgoing {
            output: entry.output,
            offset: entry.offset,
            key: self.bytes.get(entry.key.clone()).unwrap_or_default(),
            value: entry.value.clone().map(|value| self.bytes.get(value).unwrap_or_default()),
            trace: self.trace(entry),
        })
    }

    fn trace(&self, entry: &Entry) -> Option<&Trace> {
        if self.traces.is_empty() || entry.output == Output::Profiles {
            return None;
        }
        let at = self.traces.binary_search_by_key(&entry.offset, |trace| trace.offset).ok()?;
        self.traces.get(at)
    }

    /// What the records of [`Unit::records`] carry on, in the order of the input.
    #[must_use]
    pub fn traces(&self) -> &[Trace] {
        &self.traces
    }

    /// Notes the trace of an input record, if it has one, in the order of the input.
    pub fn note(&mut self, trace: Option<Trace>) {
        self.traces.extend(trace);
    }

    /// Empties it for `partition`, keeping its buffers.
    pub fn reset(&mut self, partition: i32, number: u64, from: Mark) {
        self.tally.reset();
        *self = Self {
            partition,
            number,
            from,
            to: from,
            tally: std::mem::take(&mut self.tally),
            bytes: std::mem::take(&mut self.bytes),
            records: std::mem::take(&mut self.records),
            traces: std::mem::take(&mut self.traces),
        };
        self.bytes.clear();
        self.records.clear();
        self.traces.clear();
    }

    /// Writes a key into the buffer, for the records that follow.
    pub fn key(&mut self, key: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        start..self.bytes.len()
    }

    /// Appends a record whose value `write` appends to the buffer.
    pub fn push<T>(
        &mut self,
        output: Output,
        offset: i64,
        key: Range<usize>,
        write: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> T {
        let start = self.bytes.len();
        let written = write(&mut self.bytes);
        self.records.push(Entry { output, offset, key, value: Some(start..self.bytes.len()) });
        written
    }

    /// Appends a record that ends `key`.
    pub fn push_end(&mut self, output: Output, offset: i64, key: Range<usize>) {
        self.records.push(Entry { output, offset, key, value: None });
    }

    /// A place to come back to with [`Unit::cut`].
    #[must_use]
    pub fn here(&self) -> Place {
        Place { records: self.records.len(), bytes: self.bytes.len() }
    }

    /// Drops what was written since `place`.
    pub fn cut(&mut self, place: Place) {
        self.records.truncate(place.records);
        self.bytes.truncate(place.bytes);
    }

    /// Bytes of the largest value since `place`.
    #[must_use]
    pub fn largest_since(&self, place: Place) -> usize {
        let added = self.records.get(place.records..).unwrap_or_default();
        added.iter().filter_map(|entry| entry.value.as_ref()).map(ExactSizeIterator::len).max().unwrap_or(0)
    }
}

/// See [`Unit::here`].
#[derive(Clone, Copy, Debug)]
pub struct Place {
    records: usize,
    bytes: usize,
}

/// Headers of every record of `risk.profiles`.
pub const HEADER_OFFSET: &str = "offset";
pub const HEADER_CHAIN: &str = "chain";

/// What the group has committed for an input partition, as the broker keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    pub offset: i64,
    pub metadata: String,
}

/// The last thing that anybody wrote down about a partition's mark, beside the committed offset:
/// the last committed decision, else the headers of the last record of `risk.profiles`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// Neither topic has ever held a committed record of this partition.
    Never,
    /// They held some once (a first offset is not 0), and retention has taken all of them.
    Expired,
    Last(Mark, Positions),
}

impl Witness {
    /// From the end of the partition's decisions (where the last stands, and its mark) and from that
    /// of its changelog.
    #[must_use]
    pub fn of(decided: Tail<(i64, Mark)>, changed: Tail<Mark>) -> Self {
        match (decided, changed) {
            (Tail::Never, Tail::Never) => Self::Never,
            (Tail::Found((position, mark)), changed) => {
                // A later unit may have moved the mark without deciding anything.
                let mark = match changed {
                    Tail::Found(later) if later.offset > mark.offset => later,
                    _ => mark,
                };
                Self::Last(mark, Positions { decision: Some(position), profiles: None })
            }
            (_, Tail::Found(mark)) => Self::Last(mark, Positions::default()),
            _ => Self::Expired,
        }
    }
}

/// The last record of a partition, as a reader of what was committed finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail<T> {
    /// Nothing was ever committed to it.
    Never,
    /// Retention has taken whatever there was.
    Gone,
    Found(T),
}

impl<T> Tail<T> {
    /// `start` is the partition's first offset. Its next one says nothing: an aborted transaction
    /// takes offsets too, and so does every marker, and nobody can read either.
    #[must_use]
    pub fn of(found: Option<T>, start: i64) -> Self {
        match found {
            Some(found) => Self::Found(found),
            None if start == 0 => Self::Never,
            None => Self::Gone,
        }
    }
}

/// A transaction that is open in a partition, by whomever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hanging {
    pub topic: String,
    pub partition: i32,
    /// Where it begins: the last stable offset.
    pub offset: i64,
    /// The broker has ended it where the group's offsets lie, and not here.
    pub counted: Option<Counted>,
}

/// An offset that counts as done what an open transaction holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    pub group: String,
    /// Topic of the offset; the partition is the lane's.
    pub input: String,
    pub offset: i64,
}

/// What must be known of the broker to take over a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    pub committed: Option<Committed>,
    /// First and next offset of the input.
    pub input: Range<i64>,
    /// First and next offset of `risk.profiles`; the next one as a read_uncommitted reader sees it.
    pub profiles: Range<i64>,
    pub witness: Witness,
    /// Somebody's transaction is open in one of the partition's outputs. Were it a producer's of ours,
    /// its next commit could make visible what a dead process had written: nothing is to be published
    /// before it has ended.
    pub hanging: Option<Hanging>,
}

/// A decision that was looked up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadBack {
    pub chain: Digest,
    /// How long ago it was written.
    pub age: Duration,
}

/// How long the changelog keeps the ends of keys at least, once compaction has come to them: the least
/// `delete.retention.ms` of `risk.profiles`.
pub const ENDS_KEPT: Duration = Duration::from_secs(86_400);

/// One record of the changelog, as restore reads it.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    pub key: &'a [u8],
    /// `None` ends the part.
    pub value: Option<&'a [u8]>,
    /// From its headers; `None` when they are missing or not in their form.
    pub mark: Option<Mark>,
    pub offset: i64,
}

/// A record that belongs to no lane: a policy under its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enclosed {
    pub policy: Digest,
    pub value: Vec<u8>,
}

/// The broker, as a worker needs it: one transactional writer and the questions of recovery.
pub trait Ledger: fmt::Debug {
    /// One transaction: every record of `units`, and their marks as committed offsets with
    /// metadata. The answer has one entry a unit, in order: positions of what this unit wrote.
    ///
    /// # Errors
    /// See [`Failure`]: each kind asks for something else.
    fn publish(&mut self, units: &[Arc<Unit>]) -> Result<Vec<Positions>, Failure>;

    /// Has a policy published with the next transaction, so that it is there with the first decision
    /// under it. How that transaction ends is how this ends. A log without a topic for it keeps none.
    fn enclose(&mut self, _policy: Enclosed) {}

    /// Called by the owner of the source right before it hands a publish to another thread: what must
    /// belong to the assignment that the units were made under is taken now.
    fn prepare(&mut self) {}

    /// What is known of a partition that was just assigned.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    fn ground(&mut self, partition: i32) -> Result<Ground, Failure>;

    /// What the decision at `offset` of the partition's decisions says; `None` when there is no such
    /// record any more.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    fn read_back(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure>;

    /// The same of the last decision about input before `offset`, wherever it stands; `None` as well
    /// where nobody looks for it.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    fn decided_before(&mut self, _partition: i32, _offset: i64) -> Result<Option<ReadBack>, Failure> {
        Ok(None)
    }

    /// Reads committed changes from `from` to the end of the partition's changelog, and returns the
    /// offset after the last one read (control records included). `visit` returning `false` ends it.
    ///
    /// # Errors
    /// When the broker cannot be read.
    fn changes(
        &mut self,
        partition: i32,
        from: i64,
        visit: &mut dyn FnMut(Change<'_>) -> bool,
    ) -> Result<i64, Failure>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_witness(decided: Tail<i64>, changed: Tail<i64>, expected: Witness) {
        let mark = |offset| Mark { offset, chain: Digest([7; 32]) };
        let decided = match decided {
            Tail::Found(offset) => Tail::Found((5, mark(offset))),
            Tail::Gone => Tail::Gone,
            Tail::Never => Tail::Never,
        };
        let changed = match changed {
            Tail::Found(offset) => Tail::Found(mark(offset)),
            Tail::Gone => Tail::Gone,
            Tail::Never => Tail::Never,
        };
        assert_eq!(Witness::of(decided, changed), expected);
    }

    #[test]
    fn what_the_ends_of_the_output_bear_witness_of() {
        let last = |offset, position| {
            Witness::Last(
                Mark { offset, chain: Digest([7; 32]) },
                Positions { decision: position, profiles: None },
            )
        };
        check_witness(Tail::Never, Tail::Never, Witness::Never);
        check_witness(Tail::Never, Tail::Gone, Witness::Expired);
        check_witness(Tail::Gone, Tail::Never, Witness::Expired);
        check_witness(Tail::Gone, Tail::Gone, Witness::Expired);
        check_witness(Tail::Found(8), Tail::Never, last(8, Some(5)));
        check_witness(Tail::Found(8), Tail::Found(9), last(9, Some(5)));
        check_witness(Tail::Found(9), Tail::Found(8), last(9, Some(5)));
        check_witness(Tail::Gone, Tail::Found(8), last(8, None));
    }

    #[test]
    fn offsets_that_nobody_can_read_are_no_trace() {
        assert_eq!(Tail::<i64>::of(None, 0), Tail::Never);
        assert_eq!(Tail::<i64>::of(None, 7), Tail::Gone);
        assert_eq!(Tail::of(Some(3), 0), Tail::Found(3));
    }

    #[track_caller]
    fn check(offset: i64, metadata: &str, accepted: bool) {
        assert_eq!(Mark::parse(offset, metadata).is_some(), accepted, "{offset} `{metadata}`");
    }

    #[test]
    fn metadata_is_read_strictly() {
        let mark = Mark { offset: 7, chain: Digest([0xab; 32]) };
        assert_eq!(Mark::parse(7, &mark.metadata()), Some(mark));
        check(-1, &mark.metadata(), false);
        check(7, "", false);
        check(7, "ab", false);
        check(7, &format!("{} ", mark.metadata()), false);
        check(7, &"g".repeat(64), false);
    }
}
