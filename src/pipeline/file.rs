//! A file as a lane: one fold, records in, lines out.
//!
//! No log stands behind it, so nothing is sealed and nothing can be aborted; the profiles are kept
//! encoded, each part once, and are the only thing that grows. Those of busy users are at hand
//! decoded as well; what is encoded is always the newest. What a lane knows beside them
//! (records, lines, chain) is [`Mark`] and [`FileLane::lines`]: carried over, a file in two parts
//! gives the same bytes as in one.
//!
//! A record that makes a detector panic is rejected; its profile is read again from its parts.

use std::panic::{AssertUnwindSafe, catch_unwind};

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use super::cache::{Cache, Seat};
use super::lane::panicked;
use crate::engine::baseline::profile::Error as ProfileError;
use crate::engine::baseline::{Part, Profile};
use crate::engine::decode::{Decoded, Rejected};
use crate::engine::emit;
use crate::engine::enrich::Enricher;
use crate::engine::step::{Setting, Stepped, step};
use crate::model::decision::Ruling;
use crate::model::id::{Digest, Position};
use crate::model::observation::Observation;
use crate::model::{Action, EventType, Reject};
use crate::ports::ledger::Mark;
use crate::ports::tables::Tables;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Decided { action: Action, kind: EventType },
    Duplicate,
    Rejected(Reject),
}

/// The lane's own state is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the profile of `{user}` cannot be used: {what}")]
pub struct Damaged {
    pub user: String,
    pub what: String,
}

#[derive(Debug)]
pub struct FileLane {
    /// Records so far, and the chain after the last decision.
    mark: Mark,
    /// Lines so far.
    lines: u64,
    users: Users,
    cache: Cache,
    /// Whose profile a step is working on.
    at_risk: Option<Seat>,
    enricher: Enricher,
    key: Vec<u8>,
    part: Vec<u8>,
}

impl FileLane {
    /// An empty lane. `hash_seed` is drawn by the shell: user ids are picked by others.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        Self {
            mark: Mark::default(),
            lines: 0,
            users: Users::new(hash_seed),
            cache: Cache::new(Cache::room_in(CACHE_BYTES), hash_seed),
            at_risk: None,
            enricher: Enricher::default(),
            key: Vec::new(),
            part: Vec::new(),
        }
    }

    #[must_use]
    pub const fn mark(&self) -> Mark {
        self.mark
    }

    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Users whose profile is kept.
    #[must_use]
    pub fn users(&self) -> usize {
        self.users.slots.len()
    }

    /// Goes on where another run ended.
    pub const fn resume(&mut self, mark: Mark, lines: u64) {
        self.mark = mark;
        self.lines = lines;
    }

    /// Counts the lines that a record takes up, and those that hold none; returns the first's number.
    pub const fn count_lines(&mut self, lines: u64) -> u64 {
        let first = self.lines.saturating_add(1);
        self.lines = self.lines.saturating_add(lines);
        first
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

    /// Takes the next record, which began in `line`, and appends its line to `out`, line feed
    /// included. `watch` sees what was decided.
    ///
    /// # Errors
    /// When a saved profile is not what the engine wrote.
    pub fn take(
        &mut self,
        line: u64,
        decoded: Result<Decoded<'_>, Rejected>,
        tables: &dyn Tables,
        setting: &Setting<'_>,
        out: &mut Vec<u8>,
        watch: &mut dyn FnMut(&Ruling<'_>),
    ) -> Result<Told, Damaged> {
        let start = out.len();
        let taken = match decoded {
            Ok(decoded) => {
                let seen = self.enricher.enrich(decoded.event, tables);
                let decided =
                    catch_unwind(AssertUnwindSafe(|| self.decide(line, &seen, setting, out, watch)));
                decided.unwrap_or_else(|panic| Ok(Err(panicked(panic.as_ref()))))?
            }
            Err(rejected) => Err(rejected),
        };
        let told = match taken {
            Ok((told, chain)) => {
                self.at_risk = None;
                self.mark.chain = chain;
                told
            }
            Err(rejected) => {
                out.truncate(start);
                self.at_risk.take().into_iter().for_each(|seat| self.cache.forget(seat));
                reject(line, &rejected, out);
                Told::Rejected(rejected.reason)
            }
        };
        out.push(b'\n');
        self.mark.offset = self.mark.offset.saturating_add(1);
        Ok(told)
    }

    fn decide(
        &mut self,
        line: u64,
        seen: &Observation<'_>,
        setting: &Setting<'_>,
        out: &mut Vec<u8>,
        watch: &mut dyn FnMut(&Ruling<'_>),
    ) -> Result<Result<(Told, Digest), Rejected>, Damaged> {
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
        let position = Position { topic: None, partition: 0, offset: self.mark.offset };
        let ruling = match step(profile, seen, position, setting) {
            Stepped::Decided(ruling) => ruling,
            Stepped::Duplicate => {
                duplicate(line, seen, out);
                return Ok(Ok((Told::Duplicate, self.mark.chain)));
            }
            Stepped::Missing(part) => return Err(damaged(format!("part `{part}` is gone"))),
        };
        let chain = emit::decision_json(&ruling.decision, self.mark.chain, out);
        // Last: up to here a panic has changed nothing that is kept.
        let (users, user) = (&mut self.users, &self.key);
        profile.take_changes(&mut self.part, |part, state| slot = users.put(slot, user, part, state));
        watch(&ruling);
        Ok(Ok((Told::Decided { action: ruling.decision.action, kind }, chain)))
    }
}

/// A line for a record that was not taken.
fn reject(line: u64, rejected: &Rejected, out: &mut Vec<u8>) {
    #[derive(serde::Serialize)]
    struct Line<'l> {
        rejected: Reject,
        line: u64,
        detail: &'l str,
    }
    json(&Line { rejected: rejected.reason, line, detail: &rejected.detail }, out);
}

/// A line for a record that was seen before.
fn duplicate(line: u64, seen: &Observation<'_>, out: &mut Vec<u8>) {
    #[derive(serde::Serialize)]
    struct Line<'l> {
        duplicate: bool,
        line: u64,
        event_id: &'l str,
        tenant: &'l str,
        user_id: &'l str,
    }
    let event = &seen.event;
    json(
        &Line { duplicate: true, line, event_id: &event.id, tenant: &event.tenant, user_id: &event.user },
        out,
    );
}

fn json<T: serde::Serialize>(value: &T, out: &mut Vec<u8>) {
    // Neither texts, numbers nor a growing buffer can fail.
    let _written = serde_json::to_writer(out, value);
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
        let slot = match slot {
            Some(slot) => slot,
            None => self.admit(user)?,
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
