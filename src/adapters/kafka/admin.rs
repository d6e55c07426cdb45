//! Makes topics and describes them, and says in one voice why the broker does not answer.
#![expect(clippy::disallowed_methods, reason = "time limits and pauses at the edge to the broker")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use super::connection::Connection;
use super::events::{Events, reader, take_token};
use super::topics::{Made, There};

/// Why something asked of the broker did not come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("no broker at `{bootstrap}` within {waited:?} ({reason}): {}", remedy(reason))]
    Unreachable { bootstrap: String, waited: Duration, reason: String },
    #[error("the broker refuses `{what}`: {reason}; allow it for this user (kafka-acls.sh --add)")]
    Forbidden { what: String, reason: String },
    #[error("{what}: {reason}")]
    Refused { what: String, reason: String },
    #[error("the Kafka client could not be made: {0}")]
    Client(String),
}

/// Topics of which the broker does not tell us, each with the reason.
pub type Refused = Vec<(String, Failure)>;

/// Asks and makes. Reads no records.
pub struct Admin {
    client: AdminClient<Events>,
    /// Asks in place of `client` where a broker wants tokens: the crate hands none to an admin client.
    asker: Option<BaseConsumer<Events>>,
    connection: Connection,
    runtime: tokio::runtime::Runtime,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl Admin {
    /// # Errors
    /// When the client cannot be made; the broker is not asked yet.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        let client =
            AdminClient::from_config_and_context(&connection.admin(), Events::new(connection.token()))
                .map_err(|error| Failure::Client(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|error| Failure::Client(error.to_string()))?;
        let asker = connection.token().map(|_| reader(&connection.reader(), connection));
        let asker = asker.transpose().map_err(|error| Failure::Client(error.to_string()))?;
        Ok(Self { client, asker, connection: connection.clone(), runtime })
    }

    /// What is there of `names`, within `patience`.
    ///
    /// # Errors
    /// When the broker does not answer, or refuses to describe a topic.
    pub fn describe(&self, names: &[&str], patience: Duration) -> Result<BTreeMap<String, There>, Failure> {
        let (there, refused) = self.survey(names, patience)?;
        refused.into_iter().next().map_or(Ok(there), |(_, failure)| Err(failure))
    }

    /// What is there of `names`, and of which of them the broker does not tell us, and why.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn survey(
        &self,
        names: &[&str],
        patience: Duration,
    ) -> Result<(BTreeMap<String, There>, Refused), Failure> {
        let metadata = self.metadata(patience)?;
        let (mut there, mut refused) = (BTreeMap::new(), Vec::new());
        note(&metadata, names, &mut there, &mut refused);
        for name in names.iter().filter(|name| !metadata.topics().iter().any(|topic| topic.name() == **name))
        {
            // A list of all topics leaves out what we may not see; asked by name, the broker says which.
            let one = self.fetch(Some(name), patience.min(REQUEST_TIMEOUT));
            note(&one.map_err(|error| self.unreachable(patience, &error))?, names, &mut there, &mut refused);
        }
        self.read_settings(&mut there, patience)?;
        Ok((there, refused))
    }

