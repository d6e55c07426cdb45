//! Profiles in memory, and nothing behind them: what a file's lane and a replay fold on.
//!
//! They are kept encoded, each part once. Those of busy users are at hand decoded as well; what is
//! encoded is always the newest.
//!
//! *Failure*: an observation that makes a detector panic changes nothing: the profile is read again
//! from its parts.

use std::panic::{AssertUnwindSafe, catch_unwind};

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use super::cache::{Cache, Seat};
use super::lane::panicked;
use crate::engine::baseline::profile::Error as ProfileError;
use crate::engine::baseline::{Part, Profile};
use crate::engine::decode::Rejected;
use crate::engine::step::{Setting, Stepped, step};
use crate::model::EventType;
use crate::model::decision::Ruling;
use crate::model::id::{Position, UserKey};
use crate::model::observation::Observation;

/// What a fold made of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded {
    Decided,
    /// Seen before: no ruling, and nothing was learned.
    Duplicate,
}

/// A profile is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the profile of `{user}` cannot be used: {what}")]
pub struct Damaged {
    pub user: String,
    pub what: String,
}

#[derive(Debug)]
pub struct Profiles {
    users: Users,
    cache: Cache,
    /// Whose profile a step is working on.
    at_risk: Option<Seat>,
    key: Vec<u8>,
    part: Vec<u8>,
}

