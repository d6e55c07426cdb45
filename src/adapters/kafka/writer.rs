//! A transactional producer: records and offsets become true together, or not at all.
//!
//! *Delivery*: exactly once. *Ordering*: as handed over, a partition. *Failure*: after any time-out
//! in begin, send-offsets, commit or abort the producer is dropped and a new one with the same
//! transactional id is made: `init_transactions` ends whatever the old one left, and from then on
//! the committed offsets say what became of it. librdkafka has no KIP-890, so a delayed end of a
//! transaction could hit the next one of the same producer; a new one has a new epoch.
#![expect(clippy::disallowed_methods, reason = "time limits and pauses at the edge to the broker")]

mod deliveries;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;
use tracing::{info, warn};

use super::admin::{is_distance, reason};
use super::connection::Connection;
use super::events::Events;
use crate::halts::{self, Point};
use crate::ports::stages::{Stage, Stopwatch};
use crate::telemetry::Call;
use deliveries::{Deliveries, Tally, opaque};

/// One record on its way. `slot` comes back with its delivery.
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    /// None: by the key.
    pub(super) partition: Option<i32>,
    pub(super) key: &'a [u8],
    /// None is a tombstone.
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Option<OwnedHeaders>,
    pub(super) slot: Slot,
}

/// What a delivery is noted under: the last offset of each slot is kept.
pub(super) type Slot = u16;

/// The input offsets that a transaction commits, and the group as it was when they were reached.
pub(super) type Progress<'p> = (&'p TopicPartitionList, &'p ConsumerGroupMetadata);

/// How a transaction ended badly.
#[derive(Debug)]
pub(super) enum Trouble {
    Aborted(String),
    /// The client emptied its own queue, for a reason that the transaction knows.
    Purged,
    Unknown(String),
    Fenced(String),
    /// The group has another generation than the transaction; it was aborted.
    Moved(String),
    /// The number of the record, in the order in which they were handed over.
    TooLarge(usize),
    Unreachable(String),
    Fatal(String),
}

pub(super) struct Writer {
    connection: Connection,
    transactional_id: String,
    producer: Option<ThreadedProducer<Deliveries>>,
    deliveries: Arc<Tally>,
    transaction: u16,
    call: Call,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("transactional_id", &self.transactional_id).finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn new(connection: Connection, transactional_id: String) -> Self {
        Self {
            connection,
            transactional_id,
            producer: None,
            deliveries: Arc::new(Tally::default()),
            transaction: 0,
            call: Call::default(),
        }
    }

    /// Has `call` say which call of the client is under way.
    pub(super) fn watched(&mut self, call: Call) {
        self.call = call;
    }

    /// Makes the producer and ends what an earlier one with the same id left open. Whoever asks for
    /// committed offsets calls this first: before it they may still change.
    pub(super) fn ready(&mut self) -> Result<(), Trouble> {
        if self.producer.is_some() {
            return Ok(());
        }
        let config = self.connection.producer(&self.transactional_id);
        let context = Events::of(self.connection.token(), Arc::clone(&self.deliveries));
        let producer = ThreadedProducer::from_config_and_context(&config, context)
            .map_err(|error| Trouble::Fatal(format!("the Kafka producer could not be made: {error}")))?;
        let begun = self.call.within("init_transactions", || producer.init_transactions(INIT_TIMEOUT));
        if let Err(error) = begun {
            self.destroy(Some(producer));
            return Err(match native(&error) {
                Some(native) if refuses(native.code()) => Trouble::Fatal(format!(
                    "the broker refuses transactional id `{}`: {}; allow Write and Describe on it (kafka-acls.sh --transactional-id)",
                    self.transactional_id,
                    reason(native.code())
                )),
                Some(native) => {
                    Trouble::Unreachable(format!("transactions could not be initialised: {native}"))
                }
                None => Trouble::Unreachable(error.to_string()),
            });
        }
        self.producer = Some(producer);
        Ok(())
    }

