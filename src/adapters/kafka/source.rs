//! The source: records and assignments of one group member, through one stream.
//!
//! *Ordering*: a record never comes before the assignment it belongs to, and none after the
//! revocation: librdkafka delivers rebalances inside `poll`, where they are only noted, and they are
//! handed on before the next record. New partitions are assigned paused at once, so that the group
//! does not wait for a restore; [`Source::start`] seeks and resumes each when its lane is ready.
//! Under `range` every change of the group takes everything and gives the share anew; under
//! `cooperative-sticky` only what moves is taken, and the rest goes on being read.
//! *Failure*: broken connections heal by themselves; what does not heal ends the worker with a
//! message.
#![expect(clippy::disallowed_methods, reason = "time limits and pauses at the edge to the broker")]

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, warn};

use super::admin::{is_distance, reason};
use super::connection::Connection;
use super::ends::ends;
use super::events::Events;
use super::settings::Assignment;
use crate::model::time::Timestamp;
use crate::ports::failure::Failure;
use crate::ports::source::{Arrival, Record, Source};

pub(super) type Member = BaseConsumer<Events<Rebalances>>;

/// One member of a consumer group that reads one topic.
pub struct KafkaSource {
    consumer: Arc<Member>,
    topic: String,
    /// Assigned and started: their records are handed on.
    started: BTreeSet<i32>,
    assigned: BTreeSet<i32>,
    paused: bool,
}

impl std::fmt::Debug for KafkaSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSource")
            .field("topic", &self.topic)
            .field("assigned", &self.assigned)
            .finish_non_exhaustive()
    }
}

impl KafkaSource {
    /// Joins `group` as `member` and reads `topic`.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn join(connection: &Connection, group: &str, member: &str, topic: &str) -> Result<Self, Failure> {
        let rebalances = Rebalances { assignment: connection.assignment(), notes: Mutex::default() };
        let context = Events::of(connection.token(), rebalances);
        let consumer = BaseConsumer::from_config_and_context(&connection.member(group, member), context)
            .map_err(|error| Failure::Fatal(format!("the Kafka consumer could not be made: {error}")))?;
        consumer.subscribe(&[topic]).map_err(|error| Failure::Fatal(error.to_string()))?;
        Ok(Self {
            consumer: Arc::new(consumer),
            topic: topic.to_owned(),
            started: BTreeSet::new(),
            assigned: BTreeSet::new(),
            paused: false,
        })
    }

    pub(super) fn member(&self) -> Arc<Member> {
        Arc::clone(&self.consumer)
    }

    /// Leaves: from here on nothing is handed on, and the group is told when the client is dropped.
    pub fn leave(&mut self) {
        let consumer = Arc::clone(&self.consumer);
        let context = &consumer.context().role;
        let unanswered = context.note(|notes| {
            notes.leaving = true;
            std::mem::take(&mut notes.queue)
        });
        self.started.clear();
        let assigned = std::mem::take(&mut self.assigned);
        let assigned = self.list(assigned);
        // Also answers what nobody has answered: the client waits for that when it closes.
        let mut left = Ok(());
        if context.assignment == Assignment::CooperativeSticky
            && unanswered.iter().any(|event| matches!(event, Event::Assigned(_)))
        {
            left = self.consumer.incremental_assign(&self.list([]));
        }
        if let Err(error) = left.and_then(|()| context.give_up(&consumer, &assigned)) {
            debug!(%error, "leaving");
        }
    }

    fn hand_on_event(&mut self, event: Event, visit: &mut dyn FnMut(Arrival<'_>) -> bool) -> bool {
        match event {
            Event::Assigned(partitions) => {
                if let Err(error) = self.assign(&partitions) {
                    debug!(%error, "assignment not answered yet");
                    self.consumer
                        .context()
                        .role
                        .note(|notes| notes.queue.push_front(Event::Assigned(partitions)));
                    return false;
                }
                self.assigned.extend(&partitions);
                visit(Arrival::Assigned(partitions))
            }
            Event::Revoked(partitions) => visit(Arrival::Revoked(partitions)),
            Event::Lost(partitions) => {
                for partition in &partitions {
                    self.started.remove(partition);
                    self.assigned.remove(partition);
                }
                visit(Arrival::Lost(partitions))
            }
        }
    }

    /// Answers an assignment, paused. librdkafka may look at once for records at the offsets given,
    /// and one that retention has taken would be an error; so they are where the partitions begin.
    /// (A logical offset is no way out: its look-up is tried again behind our back, and would undo
    /// the seek of [`Source::start`].)
    fn assign(&self, partitions: &[i32]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            let (first, _) = ends(&*self.consumer, &self.topic, *partition, FIRST_TIMEOUT)?;
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(first))?;
        }
        match self.consumer.context().role.assignment {
            Assignment::Range => self.consumer.assign(&list)?,
            Assignment::CooperativeSticky => self.consumer.incremental_assign(&list)?,
        }
        self.consumer.pause(&list)
    }

    fn list(&self, partitions: impl IntoIterator<Item = i32>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, partition);
        }
        list
    }

    /// A seek is refused while librdkafka is still starting the partition.
    fn seek(&self, partition: i32, offset: i64) -> Result<(), Failure> {
        let deadline = Instant::now() + SEEK_TIMEOUT;
        loop {
            let error = match self.consumer.seek(&self.topic, partition, Offset::Offset(offset), SEEK_TIMEOUT)
            {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if Instant::now() >= deadline {
                return Err(Failure::Unreachable(format!(
                    "partition {partition} cannot be read from {offset}: {error}"
                )));
            }
            std::thread::sleep(SEEK_PAUSE);
        }
    }
}