    fn read_settings(&self, there: &mut BTreeMap<String, There>, patience: Duration) -> Result<(), Failure> {
        let names: Vec<String> = there.keys().cloned().collect();
        if names.is_empty() || self.asker.is_some() {
            return Ok(());
        }
        let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        // It has just answered: one that is slow would never be through with slices of less.
        let options = AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT));
        let answers = self
            .runtime
            .block_on(self.client.describe_configs(&resources, &options))
            .map_err(|error| self.unreachable(patience, &error))?;
        for (name, answer) in names.iter().zip(answers) {
            // Not allowed to read settings, or a broker that does not know the topic yet, of which the crate
            // tells only that there are none: the caller sees that they are unknown.
            let (Ok(resource), Some(topic)) = (answer, there.get_mut(name)) else { continue };
            if resource.entries.is_empty() {
                continue;
            }
            topic.settings = Some(
                resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect(),
            );
        }
        Ok(())
    }

    /// Makes what is missing; an existing topic is left as it is.
    ///
    /// # Errors
    /// When the broker does not answer or refuses one of them.
    pub fn create(&self, missing: &[Made], patience: Duration) -> Result<(), Failure> {
        if missing.is_empty() {
            return Ok(());
        }
        if self.asker.is_some() {
            let topics = missing.iter().map(|topic| topic.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Failure::Refused {
                what: format!("create {topics}"),
                reason: "this cannot be done with mechanism OAUTHBEARER; make them with kafka-topics.sh, or through a \
                         listener with another mechanism"
                    .into(),
            });
        }
        let topics: Vec<_> = missing
            .iter()
            .map(|topic| {
                let replication = TopicReplication::Fixed(topic.replication);
                let new = NewTopic::new(&topic.name, topic.partitions, replication);
                topic.settings.iter().fold(new, |new, (name, value)| new.set(name, value))
            })
            .collect();
        let options = AdminOptions::new()
            .request_timeout(Some(patience.max(REQUEST_TIMEOUT)))
            .operation_timeout(Some(REQUEST_TIMEOUT));
        let answers = self
            .runtime
            .block_on(self.client.create_topics(&topics, &options))
            .map_err(|error| self.unreachable(patience, &error))?;
        for answer in answers {
            if let Err((name, code)) = answer
                && code != RDKafkaErrorCode::TopicAlreadyExists
            {
                return Err(refused(&format!("create topic {name}"), code));
            }
        }
        Ok(())
    }

    /// Removes topics and groups; what is not there is left at that.
    ///
    /// # Errors
    /// When the broker does not answer or refuses one of them.
    pub fn remove(&self, topics: &[&str], groups: &[&str], patience: Duration) -> Result<(), Failure> {
        let options = AdminOptions::new()
            .request_timeout(Some(patience.max(REQUEST_TIMEOUT)))
            .operation_timeout(Some(REQUEST_TIMEOUT));
        let gone = self
            .runtime
            .block_on(self.client.delete_topics(topics, &options))
            .map_err(|error| self.unreachable(patience, &error))?;
        let left = self
            .runtime
            .block_on(self.client.delete_groups(groups, &options))
            .map_err(|error| self.unreachable(patience, &error))?;
        for answer in gone.into_iter().chain(left) {
            if let Err((name, code)) = answer
                && !matches!(
                    code,
                    RDKafkaErrorCode::UnknownTopicOrPartition
                        | RDKafkaErrorCode::UnknownTopic
                        | RDKafkaErrorCode::GroupIdNotFound
                )
            {
                return Err(refused(&format!("remove {name}"), code));
            }
        }
        Ok(())
    }

    /// How many brokers there are: one cannot hold three replicas.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn brokers(&self, patience: Duration) -> Result<usize, Failure> {
        Ok(self.metadata(patience)?.brokers().len())
    }

    /// How many partitions a topic has; `None` when it is not there.
    ///
    /// # Errors
    /// When the broker does not answer.
    pub fn partitions(&self, topic: &str, patience: Duration) -> Result<Option<i32>, Failure> {
        let metadata = self.metadata(patience)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic && found.error().is_none());
        Ok(found
            .map(|found| i32::try_from(found.partitions().len()).unwrap_or(i32::MAX))
            .filter(|count| *count > 0))
    }

    fn metadata(&self, patience: Duration) -> Result<Metadata, Failure> {
        let began = Instant::now();
        // Asked again in growing slices: what no patience mends is told at the end of the first.
        let mut slice = FIRST_SLICE;
        loop {
            let left = patience.saturating_sub(began.elapsed());
            match self.fetch(None, left.min(slice)) {
                Ok(metadata) => return Ok(metadata),
                Err(error) if began.elapsed() >= patience || !is_distance(&error) => {
                    return Err(self.unreachable(began.elapsed(), &error));
                }
                Err(error) => {
                    if slice == FIRST_SLICE && self.refusal().is_some_and(|reason| is_lasting(&reason)) {
                        return Err(self.unreachable(began.elapsed(), &error));
                    }
                    std::thread::sleep(RETRY_PAUSE.min(left));
                }
            }
            slice = slice.saturating_mul(2).min(REQUEST_TIMEOUT);
        }
    }

    fn fetch(&self, topic: Option<&str>, within: Duration) -> Result<Metadata, KafkaError> {
        match &self.asker {
            Some(asker) => {
                take_token(asker, &self.connection);
                asker.fetch_metadata(topic, within)
            }
            None => self.client.inner().fetch_metadata(topic, within),
        }
    }

    /// Why connections fail. An admin client is never told; one that polls is.
    fn refusal(&self) -> Option<String> {
        let client = reader(&self.connection.reader(), &self.connection).ok()?;
        let began = Instant::now();
        while began.elapsed() < REFUSAL_PATIENCE && client.context().last_refusal().is_none() {
            drop(client.poll(RETRY_PAUSE));
        }
        client.context().last_refusal()
    }

    fn unreachable(&self, waited: Duration, error: &KafkaError) -> Failure {
        match code(error) {
            Some(code) if !is_distance(error) => refused("the request", code),
            Some(code) => Failure::Unreachable {
                bootstrap: self.connection.bootstrap().to_owned(),
                waited: Duration::from_secs(
                    waited.saturating_add(Duration::from_millis(500)).as_secs().max(1),
                ),
                reason: self.refusal().unwrap_or_else(|| reason(code)),
            },
            None => Failure::Refused { what: "the request".into(), reason: error.to_string() },
        }
    }
}

