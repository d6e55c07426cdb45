//! Profiles in memory, and nothing behind them: what a file's lane and a replay fold on.
//!
//! They are kept encoded, each part once. Those of busy users are at hand decoded as well, and of
//! these `core` is encoded now and then: it changes at every event.
//!
//! *Failure*: an observation that makes a detector panic changes nothing: `core` is what it was
//! before, a copy, and all other parts are read again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use super::cache::{Cache, Seat};
use super::lane::panicked;
use crate::engine::baseline::profile::Error as ProfileError;
use crate::engine::baseline::{Core, Part, PartSet, Profile};
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
    /// Whose `core` is not encoded as it is.
    changed: Vec<Seat>,
    /// As many as that may be.
    changed_max: usize,
    /// Whose profile a step is working on.
    at_risk: Option<Seat>,
    /// And its `core` before, where that is not encoded.
    before: Option<Box<Core>>,
    key: Vec<u8>,
    part: Vec<u8>,
}

impl Profiles {
    /// None at all. `hash_seed` is drawn by the shell: user ids are picked by others.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        Self::with_room(Cache::room_in(CACHE_BYTES), hash_seed)
    }

    fn with_room(room: usize, hash_seed: u64) -> Self {
        Self {
            users: Users::new(hash_seed),
            cache: Cache::new(room, hash_seed),
            changed: Vec::new(),
            changed_max: room / 2,
            at_risk: None,
            before: None,
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
        let mut core = Vec::new();
        for user in users {
            for (part, state) in &user.parts {
                let newer = (*part == Part::Core).then(|| self.changed_core(&user.key)).flatten();
                let state = newer.map_or(state.as_slice(), |profile| {
                    core.clear();
                    profile.core().encode(&mut core);
                    &core
                });
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
        let part = |part| stored.and_then(|stored| stored.part(part));
        let copy = match self.changed_core(user.as_bytes()) {
            None => Profile::from_parts(part),
            Some(changed) => {
                let mut copy = changed.clone();
                let missing = copy.core().parts().without(copy.loaded());
                missing.iter().try_for_each(|other| copy.load(other, part(other))).map(|()| copy)
            }
        };
        copy.map_err(|error| Damaged {
            user: String::from_utf8_lossy(user.as_bytes()).into_owned(),
            what: error.to_string(),
        })
    }

    /// A profile whose `core` is newer than what is encoded.
    fn changed_core(&self, user: &[u8]) -> Option<&Profile> {
        self.cache.look(user).filter(|profile| profile.changed().has(Part::Core))
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
                at_risk.into_iter().for_each(|seat| self.undo(seat));
                Ok(Err(panicked(panic.as_ref())))
            }
        }
    }

    /// What a step had done to a profile did not happen.
    fn undo(&mut self, seat: Seat) {
        match (self.before.take(), self.cache.profile_mut(seat)) {
            (Some(core), Some(profile)) => *profile = Profile::of_changed_core(*core),
            _ => self.cache.forget(seat),
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
        let Some(profile) = self.cache.profile_mut(seat) else {
            return Err(damaged("its seat is empty".into()));
        };
        if profile.changed().has(Part::Core) {
            keep(profile.core(), &mut self.before);
        } else {
            self.before = None;
        }
        self.at_risk = Some(seat);
        self.users.load_rest(slot, profile, kind).map_err(|error| damaged(error.to_string()))?;
        let ruling = match step(profile, seen, position, setting) {
            Stepped::Decided(ruling) => ruling,
            Stepped::Duplicate => return Ok(Folded::Duplicate),
            Stepped::Missing(part) => return Err(damaged(format!("part `{part}` is gone"))),
        };
        watch(&ruling);
        // Last: up to here a panic has changed nothing that is kept. A user's first `core` and the end of
        // one are written at once, so that who is known can be counted.
        let is_known = self.users.stored(slot).is_some_and(|stored| stored.part(Part::Core).is_some());
        let later = is_known && profile.exists();
        let kept = if later { PartSet::of(Part::Core) } else { PartSet::NONE };
        let (users, user) = (&mut self.users, &self.key);
        profile.take_changes_but(kept, &mut self.part, |part, state| {
            slot = users.put(slot, user, part, state);
        });
        if profile.changed().is_empty() {
            self.cache.written(seat);
        } else if self.cache.touch(seat) {
            self.changed.push(seat);
            if self.changed.len() > self.changed_max {
                self.write();
            }
        }
        Ok(Folded::Decided)
    }

    /// Encodes what has changed, so that it may leave the cache.
    fn write(&mut self) {
        let Self { users, cache, changed, part, .. } = self;
        for seat in changed.drain(..) {
            if let Some((user, profile)) = cache.entry_mut(seat) {
                let mut slot = users.find(user);
                profile.take_changes(part, |part, state| slot = users.put(slot, user, part, state));
            }
            cache.written(seat);
        }
    }
}

/// Copies `core`, into the room of an older copy if there is one.
fn keep(core: &Core, into: &mut Option<Box<Core>>) {
    match into {
        Some(kept) => (**kept).clone_from(core),
        None => *into = Some(Box::new(core.clone())),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::decode::{Format, Limits, decode};
    use crate::engine::enrich::with_facts;
    use crate::engine::policy::Policy;
    use crate::engine::step::LIFETIME;
    use crate::model::decision::Basis;
    use crate::model::id::Digest;
    use crate::model::observation::Facts;

    /// Events of `users` users in turn: logins, failures, sessions, and at the end an erasure.
    fn log(users: usize) -> Vec<String> {
        let body = |number: usize| match number % 5 {
            0 => r#""type":"login","outcome":"failure""#.to_owned(),
            1 => format!(r#""type":"session","change":"refresh","session_id":"s{}""#, number % 11),
            2 => format!(r#""type":"access","outcome":"success","app":"a{}""#, number % 13),
            _ => format!(
                r#""type":"login","outcome":"success","session_id":"s{}","device_fingerprint":"d{}""#,
                number % 11,
                number % 3
            ),
        };
        let mut log: Vec<_> = (0..600)
            .map(|number| {
                let (user, day, hour) = (number % users, 1 + number / 24, number % 24);
                let body = body(number / users);
                format!(
                    r#"{{"user_id":"u{user}","event_id":"e{number}","occurred_at":"2026-01-{day:02}T{hour:02}:00:00Z",{body}}}"#
                )
            })
            .collect();
        log.insert(
            400,
            r#"{"user_id":"u0","type":"feedback","verdict":"erase","by":"system","occurred_at":"2026-01-17T00:00:00Z"}"#
                .into(),
        );
        log
    }

    /// Everything that is kept after the log, where every `panics`th event panics before it is taken.
    fn kept(log: &[String], room: usize, panics: Option<usize>) -> Vec<(Vec<u8>, Part, Vec<u8>)> {
        let policy = Policy::shipped("default").unwrap();
        let basis = Basis {
            policy: policy.digest,
            engine: crate::engine::REVISION,
            tables: Digest::ZERO,
            model: None,
        };
        let setting = Setting { policy: &policy, shadow: None, basis, lifetime: &LIFETIME };
        let mut profiles = Profiles::with_room(room, 7);
        for (number, line) in log.iter().enumerate() {
            let decoded = decode(line.as_bytes(), Format::Json, "f", None, &Limits::default()).unwrap();
            let seen = with_facts(decoded.event, Facts::default());
            let position = || Position { topic: None, partition: 0, offset: 0 };
            if panics.is_some_and(|every| number % every == 0) {
                let user = UserKey::new(&seen.event.tenant, &seen.event.user);
                let before = profiles.copy(&user).unwrap();
                let refused = profiles.fold(&seen, position(), &setting, &mut |_| panic!("planted"));
                assert!(refused.unwrap().is_err());
                let after = profiles.copy(&user).unwrap();
                assert_eq!(after.core(), before.core(), "line {number}");
                assert_eq!(after.journal(), before.journal(), "line {number}");
            }
            assert_eq!(profiles.fold(&seen, position(), &setting, &mut |_| ()).unwrap(), Ok(Folded::Decided));
        }
        let mut kept = Vec::new();
        let saved: Result<(), ()> = profiles.save(|user, part, state| {
            kept.push((user.to_vec(), part, state.to_vec()));
            Ok(())
        });
        saved.unwrap();
        kept
    }

    #[test]
    fn what_is_kept_depends_on_neither_room_nor_panics() {
        for users in [1, 7, 40] {
            let log = log(users);
            let roomy = kept(&log, 1000, None);
            assert!(roomy.len() > users, "{}", roomy.len());
            for room in [1, 2, 9] {
                assert!(kept(&log, room, None) == roomy, "{users} users, room for {room}");
            }
            assert!(kept(&log, 1000, Some(3)) == roomy, "{users} users, panics");
            assert!(kept(&log, 3, Some(2)) == roomy, "{users} users, panics, room for 3");
        }
    }
}