impl Drop for KafkaSource {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Source for KafkaSource {
    fn poll(&mut self, wait: Duration, visit: &mut dyn FnMut(Arrival<'_>) -> bool) -> Result<(), Failure> {
        let consumer = Arc::clone(&self.consumer);
        let mut wait = wait;
        loop {
            while let Some(event) = consumer.context().role.next() {
                wait = Duration::ZERO;
                if !self.hand_on_event(event, visit) {
                    return Ok(());
                }
            }
            match polled(&consumer, wait) {
                Some(Ok(message)) => {
                    wait = Duration::ZERO;
                    let headers = headers(&message);
                    if self.started.contains(&message.partition())
                        && !visit(Arrival::Record(record(&message, &headers)))
                    {
                        return Ok(());
                    }
                }
                Some(Err(error)) => failure(&self.topic, &error, self.consumer.context().renews())?,
                None if consumer.context().role.is_quiet() => return Ok(()),
                None => {}
            }
        }
    }

    fn start(&mut self, partition: i32, offset: i64) -> Result<(), Failure> {
        if !self.assigned.contains(&partition) {
            return Ok(()); // Revoked meanwhile: its event is on the way.
        }
        self.seek(partition, offset)?;
        self.started.insert(partition);
        if self.paused {
            return Ok(());
        }
        self.consumer.resume(&self.list([partition])).map_err(|error| Failure::Unreachable(error.to_string()))
    }

    fn hold(&mut self, partition: i32) -> Result<(), Failure> {
        if !self.started.remove(&partition) {
            return Ok(()); // Revoked meanwhile.
        }
        self.consumer.pause(&self.list([partition])).map_err(|error| Failure::Unreachable(error.to_string()))
    }

    fn release(&mut self, partitions: &[i32]) -> Result<(), Failure> {
        for partition in partitions {
            self.started.remove(partition);
            self.assigned.remove(partition);
        }
        let list = self.list(partitions.iter().copied());
        let answered = self.consumer.context().role.give_up(&self.consumer, &list);
        answered.map_err(|error| Failure::Unreachable(error.to_string()))
    }

    fn position(&self, partition: i32) -> Option<i64> {
        match self.consumer.position().ok()?.find_partition(&self.topic, partition)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }
    }

    fn pause(&mut self, paused: bool) -> Result<(), Failure> {
        if self.paused == paused {
            return Ok(());
        }
        let list = self.list(self.started.iter().copied());
        let done = if paused { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        done.map_err(|error| Failure::Unreachable(error.to_string()))?;
        // Only now: one that was not resumed must be resumed again.
        self.paused = paused;
        Ok(())
    }
}

/// The crate counts in milliseconds, and asks without a pause for what is less: a wait that is none of
/// them is slept to its end, so that no core turns for it.
fn polled(consumer: &Member, wait: Duration) -> Option<Result<BorrowedMessage<'_>, KafkaError>> {
    let rest = Duration::from_nanos(u64::from(wait.subsec_nanos() % 1_000_000));
    let found = consumer.poll(wait.saturating_sub(rest));
    if found.is_some() || rest.is_zero() || !consumer.context().role.is_quiet() {
        return found;
    }
    std::thread::sleep(rest);
    consumer.poll(Duration::ZERO)
}

/// Those with a value, up to a number; nearly every record has none at all.
pub(super) fn headers<'m>(message: &'m BorrowedMessage<'_>) -> Vec<(&'m str, &'m [u8])> {
    let Some(all) = message.headers() else { return Vec::new() };
    all.iter().take(HEADERS_MAX).filter_map(|header| Some((header.key, header.value?))).collect()
}

