//! Decoded profiles at hand, so that a busy user costs no read and no decode.
//!
//! Bounded, with a second chance before eviction (the clock algorithm) for whoever was asked for again: of
//! many users most come once in a long time. A profile that differs from
//! what is sealed, or that stands in a unit which is being committed, is never evicted: it exists
//! nowhere else. The index is only ever looked up, never walked, so its order cannot reach the
//! output; it is seeded by the shell, because user ids are picked by others.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use crate::engine::baseline::Profile;

/// Where a profile sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat(u32);

#[derive(Debug)]
pub struct Cache {
    slots: Vec<Slot>,
    free: Vec<u32>,
    index: HashTable<u32>,
    seed: FixedState,
    hand: usize,
    room: usize,
}

#[derive(Debug)]
struct Slot {
    user: Box<[u8]>,
    profile: Box<Profile>,
    /// Units that are being committed and hold this profile.
    pins: u8,
    /// Stands in the open unit's list of touched profiles.
    touched: bool,
    used: bool,
}

impl Cache {
    #[must_use]
    pub fn new(room: usize, seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            seed: FixedState::with_seed(seed),
            hand: 0,
            room: room.max(1),
        }
    }

    /// How many profiles fit into `bytes`, roughly.
    #[must_use]
    pub fn room_in(bytes: usize) -> usize {
        (bytes / (size_of::<Profile>() + SLOT_BYTES)).max(1)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub fn find(&mut self, user: &[u8]) -> Option<Seat> {
        let hash = self.seed.hash_one(user);
        let slots = &mut self.slots;
        let found = *self.index.find(hash, |slot| is(slots, *slot, user))?;
        get_mut(slots, found)?.used = true;
        Some(Seat(found))
    }

    /// The same for who only looks: it does not count as use.
    #[must_use]
    pub fn look(&self, user: &[u8]) -> Option<&Profile> {
        let found = *self.index.find(self.seed.hash_one(user), |slot| is(&self.slots, *slot, user))?;
        self.profile(Seat(found))
    }

    /// Takes a profile in; somebody else may have to leave.
    pub fn admit(&mut self, user: &[u8], profile: Profile) -> Option<Seat> {
        if self.index.len() >= self.room {
            self.evict();
        }
        let slot =
            Slot { user: user.into(), profile: Box::new(profile), pins: 0, touched: false, used: false };
        let at = if let Some(at) = self.free.pop() {
            *get_mut(&mut self.slots, at)? = slot;
            at
        } else {
            let at = u32::try_from(self.slots.len()).ok()?;
            self.slots.push(slot);
            at
        };
        let (seed, slots) = (&self.seed, &self.slots);
        self.index.insert_unique(seed.hash_one(user), at, |slot| seed.hash_one(user_of(slots, *slot)));
        Some(Seat(at))
    }

    #[must_use]
    pub fn profile(&self, seat: Seat) -> Option<&Profile> {
        Some(&self.slots.get(usize::try_from(seat.0).ok()?)?.profile)
    }

    pub fn profile_mut(&mut self, seat: Seat) -> Option<&mut Profile> {
        Some(&mut get_mut(&mut self.slots, seat.0)?.profile)
    }

    /// The user and the profile, to be written.
    pub fn entry_mut(&mut self, seat: Seat) -> Option<(&[u8], &mut Profile)> {
        let slot = get_mut(&mut self.slots, seat.0)?;
        Some((&slot.user, &mut slot.profile))
    }

    /// Notes that the open unit changed it; `false` when that was known.
    pub fn touch(&mut self, seat: Seat) -> bool {
        get_mut(&mut self.slots, seat.0).is_some_and(|slot| !std::mem::replace(&mut slot.touched, true))
    }

    /// It is written, and may leave.
    pub fn written(&mut self, seat: Seat) {
        if let Some(slot) = get_mut(&mut self.slots, seat.0) {
            slot.touched = false;
        }
    }

    /// The open unit was sealed: from now on the profile is held by a unit.
    pub fn pin(&mut self, seat: Seat) {
        if let Some(slot) = get_mut(&mut self.slots, seat.0) {
            slot.touched = false;
            slot.pins = slot.pins.saturating_add(1);
        }
    }

    /// The unit was committed.
    pub fn unpin(&mut self, seat: Seat) {
        if let Some(slot) = get_mut(&mut self.slots, seat.0) {
            slot.pins = slot.pins.saturating_sub(1);
        }
    }

    /// Forgets a profile: what it learned does not count.
    pub fn forget(&mut self, seat: Seat) {
        let hash = self.seed.hash_one(user_of(&self.slots, seat.0));
        if let Ok(entry) = self.index.find_entry(hash, |slot| *slot == seat.0) {
            entry.remove();
            if let Some(slot) = get_mut(&mut self.slots, seat.0) {
                *slot = Slot {
                    user: Box::default(),
                    profile: Box::default(),
                    pins: 0,
                    touched: false,
                    used: false,
                };
            }
            self.free.push(seat.0);
        }
    }

    /// Sends the next unused profile away. When every one is in use, the cache grows instead: by no
    /// more than the units that are open and being committed hold.
    fn evict(&mut self) {
        for _ in 0..self.slots.len().saturating_mul(2) {
            let at = self.hand;
            self.hand = (at + 1) % self.slots.len();
            let Some(slot) = self.slots.get_mut(at) else { return };
            let held = slot.pins > 0 || slot.touched || slot.user.is_empty();
            if held || std::mem::replace(&mut slot.used, false) {
                continue;
            }
            if let Ok(at) = u32::try_from(at) {
                self.forget(Seat(at));
            }
            return;
        }
    }
}