    /// One transaction. Returns the last offset delivered of each slot below `slots`.
    pub(super) fn transact<'a>(
        &mut self,
        records: impl Iterator<Item = Outgoing<'a>>,
        slots: usize,
        progress: Progress<'_>,
        stages: Option<&dyn Stopwatch>,
    ) -> Result<Vec<Option<i64>>, Trouble> {
        self.ready()?;
        self.transaction = self.transaction.wrapping_add(1);
        self.deliveries.open(self.transaction, slots);
        let outcome = match &self.producer {
            Some(producer) => Attempt { producer, call: &self.call, progress }.run(
                &self.deliveries,
                self.transaction,
                records,
                stages,
            ),
            None => Err(Trouble::Unreachable("no producer".into())),
        };
        if let Some(stages) = stages {
            stages.lap(Stage::Commit);
        }
        match outcome {
            Ok(()) => Ok(self.deliveries.take()),
            Err(trouble) => {
                if matches!(trouble, Trouble::Unknown(_) | Trouble::Fenced(_)) {
                    self.renew();
                }
                Err(trouble)
            }
        }
    }

    /// A new epoch. When it cannot be had now, the next call of [`Self::ready`] tries again.
    fn renew(&mut self) {
        let old = self.producer.take();
        self.destroy(old);
        match self.ready() {
            Ok(()) => info!(id = %self.transactional_id, "producer renewed"),
            Err(trouble) => warn!(id = %self.transactional_id, ?trouble, "producer not renewed yet"),
        }
    }

    /// The client ends its threads and waits for them.
    fn destroy(&self, producer: Option<ThreadedProducer<Deliveries>>) {
        self.call.within("destroy", || drop(producer));
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let producer = self.producer.take();
        self.destroy(producer);
    }
}

/// One transaction of a producer that is ready.
struct Attempt<'w> {
    producer: &'w ThreadedProducer<Deliveries>,
    call: &'w Call,
    progress: Progress<'w>,
}

impl Attempt<'_> {
    fn run<'a>(
        &self,
        deliveries: &Tally,
        transaction: u16,
        records: impl Iterator<Item = Outgoing<'a>>,
        stages: Option<&dyn Stopwatch>,
    ) -> Result<(), Trouble> {
        let Self { producer, call, .. } = self;
        let begun = call.within("begin_transaction", || producer.begin_transaction());
        begun.map_err(|error| self.verdict("begin", &error, false))?;
        halts::reach(Point::BeforeProduce);
        let handed_over = call.within("send", || hand_over(producer, transaction, records));
        if let Some(stages) = stages {
            stages.lap(Stage::Produce);
        }
        let sent = handed_over.map_err(|trouble| self.given_up(trouble))?;
        halts::reach(Point::AfterProduce);
        // While the records are on their way: they and the offsets become true together or not at all, and
        // so only the longer of the two is waited for.
        self.send_offsets().map_err(|error| self.verdict("send offsets", &error, true))?;
        let delivered = call.within("delivery", || drain(producer, deliveries, sent));
        delivered.map_err(|trouble| self.given_up(trouble))?;
        halts::reach(Point::AfterOffsets);
        let committed = call.within("commit_transaction", || producer.commit_transaction(COMMIT_TIMEOUT));
        committed.map_err(|error| self.verdict("commit", &error, true))?;
        halts::reach(Point::AfterCommit);
        Ok(())
    }

    fn send_offsets(&self) -> Result<(), KafkaError> {
        let (offsets, group) = self.progress;
        let send = || self.producer.send_offsets_to_transaction(offsets, group, OFFSETS_TIMEOUT);
        self.call.within("send_offsets_to_transaction", send)
    }

    /// Ends a transaction of which not every record was delivered.
    fn given_up(&self, trouble: Trouble) -> Trouble {
        if !matches!(trouble, Trouble::Purged) {
            return self.abort(trouble);
        }
        // The next call of a transaction that failed tells why.
        match self.send_offsets() {
            Err(error) => self.verdict("delivery", &error, true),
            Ok(()) => self.abort(Trouble::Aborted("deliveries were given up".into())),
        }
    }

    fn abort(&self, why: Trouble) -> Trouble {
        let abort = || self.producer.abort_transaction(ABORT_TIMEOUT);
        match self.call.within("abort_transaction", abort) {
            Ok(()) => why,
            Err(error) if matches!(why, Trouble::Fatal(_)) => {
                warn!(%error, "transaction not aborted");
                why
            }
            Err(error) => match native(&error) {
                Some(error) if error.is_fatal() && fenced(error.code()) => Trouble::Fenced(error.to_string()),
                _ => Trouble::Unknown(format!("abort: {error}")),
            },
        }
    }

    /// Fatal first, then abortable, then retriable; the rest is fatal. A call that timed out is retriable
    /// in librdkafka's words; in ours its outcome is unknown.
    fn verdict(&self, stage: &str, error: &KafkaError, open: bool) -> Trouble {
        let Some(native) = native(error) else {
            // The crate's flush before a commit.
            return if open {
                self.abort(Trouble::Aborted(format!("{stage}: {error}")))
            } else {
                Trouble::Unknown(error.to_string())
            };
        };
        let why = format!("{stage}: {native}");
        if native.is_fatal() {
            return if fenced(native.code()) { Trouble::Fenced(why) } else { Trouble::Unknown(why) };
        }
        if native.txn_requires_abort() {
            let trouble = match native.code() {
                code if refuses(code) => Trouble::Fatal(format!(
                    "{why}; allow Write on the risk topics and Read on the group (kafka-acls.sh --add)"
                )),
                RDKafkaErrorCode::UnknownMemberId | RDKafkaErrorCode::FencedInstanceId => {
                    Trouble::Fenced(why)
                }
                RDKafkaErrorCode::IllegalGeneration | RDKafkaErrorCode::RebalanceInProgress => {
                    Trouble::Moved(why)
                }
                _ => Trouble::Aborted(why),
            };
            return self.abort(trouble);
        }
        if native.is_retriable() || is_distance(error) {
            return Trouble::Unknown(why);
        }
        Trouble::Unknown(format!("{why} ({})", native.name()))
    }
}