pub(super) fn record<'m>(message: &'m BorrowedMessage<'_>, headers: &'m [(&'m str, &'m [u8])]) -> Record<'m> {
    Record {
        partition: message.partition(),
        offset: message.offset(),
        recorded_at: message
            .timestamp()
            .to_millis()
            .and_then(|ms| ms.checked_mul(1000))
            .and_then(Timestamp::from_micros),
        key: message.key(),
        value: message.payload(),
        headers,
    }
}

/// What heals by itself is passed over; the rest ends the member.
///
/// `renews`: credentials that were good and ran out become good again, when somebody renews the token.
fn failure(topic: &str, error: &KafkaError, renews: bool) -> Result<(), Failure> {
    if let KafkaError::MessageConsumptionFatal(code) = error {
        return Err(match code {
            RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::Fenced => Failure::Fenced(
                "another process runs under the same instance name: give each its own --instance".into(),
            ),
            _ => Failure::Fatal(format!("the consumer cannot go on: {}", reason(*code))),
        });
    }
    match error.rdkafka_error_code() {
        None | Some(RDKafkaErrorCode::PartitionEOF) => Ok(()),
        Some(RDKafkaErrorCode::PollExceeded) => {
            warn!("the worker did not poll in time; its partitions are taken as lost");
            Ok(())
        }
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            Err(Failure::Fatal(format!("topic `{topic}` is missing: run `ward topics create`")))
        }
        Some(
            code @ (RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed),
        ) => Err(Failure::Fatal(format!(
            "the broker refuses to let us read `{topic}`: {}; allow Read on the topic and on the group (kafka-acls.sh --add)",
            reason(code)
        ))),
        Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
            Err(Failure::Fatal(format!(
                "the next record of `{topic}` was deleted by retention before it was read: start again, and with --accept-gap to go on without it"
            )))
        }
        Some(RDKafkaErrorCode::Authentication) if renews => {
            debug!("waiting for a token that the broker accepts");
            Ok(())
        }
        Some(RDKafkaErrorCode::Authentication) => Err(Failure::Fatal(
            "the broker does not accept our credentials: check [kafka.sasl] and [kafka.tls]".into(),
        )),
        Some(code) if is_distance(error) => {
            debug!(reason = %reason(code), "waiting for the broker");
            Ok(())
        }
        Some(code) => {
            warn!(reason = %reason(code), "consumer error");
            Ok(())
        }
    }
}

/// What the group decided, in order, until the worker looks.
#[derive(Debug)]
enum Event {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
    Lost(Vec<i32>),
}

/// What the consumer's context notes. It runs inside `poll`, so it notes and never waits.
#[derive(Debug)]
pub(super) struct Rebalances {
    assignment: Assignment,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    queue: VecDeque<Event>,
    leaving: bool,
}

impl Rebalances {
    fn note<T>(&self, change: impl FnOnce(&mut Notes) -> T) -> T {
        change(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers a revocation. Eager: what is revoked is everything.
    fn give_up(&self, consumer: &Member, list: &TopicPartitionList) -> Result<(), KafkaError> {
        match self.assignment {
            Assignment::Range => consumer.unassign(),
            Assignment::CooperativeSticky => consumer.incremental_unassign(list),
        }
    }

    fn next(&self) -> Option<Event> {
        self.note(|notes| notes.queue.pop_front())
    }

    fn is_quiet(&self) -> bool {
        self.note(|notes| notes.queue.is_empty())
    }
}

impl ConsumerContext for Events<Rebalances> {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions: Vec<i32> = list.elements().iter().map(|element| element.partition()).collect();
        let leaving = self.role.note(|notes| notes.leaving);
        // Before anything is answered: an answer clears it.
        let lost = consumer.assignment_lost();
        let assigns = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let done = if assigns && !leaving {
            Ok(()) // Answered when it is handed on: where the partitions begin must be asked first.
        } else if lost || leaving {
            self.role.give_up(consumer, list)
        } else {
            Ok(()) // Answered by `release`, when what is open has been committed or dropped.
        };
        if let Err(error) = done {
            warn!(%error, "rebalance not carried out");
        }
        if leaving {
            return;
        }
        let event = match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => Event::Assigned(partitions),
            _ if lost => Event::Lost(partitions),
            _ => Event::Revoked(partitions),
        };
        self.role.note(|notes| {
            if lost {
                // One that was not answered yet must not be any more.
                notes.queue.retain(|queued| !matches!(queued, Event::Assigned(_)));
            }
            notes.queue.push_back(event);
        });
    }
}

const FIRST_TIMEOUT: Duration = Duration::from_secs(2);
/// A seek is answered by the client itself, not by the broker.
const SEEK_TIMEOUT: Duration = Duration::from_secs(5);
const SEEK_PAUSE: Duration = Duration::from_millis(2);
/// What means something here are six of them; tracing adds some.
const HEADERS_MAX: usize = 64;
