//! Somebody else's clients: `tests/kafka/read.py` and `tests/kafka/produce.py`.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;

use super::broker::{Broker, said, script};

/// Waits for that many records of a topic, read_committed. The patience is that of a busy machine:
/// a killed worker's transaction and session each take seconds to run out before anybody goes on.
#[track_caller]
pub(super) fn read(broker: &Broker, topic: &str, count: usize) -> Vec<Value> {
    let count = count.to_string();
    lines(&said(python(broker, "read.py", topic).args(["--count", &count, "--seconds", "120"]).output()))
}

/// Everything that the topic holds now, read_committed.
#[track_caller]
pub(super) fn read_all(broker: &Broker, topic: &str) -> Vec<Value> {
    lines(&said(python(broker, "read.py", topic).output()))
}

/// Writes events in JSON, each keyed by its tenant and user.
#[track_caller]
pub(super) fn produce(broker: &Broker, topic: &str, events: &[&str]) {
    feed(&mut python(broker, "produce.py", topic), &events.join("\n"));
}

/// Writes records as they are told, with their own keys and partitions; see `produce.py --raw`.
#[track_caller]
pub(super) fn produce_raw(broker: &Broker, topic: &str, records: &[Value]) {
    let text = records.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    feed(python(broker, "produce.py", topic).arg("--raw"), &text);
}

/// A transaction of somebody else's, open until it is aborted: his transactional id is his own, and
/// his time-out far away.
pub(super) struct Open {
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Open {
    /// Writes one record into partition 0 of each topic, and does not end the transaction.
    #[track_caller]
    pub(super) fn begin(broker: &Broker, id: &str, topics: &[String]) -> Self {
        let producer: ThreadedProducer<_> = rdkafka::ClientConfig::new()
            .set("bootstrap.servers", broker.bootstrap())
            .set("transactional.id", id)
            .set("transaction.timeout.ms", "600000")
            .create()
            .unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        for topic in topics {
            let record = BaseRecord::to(topic).partition(0).key("nobody").payload("nothing");
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        Self { producer }
    }

    /// A record with a mark too, as a worker's in the changelog.
    #[track_caller]
    pub(super) fn with_mark(self, topic: &str, offset: i64, chain: &str) -> Self {
        let text = offset.to_string();
        let headers = OwnedHeaders::new()
            .insert(Header { key: "offset", value: Some(&text) })
            .insert(Header { key: "chain", value: Some(chain) });
        let record = BaseRecord::to(topic).partition(0).key("nobody").payload("nothing").headers(headers);
        self.producer.send(record).map_err(|(error, _)| error).unwrap();
        self.producer.flush(PATIENCE).unwrap();
        self
    }

    /// Offsets of a group too: that of partition 0 of a topic.
    #[track_caller]
    pub(super) fn with_offsets(self, broker: &Broker, group: &str, topic: &str) -> Self {
        let member = member(broker, group);
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, 0, Offset::Offset(1)).unwrap();
        let member = member.group_metadata().unwrap();
        self.producer.send_offsets_to_transaction(&offsets, &member, PATIENCE).unwrap();
        self
    }

    #[track_caller]
    pub(super) fn abort(self) {
        self.producer.abort_transaction(PATIENCE).unwrap();
    }
}

fn member(broker: &Broker, group: &str) -> BaseConsumer {
    rdkafka::ClientConfig::new()
        .set("bootstrap.servers", broker.bootstrap())
        .set("group.id", group)
        .create()
        .unwrap()
}

/// Waits until nobody is left in a group: whoever has a name of its own is missed only after its session.
#[track_caller]
pub(super) fn until_empty(broker: &Broker, group: &str) {
    let member = member(broker, group);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let groups = member.fetch_group_list(Some(group), PATIENCE).unwrap();
        if groups.groups().iter().all(|group| group.members().is_empty()) {
            return;
        }
        assert!(Instant::now() < deadline, "somebody is still in `{group}`");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Moves the group's offset of partition 0 on by one, and leaves what is written beside it; gives back both.
#[track_caller]
pub(super) fn move_on(broker: &Broker, group: &str, topic: &str) -> (i64, String) {
    let member = member(broker, group);
    let mut asked = TopicPartitionList::new();
    asked.add_partition(topic, 0);
    let found = member.committed_offsets(asked, PATIENCE).unwrap();
    let found = found.find_partition(topic, 0).unwrap();
    let Offset::Offset(before) = found.offset() else { panic!("no offset: {found:?}") };
    let mut moved = TopicPartitionList::new();
    moved.add_partition_offset(topic, 0, Offset::Offset(before + 1)).unwrap();
    moved.find_partition(topic, 0).unwrap().set_metadata(found.metadata());
    member.commit(&moved, CommitMode::Sync).unwrap();
    (before + 1, found.metadata().to_owned())
}

#[track_caller]
fn feed(command: &mut Command, text: &str) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    said(child.wait_with_output());
}

fn python(broker: &Broker, program: &str, topic: &str) -> Command {
    static INTERPRETER: OnceLock<String> = OnceLock::new();
    let interpreter =
        INTERPRETER.get_or_init(|| said(Command::new(script("clients")).output()).trim().to_owned());
    let mut command = Command::new(interpreter);
    command.arg(script(program)).arg(topic).envs(broker.settings());
    command
}

#[track_caller]
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("read.py prints JSON lines")).collect()
}

const PATIENCE: Duration = Duration::from_secs(60);
