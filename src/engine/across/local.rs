//! A network lane and its only reader in one: what a file has, whose next record sees the facts.

use super::{Fold, News, Table, tell};
use crate::engine::baseline::codec::Error;
use crate::model::across::{Across, Sightings};
use crate::model::observation::Observation;

#[derive(Debug, Default)]
pub struct Local {
    fold: Fold,
    table: Table,
}

impl Local {
    /// What is known of the origins of an event.
    #[must_use]
    pub fn look_up(&self, seen: &Observation<'_>) -> Option<Across> {
        self.table.look_up(seen)
    }

    /// Takes what an event showed; `version` is the offset after its record.
    pub fn take(&mut self, seen: &Observation<'_>, sightings: Sightings, version: u64) {
        if sightings == Sightings::default() {
            return;
        }
        let Self { fold, table } = self;
        tell(seen, sightings, |key, sighting| fold.take(key, sighting, version));
        fold.drain(|change| match change.news {
            News::None => {}
            News::Facts(told) => drop(table.put(change.key, Some(told))),
            News::End => drop(table.put(change.key, None)),
        });
    }

    /// Takes an origin as [`Self::save`] handed it out.
    ///
    /// # Errors
    /// When this version would not have written it.
    pub fn restore(&mut self, key: &[u8], state: &[u8]) -> Result<(), Error> {
        let told = self.fold.restore(key, state)?;
        if let Some(told) = told {
            self.table.put(key, Some(told));
        }
        Ok(())
    }

    /// Hands out what is kept of each origin, by key.
    ///
    /// # Errors
    /// What `each` answers.
    pub fn save<E>(&self, each: impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
        self.fold.save(each)
    }
}
