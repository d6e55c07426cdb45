//! The table of what happens: each entry is a log line and a metric.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use tracing::{error, info, warn};

/// Something worth a line and a number.
#[derive(Clone, Copy, Debug)]
pub enum Happened<'a> {
    /// A worker has its partitions and decides.
    Ready {
        worker: u16,
        group: &'a str,
        instance: &'a str,
        partitions: &'a str,
    },
    /// Partitions were given up or lost.
    Released {
        worker: u16,
        partitions: usize,
        lost: bool,
    },
    /// A lane knows where it begins, and how it gets there.
    Recovered {
        partition: i32,
        way: &'a str,
        offset: i64,
        changes: u64,
        took: Duration,
    },
    /// A lane must not go on.
    LaneStopped {
        partition: i32,
        why: &'a str,
    },
    Published {
        units: usize,
        records: usize,
        bytes: usize,
        took: Duration,
    },
    NotPublished {
        worker: u16,
        kind: &'a str,
        why: &'a str,
    },
    Checkpointed {
        partitions: usize,
        parts: usize,
        took: Duration,
    },
    StoreFailed {
        why: &'a str,
    },
    /// A store that served at once after a clean stop was read through, and is what was written.
    StoreVerified {
        partition: i32,
        took: Duration,
    },
    /// The broker cannot be reached; said once, and once when it is back.
    BrokerAway {
        bootstrap: &'a str,
        why: &'a str,
    },
    BrokerBack {
        bootstrap: &'a str,
        after: Duration,
    },
}

impl Happened<'_> {
    /// Writes the line and counts.
    pub fn emit(self) {
        match self {
            Self::Ready { worker, group, instance, partitions } => {
                counter!("ward_assignments_total").increment(1);
                info!(worker, group, instance, partitions, "ready");
            }
            Self::Released { worker, partitions, lost } => {
                counter!("ward_releases_total", "lost" => if lost { "yes" } else { "no" }).increment(1);
                info!(worker, partitions, lost, "partitions given up");
            }
            Self::Recovered { partition, way, offset, changes, took } => {
                counter!("ward_recoveries_total", "way" => way.to_owned()).increment(1);
                histogram!("ward_recovery_seconds").record(took);
                info!(partition, way, offset, changes, ?took, "lane recovered");
            }
            Self::LaneStopped { partition, why } => {
                counter!("ward_lanes_stopped_total").increment(1);
                error!(partition, why, "lane stopped");
            }
            Self::Published { units, records, bytes, took } => {
                counter!("ward_transactions_total", "outcome" => "committed").increment(1);
                counter!("ward_published_records_total").increment(records as u64);
                counter!("ward_published_bytes_total").increment(bytes as u64);
                histogram!("ward_commit_seconds").record(took);
                tracing::debug!(units, records, bytes, ?took, "published");
            }
            Self::NotPublished { worker, kind, why } => {
                counter!("ward_transactions_total", "outcome" => kind.to_owned()).increment(1);
                warn!(worker, kind, why, "transaction not committed; its units are decided again");
            }
            Self::Checkpointed { partitions, parts, took } => {
                counter!("ward_checkpoint_parts_total").increment(parts as u64);
                histogram!("ward_checkpoint_seconds").record(took);
                tracing::debug!(partitions, parts, ?took, "checkpoint");
            }
            Self::StoreFailed { why } => {
                counter!("ward_store_failures_total").increment(1);
                warn!(why, "store");
            }
            Self::StoreVerified { partition, took } => {
                counter!("ward_store_verifications_total").increment(1);
                info!(partition, ?took, "store verified");
            }
            Self::BrokerAway { bootstrap, why } => {
                gauge!("ward_broker_up").set(0.0);
                warn!(bootstrap, why, "no broker; trying until there is one");
            }
            Self::BrokerBack { bootstrap, after } => {
                gauge!("ward_broker_up").set(1.0);
                info!(bootstrap, ?after, "broker reached");
            }
        }
    }
}
