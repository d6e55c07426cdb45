//! Finding a profile: in the cache, else its parts in the pending unit, the overlay or the store.

use super::{Lane, Refused, Scratch};
use crate::engine::baseline::{Part, Profile};
use crate::model::EventType;
use crate::pipeline::cache::Seat;
use crate::pipeline::overlay::Known;
use crate::pipeline::wire;
use crate::ports::ledger::Output;
use crate::ports::store::StateStore;

impl Lane {
    /// The user's profile, with the parts that a step of this kind needs.
    pub(super) fn seat(
        &mut self,
        user: &[u8],
        kind: EventType,
        store: &dyn StateStore,
    ) -> Result<Seat, Refused> {
        let seat = match self.cache.find(user) {
            Some(seat) => seat,
            None => {
                let profile = self.read_core(user, store)?;
                self.cache.admit(user, profile).ok_or_else(|| Refused::lost_seat(self.partition))?
            }
        };
        let needs = self.cache.profile(seat).map(|profile| profile.needs(kind)).unwrap_or_default();
        for part in needs.iter() {
            let found = self.read(user, part, store)?;
            let state = found.then_some(self.scratch.value.as_slice());
            let state = state.map(|value| wire::state(value, part)).transpose();
            let Some(profile) = self.cache.profile_mut(seat) else {
                return Err(Refused::lost_seat(self.partition));
            };
            let loaded = match state {
                Ok(state) => profile.load(part, state).map_err(|error| error.to_string()),
                Err(error) => Err(error),
            };
            if let Err(what) = loaded {
                return Err(Refused::damaged(self.partition, &what));
            }
        }
        Ok(seat)
    }

    fn read_core(&mut self, user: &[u8], store: &dyn StateStore) -> Result<Profile, Refused> {
        if !self.read(user, Part::Core, store)? {
            if self.filter.has(user) && self.overlay.get(&self.scratch.key) == Known::Nothing {
                self.suspect(store)?;
            }
            return Ok(Profile::absent());
        }
        let profile = wire::state(&self.scratch.value, Part::Core)
            .and_then(|state| Profile::from_core(state).map_err(|error| error.to_string()));
        profile.map_err(|what| Refused::damaged(self.partition, &what))
    }

    /// Reads a part into the scratch value: of the pending unit, else the overlay, else the store.
    fn read(&mut self, user: &[u8], part: Part, store: &dyn StateStore) -> Result<bool, Refused> {
        let Scratch { key, value, .. } = &mut self.scratch;
        key.clear();
        value.clear();
        part.write_key(user, key);
        // Only after a panic is a profile of a pending unit not in the cache; so a walk will do.
        let pending = self.pending.as_ref().and_then(|pending| {
            let mut records = pending.unit.records();
            records.find(|record| record.output == Output::Profiles && record.key == key.as_slice())
        });
        let known = match pending {
            Some(record) => record.value.map_or(Known::Gone, Known::Value),
            None => self.overlay.get(key),
        };
        match known {
            Known::Value(found) => value.extend_from_slice(found),
            Known::Gone => return Ok(false),
            Known::Nothing => return store.get(self.partition, key, value).map_err(Refused::Store),
        }
        Ok(true)
    }

    /// A miss on a key that the filter knows: the filter errs once in a hundred thousand, a store
    /// that lost a key would make a stranger of a known user. A scan tells.
    fn suspect(&mut self, store: &dyn StateStore) -> Result<(), Refused> {
        if self.verified.is_some() && self.verified == self.stored.map(|spot| spot.mark) {
            return Ok(());
        }
        store.verify(self.partition, &mut |_| ()).map_err(Refused::Store)?;
        self.verified = self.stored.map(|spot| spot.mark);
        Ok(())
    }
}
