//! A file as a lane: one fold, records in, lines out.
//!
//! No log stands behind it, so nothing is sealed and nothing can be aborted; the profiles in memory
//! are the only thing that grows. What a lane knows beside them (records, lines, chain) is [`Mark`]
//! and [`FileLane::lines`]: carried over, a file in two parts gives the same bytes as in one.
//!
//! A record that makes a detector panic is rejected; its profile is what it was before.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::profiles::{Damaged, Folded, Profiles};
use crate::engine::across::Local;
use crate::engine::baseline::Part;
use crate::engine::baseline::codec::Error as CodecError;
use crate::engine::decode::{Decoded, Rejected};
use crate::engine::emit;
use crate::engine::enrich::Enricher;
use crate::engine::explain::Context;
use crate::engine::step::Setting;
use crate::model::across::Sightings;
use crate::model::decision::Ruling;
use crate::model::id::{Position, UserKey};
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

#[derive(Debug)]
pub struct FileLane {
    /// Records so far, and the chain after the last decision.
    mark: Mark,
    /// Lines so far.
    lines: u64,
    profiles: Profiles,
    enricher: Enricher,
    /// The network lanes, too, are this one.
    across: Local,
}

impl FileLane {
    /// An empty lane. `hash_seed` is drawn by the shell: user ids are picked by others.
    #[must_use]
    pub fn new(hash_seed: u64) -> Self {
        Self {
            mark: Mark::default(),
            lines: 0,
            profiles: Profiles::new(hash_seed),
            enricher: Enricher::default(),
            across: Local::default(),
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
        self.profiles.users()
    }

    /// Goes on where another run ended.
    pub const fn resume(&mut self, mark: Mark, lines: u64) {
        self.mark = mark;
        self.lines = lines;
    }

    /// Whoever reads the file counts its lines here, to be kept with the mark.
    pub const fn lines_mut(&mut self) -> &mut u64 {
        &mut self.lines
    }

    /// Takes a part of a saved profile.
    pub fn restore(&mut self, user: &[u8], part: Part, state: &[u8]) {
        self.profiles.restore(user, part, state);
    }

    /// Takes an origin that was saved.
    ///
    /// # Errors
    /// When it is not what this version writes.
    pub fn restore_origin(&mut self, key: &[u8], state: &[u8]) -> Result<(), CodecError> {
        self.across.restore(key, state)
    }

    /// Hands out every origin that is watched, in the order of their keys.
    pub fn save_origins<E>(&self, each: impl FnMut(&[u8], &[u8]) -> Result<(), E>) -> Result<(), E> {
        self.across.save(each)
    }

    /// Hands out every part of every profile, users in the order of their keys.
    pub fn save<E>(&self, each: impl FnMut(&[u8], Part, &[u8]) -> Result<(), E>) -> Result<(), E> {
        self.profiles.save(each)
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
        self.fold(line, decoded, (tables, setting), out, &mut |_, _| Ok(()), watch)
    }

    /// The same, and what an explanation of it needs beside its line, if it gave a decision.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn explain(
        &mut self,
        line: u64,
        decoded: Result<Decoded<'_>, Rejected>,
        tables: &dyn Tables,
        setting: &Setting<'_>,
        out: &mut Vec<u8>,
        watch: &mut dyn FnMut(&Ruling<'_>),
    ) -> Result<(Told, Option<Context>), Damaged> {
        let mut context = None;
        let mut before = |profiles: &Profiles, seen: &Observation<'_>| {
            let user = UserKey::new(&seen.event.tenant, &seen.event.user);
            let profile = profiles.copy(&user)?;
            // A detector that panics does so again in the fold, which says so.
            let looked = AssertUnwindSafe(|| Context::of(profile, seen, setting));
            context = catch_unwind(looked).unwrap_or_default();
            Ok(())
        };
        let told = self.fold(line, decoded, (tables, setting), out, &mut before, watch)?;
        Ok((told, context.filter(|_| matches!(told, Told::Decided { .. }))))
    }

    fn fold(
        &mut self,
        line: u64,
        decoded: Result<Decoded<'_>, Rejected>,
        (tables, setting): (&dyn Tables, &Setting<'_>),
        out: &mut Vec<u8>,
        before: &mut Before<'_>,
        watch: &mut dyn FnMut(&Ruling<'_>),
    ) -> Result<Told, Damaged> {
        let start = out.len();
        let position = Position { topic: None, partition: 0, offset: self.mark.offset };
        let (mut chain, mut told) = (self.mark.chain, Told::Duplicate);
        let taken = match decoded {
            Ok(decoded) => {
                let mut seen = self.enricher.enrich(decoded.event, tables);
                seen.facts.across = self.across.look_up(&seen);
                let mut sightings = Sightings::default();
                before(&self.profiles, &seen)?;
                let folded = self.profiles.fold(&seen, position, setting, &mut |ruling| {
                    chain = emit::decision_json(&ruling.decision, chain, out);
                    told = Told::Decided { action: ruling.decision.action, kind: ruling.decision.kind };
                    sightings = ruling.sightings;
                    watch(ruling);
                })?;
                if folded.is_ok() {
                    let version = self.mark.offset.saturating_add(1).unsigned_abs();
                    self.across.take(&seen, sightings, version);
                }
                if folded == Ok(Folded::Duplicate) {
                    duplicate(line, &seen, out);
                }
                folded
            }
            Err(rejected) => Err(rejected),
        };
        match taken {
            Ok(_) => self.mark.chain = chain,
            Err(rejected) => {
                out.truncate(start);
                reject(line, &rejected, out);
                told = Told::Rejected(rejected.reason);
            }
        }
        out.push(b'\n');
        self.mark.offset = self.mark.offset.saturating_add(1);
        Ok(told)
    }
}

/// Looks at an observation, and at the profiles before it is folded.
type Before<'b> = dyn FnMut(&Profiles, &Observation<'_>) -> Result<(), Damaged> + 'b;

/// A line for a record that was not taken.
pub(super) fn reject(line: u64, rejected: &Rejected, out: &mut Vec<u8>) {
    #[derive(serde::Serialize)]
    struct Line<'l> {
        rejected: Reject,
        line: u64,
        detail: &'l str,
    }
    json(&Line { rejected: rejected.reason, line, detail: &rejected.detail }, out);
}

/// A line for a record that was seen before.
pub(super) fn duplicate(line: u64, seen: &Observation<'_>, out: &mut Vec<u8>) {
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
