//! How the process stands: what `/ready` answers and the gauges show.
//!
//! Workers, the survey of the broker and whoever watches files write here what they know, a few
//! times a second at most; whoever asks gets all of it at one moment.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::stop::{ProcessClock, Pulse};
use crate::model::signal::Signal;
use crate::model::time::Timestamp;
use crate::pipeline::lane::Stand;
use crate::ports::clock::{Clock as _, Tick};
use crate::telemetry::Gauged;

/// Shared by every thread of the process; a copy is the same status.
#[derive(Clone, Debug, Default)]
pub struct Status {
    inner: Arc<Mutex<Inner>>,
    clock: ProcessClock,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether each worker has heard of an assignment, be it an empty one.
    workers: BTreeMap<u16, bool>,
    lanes: BTreeMap<i32, LaneStatus>,
    heard: Option<Tick>,
    degraded: BTreeMap<Concern, String>,
    tables: Vec<TableFile>,
    broken_lookups: u64,
    pulses: Vec<(String, Pulse)>,
    canaries: BTreeMap<Signal, bool>,
    canaries_ran: Option<Tick>,
    stable: BTreeMap<(&'static str, i32), Stable>,
    copies: BTreeMap<i32, CopyStatus>,
    stopping: bool,
}

#[derive(Debug)]
struct LaneStatus {
    worker: u16,
    phase: Phase,
    stand: Option<Stand>,
    /// Where the client reads on: past control records, which nobody decides.
    position: Option<i64>,
    /// End of the input partition.
    end: Option<i64>,
}

/// Where a partition stands on its way to being served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Waiting,
    Restoring,
    Served,
    /// Must not be served until a person acts; why.
    Refused(String),
}

impl Phase {
    const NAMES: [&'static str; 4] = ["waiting", "restoring", "served", "refused"];

    const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Restoring => "restoring",
            Self::Served => "served",
            Self::Refused(_) => "refused",
        }
    }
}

/// Something that is wrong and does not stop deciding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Concern {
    /// The policy's file cannot be used; the policy read before is in force.
    Policy,
    /// A detector was silent about its canary.
    Canary,
    /// A table's file cannot be used; what was read before is in use.
    Tables,
}

impl Concern {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Canary => "canary",
            Self::Tables => "tables",
        }
    }
}

/// A table's file as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFile {
    /// `geo`, `asn` or `networks`.
    pub table: &'static str,
    /// Its name, without the folder.
    pub file: String,
    pub changed_at: Timestamp,
}

/// The two ends of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Where readers of committed records stop.
    pub stable: i64,
    /// Where the log ends.
    pub high: i64,
}

#[derive(Clone, Copy, Debug)]
struct Stable {
    ends: Ends,
    /// Since when it has been where it is although records lie beyond it.
    stuck_since: Option<Tick>,
}

/// How the copy of a partition stands that others serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyStatus {
    /// Whether it was read to the end once: taking it over reads a tail.
    pub is_warm: bool,
    /// Changelog records that it lacked when it was last looked at.
    pub behind: i64,
}

/// What `/ready` says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Readiness {
    pub ready: bool,
    /// What is waited for, in words.
    pub missing: Vec<String>,
    pub degraded: BTreeMap<&'static str, String>,
}

impl Status {
    #[must_use]
    pub fn new(clock: ProcessClock) -> Self {
        Self { inner: Arc::default(), clock }
    }

    fn note<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- what is noted

    /// A thread that must not hang.
    pub fn watch(&self, name: &str, pulse: Pulse) {
        self.note(|inner| inner.pulses.push((name.to_owned(), pulse)));
    }

    /// A worker that has not heard of any assignment yet, or any more.
    pub fn joining(&self, worker: u16) {
        self.note(|inner| {
            inner.workers.insert(worker, false);
            inner.lanes.retain(|_, lane| lane.worker != worker);
        });
    }

    pub fn assigned(&self, worker: u16, partitions: &[i32]) {
        self.note(|inner| {
            inner.workers.insert(worker, true);
            for partition in partitions {
                if inner.lanes.get(partition).is_none_or(|lane| lane.worker != worker) {
                    inner.lanes.insert(*partition, LaneStatus::new(worker));
                }
            }
        });
    }

    /// The worker has given them up, or lost them; another worker of this process may hold them already.
    pub fn released(&self, worker: u16, partitions: &[i32]) {
        self.note(|inner| {
            inner.lanes.retain(|partition, lane| lane.worker != worker || !partitions.contains(partition));
        });
    }

