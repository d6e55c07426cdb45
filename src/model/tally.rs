//! A tally: what one unit decided, as plain numbers.
//!
//! Counting is part of the unit, so that what was rolled back was never counted, and costs an event
//! a handful of additions: names and labels are the business of whoever reads the tally, once a
//! transaction.

use std::collections::BTreeMap;

use super::decision::Decision;
use super::signal::Signal;
use super::time::Timestamp;
use super::words::{Action, EventType, Learned, Reject};

/// Counts of one unit. Arrays stand in the order of their set's `ALL`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub events: [u32; EventType::ALL.len()],
    pub actions: [u32; Action::ALL.len()],
    pub learned: [u32; Learned::ALL.len()],
    /// Decisions with this signal among their reasons, whatever it counted.
    pub found: [u32; Signal::COUNT],
    /// Decisions in which this signal's detector applied and could not look.
    pub unknown: [u32; Signal::COUNT],
    pub rejected: [u32; Reject::ALL.len()],
    pub duplicates: u32,
    pub alerts: u32,
    pub revocations: u32,
    pub erasures: u32,
    /// Told to network lanes.
    pub sightings: u32,
    /// Decisions in which an exception silenced something, by its id.
    pub exceptions: BTreeMap<String, u32>,
    /// Decisions with a shadow's verdict: what the live policy did or would have, then the shadow.
    pub shadow: [[u32; Action::ALL.len()]; Action::ALL.len()],
    arrivals: Vec<Arrival>,
}

/// Records whose own time is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub at: Timestamp,
    pub records: u32,
}

impl Tally {
    pub fn decided(&mut self, decision: &Decision<'_>, alert: bool, revocations: usize) {
        count(&mut self.events, decision.kind.code().into());
        count(&mut self.actions, decision.action.code().into());
        count(&mut self.learned, decision.learned.code().into());
        for reason in &decision.reasons {
            count(&mut self.found, reason.signal.index());
        }
        for signal in &decision.unknown {
            count(&mut self.unknown, signal.index());
        }
        for id in &decision.exceptions {
            match self.exceptions.get_mut(*id) {
                Some(count) => *count += 1,
                None => drop(self.exceptions.insert((*id).to_owned(), 1)),
            }
        }
        let live = decision.would.unwrap_or(decision.action);
        for shadow in &decision.shadow {
            if let Some(counts) = self.shadow.get_mut(usize::from(live.code())) {
                count(counts, shadow.action.code().into());
            }
        }
        self.alerts += u32::from(alert);
        self.revocations = self.revocations.saturating_add(u32::try_from(revocations).unwrap_or(u32::MAX));
    }

    pub const fn erased(&mut self) {
        self.erasures += 1;
    }

    pub const fn sighted(&mut self) {
        self.sightings += 1;
    }

    pub fn rejected(&mut self, reason: Reject) {
        count(&mut self.rejected, reason.code().into());
    }

    pub const fn duplicate(&mut self) {
        self.duplicates += 1;
    }

    /// A record, whatever became of it. Those that follow each other mostly share their time, which
    /// brokers give in milliseconds.
    pub fn arrived(&mut self, at: Option<Timestamp>) {
        let Some(at) = at else { return };
        match self.arrivals.last_mut() {
            Some(last) if last.at == at => last.records += 1,
            _ => self.arrivals.push(Arrival { at, records: 1 }),
        }
    }

    #[must_use]
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// Own time of the last record.
    #[must_use]
    pub fn last_arrival(&self) -> Option<Timestamp> {
        self.arrivals.last().map(|arrival| arrival.at)
    }

    /// Empties it, keeping its buffer.
    pub fn reset(&mut self) {
        let mut arrivals = std::mem::take(&mut self.arrivals);
        arrivals.clear();
        *self = Self { arrivals, ..Self::default() };
    }
}

fn count(counts: &mut [u32], index: usize) {
    if let Some(count) = counts.get_mut(index) {
        *count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_one_moment_are_one_arrival() {
        let at = |ms: i64| Timestamp::from_micros(ms * 1000);
        let mut tally = Tally::default();
        for moment in [at(5), at(5), None, at(5), at(6), at(5)] {
            tally.arrived(moment);
        }
        let counted: Vec<_> = tally.arrivals().iter().map(|arrival| arrival.records).collect();
        assert_eq!((counted, tally.last_arrival()), (vec![3, 1, 1], at(5)));
        tally.rejected(Reject::Gap);
        tally.reset();
        assert_eq!(tally, Tally::default());
    }
}
