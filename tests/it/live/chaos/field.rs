//! What the faults happen to: a broker, processes of `ward run` with a door and a store each, and an
//! input that goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use wardstream::engine::policy::Policy;

use super::feeder::Feeder;
use super::proxy::Door;
use super::{evidence, report};
use crate::live::broker::Broker;
use crate::live::ward::{Ward, World};

/// One stretch of a run: topics, a group and stores of its own.
pub(super) struct Field {
    pub(super) world: World,
    pub(super) partitions: i32,
    pub(super) nodes: u64,
    doors: Vec<Door>,
    /// Running, by their number.
    pub(super) running: BTreeMap<usize, Ward>,
    feeder: Option<Feeder>,
    workers: &'static str,
    asker: BaseConsumer,
    policies: Vec<Policy>,
    variant: u64,
    aborted: BTreeSet<String>,
    /// The group's offsets count what was in one of them.
    takes_back: bool,
    /// What was not foreseen.
    pub(super) surprises: Vec<String>,
    /// The number of processes that were started.
    pub(super) started: usize,
}

/// How a stretch is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) seed: u64,
    pub(super) partitions: i32,
    pub(super) assignment: &'static str,
    pub(super) workers: &'static str,
    pub(super) running: usize,
    pub(super) rate: u64,
}

impl Field {
    #[track_caller]
    pub(super) fn new(broker: Broker, nodes: u64, shape: &Shape) -> Self {
        let doors = broker.settings().iter().filter(|(name, _)| name.starts_with("WARD_KAFKA_DOOR_"));
        let doors: Vec<_> = doors.map(|(_, pairs)| Door::new(pairs)).collect();
        let extra = format!("assignment = '{}'\n[policy]\nlook_interval = '100ms'\n", shape.assignment);
        let world = World::new(broker, u32::try_from(shape.partitions).unwrap(), &extra);
        let asker = ClientConfig::new()
            .set("bootstrap.servers", world.broker.bootstrap())
            .set("group.id", world.group())
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let feeder = Feeder::start(world.broker.bootstrap(), &world.topic("events"), shape.seed, shape.rate);
        let mut field = Self {
            world,
            partitions: shape.partitions,
            nodes,
            doors,
            running: BTreeMap::new(),
            feeder: Some(feeder),
            workers: shape.workers,
            asker,
            policies: Vec::new(),
            variant: 0,
            aborted: BTreeSet::new(),
            takes_back: false,
            surprises: Vec::new(),
            started: 0,
        };
        for number in 0..field.doors.len() {
            field.set_policy(number);
        }
        for number in 0..shape.running {
            field.start(number);
        }
        field
    }

    /// How many processes there can be.
    pub(super) fn places(&self) -> usize {
        self.doors.len()
    }

    pub(super) fn door(&self, number: usize) -> &Door {
        &self.doors[number]
    }

    pub(super) fn name(number: usize) -> String {
        format!("ward-{number}")
    }

    pub(super) fn state(&self, number: usize) -> PathBuf {
        self.world.state(&Self::name(number))
    }

    /// Where a process looks for the point at which to stop.
    pub(super) fn halts(&self, number: usize) -> PathBuf {
        self.world.home.path().join(format!("halt-{number}"))
    }

    fn policy_file(&self, number: usize) -> PathBuf {
        self.world.home.path().join(format!("policy-{number}.toml"))
    }

    /// Gives a process one of a few policies, as an editor would write it.
    pub(super) fn set_policy(&mut self, number: usize) {
        let points = [25, 30, 40][usize::try_from(self.variant % 3).unwrap()];
        let text = format!("version = 1\nextends = 'default'\n[signals.new_device]\npoints = {points}\n");
        let file = self.policy_file(number);
        std::fs::write(file.with_extension("new"), text).unwrap();
        std::fs::rename(file.with_extension("new"), &file).unwrap();
        let policy = Policy::load(file.to_str().unwrap(), &|path| std::fs::read_to_string(path)).unwrap();
        if !self.policies.iter().any(|known| known.digest == policy.digest) {
            self.policies.push(policy);
        }
    }

