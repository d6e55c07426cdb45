//! Counters of what was decided, resolved once: a committed unit costs a few additions.

use metrics::{Counter, Histogram, counter, histogram};

use super::table::{self, Metric};
use crate::model::signal::Signal;
use crate::model::tally::Tally;
use crate::model::time::Timestamp;
use crate::model::{Action, EventType, Learned, Reject};

/// Made after the exporter is installed; each worker has its own, all count into the same numbers.
pub struct Meters {
    events: Vec<Counter>,
    actions: Vec<Counter>,
    learned: Vec<Counter>,
    found: Vec<Counter>,
    unknown: Vec<Counter>,
    rejected: Vec<Counter>,
    duplicates: Counter,
    alerts: Counter,
    revocations: Counter,
    erasures: Counter,
    sightings: Counter,
    end_to_end: Histogram,
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

impl Default for Meters {
    fn default() -> Self {
        for change in ["told", "ended"] {
            counter!(table::NETWORK_FACTS.name, "change" => change).increment(0);
        }
        let seldom = [
            table::SIGHTINGS_FOLDED,
            table::ACTION_JUMPS,
            table::POLICIES_TOO_LARGE,
            table::REGISTRY_AWAY,
            table::COLLECTOR_AWAY,
        ];
        for seldom in seldom {
            counter!(seldom.name).increment(0);
        }
        Self {
            events: labelled(table::EVENTS, EventType::ALL.iter().map(|one| one.name())),
            actions: labelled(table::DECISIONS, Action::ALL.iter().map(|one| one.name())),
            learned: labelled(table::LEARNED, Learned::ALL.iter().map(|one| one.name())),
            found: labelled(table::FINDINGS, Signal::ALL.iter().map(|one| one.name())),
            unknown: labelled(table::UNKNOWN, Signal::ALL.iter().map(|one| one.name())),
            rejected: labelled(table::REJECTED, Reject::ALL.iter().map(|one| one.name())),
            duplicates: counter!(table::DUPLICATES.name),
            alerts: counter!(table::ALERTS.name),
            revocations: counter!(table::REVOCATIONS.name),
            erasures: counter!(table::ERASURES.name),
            sightings: counter!(table::SIGHTINGS.name),
            end_to_end: histogram!(table::END_TO_END.name),
        }
    }
}

impl Meters {
    /// Counts a unit that was committed at `now`.
    pub fn committed(&self, tally: &Tally, now: Timestamp) {
        add(&self.events, &tally.events);
        add(&self.actions, &tally.actions);
        add(&self.learned, &tally.learned);
        add(&self.found, &tally.found);
        add(&self.unknown, &tally.unknown);
        add(&self.rejected, &tally.rejected);
        for (id, count) in &tally.exceptions {
            counter!(table::EXCEPTION_HITS.name, "exception" => id.clone()).increment(u64::from(*count));
        }
        for (live, counts) in Action::ALL.iter().zip(&tally.shadow) {
            for (shadow, count) in Action::ALL.iter().zip(counts).filter(|(_, count)| **count > 0) {
                counter!(table::SHADOW.name, "live" => live.name(), "shadow" => shadow.name())
                    .increment(u64::from(*count));
            }
        }
        self.duplicates.increment(tally.duplicates.into());
        self.alerts.increment(tally.alerts.into());
        self.revocations.increment(tally.revocations.into());
        self.erasures.increment(tally.erasures.into());
        self.sightings.increment(tally.sightings.into());
        for arrival in tally.arrivals() {
            let took = now.since(arrival.at).unwrap_or_default();
            self.end_to_end.record_many(took, arrival.records as usize);
        }
    }
}

/// One counter a word, in their order, shown from the beginning: a series that appears with its
/// first event has no increase that an alert could see.
fn labelled(metric: Metric, words: impl Iterator<Item = &'static str>) -> Vec<Counter> {
    let label = metric.labels.first().map_or("", |(label, _)| label);
    words
        .map(|word| {
            let counter = counter!(metric.name, label => word);
            counter.increment(0);
            counter
        })
        .collect()
}

fn add(counters: &[Counter], counts: &[u32]) {
    for (counter, count) in counters.iter().zip(counts).filter(|(_, count)| **count > 0) {
        counter.increment(u64::from(*count));
    }
}