    pub fn phase(&self, worker: u16, partition: i32, phase: Phase) {
        self.note(|inner| {
            if let Some(lane) = inner.lanes.get_mut(&partition).filter(|lane| lane.worker == worker) {
                lane.phase = phase;
            }
        });
    }

    /// How far the worker's lanes have come, and where its client reads on.
    pub fn stands(&self, worker: u16, stands: impl Iterator<Item = (Stand, Option<i64>)>) {
        self.note(|inner| {
            for (stand, position) in stands {
                let lane = inner.lanes.get_mut(&stand.partition).filter(|lane| lane.worker == worker);
                if let Some(lane) = lane {
                    lane.stand = Some(stand);
                    lane.position = position.or(lane.position);
                }
            }
        });
    }

    /// The broker answered.
    pub fn heard(&self) {
        let now = self.clock.now();
        self.note(|inner| inner.heard = Some(now));
    }

    /// Where a partition of `topic` ends; of `events` it is also what the lag is measured by.
    pub fn sounded(&self, topic: &'static str, partition: i32, ends: Ends) {
        let now = self.clock.now();
        self.note(|inner| {
            inner.heard = Some(now);
            if topic == EVENTS
                && let Some(lane) = inner.lanes.get_mut(&partition)
            {
                lane.end = Some(ends.high);
            }
            let before = inner.stable.get(&(topic, partition)).copied();
            let still = before.filter(|before| before.ends.stable == ends.stable);
            let stuck_since =
                (ends.stable < ends.high).then(|| still.and_then(|before| before.stuck_since).unwrap_or(now));
            inner.stable.insert((topic, partition), Stable { ends, stuck_since });
        });
    }

    /// Says what is wrong, or that it is no more.
    pub fn concern(&self, what: Concern, why: Option<String>) {
        self.note(|inner| match why {
            Some(why) => drop(inner.degraded.insert(what, why)),
            None => drop(inner.degraded.remove(&what)),
        });
    }

    /// The files of the tables in use.
    pub fn tables(&self, files: Vec<TableFile>) {
        self.note(|inner| inner.tables = files);
    }

    /// Look-ups so far that met a damaged record.
    pub fn broken_lookups(&self, count: u64) {
        self.note(|inner| inner.broken_lookups = count);
    }

    /// Which detectors spoke about their canaries.
    pub fn canaries(&self, spoke: BTreeMap<Signal, bool>) {
        let now = self.clock.now();
        self.note(|inner| (inner.canaries, inner.canaries_ran) = (spoke, Some(now)));
    }

    /// The copy that is kept of a partition, or none any more.
    pub fn copied(&self, partition: i32, copy: Option<CopyStatus>) {
        self.note(|inner| match copy {
            Some(copy) => drop(inner.copies.insert(partition, copy)),
            None => drop(inner.copies.remove(&partition)),
        });
    }

    pub fn stopping(&self) {
        self.note(|inner| inner.stopping = true);
    }

    // ---- what is asked

    /// Partitions held now.
    #[must_use]
    pub fn held(&self) -> Vec<i32> {
        self.lock().lanes.keys().copied().collect()
    }

