//! Publishes records one by one, for who writes events: no transaction.
//!
//! *Delivery*: at least once, idempotent within one producer. *Ordering*: as handed over, a
//! partition. *Failure*: what could not be delivered is counted and told at the end; a broker that
//! takes nothing for [`STUCK`] ends it. The partition is the key's, by Java's murmur2.
#![expect(clippy::disallowed_methods, reason = "time limits at the edge to the broker")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{
    BaseProducer, BaseRecord, DeliveryResult, NoCustomPartitioner, Producer as _, ProducerContext,
};

use super::admin::Failure;
use super::connection::Connection;
use super::events::Events;
use crate::model::trace::{TRACEPARENT, TraceParent};

/// A producer of plain records.
pub struct Publisher {
    producer: BaseProducer<Events<Arc<Lost>>>,
    bootstrap: String,
    lost: Arc<Lost>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("bootstrap", &self.bootstrap).finish_non_exhaustive()
    }
}

impl Publisher {
    /// # Errors
    /// When the client cannot be made; the broker is not asked yet.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        Self::of(connection, &connection.publisher())
    }

    /// Sends each record at once, however few there are: for who measures latency.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn prompt(connection: &Connection) -> Result<Self, Failure> {
        let mut config = connection.publisher();
        config.set("linger.ms", "0");
        Self::of(connection, &config)
    }

    fn of(connection: &Connection, config: &ClientConfig) -> Result<Self, Failure> {
        Self::made(connection, config).map_err(|error| Failure::Client(error.to_string()))
    }

    pub(super) fn made(connection: &Connection, config: &ClientConfig) -> Result<Self, KafkaError> {
        let lost = Arc::new(Lost::default());
        let context = Events::of(connection.token(), Arc::clone(&lost));
        let producer = BaseProducer::from_config_and_context(config, context)?;
        Ok(Self { producer, bootstrap: connection.bootstrap().to_owned(), lost })
    }

    pub(super) const fn producer(&self) -> &BaseProducer<impl ProducerContext<NoCustomPartitioner>> {
        &self.producer
    }

    /// Hands over one record; waits while the queue is full.
    ///
    /// # Errors
    /// When the broker has taken nothing for a while, or a record was lost.
    pub fn send(&self, topic: &str, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        self.hand_over(topic, BaseRecord::to(topic).key(key).payload(value))
    }

    /// The same with a trace in its header.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_traced(
        &self,
        topic: &str,
        key: &[u8],
        value: &[u8],
        trace: TraceParent,
    ) -> Result<(), Failure> {
        let text = trace.text();
        let headers = OwnedHeaders::new_with_capacity(1)
            .insert(Header { key: TRACEPARENT, value: Some(text.as_slice()) });
        self.hand_over(topic, BaseRecord::to(topic).key(key).payload(value).headers(headers))
    }

    fn hand_over(&self, topic: &str, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            match self.producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    self.producer.poll(POLL);
                }
                Err((error, _)) => return Err(self.refused(topic, &error.to_string())),
            }
            if began.elapsed() > STUCK {
                return Err(self.unreachable());
            }
        }
        self.producer.poll(Duration::ZERO);
        self.check(topic)
    }

    /// Serves the client for `pause`: paces who sends at a rate.
    pub fn idle(&self, pause: Duration) {
        let until = Instant::now() + pause;
        loop {
            self.producer.poll(Duration::ZERO);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            // Not in `poll`: the crate counts in milliseconds, and asks without a pause for what is less.
            std::thread::sleep(left.min(POLL));
        }
    }

    /// Waits until everything handed over is delivered.
    ///
    /// # Errors
    /// When it is not, within a while.
    pub fn finish(&self, topic: &str) -> Result<(), Failure> {
        if self.producer.flush(STUCK).is_err() {
            return Err(self.unreachable());
        }
        self.check(topic)
    }

    fn check(&self, topic: &str) -> Result<(), Failure> {
        match self.lost.count.load(Ordering::Relaxed) {
            0 => Ok(()),
            count => {
                let reason = self.lost.reason.lock().map(|reason| reason.clone()).unwrap_or_default();
                Err(self.refused(topic, &format!("{count} records were not taken: {reason}")))
            }
        }
    }

    fn refused(&self, topic: &str, reason: &str) -> Failure {
        Failure::Refused {
            what: format!("publishing to `{topic}` at `{}`", self.bootstrap),
            reason: reason.into(),
        }
    }

    fn unreachable(&self) -> Failure {
        let reason = "records wait and are not taken".to_owned();
        Failure::Unreachable { bootstrap: self.bootstrap.clone(), waited: STUCK, reason }
    }
}

#[derive(Debug, Default)]
struct Lost {
    count: AtomicU64,
    reason: std::sync::Mutex<String>,
}

impl ProducerContext<NoCustomPartitioner> for Events<Arc<Lost>> {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.role.count.fetch_add(1, Ordering::Relaxed);
            if let Ok(mut reason) = self.role.reason.lock() {
                *reason = error.to_string();
            }
        }
    }
}

/// How long one wait inside of the client may be.
const POLL: Duration = Duration::from_millis(10);
/// A broker that takes nothing for this long is not there.
const STUCK: Duration = Duration::from_secs(30);