    /// From here on, who is given a policy is given another one.
    pub(super) fn next_policy(&mut self, further: u64) -> u64 {
        self.variant = (self.variant + further) % 3;
        self.variant
    }

    /// Every policy that was ever in force.
    pub(super) fn policies(&self) -> &[Policy] {
        &self.policies
    }

    pub(super) fn start(&mut self, number: usize) {
        self.start_inside(number, &[]);
    }

    pub(super) fn start_inside(&mut self, number: usize, outer: &[&str]) {
        drop(std::fs::remove_file(self.halts(number)));
        let (policy, halts) = (self.policy_file(number), self.halts(number));
        let more = [
            "--geo",
            "builtin",
            "--workers",
            self.workers,
            "--bootstrap",
            self.doors[number].bootstrap(),
            "--policy",
            policy.to_str().unwrap(),
            "--halts",
            halts.to_str().unwrap(),
        ];
        let ward = self.world.run_inside(outer, &Self::name(number), &more);
        self.started += 1;
        self.running.insert(number, ward);
    }

    /// Ends a process by a signal.
    #[track_caller]
    pub(super) fn end(&mut self, number: usize, signal: &str) {
        let Some(mut ward) = self.running.remove(&number) else { return };
        if ward.ended().is_some() {
            self.fell(number, &mut ward);
            return;
        }
        let (status, _, log) = ward.end(signal);
        if signal == "TERM" && status.code() != Some(0) {
            self.surprises
                .push(format!("ward-{number} ended with {status} on SIGTERM: {}", last_lines(&log)));
        }
    }

    /// Starts again whatever has ended by itself, and notes it. Does what a log asks of a person.
    pub(super) fn tend(&mut self) {
        for number in self.running.keys().copied().collect::<Vec<_>>() {
            let log = self.running[&number].log();
            if self.aborts(&log) {
                self.end(number, "KILL");
                self.start(number);
            }
        }
        for number in self.running.keys().copied().collect::<Vec<_>>() {
            let Some(ward) = self.running.get_mut(&number) else { continue };
            if ward.ended().is_some() {
                let mut ward = self.running.remove(&number).unwrap();
                self.fell(number, &mut ward);
                self.start(number);
            }
        }
        if std::mem::take(&mut self.takes_back) {
            let said = self.offsets_deleted();
            self.surprises.push(format!("its offsets counted what it held: group deleted {said}"));
        }
    }

    /// A transaction that the broker leaves open is a person's to end, and the log says how: done once
    /// for each, when what the broker's disk holds has been kept.
    fn aborts(&mut self, log: &str) -> bool {
        let mut done = false;
        for (_, told) in log.lines().filter_map(|line| line.split_once(" abort ")) {
            let place: Vec<_> =
                told.split(['`', '"']).next().unwrap_or_default().split_whitespace().collect();
            let ["--topic", topic, "--partition", partition, "--start-offset", _] = place[..] else {
                continue;
            };
            if self.aborted.insert(place.join(" ")) {
                let folder = report::folder();
                evidence::dump(self, topic, partition.parse().unwrap(), &folder);
                evidence::dump_own(self, &folder);
                let ended = self.world.broker.abort_transaction(&place);
                self.surprises.push(format!(
                    "the broker's own: a transaction stays open; {} by `{}`; its log is in {}",
                    if ended { "ended" } else { "not ended" },
                    place.join(" "),
                    folder.display()
                ));
                done = true;
                self.takes_back |= told.contains("--delete-offsets");
            }
        }
        done
    }

    fn fell(&mut self, number: usize, ward: &mut Ward) {
        self.aborts(&ward.log());
        let status = ward.ended().map_or_else(String::new, |status| status.to_string());
        self.surprises
            .push(format!("ward-{number} ended by itself with {status}: {}", last_lines(&ward.log())));
    }

