//! Across users: what one user's lane cannot see, a fold over what all of them saw.
//!
//! ```text
//!  user lanes ──sightings──▶ network lane: a crowd an origin ──facts, while notable──▶ a table of user lanes
//! ```
//!
//! A user lane tells of events at origins where the user is not at home ([`crate::engine::step`] says
//! which). [`Fold`] keeps a [`Crowd`] for each origin, and what is notable of one stands as facts in a
//! [`Table`]. Facts are numbers and no judgement: whether they are an attack is for detectors and
//! policies, at the next success that comes from there.
//!
//! *Bounded*: at most so many origins as it is made for, 4 KiB each at most; the least useful falls out.
//! Tenants never mix: an origin's key begins with its tenant.

mod crowd;
mod distinct;
mod local;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use self::crowd::Crowd;
pub use self::distinct::{Distinct, EXACT_MAX, Sketch};
pub use self::local::Local;
pub use self::table::Table;

use crate::engine::baseline::codec::{Error, Reader, Writer};
use crate::model::across::{Origin, OriginFacts, Sighting, Sightings};
use crate::model::id::hash64;
use crate::model::observation::Observation;
use crate::model::time::Timestamp;

/// Stands for a user at one origin, and for nobody at any other.
#[must_use]
pub fn user_at(tenant: &str, user: &str, origin: Origin) -> u64 {
    let (kind, key) = match origin {
        Origin::Network(key) => ("net", key),
        Origin::Device(key) => ("dev", key),
    };
    hash64("sighting", &[tenant.as_bytes(), kind.as_bytes(), &key.to_le_bytes(), user.as_bytes()])
}

/// What an event shows across users, as the records that tell it.
pub fn tell(seen: &Observation<'_>, sightings: Sightings, mut each: impl FnMut(&[u8], &Sighting)) {
    let (tenant, user, at) = (&*seen.event.tenant, &*seen.event.user, seen.event.occurred_at);
    let shown =
        [(sightings.network, seen.keys.network_origin()), (sightings.device, seen.keys.device_origin())];
    let mut key = Vec::new();
    for (sight, origin) in shown {
        if let (Some(sight), Some(origin)) = (sight, origin) {
            key.clear();
            origin.write_key(tenant, &mut key);
            each(&key, &Sighting { sight, user: user_at(tenant, user, origin), at });
        }
    }
}

/// The fold of one network lane.
#[derive(Debug)]
pub struct Fold {
    watched: BTreeMap<Key, Watched>,
    /// What ends first, first.
    by_end: BTreeSet<(Timestamp, Key)>,
    /// What is least useful, first.
    by_use: BTreeSet<(Usefulness, Key)>,
    /// Changed since the last [`Fold::drain`], and whether facts of it are told.
    touched: BTreeMap<Key, bool>,
    keys_max: usize,
}

type Key = Arc<[u8]>;
/// More users; of as many, seen in a later hour.
type Usefulness = (u32, i64);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Watched {
    crowd: Crowd,
    newest: Timestamp,
    told: Option<Told>,
    /// Where it stands in [`Fold::by_end`] and [`Fold::by_use`].
    ranks: (Timestamp, Usefulness),
    /// Changed since the last [`Fold::drain`].
    is_touched: bool,
}

/// Facts, and the first moment at which they no longer hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub facts: OriginFacts,
    pub until: Timestamp,
}

/// What became of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'c> {
    pub key: &'c [u8],
    /// What is kept of it; `None` ends it.
    pub state: Option<&'c [u8]>,
    pub news: News,
}

/// What there is to tell of an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    None,
    Facts(Told),
    /// Nothing is notable any more.
    End,
}

impl Default for Fold {
    fn default() -> Self {
        Self::bounded(KEYS_MAX)
    }
}

impl Fold {
    /// One that keeps at most so many origins.
    #[must_use]
    pub fn bounded(keys_max: usize) -> Self {
        Self {
            watched: BTreeMap::new(),
            by_end: BTreeSet::new(),
            by_use: BTreeSet::new(),
            touched: BTreeMap::new(),
            keys_max,
        }
    }

