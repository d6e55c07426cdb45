//! The table of metrics: the only place where one has a name.
//!
//! What Prometheus shows as help, what `docs/metrics.md` tells, and which buckets a histogram has,
//! come from here.

use std::fmt::Write as _;

/// One metric, and what it tells.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    /// Label names, each with what its values are.
    pub labels: &'static [(&'static str, &'static str)],
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// Upper bounds of the buckets, in the unit that the name ends with.
    Histogram(&'static [f64]),
}

impl Kind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

macro_rules! metrics {
    ($($id:ident $kind:expr, $name:literal [$($label:literal: $values:literal),*] $help:literal;)+) => {
        $(pub(super) const $id: Metric =
            Metric { name: $name, kind: $kind, labels: &[$(($label, $values)),*], help: $help };)+

        /// Every metric, in the order of the reference.
        pub const METRICS: &[Metric] = &[$($id),+];
    };
}

use Kind::{Counter, Gauge, Histogram};

metrics! {
    EVENTS Counter, "ward_events_total" ["type": "the event's type"]
        "Events decided and committed.";
    DECISIONS Counter, "ward_decisions_total" ["action": "allow, challenge, step_up, deny, revoke"]
        "Decisions committed, by what was to be done.";
    LEARNED Counter, "ward_learned_total" ["learned": "now, held, no, late"]
        "Decisions by what became of the observation; `held` waits for an answer, `late` teaches nothing.";
    FINDINGS Counter, "ward_findings_total" ["signal": "the signal's name"]
        "Decisions that have this signal among their reasons, whatever points it had.";
    UNKNOWN Counter, "ward_unknown_total" ["signal": "the signal's name"]
        "Decisions for which this signal's detector lacked what it compares. Much of it with no findings is a silent detector.";
    DUPLICATES Counter, "ward_duplicates_total" []
        "Events that had been decided before; they give no decision.";
    REJECTED Counter, "ward_rejected_total" ["reason": "a reason of docs/events.md"]
        "Input records that were not taken, each with a record in the rejected topic.";
    NORMALISED Counter, "ward_normalised_total"
        ["input": "feedback, or a name under [inputs]", "outcome": "event, skipped, rejected"]
        "Records of an input by what they became: an event, nothing by the mapping's own word, a rejected record.";
    ALERTS Counter, "ward_alerts_total" []
        "Alert records committed: opened, updated, closed.";
    REVOCATIONS Counter, "ward_revocations_total" []
        "Revocation commands committed.";
    ERASURES Counter, "ward_erasures_total" []
        "Erasures committed: each made a stranger of a user. Many at once are worth a question.";
    SIGHTINGS Counter, "ward_sightings_total" []
        "What decisions showed of users at a network or device where they are not at home, committed for the network lanes.";
    SIGHTINGS_FOLDED Counter, "ward_sightings_folded_total" []
        "Sightings that network lanes of this process have folded. Where none are folded while some are told, no network lane runs.";
    NETWORK_FACTS Counter, "ward_network_facts_total" ["change": "told, ended"]
        "Facts of networks and devices that became notable or changed, and that ended.";
    EXCEPTION_HITS Counter, "ward_exception_hits_total" ["exception": "its id"]
        "Decisions in which this exception of the policy silenced something. One without hits can go.";
    SHADOW Counter, "ward_shadow_decisions_total"
        ["live": "what the live policy did, or would have", "shadow": "what the shadow policy would have done"]
        "Decisions judged by a shadow policy as well; where the labels differ, switching it on changes something.";
    RELOADS Counter, "ward_reloads_total"
        ["what": "policy, tables", "outcome": "in_force, refused"]
        "Changed files that were read again. After refused, what was read before stays in force.";
    RELOAD_PAUSE Histogram(LATENCIES), "ward_reload_pause_seconds" []
        "From the last transaction of a worker before it took over a changed policy or table to its first one after. Where no events come it is a wait for them.";
    POLICIES_TOO_LARGE Counter, "ward_policies_too_large_total" []
        "Policies that decided and are not in the policies topic, since no record can hold them.";
    ACTION_JUMPS Counter, "ward_action_jumps_total" []
        "Times that the share of step_up or stricter rose by more than [policy] max_action_change.";
    END_TO_END Histogram(LATENCIES), "ward_end_to_end_seconds" []
        "From an input record's own time to the commit of its decision.";
    LAG_RECORDS Gauge, "ward_lag_records" ["partition": "of the input"]
        "Input records that were not decided yet: end of the partition less the position.";
    LAG_SECONDS Gauge, "ward_lag_seconds" ["partition": "of the input"]
        "Age of the last record decided, while others wait; 0 when none does.";
    TRANSACTIONS Counter, "ward_transactions_total"
        ["outcome": "committed, aborted, unknown, fenced, too_large, unreachable, fatal"]
        "Transactions by how they ended. Whatever was not committed is decided again.";
    COMMIT Histogram(LATENCIES), "ward_commit_seconds" []
        "How long a committed transaction took, from the first record sent.";
    PUBLISHED_RECORDS Counter, "ward_published_records_total" []
        "Records committed, over all output topics.";
    PUBLISHED_BYTES Counter, "ward_published_bytes_total" []
        "Keys and values committed, over all output topics.";
    ASSIGNMENTS Counter, "ward_assignments_total" []
        "Times that a worker served all partitions of a new assignment.";
    RELEASES Counter, "ward_releases_total" ["lost": "yes when they were taken without asking"]
        "Times that partitions were given up or lost.";
    PARTITIONS Gauge, "ward_partitions" ["state": "waiting, restoring, served, refused"]
        "Partitions assigned to this process, by state.";
    RECOVERIES Counter, "ward_recoveries_total"
        ["way": "continue, replay, fresh, or why it was restored from the changelog's start"]
        "Partitions taken over, by how the state came back.";
    RECOVERY Histogram(RECOVERIES_TAKE), "ward_recovery_seconds" []
        "How long taking over a partition took.";
    LANES_STOPPED Counter, "ward_lanes_stopped_total" []
        "Partitions that must not be served until a person acts.";
    CHECKPOINT_PARTS Counter, "ward_checkpoint_parts_total" []
        "Parts of profiles written to the store.";
    CHECKPOINT Histogram(LATENCIES), "ward_checkpoint_seconds" []
        "How long a round of checkpoints took, the disk and rests included.";
    STORE_FAILURES Counter, "ward_store_failures_total" []
        "Failures of the local store; each costs a restore, never a wrong answer.";
    STORE_VERIFICATIONS Counter, "ward_store_verifications_total" []
        "Stores that served at once after a clean stop and were read through since.";
    STORE_BEHIND Gauge, "ward_store_behind_records" ["partition": "of the input"]
        "Input records by which the local store is behind the broker.";
    CHANGELOG_BEHIND Gauge, "ward_changelog_behind_records" ["partition": "of the input"]
        "Changelog records that a restart would read to catch up; absent while unknown.";
    STANDBY_PARTITIONS Gauge, "ward_standby_partitions" ["state": "filling, warm"]
        "Partitions that others serve and this process keeps a copy of; taking over a warm one reads a tail. 0 without [run] standby.";
    STANDBY_BEHIND Gauge, "ward_standby_behind_records" ["partition": "of the input"]
        "Changelog records that a copy lacked when it was last looked at.";
    STANDBY_RECORDS Counter, "ward_standby_records_total" []
        "Changelog records that copies took.";
    STANDBY_FAILURES Counter, "ward_standby_failures_total" []
        "Times that a copy could not be brought up. Decisions go on; a take-over of it may cost a restore.";
    HELD Gauge, "ward_held_observations" ["partition": "of the input"]
        "Observations that waited for an answer at the last checkpoint: step-ups and challenges nobody answered yet.";
    STABLE_AGE Gauge, "ward_last_stable_offset_age_seconds"
        ["topic": "events, decisions", "partition": "of the topic"]
        "How long the last stable offset has not moved although records lie beyond it: a transaction hangs.";
    BROKER_UP Gauge, "ward_broker_up" []
        "1 while the broker answers, else 0.";
    BROKER_AWAY Counter, "ward_broker_away_total" []
        "Times that the broker stopped answering.";
    BROKER_SILENT Gauge, "ward_broker_silent_seconds" []
        "Time since the broker answered last; absent before the first time.";
    REGISTRY_AWAY Counter, "ward_registry_away_total" []
        "Times that the schema registry stopped giving sound answers.";
    SPANS_SENT Counter, "ward_spans_sent_total" []
        "Spans that the collector took; three a record that is traced.";
    SPANS_DROPPED Counter, "ward_spans_dropped_total"
        ["why": "rate (beyond [tracing] records_a_second), queue (the collector takes less than comes), collector (it refused them, or did not take them in time)"]
        "Spans of traced records that nobody will see. What the records led to carries the trace on all the same.";
    COLLECTOR_AWAY Counter, "ward_collector_away_total" []
        "Times that the collector of spans stopped taking them.";
    READY Gauge, "ward_ready" []
        "1 while `/ready` answers 200, else 0.";
    DEGRADED Gauge, "ward_degraded" ["what": "policy, canary, tables"]
        "1 while something is wrong that does not stop deciding; `/ready` says what.";
    TABLE_AGE Gauge, "ward_table_age_seconds" ["table": "geo, asn, networks", "file": "the file's name"]
        "Age of a table's file, by the time when it was last changed.";
    TABLE_BROKEN Counter, "ward_table_broken_lookups_total" []
        "Look-ups that met a damaged record and were answered as unknown.";
    CANARY_SPEAKS Gauge, "ward_canary_speaks" ["signal": "the signal's name"]
        "1 when the detector spoke about its canary in the last run, 0 when it was silent.";
    CANARY_RUNS Counter, "ward_canary_runs_total" ["outcome": "complete, silent"]
        "Runs of all canaries; `silent` when at least one detector was.";
    CANARY_CHANGES Counter, "ward_canary_changes_total" ["to": "silent, speaks"]
        "Times that a detector fell silent about its canary, or spoke again.";
    CANARY_AGE Gauge, "ward_canary_age_seconds" []
        "Time since the canaries ran last; absent before the first run.";
    BUILD Gauge, "ward_build_info" ["version": "of ward", "engine": "revision of the engine"]
        "Always 1.";
}

