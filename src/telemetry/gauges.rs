//! Gauges: how things stand when somebody asks. Set together, right before they are shown; what is
//! not set then is gone from the answer.

use std::time::Duration;

use metrics::{counter, gauge};

use super::table::{self, Metric};

/// One gauge's value, by its place in the table.
#[derive(Clone, Debug, PartialEq)]
pub enum Gauged<'a> {
    LagRecords {
        partition: i32,
        records: i64,
    },
    LagTime {
        partition: i32,
        lag: Duration,
    },
    StoreBehind {
        partition: i32,
        records: i64,
    },
    ChangelogBehind {
        partition: i32,
        records: i64,
    },
    Held {
        partition: i32,
        observations: u64,
    },
    StableAge {
        topic: &'static str,
        partition: i32,
        age: Duration,
    },
    Partitions {
        state: &'static str,
        count: usize,
    },
    Copies {
        state: &'static str,
        count: usize,
    },
    CopyBehind {
        partition: i32,
        records: i64,
    },
    BrokerUp(bool),
    BrokerSilent(Duration),
    Ready(bool),
    Degraded {
        what: &'static str,
    },
    TableAge {
        table: &'static str,
        file: &'a str,
        age: Duration,
    },
    /// A counter of somebody else's, as it stands.
    TableBroken(u64),
    CanarySpeaks {
        signal: &'static str,
        speaks: bool,
    },
    CanaryAge(Duration),
    Build {
        version: &'static str,
        engine: &'static str,
    },
}

impl Gauged<'_> {
    pub fn set(self) {
        match self {
            Self::LagRecords { partition, records } => of(table::LAG_RECORDS, partition, whole(records)),
            Self::LagTime { partition, lag } => of(table::LAG_SECONDS, partition, lag.as_secs_f64()),
            Self::StoreBehind { partition, records } => of(table::STORE_BEHIND, partition, whole(records)),
            Self::ChangelogBehind { partition, records } => {
                of(table::CHANGELOG_BEHIND, partition, whole(records));
            }
            Self::Held { partition, observations } => {
                of(table::HELD, partition, whole(i64::try_from(observations).unwrap_or(i64::MAX)));
            }
            Self::StableAge { topic, partition, age } => {
                gauge!(table::STABLE_AGE.name, "topic" => topic, "partition" => partition.to_string())
                    .set(age.as_secs_f64());
            }
            Self::Partitions { state, count } => {
                gauge!(table::PARTITIONS.name, "state" => state)
                    .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
            }
            Self::Copies { state, count } => {
                gauge!(table::STANDBY_PARTITIONS.name, "state" => state)
                    .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
            }
            Self::CopyBehind { partition, records } => of(table::STANDBY_BEHIND, partition, whole(records)),
            Self::BrokerUp(up) => gauge!(table::BROKER_UP.name).set(flag(up)),
            Self::BrokerSilent(silent) => gauge!(table::BROKER_SILENT.name).set(silent.as_secs_f64()),
            Self::Ready(ready) => gauge!(table::READY.name).set(flag(ready)),
            Self::Degraded { what } => gauge!(table::DEGRADED.name, "what" => what).set(1.0),
            Self::TableAge { table, file, age } => {
                gauge!(table::TABLE_AGE.name, "table" => table, "file" => file.to_owned())
                    .set(age.as_secs_f64());
            }
            Self::TableBroken(count) => counter!(table::TABLE_BROKEN.name).absolute(count),
            Self::CanarySpeaks { signal, speaks } => {
                gauge!(table::CANARY_SPEAKS.name, "signal" => signal).set(flag(speaks));
            }
            Self::CanaryAge(age) => gauge!(table::CANARY_AGE.name).set(age.as_secs_f64()),
            Self::Build { version, engine } => {
                gauge!(table::BUILD.name, "version" => version, "engine" => engine).set(1.0);
            }
        }
    }
}

fn of(metric: Metric, partition: i32, value: f64) {
    gauge!(metric.name, "partition" => partition.to_string()).set(value);
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

/// Offsets beyond 2^53 lose their last digits, which no graph shows.
#[expect(clippy::cast_precision_loss, reason = "a graph shows no sixteenth digit")]
fn whole(number: i64) -> f64 {
    number as f64
}
