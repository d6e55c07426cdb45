//! Records that are written and that nobody sees until they are shown, all at once: a transaction.
//!
//! *Delivery*: all or none, to who reads committed. *Failure*: what is not shown within 15 minutes of the
//! first record, or a minute where the broker allows no more, is ended by it, and showing it fails.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;

use super::admin::Failure;
use super::connection::Connection;
use super::publish::Publisher;

/// Sends as a [`Publisher`] does, and shows it when told to.
#[derive(Debug)]
pub struct Withheld {
    publisher: Publisher,
    open: bool,
}

impl Withheld {
    /// `id`: of the transaction; whoever has the same ends this one.
    ///
    /// # Errors
    /// When the broker gives no transaction.
    pub fn begin(connection: &Connection, id: &str) -> Result<Self, Failure> {
        Self::lasting(connection, id, WITHHELD_MAX).or_else(|error| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::InvalidTransactionTimeout) => {
                Self::lasting(connection, id, WITHHELD_LESS).map_err(|error| refused("beginning", &error))
            }
            _ => Err(refused("beginning", &error)),
        })
    }

    fn lasting(connection: &Connection, id: &str, longest: Duration) -> Result<Self, KafkaError> {
        let mut config = connection.publisher();
        config.set("transactional.id", id);
        config.set("transaction.timeout.ms", longest.as_millis().to_string());
        let publisher = Publisher::made(connection, &config)?;
        let producer = publisher.producer();
        producer.init_transactions(ANSWER_MAX)?;
        producer.begin_transaction()?;
        Ok(Self { publisher, open: true })
    }

    /// What is sent through it is withheld.
    #[must_use]
    pub const fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// # Errors
    /// When records were lost, or the broker has ended the transaction.
    pub fn show(mut self, topic: &str) -> Result<(), Failure> {
        self.publisher.finish(topic)?;
        let shown = self.publisher.producer().commit_transaction(ANSWER_MAX);
        self.open = shown.is_err();
        shown.map_err(|error| refused("committing", &error))
    }
}

impl Drop for Withheld {
    fn drop(&mut self) {
        if self.open {
            // On the way out of a failure; what cannot be ended now, the broker ends.
            drop(self.publisher.producer().abort_transaction(ANSWER_MAX));
        }
    }
}

fn refused(step: &str, error: &KafkaError) -> Failure {
    Failure::Refused {
        what: format!("{step} a transaction"),
        reason: format!(
            "{error}; one that takes too long is ended by the broker (transaction.max.timeout.ms): take fewer events"
        ),
    }
}

/// What a broker allows unless told otherwise.
const WITHHELD_MAX: Duration = Duration::from_secs(900);
/// What any does.
const WITHHELD_LESS: Duration = Duration::from_secs(60);
const ANSWER_MAX: Duration = Duration::from_secs(30);