/// From the commit interval's least to the time-out of a transaction.
const LATENCIES: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// From a store that only has to be opened to a changelog of millions.
const RECOVERIES_TAKE: &[f64] = &[0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0];

/// The reference page.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(HEAD);
    for Metric { name, kind, labels, help } in METRICS {
        write!(page, "\n### `{name}`\n\n{help}\n\nType: {}.", kind.name()).unwrap_or_default();
        if !labels.is_empty() {
            let labels: Vec<_> = labels.iter().map(|(name, values)| format!("`{name}` ({values})")).collect();
            write!(page, " Labels: {}.", labels.join(", ")).unwrap_or_default();
        }
        if let Histogram(bounds) = kind {
            let bounds: Vec<_> = bounds.iter().map(ToString::to_string).collect();
            write!(page, " Buckets: {}.", bounds.join(", ")).unwrap_or_default();
        }
        page.push('\n');
    }
    page
}

const HEAD: &str = "# Metrics

`ward run --metrics-listen ADDR:PORT` (or `[metrics] listen`) answers over HTTP/1.1, without TLS and without a password: keep it on
loopback or inside a network that you trust. It tells no secret and no user.

| Path | Answers |
|---|---|
| `/metrics` | Every metric below, in Prometheus's text format. |
| `/health` | 200 while the process lives and no thread of it hangs; else 503. |
| `/ready` | 200 when every assigned partition is restored and served and the broker was heard of within 30 s; else 503. JSON: `ready`, `missing` (what is waited for), `degraded` (what is wrong and does not stop deciding). |

Counters count what was committed since the process began: what is decided again after an abort counts once. Times are seconds, sizes
bytes. The table is `src/telemetry/table.rs`; this page is made from it (`BLESS=1 cargo test reference`).

## Reference
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions() {
        let mut seen = std::collections::BTreeSet::new();
        for metric in METRICS {
            let Metric { name, kind, labels, help } = metric;
            assert!(seen.insert(name), "{name} twice");
            assert!(name.starts_with("ward_"), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Counter, "{name}");
            assert!(help.ends_with('.') && !help.contains('\n'), "{name}: {help}");
            assert!(labels.iter().all(|(label, _)| !["le", "quantile", "job", "instance"].contains(label)));
            if let Histogram(bounds) = kind {
                assert!(bounds.is_sorted() && name.ends_with("_seconds"), "{name}");
            }
        }
    }
}
