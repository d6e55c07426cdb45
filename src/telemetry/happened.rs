//! The table of what happens: each entry is a log line and a metric.

use std::time::Duration;

use metrics::{counter, histogram};
use tracing::{error, info, warn};

use super::table;

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
    /// Records of an input were copied, left out, or rejected.
    Normalised {
        input: &'a str,
        events: u64,
        skipped: u64,
        rejected: u64,
    },
    /// Network lanes committed what they made of sightings.
    SightingsFolded {
        sightings: usize,
        facts: usize,
        ended: usize,
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
    /// A copy of a partition that somebody else serves was brought up, or filled for the first time.
    Copied {
        partition: i32,
        records: u64,
        is_filled: bool,
        took: Duration,
    },
    CopyFailed {
        partition: i32,
        why: &'a str,
        again: Duration,
    },
    /// A detector did not speak about the event that must make it speak.
    CanarySilent {
        signal: &'a str,
        why: &'a str,
    },
    /// It speaks again.
    CanaryBack {
        signal: &'a str,
    },
    CanariesRan {
        canaries: usize,
        silent: usize,
    },
    /// A changed file is in force: `policy` or `tables`.
    Reloaded {
        what: &'static str,
        digest: &'a str,
        took: Duration,
    },
    /// A worker decides by what was read again; how long after the transaction before.
    TakenOver {
        worker: u16,
        pause: Duration,
    },
    /// A changed file cannot be used; what was read before stays in force.
    NotReloaded {
        what: &'static str,
        why: &'a str,
    },
    /// A policy that no record can hold is not in `risk.policies`.
    PolicyTooLarge {
        bytes: usize,
    },
    /// The share of decisions that step up, deny or revoke has jumped, in decisions of a thousand.
    ActionsJumped {
        worker: u16,
        before_permille: u64,
        now_permille: u64,
    },
    ActionsSettled {
        worker: u16,
        now_permille: u64,
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
    /// The registry gives no sound answer; said once, and once when it does again.
    RegistryAway {
        why: &'a str,
    },
    RegistryBack {
        after: Duration,
    },
    /// The collector takes no spans; said once, and once when it does again.
    CollectorAway {
        endpoint: &'a str,
        why: &'a str,
    },
    CollectorBack {
        after: Duration,
    },
}

impl Happened<'_> {
    /// Writes the line and counts.
    pub fn emit(self) {
        match self {
            Self::Ready { worker, group, instance, partitions } => {
                counter!(table::ASSIGNMENTS.name).increment(1);
                info!(worker, group, instance, partitions, "ready");
            }
            Self::Released { worker, partitions, lost } => {
                counter!(table::RELEASES.name, "lost" => if lost { "yes" } else { "no" }).increment(1);
                info!(worker, partitions, lost, "partitions given up");
            }
            Self::Recovered { partition, way, offset, changes, took } => {
                counter!(table::RECOVERIES.name, "way" => way.to_owned()).increment(1);
                histogram!(table::RECOVERY.name).record(took);
                info!(partition, way, offset, changes, ?took, "lane recovered");
            }
            Self::LaneStopped { partition, why } => {
                counter!(table::LANES_STOPPED.name).increment(1);
                error!(partition, why, "lane stopped");
            }
            Self::Published { units, records, bytes, took } => {
                counter!(table::TRANSACTIONS.name, "outcome" => "committed").increment(1);
                counter!(table::PUBLISHED_RECORDS.name).increment(records as u64);
                counter!(table::PUBLISHED_BYTES.name).increment(bytes as u64);
                histogram!(table::COMMIT.name).record(took);
                let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                tracing::debug!(units, records, bytes, took_us, "published");
            }
            Self::NotPublished { worker, kind, why } => {
                counter!(table::TRANSACTIONS.name, "outcome" => kind.to_owned()).increment(1);
                warn!(worker, kind, why, "transaction not committed; its units are decided again");
            }
            Self::SightingsFolded { sightings, facts, ended } => {
                counter!(table::SIGHTINGS_FOLDED.name).increment(sightings as u64);
                counter!(table::NETWORK_FACTS.name, "change" => "told").increment(facts as u64);
                counter!(table::NETWORK_FACTS.name, "change" => "ended").increment(ended as u64);
                tracing::debug!(sightings, facts, ended, "sightings folded");
            }
            Self::Checkpointed { partitions, parts, took } => {
                counter!(table::CHECKPOINT_PARTS.name).increment(parts as u64);
                histogram!(table::CHECKPOINT.name).record(took);
                tracing::debug!(partitions, parts, ?took, "checkpoint");
            }
            Self::Normalised { input, events, skipped, rejected } => {
                for (outcome, count) in [("event", events), ("skipped", skipped), ("rejected", rejected)] {
                    counter!(table::NORMALISED.name, "input" => input.to_owned(), "outcome" => outcome)
                        .increment(count);
                }
                tracing::debug!(input, events, skipped, rejected, "normalised");
            }
            Self::StoreFailed { why } => {
                counter!(table::STORE_FAILURES.name).increment(1);
                warn!(why, "store");
            }
            Self::StoreVerified { partition, took } => {
                counter!(table::STORE_VERIFICATIONS.name).increment(1);
                info!(partition, ?took, "store verified");
            }
            Self::Copied { partition, records, is_filled, took } => {
                counter!(table::STANDBY_RECORDS.name).increment(records);
                if is_filled {
                    info!(partition, records, ?took, "copy filled");
                } else {
                    tracing::debug!(partition, records, ?took, "copy brought up");
                }
            }
            Self::CopyFailed { partition, why, again } => {
                counter!(table::STANDBY_FAILURES.name).increment(1);
                warn!(partition, why, ?again, "no copy; trying again");
            }
            Self::CanarySilent { signal, why } => {
                counter!(table::CANARY_CHANGES.name, "to" => "silent").increment(1);
                error!(signal, why, "a detector is silent: what it should see is decided without it");
            }
            Self::CanaryBack { signal } => {
                counter!(table::CANARY_CHANGES.name, "to" => "speaks").increment(1);
                info!(signal, "the detector speaks again");
            }
            Self::CanariesRan { canaries, silent } => {
                let outcome = if silent == 0 { "complete" } else { "silent" };
                counter!(table::CANARY_RUNS.name, "outcome" => outcome).increment(1);
                tracing::debug!(canaries, silent, "canaries ran");
            }
            Self::Reloaded { what, digest, took } => {
                counter!(table::RELOADS.name, "what" => what, "outcome" => "in_force").increment(1);
                info!(what, digest, ?took, "read again and in force");
            }
            Self::TakenOver { worker, pause } => {
                histogram!(table::RELOAD_PAUSE.name).record(pause);
                let pause_us = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
                tracing::debug!(worker, pause_us, "decides by what was read again");
            }
            Self::NotReloaded { what, why } => {
                counter!(table::RELOADS.name, "what" => what, "outcome" => "refused").increment(1);
                error!(what, why, "cannot be used; what was read before stays in force");
            }
            Self::PolicyTooLarge { bytes } => {
                counter!(table::POLICIES_TOO_LARGE.name).increment(1);
                error!(bytes, "the policy is too large for risk.policies: a replay will need its files");
            }
            Self::ActionsJumped { worker, before_permille, now_permille } => {
                counter!(table::ACTION_JUMPS.name).increment(1);
                error!(
                    worker,
                    before_permille,
                    now_permille,
                    "far more decisions step up, deny or revoke than before: look at policy and tables"
                );
            }
            Self::ActionsSettled { worker, now_permille } => {
                info!(worker, now_permille, "the share of strict decisions is usual again");
            }
            Self::BrokerAway { bootstrap, why } => {
                counter!(table::BROKER_AWAY.name).increment(1);
                warn!(bootstrap, why, "no broker; trying until there is one");
            }
            Self::BrokerBack { bootstrap, after } => {
                info!(bootstrap, ?after, "broker reached");
            }
            Self::RegistryAway { why } => {
                counter!(table::REGISTRY_AWAY.name).increment(1);
                warn!(
                    why,
                    "no schema from the registry; trying until there is one, or rejecting, as configured"
                );
            }
            Self::RegistryBack { after } => {
                info!(?after, "the registry answers");
            }
            Self::CollectorAway { endpoint, why } => {
                counter!(table::COLLECTOR_AWAY.name).increment(1);
                warn!(endpoint, why, "spans are not taken; what does not find room is dropped");
            }
            Self::CollectorBack { after } => {
                info!(?after, "spans are taken again");
            }
        }
    }
}
