//! The pipeline as it runs in production: a process of its own, over this run's topics.
#![expect(clippy::disallowed_methods, reason = "measures a process, and paces its looks at it")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::cpu::{self, Cpu};
use super::ground::Ground;
use super::latency::{self, Quantiles};
use super::load::Load;
use super::process::Worker;
use super::report::{CpuCost, Report};
use super::stages::Told;
use super::{Failure, Interrupt, Options};
use crate::adapters::kafka::topics::Names;
use crate::adapters::kafka::{Connection, Follower, KafkaLog};
use crate::ports::stages::Stage;

pub(super) fn run(
    options: &Options,
    ground: &Ground,
    load: &mut Load,
    interrupt: &Interrupt,
) -> Result<Report, Failure> {
    let worker = Worker::start(options.source.config.as_deref(), &options.geo, ground)?;
    let course = Course {
        connection: &ground.connection,
        topic: &ground.names.events,
        partitions: ground.partitions,
        warm: options.warm().into(),
        total: load.bulk_size(),
        process: worker.id(),
        alive: &|| worker.alive(),
    };
    let covered = course.cover(broker(ground), || load.show(ground), interrupt)?;
    let input = Follower::new(&ground.connection, &ground.names.events, ground.partitions)?.ends()?;
    let rated = options.rated();
    let latency = latency::measure(
        &ground.connection,
        &ground.names.decisions,
        &input,
        usize::try_from(rated).unwrap_or(usize::MAX),
        || load.at_rate(ground, rated, &input, interrupt),
    )?;
    let told = worker.kill();
    report("pipeline", options, ground, &ground.names, &covered, &told, latency)
}

/// What a run over the events that count came to.
pub(super) struct Covered {
    events: i64,
    took: Duration,
    /// What the process tells of within it is of these events.
    window: (Instant, Instant),
    threads: BTreeMap<&'static str, u64>,
    broker: Option<u64>,
}

#[expect(clippy::cast_precision_loss, reason = "counts of events and of nanoseconds, as rates for people")]
impl Covered {
    pub(super) const fn events(&self) -> i64 {
        self.events
    }

    pub(super) fn events_per_second(&self) -> f64 {
        (self.events.max(1) as f64 / self.took.as_secs_f64()).round()
    }

    pub(super) fn events_per_cpu_second(&self) -> f64 {
        (self.events.max(1) as f64 / (self.cpu_ns() as f64 / 1e9)).round()
    }

    fn cpu_ns(&self) -> u64 {
        self.threads.values().sum()
    }
}

/// How far the group comes, and what that costs the process.
pub(super) struct Course<'c> {
    pub(super) connection: &'c Connection,
    pub(super) topic: &'c str,
    pub(super) partitions: i32,
    pub(super) warm: i64,
    pub(super) total: i64,
    pub(super) process: u32,
    pub(super) alive: &'c dyn Fn() -> Result<(), Failure>,
}

