//! What must hold: at every step, and at the end.

use std::collections::BTreeMap;

use wardstream::engine::baseline::Core;
use wardstream::engine::emit::profile_read;
use wardstream::ports::ledger::{Output, Unit};
use wardstream::ports::store::{Spot, StateStore as _};

use super::world::World;
use super::yardstick::Folded;

impl World<'_> {
    /// At every step: what is published is a beginning of what must be published, and no store is
    /// ahead of the broker.
    pub(super) fn prefix(&mut self) -> Result<(), String> {
        self.note_furthest();
        for ((number, folded), (next, known)) in (0i32..).zip(self.folded.iter()).zip(&mut self.compared) {
            // Nothing that was published is ever changed.
            for record in self.log.read(Output::Decisions, number, *next, usize::MAX) {
                if folded.decisions.get(*known).map(Vec::as_slice) != record.value.as_deref() {
                    return Err(format!("decisions of partition {number} are not a beginning of the fold"));
                }
                (*next, *known) = (record.offset + 1, *known + 1);
            }
            let committed = self.furthest.get(&number).copied().unwrap_or(0);
            for node in &self.nodes {
                let place = node.store.inside.checkpoint(number).and_then(|checkpoint| checkpoint.place);
                if place.is_some_and(|Spot { mark, .. }| mark.offset > committed) {
                    return Err(format!("the store of {} is ahead in partition {number}", node.name));
                }
            }
        }
        for worker in self.nodes.iter().filter_map(|node| node.worker.as_ref()) {
            for unit in worker.flight.iter().flat_map(|(units, _)| units) {
                counted(unit)?;
            }
        }
        let broken: u64 = self
            .nodes
            .iter()
            .filter_map(|node| node.worker.as_ref())
            .map(|worker| worker.dispatch.broken())
            .sum();
        if broken > 0 { Err(format!("{broken} invariants broken")) } else { Ok(()) }
    }

    fn values(&self, output: Output, partition: i32) -> Vec<Vec<u8>> {
        let records = self.log.read(output, partition, 0, usize::MAX);
        records.into_iter().map(|record| record.value.unwrap_or_default().to_vec()).collect()
    }

    pub(super) fn compare(&self) -> Result<(), String> {
        for (number, folded) in (0i32..).zip(self.folded.iter()) {
            for output in [Output::Decisions, Output::Alerts, Output::Revocations, Output::Sightings] {
                same(output.name(), number, self.values(output, number).as_slice(), folded.of(output))?;
            }
            let rejected = self.log.read(Output::Rejected, number, 0, usize::MAX);
            let rejected: Vec<_> =
                rejected.into_iter().map(|record| record.key.unwrap_or_default().to_vec()).collect();
            same("rejected", number, &rejected, &folded.rejected)?;

            let mut changelog = BTreeMap::new();
            for record in self.log.read(Output::Profiles, number, 0, usize::MAX) {
                changelog.insert(
                    record.key.unwrap_or_default().to_vec(),
                    record.value.map(|value| value.to_vec()),
                );
            }
            changelog.remove(b"\0mark".as_slice());
            let changelog: BTreeMap<_, _> =
                changelog.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
            same("changelog", number, &changelog, &folded.profiles)?;

            let committed =
                self.log.committed(number).map(|committed| (committed.offset, committed.metadata));
            let expected = (folded.mark.offset, folded.mark.metadata());
            if folded.mark.offset > 0 {
                same("mark", number, &committed, &Some(expected))?;
            }
            self.compare_stores(number, folded)?;
        }
        Ok(())
    }

    /// Remembers how far the offsets have come, should they be forgotten.
    pub(super) fn note_furthest(&mut self) {
        for number in 0..self.partitions {
            let Some(committed) = self.log.committed(number) else { continue };
            let furthest = self.furthest.entry(number).or_default();
            *furthest = committed.offset.max(*furthest);
        }
    }

    /// A store that says that it is at the mark has the state of the mark.
    fn compare_stores(&self, number: i32, folded: &Folded) -> Result<(), String> {
        for node in &self.nodes {
            let store = &node.store.inside;
            let checkpoint = store.checkpoint(number).unwrap_or_default();
            let at_mark = checkpoint.place;
            if at_mark.is_none_or(|spot| spot.mark != folded.mark)
                || store.verify(number, &mut |_| ()).is_err()
            {
                continue;
            }
            let mut parts = BTreeMap::new();
            store
                .scan(number, None, usize::MAX, &mut |user, stored| {
                    for (name, value) in stored.iter() {
                        parts.insert([user, &[0], name].concat(), value.to_vec());
                    }
                })
                .map_err(|error| error.to_string())?;
            same(&format!("store of {}", node.name), number, &parts, &folded.profiles)?;
            let held: u64 = parts.iter().map(|(key, value)| held(key, value)).sum();
            same("held observations counted", number, &checkpoint.held, &held)?;
        }
        Ok(())
    }
}

/// Observations that wait for an answer in a stored part.
fn held(key: &[u8], value: &[u8]) -> u64 {
    if !key.ends_with(b"\0core") {
        return 0;
    }
    Core::decode(profile_read(value).unwrap().state).unwrap().held().len() as u64
}

/// What a unit is counted as is what it carries.
fn counted(unit: &Unit) -> Result<(), String> {
    let written = |output| unit.records().filter(|record| record.output == output).count();
    let tally = &unit.tally;
    let sum = |counts: &[u32]| counts.iter().sum::<u32>() as usize;
    let decided = written(Output::Decisions);
    for (what, counts) in
        [("actions", &tally.actions[..]), ("events", &tally.events), ("learned", &tally.learned)]
    {
        same(what, unit.partition, &sum(counts), &decided)?;
    }
    same("alerts counted", unit.partition, &(tally.alerts as usize), &written(Output::Alerts))?;
    same(
        "revocations counted",
        unit.partition,
        &(tally.revocations as usize),
        &written(Output::Revocations),
    )?;
    same("sightings counted", unit.partition, &(tally.sightings as usize), &written(Output::Sightings))?;
    same("rejected counted", unit.partition, &sum(&tally.rejected), &written(Output::Rejected))
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(
    what: &str,
    partition: i32,
    found: &T,
    expected: &T,
) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what} of partition {partition} are not the fold's"))
    }
}