fn get_mut(slots: &mut [Slot], at: u32) -> Option<&mut Slot> {
    slots.get_mut(usize::try_from(at).ok()?)
}

fn user_of(slots: &[Slot], at: u32) -> &[u8] {
    usize::try_from(at).ok().and_then(|at| slots.get(at)).map_or(&[], |slot| &slot.user)
}

fn is(slots: &[Slot], at: u32, user: &[u8]) -> bool {
    user_of(slots, at) == user
}

/// Of the slot, the key and the index, beside the profile; its journal and biometric parts are
/// loaded for few.
const SLOT_BYTES: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(room: usize, users: usize) -> Cache {
        let mut cache = Cache::new(room, 7);
        for user in 0..users {
            cache.admit(format!("acme/{user}").as_bytes(), Profile::default()).unwrap();
        }
        cache
    }

    #[test]
    fn is_bounded() {
        assert_eq!(filled(10, 1000).len(), 10);
    }

    #[test]
    fn what_a_unit_holds_stays() {
        let mut cache = Cache::new(4, 7);
        let kept = cache.admit(b"acme/ada", Profile::default()).unwrap();
        assert!(cache.touch(kept));
        assert!(!cache.touch(kept));
        for user in 0..100 {
            cache.admit(format!("acme/{user}").as_bytes(), Profile::default()).unwrap();
        }
        assert_eq!(cache.find(b"acme/ada"), Some(kept));
        cache.pin(kept);
        for user in 100..200 {
            cache.admit(format!("acme/{user}").as_bytes(), Profile::default()).unwrap();
        }
        assert_eq!(cache.find(b"acme/ada"), Some(kept));
        cache.unpin(kept);
        for user in 200..300 {
            cache.admit(format!("acme/{user}").as_bytes(), Profile::default()).unwrap();
        }
        assert_eq!(cache.find(b"acme/ada"), None);
        assert_eq!(cache.len(), 4);
    }

    #[test]
    fn grows_only_by_what_is_held() {
        let mut cache = Cache::new(4, 7);
        for user in 0..10 {
            let seat = cache.admit(format!("acme/{user}").as_bytes(), Profile::default()).unwrap();
            cache.touch(seat);
        }
        assert_eq!(cache.len(), 10);
    }

    #[test]
    fn forgets() {
        let mut cache = filled(10, 3);
        let seat = cache.find(b"acme/1").unwrap();
        cache.forget(seat);
        cache.forget(seat);
        assert_eq!((cache.find(b"acme/1"), cache.len()), (None, 2));
        assert!(cache.find(b"acme/2").is_some());
    }
}