    /// Origins that are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.watched.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    /// Takes a sighting at the origin that `key` names; the next sighting has the offset `version`.
    /// What ends before it is dropped.
    pub fn take(&mut self, key: &[u8], sighting: &Sighting, version: u64) {
        while let Some((until, first)) = self.by_end.first()
            && *until <= sighting.at
        {
            let first = Arc::clone(first);
            self.drop(&first);
        }
        if let Some(watched) = self.watched.get_mut(key) {
            watched.take(sighting, version);
            let (before, now) = (watched.ranks, watched.ranks_now());
            let is_first = !std::mem::replace(&mut watched.is_touched, true);
            if before != now || is_first {
                watched.ranks = now;
                let is_told = watched.told.is_some();
                self.moved(key, is_first.then_some(is_told), before, now);
            }
        } else {
            let key = Key::from(key);
            self.touched.entry(Arc::clone(&key)).or_insert(false);
            let mut watched = Watched::new(Crowd::at(sighting.at), sighting.at);
            watched.is_touched = true;
            watched.take(sighting, version);
            self.put(key, watched);
        }
        while self.watched.len() > self.keys_max
            && let Some((_, least)) = self.by_use.first()
        {
            let least = Arc::clone(least);
            self.drop(&least);
        }
    }

    /// What is watched has changed: for the first time, or so that it stands elsewhere.
    fn moved(
        &mut self,
        key: &[u8],
        first: Option<bool>,
        before: (Timestamp, Usefulness),
        now: (Timestamp, Usefulness),
    ) {
        let Some((key, _)) = self.watched.get_key_value(key) else { return };
        if let Some(is_told) = first {
            self.touched.entry(Arc::clone(key)).or_insert(is_told);
        }
        if before.0 != now.0 {
            self.by_end.remove(&(before.0, Arc::clone(key)));
            self.by_end.insert((now.0, Arc::clone(key)));
        }
        if before.1 != now.1 {
            self.by_use.remove(&(before.1, Arc::clone(key)));
            self.by_use.insert((now.1, Arc::clone(key)));
        }
    }

    fn put(&mut self, key: Key, mut watched: Watched) {
        watched.ranks = watched.ranks_now();
        let (until, usefulness) = watched.ranks;
        self.by_end.insert((until, Arc::clone(&key)));
        self.by_use.insert((usefulness, Arc::clone(&key)));
        self.watched.insert(key, watched);
    }

    fn drop(&mut self, key: &[u8]) {
        let Some((key, watched)) = self.watched.remove_entry(key) else { return };
        let (until, usefulness) = watched.ranks;
        self.by_end.remove(&(until, Arc::clone(&key)));
        self.by_use.remove(&(usefulness, Arc::clone(&key)));
        let is_told = watched.told.is_some();
        self.touched.entry(key).or_insert(is_told);
    }

    /// Hands out what changed since the last time, by key.
    pub fn drain(&mut self, mut each: impl FnMut(Change<'_>)) {
        let mut buffer = Vec::new();
        for (key, was_told) in std::mem::take(&mut self.touched) {
            let Some(watched) = self.watched.get_mut(&key) else {
                let news = if was_told { News::End } else { News::None };
                each(Change { key: &key, state: None, news });
                continue;
            };
            watched.is_touched = false;
            let now = watched.notable(is_device(&key));
            let news = match (now, watched.told) {
                (Some(now), Some(before)) if now.is_as(&before) => News::None,
                (Some(now), _) => {
                    watched.told = Some(now);
                    News::Facts(now)
                }
                (None, _) => {
                    watched.told = None;
                    if was_told { News::End } else { News::None }
                }
            };
            buffer.clear();
            watched.write(&mut buffer);
            each(Change { key: &key, state: Some(&buffer), news });
        }
    }

    /// Takes an origin as [`Change::state`] had it, and says what is told of it.
    ///
    /// # Errors
    /// When this version would not have written it.
    pub fn restore(&mut self, key: &[u8], state: &[u8]) -> Result<Option<Told>, Error> {
        let watched = Watched::read(state)?;
        let told = watched.told;
        self.put(Key::from(key), watched);
        Ok(told)
    }

    /// Hands out everything that is kept, by key.
    ///
    /// # Errors
    /// What `each` answers.
    pub fn save<E>(&self, mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut buffer = Vec::new();
        self.watched.iter().try_for_each(|(key, watched)| {
            buffer.clear();
            watched.write(&mut buffer);
            each(key, &buffer)
        })
    }

    /// Who is watched, by key.
    pub fn crowds(&self) -> impl Iterator<Item = (&[u8], &Crowd)> {
        self.watched.iter().map(|(key, watched)| (&**key, &watched.crowd))
    }

    /// Facts that hold, by key: what a [`Table`] had of this lane.
    pub fn told(&self) -> impl Iterator<Item = (&[u8], Told)> {
        self.watched.iter().filter_map(|(key, watched)| Some((&**key, watched.told?)))
    }
}

fn is_device(key: &[u8]) -> bool {
    key.iter()
        .position(|byte| *byte == b'/')
        .is_some_and(|at| key.get(at..).is_some_and(|rest| rest.starts_with(b"/dev:")))
}

impl Watched {
    fn new(crowd: Crowd, newest: Timestamp) -> Self {
        let ranks = (Timestamp::EPOCH, (0, 0));
        Self { crowd, newest, told: None, ranks, is_touched: false }
    }

