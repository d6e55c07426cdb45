//! The network lanes: fold `risk.sightings` into sketches, and tell facts while they are notable.
//!
//! One lane a partition, and one [`super::relay`] for all that are assigned to it. What a lane keeps is small
//! and in memory; it is restored whole from its changelog when its partition comes, and again when a
//! transaction did not go through, so that no sighting counts twice and none is left out.
//!
//! *Failure*: sightings that retention took before they were read are missing from the numbers, and said; a
//! record that is none is skipped, and said.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::relay::written;
use crate::engine::across::{Change, Fold, News};
use crate::engine::emit;
use crate::model::across::Origin;
use crate::pipeline::relay::{Fold as Relayed, Pace, Told};
use crate::ports::failure::Failure;
use crate::ports::ledger::{Ground, Ledger, Output, Unit, Witness};
use crate::ports::source::Record;
use crate::telemetry::Happened;

/// What is made of sightings. In the ledger the facts are what it calls decisions, and the sketches what it
/// calls profiles.
#[derive(Clone, Copy, Debug)]
pub struct Sightings;

impl Relayed for Sightings {
    type State = Fold;

    /// An attack goes on for minutes; a sketch that is written with every sighting is written too often.
    const PACE: Pace = Pace { publish_every: Duration::from_millis(100), records_max: 5_000 };

    fn begin(
        &mut self,
        partition: i32,
        ground: &Ground,
        ledger: &mut dyn Ledger,
    ) -> Result<(Fold, i64), Failure> {
        let fold = restore(partition, ground, ledger)?;
        let next = match (&ground.committed, &ground.witness) {
            (Some(committed), _) => committed.offset,
            // The group's offsets have expired: the changelog says how far it had come.
            (None, Witness::Last(mark, _)) => mark.offset,
            (None, Witness::Never | Witness::Expired) => ground.input.start,
        };
        Ok((fold, next.min(ground.input.end.max(ground.input.start))))
    }

    fn take(&mut self, fold: &mut Fold, record: &Record<'_>, _: &mut Unit) -> Result<(), u32> {
        let key = record.key.filter(|key| Origin::parse_key(key).is_some());
        match (key, emit::sighting_read(record.value.unwrap_or_default())) {
            (Some(key), Ok(sighting)) => {
                fold.take(key, &sighting, record.offset.saturating_add(1).unsigned_abs());
            }
            (key, read) => {
                let why =
                    read.err().filter(|_| key.is_some()).unwrap_or_else(|| "its key names no origin".into());
                warn!(partition = record.partition, offset = record.offset, why, "no sighting; skipped");
            }
        }
        Ok(())
    }

    fn seal(&self, fold: &mut Fold, unit: &mut Unit) {
        let offset = unit.to.offset.saturating_sub(1);
        fold.drain(|change| write(unit, offset, &change));
    }

    fn settled(&mut self, units: &[Arc<Unit>], sightings: usize, outcome: Result<(), &Failure>) {
        if let Err(failure) = outcome {
            return warn!(%failure, "sightings are folded again");
        }
        let told = || written(units, Output::Decisions);
        let facts = told().filter(|fact| fact.value.is_some()).count();
        Happened::SightingsFolded { sightings, facts, ended: told().count() - facts }.emit();
    }

    fn tell(&self, told: &Told<'_, Fold>) {
        match told {
            Told::Read { partition, offset, state } => {
                info!(partition, offset, origins = state.len(), "sightings are read");
            }
            Told::Deleted { partition, from, to } => {
                warn!(partition, from, to, "sightings were deleted before they were read");
            }
            Told::NotRead(why) => warn!(%why, "sightings are not read yet"),
        }
    }
}

fn restore(partition: i32, ground: &Ground, ledger: &mut dyn Ledger) -> Result<Fold, Failure> {
    let mut kept = BTreeMap::<Vec<u8>, Vec<u8>>::new();
    ledger.changes(partition, ground.profiles.start, &mut |change| {
        match change.value {
            Some(value) => drop(kept.insert(change.key.to_vec(), value.to_vec())),
            None => drop(kept.remove(change.key)),
        }
        true
    })?;
    let mut fold = Fold::bounded(ORIGINS_MAX);
    for (key, value) in &kept {
        let restored = emit::network_state_read(value)
            .and_then(|state| fold.restore(key, state).map(drop).map_err(|error| error.to_string()));
        // Never another state than the one that was written: a newer version wrote it, or it is damaged.
        restored.map_err(|why| {
            let key = String::from_utf8_lossy(key);
            Failure::Fatal(format!(
                "the state of `{key}` in partition {partition} cannot be used ({why}); run the version that wrote it, or \
                 delete and make the topic of network states anew to begin with nothing known"
            ))
        })?;
    }
    Ok(fold)
}

/// Of a lane, which may be the only one: half a GiB, were each of them as full as it gets.
const ORIGINS_MAX: usize = 131_072;

fn write(unit: &mut Unit, offset: i64, change: &Change<'_>) {
    let key = unit.key(change.key);
    match change.news {
        News::None => {}
        News::Facts(told) => {
            unit.push(Output::Decisions, offset, key.clone(), |out| emit::network_avro(&told, out));
        }
        News::End => unit.push_end(Output::Decisions, offset, key.clone()),
    }
    match change.state {
        Some(state) => unit.push(Output::Profiles, offset, key, |out| emit::network_state_avro(state, out)),
        None => unit.push_end(Output::Profiles, offset, key),
    }
}
