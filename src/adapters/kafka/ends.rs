//! Where a partition begins and ends.
//!
//! librdkafka answers that from what it has been told of the cluster. A node that is restarted may tell it
//! of a partition that has no leader at the moment; it keeps that for minutes, and says meanwhile that there
//! is no such partition. Only who asks for the metadata by hand has it learn otherwise.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

/// The offset of the first record and that after the last. `patience` is that of each question.
pub(super) fn ends<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    patience: Duration,
) -> KafkaResult<(i64, i64)> {
    let ask = || consumer.fetch_watermarks(topic, partition, patience);
    ask().or_else(|error| {
        if !is_unknown(&error) {
            return Err(error);
        }
        consumer.fetch_metadata(Some(topic), patience)?;
        // Still: nobody leads it now, which whoever asks may wait for.
        ask().map_err(|error| match is_unknown(&error) {
            true => KafkaError::MetadataFetch(RDKafkaErrorCode::LeaderNotAvailable),
            false => error,
        })
    })
}

fn is_unknown(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownPartition)
}