    fn take(&mut self, sighting: &Sighting, version: u64) {
        self.crowd.take(sighting, version);
        self.newest = self.newest.max(sighting.at);
    }

    fn ranks_now(&self) -> (Timestamp, Usefulness) {
        // A rank that moved with every sighting would cost more than the sighting.
        (self.crowd.until(), (self.crowd.usefulness(), self.newest.seconds().div_euclid(3600)))
    }

    /// Notable from a few users on, and until there are clearly fewer: not told and taken back with
    /// every second user.
    ///
    /// Many who come in are news of a device only: to a network people come all day.
    fn notable(&self, is_device: bool) -> Option<Told> {
        let facts = self.crowd.facts();
        let least = if self.told.is_some() { NOTABLE_UNTIL } else { NOTABLE_FROM };
        let is_notable = facts.stranded() >= least || is_device && facts.succeeded >= least;
        is_notable.then(|| Told { facts, until: self.crowd.until() })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mut to = Writer::new(out);
        to.byte(FORMAT);
        to.int(self.newest.micros());
        self.crowd.write(&mut to);
        to.byte(u8::from(self.told.is_some()));
        if let Some(Told { facts, until }) = self.told {
            to.uint(facts.version);
            for number in [facts.failed, facts.unknown, facts.recovered, facts.succeeded, facts.attempts] {
                to.uint(number.into());
            }
            to.int(until.seconds());
        }
    }

    fn read(state: &[u8]) -> Result<Self, Error> {
        let mut from = Reader::new(state);
        from.version(FORMAT)?;
        let newest = Timestamp::from_micros(from.int()?).ok_or(Error::Range("time"))?;
        let crowd = Crowd::read(&mut from)?;
        let told = match from.byte()? {
            0 => None,
            1 => Some(Told {
                facts: OriginFacts {
                    version: from.uint()?,
                    failed: from.number("failed")?,
                    unknown: from.number("unknown")?,
                    recovered: from.number("recovered")?,
                    succeeded: from.number("succeeded")?,
                    attempts: from.number("attempts")?,
                },
                until: Timestamp::from_seconds(from.int()?).ok_or(Error::Range("time"))?,
            }),
            _ => return Err(Error::Range("told")),
        };
        from.end()?;
        Ok(Self { told, ..Self::new(crowd, newest) })
    }
}

impl Told {
    /// Whether both say the same, whichever sighting they were told after.
    fn is_as(&self, other: &Self) -> bool {
        let Self { facts, until } = *self;
        Self { facts: OriginFacts { version: other.facts.version, ..facts }, until } == *other
    }
}

/// Of a file: some tens of MiB at the very most.
pub const KEYS_MAX: usize = 16_384;
/// Users from which an origin is notable: no policy counts fewer.
pub const NOTABLE_FROM: u32 = 5;
const NOTABLE_UNTIL: u32 = 3;
const FORMAT: u8 = 1;

#[cfg(test)]
mod tests;