    /// Whether every worker has its partitions and none of them is on its way to being served.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let inner = self.lock();
        let joined = !inner.workers.is_empty() && inner.workers.values().all(|joined| *joined);
        joined && inner.lanes.values().all(|lane| matches!(lane.phase, Phase::Served | Phase::Refused(_)))
    }

    /// Threads that hang, a sentence each: for how long, and in which call, as far as that is known.
    #[must_use]
    pub fn hanging(&self) -> Vec<String> {
        let inner = self.lock();
        let told = inner.pulses.iter().filter_map(|(name, pulse)| {
            let silent = pulse.silent();
            let call = || pulse.call().name().map_or_else(String::new, |call| format!(", in {call}"));
            let hangs = silent >= HANGING_AFTER;
            hangs.then(|| format!("thread {name} has been silent for {} s{}", silent.as_secs(), call()))
        });
        told.collect()
    }

    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let now = self.clock.now();
        let mut missing = self.hanging();
        let inner = self.lock();
        if inner.stopping {
            missing.push("stopping".into());
        }
        match inner.heard.map(|heard| now.since(heard)) {
            None => missing.push("the broker was not heard of yet".into()),
            Some(silent) if silent > STALE_AFTER => {
                missing.push(format!("the broker was not heard of for {} s", silent.as_secs()));
            }
            Some(_) => {}
        }
        if inner.workers.is_empty() {
            missing.push("no worker runs yet".into());
        }
        for (worker, _) in inner.workers.iter().filter(|(_, joined)| !**joined) {
            missing.push(format!("worker {worker} has no assignment yet"));
        }
        for (partition, lane) in &inner.lanes {
            match &lane.phase {
                Phase::Served => {}
                Phase::Refused(why) => missing.push(format!("partition {partition} refused: {why}")),
                phase => missing.push(format!("partition {partition} {}", phase.name())),
            }
        }
        let degraded = inner.degraded.iter().map(|(what, why)| (what.name(), why.clone())).collect();
        Readiness { ready: missing.is_empty(), missing, degraded }
    }

    /// Sets every gauge, as of the wall clock's `wall`.
    pub fn gauge(&self, wall: Timestamp) {
        let ready = self.readiness().ready;
        let now = self.clock.now();
        let inner = self.lock();
        Gauged::Build { version: env!("CARGO_PKG_VERSION"), engine: crate::engine::REVISION }.set();
        Gauged::Ready(ready).set();
        let silent = inner.heard.map(|heard| now.since(heard));
        Gauged::BrokerUp(silent.is_some_and(|silent| silent <= STALE_AFTER)).set();
        if let Some(silent) = silent {
            Gauged::BrokerSilent(silent).set();
        }
        for state in Phase::NAMES {
            let count = inner.lanes.values().filter(|lane| lane.phase.name() == state).count();
            Gauged::Partitions { state, count }.set();
        }
        for (partition, lane) in &inner.lanes {
            lane.gauge(*partition, wall);
        }
        for ((topic, partition), stable) in &inner.stable {
            if inner.lanes.contains_key(partition) {
                let age = stable.stuck_since.map(|since| now.since(since)).unwrap_or_default();
                Gauged::StableAge { topic, partition: *partition, age }.set();
            }
        }
        for state in [false, true] {
            let count = inner.copies.values().filter(|copy| copy.is_warm == state).count();
            Gauged::Copies { state: if state { "warm" } else { "filling" }, count }.set();
        }
        for (partition, copy) in &inner.copies {
            Gauged::CopyBehind { partition: *partition, records: copy.behind }.set();
        }
        for what in inner.degraded.keys() {
            Gauged::Degraded { what: what.name() }.set();
        }
        for TableFile { table, file, changed_at } in &inner.tables {
            let age = wall.since(*changed_at).unwrap_or_default();
            Gauged::TableAge { table, file, age }.set();
        }
        Gauged::TableBroken(inner.broken_lookups).set();
        for (signal, speaks) in &inner.canaries {
            Gauged::CanarySpeaks { signal: signal.name(), speaks: *speaks }.set();
        }
        if let Some(ran) = inner.canaries_ran {
            Gauged::CanaryAge(now.since(ran)).set();
        }
    }
}

impl LaneStatus {
    const fn new(worker: u16) -> Self {
        Self { worker, phase: Phase::Waiting, stand: None, position: None, end: None }
    }

    fn gauge(&self, partition: i32, wall: Timestamp) {
        let Some(stand) = self.stand else { return };
        Gauged::StoreBehind { partition, records: stand.unstored_records }.set();
        Gauged::Held { partition, observations: stand.held }.set();
        if let Some(records) = stand.unstored_changes {
            Gauged::ChangelogBehind { partition, records }.set();
        }
        let Some(records) = self.lag() else { return };
        Gauged::LagRecords { partition, records }.set();
        let last = stand.recorded_at.filter(|_| records > 0);
        if records == 0 || last.is_some() {
            let lag = last.and_then(|last| wall.since(last)).unwrap_or_default();
            Gauged::LagTime { partition, lag }.set();
        }
    }

    /// While nothing is open, everything before the client's position is decided, control records
    /// included, which the committed offset does not pass.
    fn lag(&self) -> Option<i64> {
        let stand = self.stand?;
        let position = self.position.filter(|_| stand.is_settled).unwrap_or(stand.committed);
        Some(self.end?.saturating_sub(position.max(stand.committed)).max(0))
    }
}

/// Names of the topics that are sounded, as metrics show them.
pub const EVENTS: &str = "events";
pub const DECISIONS: &str = "decisions";

/// Several surveys of the broker, and less than what a person takes to look.
const STALE_AFTER: Duration = Duration::from_secs(30);
/// Longer than a transaction that times out, and its renewal.
const HANGING_AFTER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