impl Profiles {
    /// None at all. `hash_seed` is drawn by the shell: user ids are picked by others.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        Self {
            users: Users::new(hash_seed),
            cache: Cache::new(Cache::room_in(CACHE_BYTES), hash_seed),
            at_risk: None,
            key: Vec::new(),
            part: Vec::new(),
        }
    }

    /// Users whose profile is kept.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.slots.iter().filter(|user| !user.parts.is_empty()).count()
    }

    /// Takes a part of a saved profile.
    pub fn restore(&mut self, user: &[u8], part: Part, state: &[u8]) {
        let slot = self.users.find(user);
        self.users.put(slot, user, part, Some(state));
    }

    /// Hands out every part of every profile, users in the order of their keys.
    pub fn save<E>(&self, mut each: impl FnMut(&[u8], Part, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut users: Vec<_> = self.users.slots.iter().collect();
        users.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        for user in users {
            for (part, state) in &user.parts {
                each(&user.key, *part, state)?;
            }
        }
        Ok(())
    }

    /// A copy of a user's profile, with all its parts; absent when nothing is known of the user.
    ///
    /// # Errors
    /// When a saved profile is not what the engine wrote.
    pub fn copy(&self, user: &UserKey) -> Result<Profile, Damaged> {
        let stored = self.users.stored(self.users.find(user.as_bytes()));
        Profile::from_parts(|part| stored.and_then(|stored| stored.part(part))).map_err(|error| Damaged {
            user: String::from_utf8_lossy(user.as_bytes()).into_owned(),
            what: error.to_string(),
        })
    }

    /// Decides `seen` as the record at `position` and learns what may be learned. `watch` sees the
    /// ruling before anything is kept of it.
    ///
    /// # Errors
    /// The outer one when a saved profile is not what the engine wrote; the inner one when a detector
    /// or `watch` panicked.
    pub fn fold(
        &mut self,
        seen: &Observation<'_>,
        position: Position<'_>,
        setting: &Setting<'_>,
        watch: &mut dyn FnMut(&Ruling<'_>),
    ) -> Result<Result<Folded, Rejected>, Damaged> {
        let folded = catch_unwind(AssertUnwindSafe(|| self.step(seen, position, setting, watch)));
        let at_risk = self.at_risk.take();
        match folded {
            Ok(folded) => folded.map(Ok),
            Err(panic) => {
                at_risk.into_iter().for_each(|seat| self.cache.forget(seat));
                Ok(Err(panicked(panic.as_ref())))
            }
        }
    }

    fn step(
        &mut self,
        seen: &Observation<'_>,
        position: Position<'_>,
        setting: &Setting<'_>,
        watch: &mut dyn FnMut(&Ruling<'_>),
    ) -> Result<Folded, Damaged> {
        let (event, kind) = (&seen.event, seen.event.kind());
        self.key.clear();
        self.key.extend_from_slice(event.tenant.as_bytes());
        self.key.push(b'/');
        self.key.extend_from_slice(event.user.as_bytes());
        let damaged = |what: String| Damaged { user: format!("{}/{}", event.tenant, event.user), what };

        let mut slot = self.users.find(&self.key);
        let seat = match self.cache.find(&self.key) {
            Some(seat) => seat,
            None => {
                let profile = self.users.load(slot).map_err(|error| damaged(error.to_string()))?;
                self.cache
                    .admit(&self.key, profile)
                    .ok_or_else(|| damaged("there is no seat for it".into()))?
            }
        };
        self.at_risk = Some(seat);
        let Some(profile) = self.cache.profile_mut(seat) else {
            return Err(damaged("its seat is empty".into()));
        };
        self.users.load_rest(slot, profile, kind).map_err(|error| damaged(error.to_string()))?;
        let ruling = match step(profile, seen, position, setting) {
            Stepped::Decided(ruling) => ruling,
            Stepped::Duplicate => return Ok(Folded::Duplicate),
            Stepped::Missing(part) => return Err(damaged(format!("part `{part}` is gone"))),
        };
        watch(&ruling);
        // Last: up to here a panic has changed nothing that is kept.
        let (users, user) = (&mut self.users, &self.key);
        profile.take_changes(&mut self.part, |part, state| slot = users.put(slot, user, part, state));
        Ok(Folded::Decided)
    }
}

/// Encoded profiles by user key.
#[derive(Debug)]
struct Users {
    index: HashTable<u32>,
    slots: Vec<Stored>,
    seed: FixedState,
}

#[derive(Debug)]
struct Stored {
    key: Box<[u8]>,
    /// By part, ascending. Each keeps its room: a part is written over at every event.
    parts: Vec<(Part, Vec<u8>)>,
}

impl Users {
    fn new(hash_seed: u64) -> Self {
        Self { index: HashTable::new(), slots: Vec::new(), seed: FixedState::with_seed(hash_seed) }
    }

    fn find(&self, user: &[u8]) -> Option<u32> {
        self.index.find(hash(&self.seed, user), |slot| is(&self.slots, *slot, user)).copied()
    }

    /// The profile as far as `core` goes.
    fn load(&self, slot: Option<u32>) -> Result<Profile, ProfileError> {
        let core = self.stored(slot).and_then(|stored| stored.part(Part::Core));
        core.map_or_else(|| Ok(Profile::absent()), Profile::from_core)
    }

    /// The parts that a step of this kind needs besides.
    fn load_rest(
        &self,
        slot: Option<u32>,
        profile: &mut Profile,
        kind: EventType,
    ) -> Result<(), ProfileError> {
        let mut needs = profile.needs(kind).iter();
        needs.try_for_each(|part| profile.load(part, self.stored(slot).and_then(|stored| stored.part(part))))
    }

    fn stored(&self, slot: Option<u32>) -> Option<&Stored> {
        get(&self.slots, slot?)
    }

    /// Writes a part, or removes it; returns the user's slot.
    fn put(&mut self, slot: Option<u32>, user: &[u8], part: Part, state: Option<&[u8]>) -> Option<u32> {
        let slot = match (slot, state) {
            (Some(slot), _) => slot,
            (None, Some(_)) => self.admit(user)?,
            (None, None) => return None,
        };
        let stored = self.slots.get_mut(usize::try_from(slot).ok()?)?;
        match (stored.parts.binary_search_by_key(&part, |(part, _)| *part), state) {
            (Ok(at), Some(state)) => {
                let (_, kept) = stored.parts.get_mut(at)?;
                kept.clear();
                kept.extend_from_slice(state);
            }
            (Ok(at), None) => drop(stored.parts.remove(at)),
            (Err(at), Some(state)) => stored.parts.insert(at, (part, state.to_vec())),
            (Err(_), None) => {}
        }
        Some(slot)
    }

    fn admit(&mut self, user: &[u8]) -> Option<u32> {
        let slot = u32::try_from(self.slots.len()).ok()?;
        self.slots.push(Stored { key: user.into(), parts: Vec::new() });
        let (slots, seed) = (&self.slots, &self.seed);
        let rehash = |slot: &u32| get(slots, *slot).map_or(0, |stored| hash(seed, &stored.key));
        self.index.insert_unique(hash(seed, user), slot, rehash);
        Some(slot)
    }
}

impl Stored {
    fn part(&self, part: Part) -> Option<&[u8]> {
        let at = self.parts.binary_search_by_key(&part, |(part, _)| *part).ok()?;
        self.parts.get(at).map(|(_, state)| state.as_slice())
    }
}

fn hash(seed: &FixedState, user: &[u8]) -> u64 {
    use std::hash::BuildHasher as _;
    seed.hash_one(user)
}

fn get(slots: &[Stored], slot: u32) -> Option<&Stored> {
    slots.get(usize::try_from(slot).ok()?)
}

fn is(slots: &[Stored], slot: u32, user: &[u8]) -> bool {
    get(slots, slot).is_some_and(|stored| *stored.key == *user)
}

/// For decoded profiles: some ten thousand.
const CACHE_BYTES: usize = 64 << 20;