/// Enqueues every record and returns how many there were.
fn hand_over<'a>(
    producer: &ThreadedProducer<Deliveries>,
    transaction: u16,
    records: impl Iterator<Item = Outgoing<'a>>,
) -> Result<usize, Trouble> {
    let mut sent = 0_usize;
    for record in records {
        let mut next = BaseRecord::<[u8], [u8], usize>::with_opaque_to(
            record.topic,
            opaque(transaction, record.slot, sent),
        )
        .key(record.key);
        if let Some(partition) = record.partition {
            next = next.partition(partition);
        }
        if let Some(value) = record.value {
            next = next.payload(value);
        }
        if let Some(headers) = record.headers {
            next = next.headers(headers);
        }
        let mut deadline = None;
        while let Err((error, back)) = producer.send(next) {
            match error.rdkafka_error_code() {
                // The client's own queue is full: back-pressure, which its polling thread relieves.
                Some(RDKafkaErrorCode::QueueFull)
                    if Instant::now()
                        < *deadline.get_or_insert_with(|| Instant::now() + DELIVERY_TIMEOUT) =>
                {
                    next = back;
                    std::thread::sleep(QUEUE_PAUSE);
                }
                Some(RDKafkaErrorCode::MessageSizeTooLarge) => return Err(Trouble::TooLarge(sent)),
                _ => return Err(refusal(record.topic, error.rdkafka_error_code(), &error)),
            }
        }
        sent += 1;
    }
    Ok(sent)
}

/// Waits for every delivery. `commit_transaction` of the crate flushes in slices of 100 ms when
/// something is in flight, so nothing may be when it is called.
fn drain(producer: &ThreadedProducer<Deliveries>, deliveries: &Tally, sent: usize) -> Result<(), Trouble> {
    let deadline = Instant::now() + DELIVERY_TIMEOUT;
    if let Some((code, number)) = deliveries.wait(sent, deadline) {
        return Err(match code {
            RDKafkaErrorCode::MessageSizeTooLarge => Trouble::TooLarge(number),
            _ => refusal("delivery", Some(code), &code),
        });
    }
    // Delivered, but the report itself may not be gone from the client's queue yet.
    while producer.in_flight_count() > 0 {
        if Instant::now() >= deadline {
            return Err(Trouble::Aborted("deliveries did not come within their time".into()));
        }
        producer.poll(Duration::ZERO);
        std::thread::yield_now();
    }
    Ok(())
}

fn refusal(what: &str, code: Option<RDKafkaErrorCode>, error: &dyn std::fmt::Display) -> Trouble {
    match code {
        Some(code) if refuses(code) => Trouble::Fatal(format!(
            "the broker refuses to take records ({}): allow Write on the risk topics (kafka-acls.sh --add --operation Write)",
            reason(code)
        )),
        Some(
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition,
        ) => Trouble::Fatal(format!(
            "{what}: an output topic or partition is missing; run `ward topics check`"
        )),
        Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => Trouble::Purged,
        _ => Trouble::Aborted(format!("{what}: {error}")),
    }
}

const fn refuses(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::TopicAuthorizationFailed
            | RDKafkaErrorCode::GroupAuthorizationFailed
            | RDKafkaErrorCode::ClusterAuthorizationFailed
            | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
    )
}

fn native(error: &KafkaError) -> Option<&RDKafkaError> {
    match error {
        KafkaError::Transaction(native) => Some(native),
        _ => None,
    }
}

const fn fenced(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::Fenced
            | RDKafkaErrorCode::ProducerFenced
            | RDKafkaErrorCode::InvalidProducerEpoch
            | RDKafkaErrorCode::FencedInstanceId
    )
}

/// Below the consumer's `max.poll.interval.ms`, all together: a worker that waits here is still a member.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// `message.timeout.ms` (5 s) and a margin: librdkafka gives up first and says why.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(7);
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(5);
/// The transaction's own time-out: after it the coordinator has aborted.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(8);
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);
const QUEUE_PAUSE: Duration = Duration::from_millis(1);