    /// Everything as it is on a quiet day.
    #[track_caller]
    pub(super) fn calm(&mut self) {
        self.doors.iter().for_each(Door::calm);
        self.tend();
        if self.running.is_empty() {
            self.start(0);
        }
    }

    /// Waits until all that the input holds now is committed; how long that took, or what is missing.
    pub(super) fn catch_up(&mut self, patience: Duration) -> Result<Duration, String> {
        let began = Instant::now();
        let mut ends = None;
        loop {
            self.tend();
            ends = ends.or_else(|| self.ends());
            let behind = ends.as_ref().map(|ends| self.behind(ends));
            match behind {
                Some(Some(behind)) if behind.is_empty() => return Ok(began.elapsed()),
                _ if began.elapsed() < patience => std::thread::sleep(Duration::from_millis(50)),
                behind => return Err(format!("not caught up after {patience:?}: {behind:?}")),
            }
        }
    }

    /// The end of each partition of the input.
    fn ends(&self) -> Option<BTreeMap<i32, i64>> {
        let topic = self.world.topic("events");
        (0..self.partitions)
            .map(|partition| Some((partition, end_of(&self.asker, &topic, partition)?)))
            .collect()
    }

    /// The partitions whose committed offset lies before `ends`.
    fn behind(&self, ends: &BTreeMap<i32, i64>) -> Option<Vec<(i32, Offset, i64)>> {
        let topic = self.world.topic("events");
        let mut list = TopicPartitionList::new();
        for partition in ends.keys() {
            list.add_partition(&topic, *partition);
        }
        let found = self.asker.committed_offsets(list, ASK).ok()?;
        let mut behind = Vec::new();
        for element in found.elements() {
            element.error().ok()?;
            let end = ends[&element.partition()];
            let reached = matches!(element.offset(), Offset::Offset(offset) if offset >= end);
            if !reached && end > 0 {
                behind.push((element.partition(), element.offset(), end));
            }
        }
        Some(behind)
    }

    /// Outputs in which a transaction stays open: nobody that reads what is committed gets past it.
    #[track_caller]
    pub(super) fn hanging(&self, patience: Duration) -> Vec<String> {
        let config = |isolation: &str| -> BaseConsumer {
            let mut config = ClientConfig::new();
            config.set("bootstrap.servers", self.world.broker.bootstrap()).set("group.id", "asker");
            config.set("isolation.level", isolation).create().unwrap()
        };
        let (committed, all) = (config("read_committed"), config("read_uncommitted"));
        let deadline = Instant::now() + patience;
        let mut left: BTreeSet<_> = OUTPUTS
            .iter()
            .flat_map(|name| (0..self.partitions).map(move |partition| (*name, partition)))
            .collect();
        while !left.is_empty() && Instant::now() < deadline {
            left.retain(|(name, partition)| {
                let topic = self.world.topic(name);
                let (high, stable) =
                    (end_of(&all, &topic, *partition), end_of(&committed, &topic, *partition));
                high.zip(stable).is_none_or(|(high, stable)| stable < high)
            });
            std::thread::sleep(Duration::from_millis(50));
        }
        left.iter().map(|(name, partition)| format!("{name}-{partition}")).collect()
    }

    /// Ends the input, and gives how many records it was.
    #[track_caller]
    pub(super) fn end_input(&mut self) -> usize {
        self.feeder.take().map_or(0, Feeder::end)
    }
}

/// The end of a partition, if the broker says it. A client that was told of a partition without a leader
/// keeps that until it asks for the metadata again.
fn end_of(asker: &BaseConsumer, topic: &str, partition: i32) -> Option<i64> {
    let found = asker.fetch_watermarks(topic, partition, ASK);
    if found.is_err() {
        drop(asker.fetch_metadata(Some(topic), ASK));
    }
    found.ok().map(|(_, end)| end)
}

/// The last words of a log.
pub(super) fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(3)..].join(" | ")
}

const ASK: Duration = Duration::from_secs(2);
const OUTPUTS: [&str; 5] = ["decisions", "alerts", "revocations", "profiles", "rejected"];
