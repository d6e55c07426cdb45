//! Finding a profile: in the cache, else its parts in the pending unit, the overlay or the store. The store
//! is asked once for all that it has of a user: after a login come the parts that its session needs.

use std::collections::BTreeMap;

use super::{Lane, Refused, Scratch};
use crate::engine::baseline::{Part, Profile};
use crate::model::EventType;
use crate::pipeline::cache::Seat;
use crate::pipeline::overlay::Known;
use crate::pipeline::wire;
use crate::ports::ledger::Output;
use crate::ports::store::{Parts, StateStore, StoreError};

/// What the store had of those who were looked for lately. Never newer than the overlay, and as new as the
/// store until that is written.
#[derive(Debug, Default)]
pub(super) struct Lately(BTreeMap<Box<[u8]>, Parts>);

impl Lately {
    /// The store has been written.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn of(
        &mut self,
        partition: i32,
        user: &[u8],
        store: &dyn StateStore,
    ) -> Result<Option<&Parts>, StoreError> {
        if !self.0.contains_key(user) {
            if self.0.len() >= LATELY_MAX {
                self.0.clear();
            }
            let mut parts = Parts::default();
            store.get(partition, user, &mut parts)?;
            self.0.insert(user.into(), parts);
        }
        Ok(self.0.get(user))
    }
}

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
        let pending = self.pending.as_ref().filter(|pending| pending.is_forgotten).and_then(|pending| {
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
            Known::Nothing => {
                let stored = self.stored_lately.of(self.partition, user, store).map_err(Refused::Store)?;
                let Some(found) = stored.and_then(|stored| stored.get(part.name().as_bytes())) else {
                    return Ok(false);
                };
                value.extend_from_slice(found);
            }
        }
        Ok(true)
    }

    /// A miss on a key that the filter knows: the filter errs once in a hundred thousand and still knows
    /// those who were erased; a store that lost a key would make a stranger of a known user. A scan
    /// tells, and makes a filter that knows only who is there: so nobody is asked for twice, and whoever is
    /// missed after it was lost after it.
    fn suspect(&mut self, store: &dyn StateStore) -> Result<(), Refused> {
        let mut filter = self.filter.anew();
        store.verify(self.partition, &mut |user| filter.add(user)).map_err(Refused::Store)?;
        // The store may not have these yet. Who waits for the next checkpoint is added by it.
        for (key, _) in self.overlay.draining().filter(|(_, value)| value.is_some()) {
            filter.add_core(key);
        }
        self.filter = filter;
        Ok(())
    }
}

/// Of each lane, some KiB each.
const LATELY_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::adapters::store::MemoryStore;
    use crate::engine::across::Table;
    use crate::engine::decode::NO_WRITERS;
    use crate::engine::policy::Policy;
    use crate::engine::step::{LIFETIME, Setting};
    use crate::model::decision::Basis;
    use crate::model::id::Digest;
    use crate::pipeline::filter::Filter;
    use crate::pipeline::lane::{Lane, Offered, Settings, With};
    use crate::pipeline::recover::{Plan, Way};
    use crate::ports::ledger::{Mark, Positions};
    use crate::ports::source::Record;
    use crate::ports::store::{StateStore as _, StoreError};
    use crate::ports::tables::NoTables;

    fn lane_at(mark: Mark, way: Way, filter: Filter) -> Lane {
        let settings = Settings::plain();
        let plan = Plan { mark, positions: Positions::default(), way, gap: None };
        let mut lane = Lane::new(0, Arc::new(settings), &plan, filter, 0);
        lane.started();
        lane
    }

    const LOGIN: &str = r#""type":"login","outcome":"success","factors":["password"]"#;
    const ERASE: &str = r#""type":"feedback","verdict":"erase""#;

    /// Offers one event of `user`, has it committed and the store brought to it.
    fn settled(lane: &mut Lane, store: &MemoryStore, offset: i64, (user, what): (&str, &str)) {
        let offered = offer(lane, store, offset, (user, what)).unwrap();
        assert!(matches!(offered, Offered::Decided { .. }), "{offered:?}");
        lane.seal().unwrap();
        lane.committed(Positions::default());
        let batch = lane.checkpoint().unwrap();
        store.apply_batch(0, &batch).unwrap();
        lane.checkpointed(&batch, 0);
    }

    fn offer(
        lane: &mut Lane,
        store: &MemoryStore,
        offset: i64,
        (user, what): (&str, &str),
    ) -> Result<Offered, StoreError> {
        let policy = Policy::shipped("default").unwrap();
        let basis = Basis {
            policy: policy.digest,
            engine: crate::engine::REVISION,
            tables: Digest::ZERO,
            model: None,
        };
        let setting = Setting { policy: &policy, shadow: None, basis, lifetime: &LIFETIME };
        let with = With {
            setting,
            tables: &NoTables,
            across: &Table::default(),
            store,
            writers: &NO_WRITERS,
            tracer: None,
            stages: None,
        };
        let value = format!(
            r#"{{"event_id":"{offset}","tenant":"acme","user_id":"{user}","occurred_at":"2026-01-05T09:0{offset}:00Z",{what}}}"#
        );
        let key = format!("acme/{user}");
        let (key, value) = (Some(key.as_bytes()), Some(value.as_bytes()));
        let record = Record { partition: 0, offset, recorded_at: None, key, value, headers: &[] };
        lane.offer(&record, &with)
    }

    #[test]
    fn whoever_comes_back_after_an_erasure_is_new_and_no_lost_key() {
        let store = MemoryStore::new();
        let mut lane = lane_at(Mark::default(), Way::Fresh, Filter::new(7));
        settled(&mut lane, &store, 0, ("ada", LOGIN));
        assert!(lane.filter.has(b"acme/ada"));
        settled(&mut lane, &store, 1, ("ada", ERASE));
        assert_eq!(store.checkpoint(0).unwrap().users, 0, "nothing is left");

        // As after a restart: nobody is at hand.
        let filter = Filter::decode(&lane.close().unwrap()).unwrap();
        assert!(filter.has(b"acme/ada"), "a filter forgets nobody by itself");
        let mut lane = lane_at(lane.committed.mark, Way::Continue, filter);
        settled(&mut lane, &store, 2, ("ada", ERASE));
        assert!(!lane.filter.has(b"acme/ada"), "the scan found nobody");
        settled(&mut lane, &store, 3, ("ada", LOGIN));
        assert!(lane.filter.has(b"acme/ada"));
    }
    /// A scan tells who is there when it is made, and not who is lost after it.
    #[test]
    fn a_key_that_is_lost_after_a_scan_is_missed() {
        let store = MemoryStore::new();
        let mut lane = lane_at(Mark::default(), Way::Fresh, Filter::new(7));
        settled(&mut lane, &store, 0, ("ada", LOGIN));
        settled(&mut lane, &store, 1, ("bob", LOGIN));
        settled(&mut lane, &store, 2, ("ada", ERASE));
        let filter = Filter::decode(&lane.close().unwrap()).unwrap();
        let mut lane = lane_at(lane.committed.mark, Way::Continue, filter);
        offer(&mut lane, &store, 3, ("ada", LOGIN)).unwrap();
        assert!(store.damage(0, b"acme/bob", true));
        let refused = offer(&mut lane, &store, 4, ("bob", LOGIN)).unwrap_err();
        assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    }
}
