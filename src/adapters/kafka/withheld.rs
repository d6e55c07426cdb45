//! Records that are written and that nobody sees until they are shown, all at once: a transaction.
//!
//! *Delivery*: all or none, to who reads committed. *Failure*: what is not shown within [`WITHHELD_MAX`] of
//! the first record is ended by the broker, and showing it fails.

use std::time::Duration;

use rdkafka::error::KafkaError;
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
        let mut config = connection.publisher();
        config.set("transactional.id", id);
        config.set("transaction.timeout.ms", WITHHELD_MAX.as_millis().to_string());
        let publisher = Publisher::of(connection, &config)?;
        let producer = publisher.producer();
        let begun = producer.init_transactions(ANSWER_MAX).and_then(|()| producer.begin_transaction());
        begun.map_err(|error| refused("beginning", &error))?;
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
        what: format!("{step} a transaction of {WITHHELD_MAX:?} at most"),
        reason: format!(
            "{error}; fewer events take less, and the broker allows what transaction.max.timeout.ms says"
        ),
    }
}

/// What a broker allows unless told otherwise.
const WITHHELD_MAX: Duration = Duration::from_secs(900);
const ANSWER_MAX: Duration = Duration::from_secs(30);