impl Course<'_> {
    /// Waits until the group has committed what warms it, has `show` let it see the rest, and waits until it
    /// has committed that. It has nothing to do before and after: what it does between is of these events,
    /// and of all of them.
    pub(super) fn cover(
        &self,
        broker: Option<u32>,
        show: impl FnOnce() -> Result<(), Failure>,
        interrupt: &Interrupt,
    ) -> Result<Covered, Failure> {
        let follower = Follower::new(self.connection, self.topic, self.partitions)?;
        let look = || (Instant::now(), Cpu::of(self.process), broker.map(Cpu::of));
        self.reach(&follower, self.warm, interrupt)?;
        std::thread::sleep(REST);
        let (from, cpu, brokers) = look();
        show()?;
        let shown = Instant::now();
        self.reach(&follower, self.total, interrupt)?;
        let took = shown.elapsed();
        std::thread::sleep(REST);
        let (to, cpu_then, brokers_then) = look();
        Ok(Covered {
            events: self.total - self.warm,
            took,
            window: (from, to),
            threads: cpu_then.since(&cpu),
            broker: brokers_then.zip(brokers).map(|(then, now)| then.since(&now).values().sum()),
        })
    }

    fn reach(&self, follower: &Follower, count: i64, interrupt: &Interrupt) -> Result<(), Failure> {
        let (mut last, mut moved) = (0, Instant::now());
        while last < count {
            (self.alive)()?;
            if interrupt.is_set() {
                return Err(Failure::Interrupted);
            }
            // A coordinator that is not there yet is asked again.
            let committed = follower.committed().unwrap_or(last);
            if committed > last {
                (last, moved) = (committed, Instant::now());
            } else if moved.elapsed() >= STUCK {
                return Err(Failure::Unreachable(format!(
                    "{last} of {count} events committed, and none for {STUCK:?}: see the log of the broker"
                )));
            } else {
                std::thread::sleep(LOOK_PAUSE);
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of events and of nanoseconds, as rates for people")]
pub(super) fn report(
    bench: &'static str,
    options: &Options,
    ground: &Ground,
    names: &Names,
    covered: &Covered,
    told: &Told,
    latency_ms: Quantiles,
) -> Result<Report, Failure> {
    let events = covered.events.max(1) as f64;
    let us = |ns: u64| (ns as f64 / events).round() / 1000.0;
    let (from, to) = covered.window;
    let commits: Vec<_> =
        told.commits.iter().filter(|(at, _)| (from..=to).contains(at)).map(|(_, took)| *took).collect();
    let total = covered.cpu_ns();
    let all = f64::from(options.warm()) + f64::from(options.events) + f64::from(options.rated());
    let mut bytes_out = BTreeMap::new();
    let outputs = ["decisions", "alerts", "revocations", "profiles", "rejected"];
    for (name, topic) in names.all().into_iter().filter(|(name, _)| outputs.contains(name)) {
        bytes_out.insert(name, (written(ground, topic)? as f64 / all * 10.0).round() / 10.0);
    }
    let threads = covered.threads.iter().map(|(thread, ns)| (*thread, us(*ns))).collect();
    Ok(Report {
        bench,
        events: covered.events,
        warm_events: options.warm(),
        users: options.users,
        partitions: ground.partitions,
        workers: ground.workers,
        commit_interval_ms: u64::try_from(ground.settings.run.commit_interval.as_millis())
            .unwrap_or(u64::MAX),
        events_per_second: covered.events_per_second(),
        events_per_cpu_second: covered.events_per_cpu_second(),
        stages: stages(&threads, us(total), &told.between(from, to)),
        cpu_us_per_event: CpuCost { total: us(total), threads, broker: covered.broker.map(us) },
        bytes_out_per_event: (bytes_out.values().sum::<f64>() * 10.0).round() / 10.0,
        bytes_out,
        transactions: commits.len(),
        commit_ms: Quantiles::of(commits),
        latency_ms,
        rate: options.rate,
        against: None,
    })
}

/// What the stopwatch told, in microseconds, and the threads that are one stage as a whole; what is left
/// of all stands at the end, so that the sum is `total`.
///
/// A record that is timed takes longer than those that it stands for: each look at the clock goes through
/// the kernel and leaves the caches to it. So its stages say how a record's time is shared out, and how
/// much that is say the threads of the lanes.
fn stages(
    threads: &BTreeMap<&'static str, f64>,
    total: f64,
    told: &BTreeMap<&'static str, f64>,
) -> BTreeMap<&'static str, f64> {
    let of = |stage: Stage| told.get(stage.name()).copied().unwrap_or(0.0) / 1000.0;
    let thread = |name: &str| threads.get(name).copied().unwrap_or(0.0);
    let whole: f64 = [Stage::Encode, Stage::Settle, Stage::Checkpoint].into_iter().map(of).sum();
    let sampled: f64 = OF_A_RECORD.into_iter().map(of).sum();
    let scale = if sampled > 0.0 { (thread("lanes") - whole).max(0.0) / sampled } else { 0.0 };
    let scaled = |stage: Stage| if OF_A_RECORD.contains(&stage) { of(stage) * scale } else { of(stage) };
    let mut stages: BTreeMap<_, _> = Stage::ALL.into_iter().map(|one| (one.name(), scaled(one))).collect();
    for name in ["checkpoint", "client", "feedback"] {
        *stages.entry(name).or_default() += thread(name);
    }
    stages.values_mut().for_each(|us| *us = (*us * 1000.0).round() / 1000.0);
    let other = total - stages.values().sum::<f64>();
    stages.insert("other", (other * 1000.0).round() / 1000.0);
    stages
}

/// The stages that are timed in some records only.
const OF_A_RECORD: [Stage; 8] = [
    Stage::Fetch,
    Stage::Decode,
    Stage::Enrich,
    Stage::Load,
    Stage::Step,
    Stage::Emit,
    Stage::Chain,
    Stage::Dispatch,
];

fn written(ground: &Ground, topic: &str) -> Result<usize, Failure> {
    let mut bytes = 0;
    for partition in 0..ground.partitions {
        let mut log = KafkaLog::open(&ground.connection, topic, partition)?;
        let length = |bytes: Option<&[u8]>| bytes.map_or(0, <[u8]>::len);
        while let Some(length) = log.next(|record| length(record.key) + length(record.value))? {
            bytes += length;
        }
    }
    Ok(bytes)
}

/// The broker's process, if the first of them runs on this machine.
pub(super) fn broker(ground: &Ground) -> Option<u32> {
    let first = ground.connection.bootstrap().split(',').next()?;
    let (host, port) = first.rsplit_once(':')?;
    let here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    here.then(|| cpu::listener(port.parse().ok()?)).flatten()
}

const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Until the process has told of its last transaction.
const REST: Duration = Duration::from_millis(100);
const STUCK: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_of_timed_records_share_out_what_the_lanes_took() {
        let threads = BTreeMap::from([("lanes", 10.0), ("publish", 3.0), ("client", 4.0), ("other", 1.0)]);
        let told = BTreeMap::from([
            ("decode", 6_000.0),
            ("step", 12_000.0),
            ("encode", 1_000.0),
            ("produce", 2_000.0),
            ("commit", 500.0),
        ]);
        let found = stages(&threads, 18.0, &told);
        let is = |stage: &str, expected: f64| {
            assert!((found[stage] - expected).abs() < 1e-6, "{stage}: {found:?}")
        };
        // Nine are left for what was told as eighteen.
        is("decode", 3.0);
        is("step", 6.0);
        is("encode", 1.0);
        is("produce", 2.0);
        is("client", 4.0);
        is("other", 1.5);
        assert!((found.values().sum::<f64>() - 18.0).abs() < 1e-6, "{found:?}");
    }
}
