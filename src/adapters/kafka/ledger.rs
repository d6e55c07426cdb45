//! The ledger: publishes the units of a worker in one transaction, and answers what recovery asks.
//!
//! *Delivery*: exactly once; the committed offset of a lane carries its chain as metadata.
//! *Ordering*: as in the unit, into the lane's own partition by number. *Failure*: see
//! [`super::writer`]; every question has a time limit.

use std::sync::Arc;

use rdkafka::consumer::{Consumer as _, ConsumerGroupMetadata};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::carried::{change, mark_in_headers, marked, traced};
use super::connection::Connection;
use super::decisions::ReadMark;
use super::hanging;
use super::policies;
use super::readers::{self, QUESTION_TIMEOUT, Readers, last, question, scan, watermarks};
use super::settings::Assignment;
use super::source::{KafkaSource, Member};
use super::topics::Names;
use super::writer::{Outgoing, Slot, Trouble, Writer};
use crate::halts::{self, Point};
use crate::ports::failure::{Failure, Oversized};
use crate::ports::ledger::{
    Change, Committed, Counted, Enclosed, Ground, Ledger, Mark, Output, Positions, ReadBack, Unit, Witness,
};
use crate::ports::stages::{Stage, Stopwatch};
use crate::telemetry::Call;

/// Where what a ledger calls decisions goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// Into the lane's own partition, by number, as everything else.
    #[default]
    OwnPartition,
    /// By the record's key, as Java's default does: copies into an input.
    ByKey,
    /// Into the lane's own partition, which has nothing but them and the changelog: facts of network lanes.
    Facts,
}

/// The broker as one worker needs it.
pub struct KafkaLedger {
    placement: Placement,
    connection: Connection,
    names: Names,
    member: Arc<Member>,
    writer: Writer,
    read_mark: ReadMark,
    /// What goes with the next transaction beside the units.
    enclosed: Option<Enclosed>,
    /// Clients of recovery: made when a partition comes, given back with the first transaction.
    readers: Option<Readers>,
    /// The group's generation under which the units at hand were made. A later one would let a member
    /// that lost its partitions, and came back, commit what it decided before.
    generation: Option<ConsumerGroupMetadata>,
    /// Of the thread that publishes; `None`: nobody measures.
    stages: Option<Box<dyn Stopwatch + Send>>,
}

impl std::fmt::Debug for KafkaLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLedger").field("writer", &self.writer).finish_non_exhaustive()
    }
}

impl KafkaLedger {
    /// `transactional_id` is stable over restarts: it is what ends the transaction of a dead self.
    #[must_use]
    pub fn new(
        connection: Connection,
        names: Names,
        source: &KafkaSource,
        transactional_id: String,
        read_mark: ReadMark,
    ) -> Self {
        let writer = Writer::new(connection.clone(), transactional_id);
        Self {
            placement: Placement::OwnPartition,
            connection,
            names,
            member: source.member(),
            writer,
            read_mark,
            enclosed: None,
            readers: None,
            generation: None,
            stages: None,
        }
    }

    #[must_use]
    pub fn timed(mut self, stages: Box<dyn Stopwatch + Send>) -> Self {
        self.stages = Some(stages);
        self
    }

    /// Has `call` say which call of the transaction is under way.
    #[must_use]
    pub fn watched(mut self, call: Call) -> Self {
        self.writer.watched(call);
        self
    }

    #[must_use]
    pub const fn placed(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    fn readers(&mut self) -> Result<&mut Readers, Failure> {
        if self.readers.is_none() {
            self.readers = Some(Readers::new(&self.connection)?);
        }
        self.readers.as_mut().ok_or_else(|| Failure::Unreachable("no reader".into()))
    }

    fn committed(&self, partition: i32) -> Result<Option<Committed>, Failure> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.names.events, partition);
        let list = self
            .member
            .committed_offsets(list, QUESTION_TIMEOUT)
            .map_err(|error| question("committed offset", &error))?;
        let Some(found) = list.find_partition(&self.names.events, partition) else { return Ok(None) };
        found.error().map_err(|error| question("committed offset", &error))?;
        Ok(match found.offset() {
            Offset::Offset(offset) => Some(Committed { offset, metadata: found.metadata().to_owned() }),
            _ => None,
        })
    }

    /// What hangs in these is in this lane's way. Sightings come from everywhere: nearly always somebody's
    /// transaction is open there, and what one dead owner left hangs in its own partitions as well.
    const fn outputs(&self) -> &'static [Output] {
        match self.placement {
            Placement::Facts => &[Output::Decisions, Output::Profiles],
            Placement::OwnPartition | Placement::ByKey => {
                &[Output::Decisions, Output::Alerts, Output::Revocations, Output::Profiles, Output::Rejected]
            }
        }
    }

    fn witness(&mut self, partition: i32) -> Result<Witness, Failure> {
        let read_mark = self.read_mark;
        let (decisions, profiles) = (self.names.decisions.clone(), self.names.profiles.clone());
        let readers = self.readers()?;
        let decided = last(&readers.committed, &decisions, partition, &mut |message| {
            let mark = read_mark(message.payload()?)?;
            Some((message.offset(), Mark { offset: mark.offset.saturating_add(1), chain: mark.chain }))
        })?;
        let changed =
            last(&readers.committed, &profiles, partition, &mut |message| mark_in_headers(message))?;
        Ok(Witness::of(decided, changed))
    }
}