/// Takes what `metadata` says of `names`.
fn note(metadata: &Metadata, names: &[&str], there: &mut BTreeMap<String, There>, refuses: &mut Refused) {
    for topic in metadata.topics().iter().filter(|topic| names.contains(&topic.name())) {
        if let Some(code) = topic.error().map(RDKafkaErrorCode::from) {
            match code {
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic => {}
                _ => {
                    let failure = refused(&format!("describe topic {}", topic.name()), code);
                    refuses.push((topic.name().to_owned(), failure));
                }
            }
            continue;
        }
        let replication =
            topic.partitions().iter().map(|partition| partition.replicas().len()).min().unwrap_or(0);
        there.insert(
            topic.name().to_owned(),
            There {
                partitions: i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX),
                replication: i32::try_from(replication).unwrap_or(i32::MAX),
                settings: None,
            },
        );
    }
}

/// The broker is away, as opposed to unwilling.
pub(super) fn is_distance(error: &KafkaError) -> bool {
    matches!(
        code(error),
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::BrokerNotAvailable
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::NetworkException
                // A connection that is made anew under another name.
                | RDKafkaErrorCode::DestroyBroker
                | RDKafkaErrorCode::BrokerDestroy
                | RDKafkaErrorCode::WaitingForCoordinator
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::CoordinatorLoadInProgress
        )
    )
}

/// The crate gives none for a whole request of an admin client.
fn code(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        error => error.rdkafka_error_code(),
    }
}

pub(super) fn refused(what: &str, code: RDKafkaErrorCode) -> Failure {
    match code {
        RDKafkaErrorCode::TopicAuthorizationFailed
        | RDKafkaErrorCode::GroupAuthorizationFailed
        | RDKafkaErrorCode::ClusterAuthorizationFailed
        | RDKafkaErrorCode::TransactionalIdAuthorizationFailed => {
            Failure::Forbidden { what: what.to_owned(), reason: reason(code) }
        }
        _ => Failure::Refused { what: what.to_owned(), reason: reason(code) },
    }
}

pub(super) fn reason(code: RDKafkaErrorCode) -> String {
    let text = code.to_string();
    let text = text.split_once(" (").map_or(text.as_str(), |(_, rest)| rest.trim_end_matches(')'));
    let text = text.rsplit_once(": ").map_or(text, |(_, rest)| rest);
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// Credentials and certificates that were refused are refused again.
fn is_lasting(reason: &str) -> bool {
    reason.contains("SASL authentication error") || reason.contains("SSL handshake failed")
}

/// What to do when there is no answer, by why.
#[must_use]
pub fn remedy(reason: &str) -> &'static str {
    let says = |word: &str| reason.contains(word);
    if says("SASL") {
        "check [kafka.sasl], and what the broker knows of this user; its log says more"
    } else if says("SSL") || says("certificate") {
        "check [kafka.tls]: ca_file must hold who signed the broker's certificate, and the certificate must name this host"
    } else if says("isconnected") || says("closed") {
        "check that the listener there speaks what [kafka.tls] and [kafka.sasl] say; the broker's log says more"
    } else {
        "check that Kafka runs there and listens; or give --bootstrap"
    }
}

/// One answer of a broker that is there.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection to a loopback or a data centre away fails within.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(2);
const FIRST_SLICE: Duration = Duration::from_secs(2);
const RETRY_PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_not_answered_in_time_is_told_from_a_refusal() {
        for (error, expected) in [
            (KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut), true),
            (KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut), true),
            (KafkaError::MetadataFetch(RDKafkaErrorCode::DestroyBroker), true),
            (KafkaError::AdminOp(RDKafkaErrorCode::ClusterAuthorizationFailed), false),
            (KafkaError::Canceled, false),
        ] {
            assert_eq!(is_distance(&error), expected, "{error}");
        }
    }
}
