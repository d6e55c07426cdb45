//! Which permissions a worker lacks, tried without harm: nothing is written, nobody is fenced, no
//! group is joined.
//!
//! *Topics*: the end of a partition is asked for and read up to. *Transactional ids*: one is
//! initialised that no worker has. *Groups*: its transaction is offered an offset and aborted. What
//! could only be tried by writing (Write on the outputs) is left to the first transaction.
#![expect(clippy::disallowed_methods, reason = "time limits at the edge to the broker")]

use std::time::{Duration, Instant};

use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{
    DeliveryResult, NoCustomPartitioner, Producer as _, ProducerContext, ThreadedProducer,
};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::acls::{Operation, Resource, input_groups, networks_group};
use super::admin::{Failure, reason};
use super::connection::Connection;
use super::events::{Events, reader};
use super::topics::Names;

/// Something that the broker does not let us do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    pub resource: Resource,
    pub name: String,
    pub operation: Operation,
    pub reason: String,
}

/// Everything that `ward run` will be denied, as far as that can be known beforehand. `topics` are
/// those that are there; `instance` is this process's name in the group.
///
/// # Errors
/// When a client cannot be made.
pub fn denied(
    connection: &Connection,
    names: &Names,
    topics: &[&str],
    instance: &str,
) -> Result<Vec<Denied>, Failure> {
    let mut denied = Vec::new();
    let reader = consumer(connection, connection.group())?;
    let Names { events, feedback, decisions, profiles, policies, sightings, networks, network_state, .. } =
        names;
    let ours = [events, feedback, decisions, profiles, policies, sightings, networks, network_state];
    for name in ours.into_iter().chain(names.inputs.values()) {
        if topics.contains(&name.as_str())
            && let Some(code) = read(&reader, name)
        {
            denied.push(Denied {
                resource: Resource::Topic,
                name: name.clone(),
                operation: Operation::Read,
                reason: reason(code),
            });
        }
    }
    denied.extend(transactions(connection, names, topics, instance)?);
    Ok(denied)
}

/// Why a partition of `topic` may not be read, if it may not.
fn read(consumer: &BaseConsumer<Events>, topic: &str) -> Option<RDKafkaErrorCode> {
    let mut list = TopicPartitionList::new();
    let assigned = list.add_partition_offset(topic, 0, Offset::End).and_then(|()| consumer.assign(&list));
    let refused = |error: &KafkaError| {
        error.rdkafka_error_code().filter(|code| *code == RDKafkaErrorCode::TopicAuthorizationFailed)
    };
    if let Err(error) = assigned {
        return refused(&error);
    }
    let deadline = Instant::now() + READ_TIMEOUT;
    let mut found = None;
    while Instant::now() < deadline {
        match consumer.poll(POLL_WAIT) {
            // A record, or the end: it may be read.
            Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) if refused(&error).is_some() => {
                found = refused(&error);
                break;
            }
            Some(Err(_)) | None => {}
        }
    }
    // Best effort: the next assignment takes its place.
    drop(consumer.unassign());
    found
}

/// Transactional ids, and the groups whose offsets travel in transactions.
fn transactions(
    connection: &Connection,
    names: &Names,
    topics: &[&str],
    instance: &str,
) -> Result<Vec<Denied>, Failure> {
    // Workers have numbers: nobody has this one.
    let id = format!("{}-{instance}-check", connection.group());
    let context = Events::of(connection.token(), Trial);
    let producer = ThreadedProducer::from_config_and_context(&connection.producer(&id), context)
        .map_err(|error| Failure::Client(error.to_string()))?;
    if let Err(error) = producer.init_transactions(TRANSACTION_TIMEOUT) {
        let denied = code_of(&error).filter(|code| is_refusal(*code)).map(|code| Denied {
            resource: Resource::TransactionalId,
            name: format!("{}-", connection.group()),
            operation: Operation::Write,
            reason: reason(code),
        });
        // Anything else is the broker's trouble of the moment, and no permission.
        return Ok(denied.into_iter().collect());
    }
    let mut denied = Vec::new();
    // The group is looked at before the topic: any will do.
    let Some(topic) = topics.first() else { return Ok(denied) };
    let own = connection.group().to_owned();
    for group in [own.clone(), networks_group(&own)].into_iter().chain(input_groups(names, &own)) {
        if let Some(code) = offer(&producer, &consumer(connection, &group)?, topic) {
            denied.push(Denied {
                resource: Resource::Group,
                name: group,
                operation: Operation::Read,
                reason: reason(code),
            });
        }
    }
    Ok(denied)
}

/// Why the group may not be given an offset, if it may not. The transaction is aborted: none is.
fn offer(
    producer: &ThreadedProducer<Events<Trial>>,
    consumer: &BaseConsumer<Events>,
    topic: &str,
) -> Option<RDKafkaErrorCode> {
    let group = consumer.group_metadata()?;
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, 0, Offset::Offset(0)).ok()?;
    producer.begin_transaction().ok()?;
    let told = producer.send_offsets_to_transaction(&offsets, &group, TRANSACTION_TIMEOUT);
    // One that is not aborted times out.
    drop(producer.abort_transaction(TRANSACTION_TIMEOUT));
    told.err().as_ref().and_then(code_of).filter(|code| *code == RDKafkaErrorCode::GroupAuthorizationFailed)
}

fn consumer(connection: &Connection, group: &str) -> Result<BaseConsumer<Events>, Failure> {
    let mut config = connection.reader();
    config.set("group.id", group);
    reader(&config, connection).map_err(|error| Failure::Client(error.to_string()))
}

fn code_of(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::Transaction(error) => Some(error.code()),
        other => other.rdkafka_error_code(),
    }
}

const fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::TransactionalIdAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed
    )
}

/// The role of a producer that produces nothing.
#[derive(Clone, Debug)]
struct Trial;

impl ProducerContext<NoCustomPartitioner> for Events<Trial> {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

const READ_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_WAIT: Duration = Duration::from_millis(100);
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(10);