impl Ledger for KafkaLedger {
    fn enclose(&mut self, policy: Enclosed) {
        self.enclosed = Some(policy);
    }

    fn prepare(&mut self) {
        self.generation = self.member.group_metadata();
    }

    fn publish(&mut self, units: &[Arc<Unit>]) -> Result<Vec<Positions>, Failure> {
        self.readers = None;
        let stages = self.stages.as_deref().map(|stages| stages as &dyn Stopwatch);
        if let Some(stages) = stages {
            // Telling of the transaction before is of that one.
            stages.lap(Stage::Commit);
        }
        let mut offsets = TopicPartitionList::with_capacity(units.len());
        for unit in units {
            let mut entry = offsets.add_partition(&self.names.events, unit.partition);
            entry.set_metadata(unit.to.metadata());
            entry
                .set_offset(Offset::Offset(unit.to.offset))
                .map_err(|error| Failure::Fatal(error.to_string()))?;
        }
        let generation = self.generation.take().or_else(|| self.member.group_metadata());
        let group = generation.ok_or_else(|| Failure::Fatal("the consumer has no group".into()))?;

        let (names, placement) = (&self.names, self.placement);
        let enclosed = self.enclosed.take().map(|one| (policies::key(one.policy), one.value));
        let records = units.iter().zip(0_u16..).flat_map(|(unit, number)| {
            let headers = marked(&unit.to);
            unit.records().map(move |record| Outgoing {
                topic: topic_of(names, record.output),
                partition: match (placement, record.output) {
                    (Placement::ByKey, _) | (_, Output::Sightings) => None,
                    _ => Some(unit.partition),
                },
                key: record.key,
                value: record.value,
                headers: match (record.output, record.trace) {
                    (Output::Profiles, _) => Some(headers.clone()),
                    (_, trace) => trace.map(traced),
                },
                slot: slot(number, record.output),
            })
        });
        let records = records.chain(enclosed.iter().map(|(key, value)| Outgoing {
            topic: &names.policies,
            partition: Some(policies::PARTITION),
            key: key.as_bytes(),
            value: Some(value),
            headers: None,
            slot: Slot::MAX,
        }));
        match self.writer.transact(records, units.len() * SLOTS, (&offsets, &group), stages) {
            Ok(last) => Ok(last
                .chunks(SLOTS)
                .map(|slots| Positions {
                    decision: slots.first().copied().flatten(),
                    profiles: slots.get(1).copied().flatten().map(|offset| offset.saturating_add(1)),
                })
                .collect()),
            // A member that goes on reading through a change of the group meets this in its course: what it
            // held is still its own, or its revocation comes first. An eager member has given all up
            // before, so that one was taken for dead.
            Err(Trouble::Moved(why)) if self.connection.assignment() == Assignment::CooperativeSticky => {
                Err(Failure::Aborted(why))
            }
            Err(trouble) => Err(told(trouble, units)),
        }
    }

    fn ground(&mut self, partition: i32) -> Result<Ground, Failure> {
        // Ends what an earlier owner of this transactional id left; only then do offsets stand still.
        self.writer.ready().map_err(|trouble| told(trouble, &[]))?;
        let (events, profiles) = (self.names.events.clone(), self.names.profiles.clone());
        let own = self.placement == Placement::OwnPartition;
        let committed = match self.committed(partition) {
            // An offset that is part of an open transaction is not told, however long one waits.
            Err(Failure::Unreachable(untold)) if own => {
                let group = self.connection.group().to_owned();
                let (names, outputs) = (self.names.clone(), self.outputs());
                let readers = self.readers()?;
                let found = match hanging::in_outputs(readers, &names, outputs, partition)? {
                    None => hanging::in_offsets(readers, &group).map_err(|why| {
                        Failure::Unreachable(format!(
                            "{untold}, and whether a transaction holds it back: {why}"
                        ))
                    })?,
                    found => found,
                };
                let Some(hanging) = found else { return Err(Failure::Unreachable(untold)) };
                let (nothing, witness) = (0..0, Witness::Never);
                return Ok(Ground {
                    committed: None,
                    input: nothing.clone(),
                    profiles: nothing,
                    witness,
                    hanging: Some(hanging),
                });
            }
            committed => committed?,
        };
        let own = self.placement != Placement::ByKey;
        let readers = self.readers()?;
        let input = watermarks(&readers.uncommitted, &events, partition)?;
        // By key a record may go anywhere: what hangs there is for the lanes of those partitions to find,
        // and what was written there bears no witness of this one, which they may not even have.
        let profiles = if own { watermarks(&readers.uncommitted, &profiles, partition)? } else { 0..0 };
        let (names, outputs) = (self.names.clone(), self.outputs());
        let mut hanging =
            if own { hanging::in_outputs(self.readers()?, &names, outputs, partition)? } else { None };
        if let (Some(hanging), Some(Committed { offset, .. })) = (&mut hanging, &committed)
            && hanging::is_counted(self.readers()?, &names, partition, *offset)?
        {
            let (group, input) = (self.connection.group().to_owned(), events);
            hanging.counted = Some(Counted { group, input, offset: *offset });
        }
        // Only a lane without an offset asks for a witness, and reading one is not free; behind an open
        // transaction nobody can read one.
        let asks = own && committed.is_none() && hanging.is_none();
        let witness = if asks { self.witness(partition)? } else { Witness::Never };
        Ok(Ground { committed, input, profiles, witness, hanging })
    }

    fn read_back(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        let (read_mark, topic) = (self.read_mark, self.names.decisions.clone());
        let readers = self.readers()?;
        let range = watermarks(&readers.committed, &topic, partition)?;
        if !range.contains(&offset) {
            return Ok(None);
        }
        let found = readers::first(&readers.committed, &topic, partition, offset..range.end, read_mark)?;
        Ok(found.filter(|found| found.position == offset).map(|found| found.read_back()))
    }

    fn decided_before(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        let (read_mark, topic) = (self.read_mark, self.names.decisions.clone());
        let readers = self.readers()?;
        readers::decided_before(&readers.committed, &topic, partition, offset, read_mark)
    }

    fn changes(
        &mut self,
        partition: i32,
        from: i64,
        visit: &mut dyn FnMut(Change<'_>) -> bool,
    ) -> Result<i64, Failure> {
        let topic = self.names.profiles.clone();
        let readers = self.readers()?;
        let all = watermarks(&readers.uncommitted, &topic, partition)?;
        scan(&readers.committed, &topic, partition, from.max(all.start)..all.end, &mut |message| {
            halts::reach(Point::AmidRestore);
            visit(change(message))
        })
    }
}

fn told(trouble: Trouble, units: &[Arc<Unit>]) -> Failure {
    match trouble {
        Trouble::Aborted(why) => Failure::Aborted(why),
        Trouble::Purged => Failure::Aborted("deliveries were given up".into()),
        Trouble::Unknown(why) => Failure::Unknown(why),
        Trouble::Fenced(why) | Trouble::Moved(why) => Failure::Fenced(why),
        Trouble::Unreachable(why) => Failure::Unreachable(why),
        Trouble::Fatal(why) => Failure::Fatal(why),
        Trouble::TooLarge(number) => {
            let mut records =
                units.iter().flat_map(|unit| unit.records().map(move |record| (unit.partition, record)));
            match records.nth(number) {
                Some((partition, record)) => Failure::TooLarge(Oversized {
                    partition,
                    offset: record.offset,
                    output: record.output,
                    bytes: record.key.len() + record.value.map_or(0, <[u8]>::len),
                }),
                None => Failure::Aborted("a record was refused for its size".into()),
            }
        }
    }
}

pub(super) const fn topic_of(names: &Names, output: Output) -> &str {
    match output {
        Output::Decisions => names.decisions.as_str(),
        Output::Alerts => names.alerts.as_str(),
        Output::Revocations => names.revocations.as_str(),
        Output::Profiles => names.profiles.as_str(),
        Output::Rejected => names.rejected.as_str(),
        Output::Sightings => names.sightings.as_str(),
    }
}

/// Two slots a unit are of interest: the last decision, the last change. The others share one that
/// nobody reads.
const fn slot(unit: u16, output: Output) -> Slot {
    match output {
        Output::Decisions => unit * 2,
        Output::Profiles => unit * 2 + 1,
        Output::Alerts | Output::Revocations | Output::Rejected | Output::Sightings => Slot::MAX,
    }
}

const SLOTS: usize = 2;
