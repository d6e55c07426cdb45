//! A profile in memory: which parts are here, which changed, and which a step needs.
//!
//! Load, decide, store: a caller loads `core`, asks [`Profile::needs`], loads those, calls
//! [`crate::engine::step::step`] and stores [`Profile::changed`]. A part that `core` says exists
//! and the store does not have is [`Error::Missing`]: the store has lost something and must be
//! restored before it may answer.

use super::apps::Apps;
use super::codec::Error as CodecError;
use super::core::Core;
use super::journal::{Checkpoint, Chunk, LearnStep, Roll};
use super::part::{CHUNKS, Part, PartSet};
use super::tokens::Tokens;
use super::workload::Workload;
use crate::engine::biometrics::{Keystroke, Mouse, Touch};
use crate::model::EventType;

/// Why a profile cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("profile part `{part}` cannot be read: {error}; restore the store from the changelog")]
    Unreadable { part: Part, error: CodecError },
    #[error("profile part `{0}` is missing though `core` names it; restore the store from the changelog")]
    Missing(Part),
    #[error(
        "profile part `{0}` is stored though `core` does not name it; restore the store from the changelog"
    )]
    Unexpected(Part),
}

/// A user's profile as loaded for one step or several.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    exists: bool,
    core: Core,
    pub(crate) keystroke: Option<Keystroke>,
    pub(crate) mouse: Option<Mouse>,
    pub(crate) touch: Option<Touch>,
    pub(crate) apps: Option<Box<Apps>>,
    pub(crate) tokens: Option<Box<Tokens>>,
    pub(crate) workload: Option<Workload>,
    checkpoint: Option<Box<Checkpoint>>,
    journal: [Option<Chunk>; CHUNKS as usize],
    /// Parts that are stored, so far as this profile knows: what `forget` must delete.
    stored: PartSet,
    changed: PartSet,
}

impl Profile {
    /// The profile of a user of whom nothing is stored.
    #[must_use]
    pub fn absent() -> Self {
        Self::default()
    }

    /// A profile whose other parts are not loaded yet.
    pub fn from_core(bytes: &[u8]) -> Result<Self, Error> {
        let core = Core::decode(bytes).map_err(|error| Error::Unreadable { part: Part::Core, error })?;
        let stored = core.parts.with(Part::Core);
        Ok(Self { exists: true, core, stored, ..Self::default() })
    }

    /// A profile that is not stored as it is: `core` is changed, and the other parts are not loaded yet.
    #[must_use]
    pub fn of_changed_core(core: Core) -> Self {
        let stored = core.parts.with(Part::Core);
        Self { exists: true, core, stored, changed: PartSet::of(Part::Core), ..Self::default() }
    }

    /// A whole profile of its stored parts; absent where there is no `core`.
    pub fn from_parts<'b>(part: impl Fn(Part) -> Option<&'b [u8]>) -> Result<Self, Error> {
        let Some(core) = part(Part::Core) else { return Ok(Self::absent()) };
        let mut profile = Self::from_core(core)?;
        for other in profile.core().parts().iter() {
            profile.load(other, part(other))?;
        }
        Ok(profile)
    }

    /// Whether the user is known.
    #[must_use]
    pub const fn exists(&self) -> bool {
        self.exists
    }

    #[must_use]
    pub const fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) const fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    /// The parts that a step of this type needs and that are not loaded yet.
    #[must_use]
    pub fn needs(&self, kind: EventType) -> PartSet {
        if !self.exists {
            return PartSet::NONE;
        }
        let mut needs = PartSet::NONE;
        if kind == EventType::Behavior {
            needs = needs.with(Part::Keystroke).with(Part::Mouse).with(Part::Touch);
        }
        needs = needs.union(match kind {
            EventType::Access | EventType::Feedback => PartSet::of(Part::Apps).with(Part::Workload),
            EventType::Session => PartSet::of(Part::Tokens).with(Part::Workload),
            EventType::Login => PartSet::of(Part::Workload),
            EventType::Challenge | EventType::Credential | EventType::Behavior => PartSet::NONE,
        });
        // What is held may be learned before this event, or by it.
        let own = usize::from(matches!(kind, EventType::Login | EventType::Session | EventType::Access));
        let mut head = self.core.journal;
        if self.core.held.len() + own > 0 && head.chunks > 0 {
            needs = needs.with(Part::Journal(head.current));
        }
        for _ in 0..self.core.held.len() + own {
            let (next, roll) = head.next();
            if roll == Roll::Fold {
                needs = needs.with(Part::Checkpoint).with(Part::Journal(next.current));
            }
            head = next;
        }
        needs.both(self.core.parts).iter().filter(|part| !self.has(*part)).collect()
    }

    /// Takes a part as stored; `None` says that the store does not have it.
    pub fn load(&mut self, part: Part, bytes: Option<&[u8]>) -> Result<(), Error> {
        let Some(bytes) = bytes else {
            return if self.core.parts.has(part) { Err(Error::Missing(part)) } else { Ok(()) };
        };
        if !self.core.parts.has(part) {
            return Err(Error::Unexpected(part));
        }
        let unreadable = |error| Error::Unreadable { part, error };
        match part {
            Part::Core => return Err(Error::Unexpected(part)),
            Part::Keystroke => self.keystroke = Some(Keystroke::decode(bytes).map_err(unreadable)?),
            Part::Mouse => self.mouse = Some(Mouse::decode(bytes).map_err(unreadable)?),
            Part::Touch => self.touch = Some(Touch::decode(bytes).map_err(unreadable)?),
            Part::Apps => self.apps = Some(Box::new(Apps::decode(bytes).map_err(unreadable)?)),
            Part::Tokens => self.tokens = Some(Box::new(Tokens::decode(bytes).map_err(unreadable)?)),
            Part::Workload => self.workload = Some(Workload::decode(bytes).map_err(unreadable)?),
            Part::Checkpoint => {
                self.checkpoint = Some(Box::new(Checkpoint::decode(bytes).map_err(unreadable)?));
            }
            Part::Journal(chunk) => {
                let decoded = Chunk::decode(bytes).map_err(unreadable)?;
                if let Some(slot) = self.journal.get_mut(usize::from(chunk)) {
                    *slot = Some(decoded);
                }
            }
        }
        Ok(())
    }

    /// The parts besides `core` that are loaded.
    #[must_use]
    pub fn loaded(&self) -> PartSet {
        Part::ALL.into_iter().filter(|part| self.has(*part)).collect()
    }

    /// Whether a part besides `core` is loaded.
    fn has(&self, part: Part) -> bool {
        match part {
            Part::Core => false,
            Part::Keystroke => self.keystroke.is_some(),
            Part::Mouse => self.mouse.is_some(),
            Part::Touch => self.touch.is_some(),
            Part::Apps => self.apps.is_some(),
            Part::Tokens => self.tokens.is_some(),
            Part::Workload => self.workload.is_some(),
            Part::Checkpoint => self.checkpoint.is_some(),
            Part::Journal(chunk) => self.journal.get(usize::from(chunk)).is_some_and(Option::is_some),
        }
    }

    /// The parts that differ from what is stored.
    #[must_use]
    pub const fn changed(&self) -> PartSet {
        self.changed
    }

    /// Appends a part as it is to be stored; `false` says that it is to be deleted.
    pub fn encode(&self, part: Part, out: &mut Vec<u8>) -> bool {
        match part {
            Part::Core if self.exists => self.core.encode(out),
            Part::Core => return false,
            Part::Keystroke => return encode(self.keystroke.as_ref(), |part| part.encode(out)),
            Part::Mouse => return encode(self.mouse.as_ref(), |part| part.encode(out)),
            Part::Touch => return encode(self.touch.as_ref(), |part| part.encode(out)),
            Part::Apps => return encode(self.apps.as_deref(), |part| part.encode(out)),
            Part::Tokens => return encode(self.tokens.as_deref(), |part| part.encode(out)),
            Part::Workload => return encode(self.workload.as_ref(), |part| part.encode(out)),
            Part::Checkpoint => return encode(self.checkpoint.as_deref(), |part| part.encode(out)),
            Part::Journal(chunk) => {
                let chunk = self.journal.get(usize::from(chunk)).and_then(Option::as_ref);
                return encode(chunk, |part| part.encode(out));
            }
        }
        true
    }

    /// Hands every changed part to `each`, encoded into `buffer` (`None`: delete it), and from then
    /// on counts them as stored.
    pub fn take_changes(&mut self, buffer: &mut Vec<u8>, each: impl FnMut(Part, Option<&[u8]>)) {
        self.take_changes_but(PartSet::NONE, buffer, each);
    }

    /// The same without those of `kept`, which stay changed.
    pub fn take_changes_but(
        &mut self,
        kept: PartSet,
        buffer: &mut Vec<u8>,
        mut each: impl FnMut(Part, Option<&[u8]>),
    ) {
        for part in self.changed.without(kept).iter() {
            buffer.clear();
            if self.encode(part, buffer) {
                each(part, Some(buffer));
                self.stored = self.stored.with(part);
            } else {
                each(part, None);
                self.stored = self.stored.without(PartSet::of(part));
            }
        }
        self.changed = self.changed.both(kept);
    }

    pub(crate) fn touch(&mut self, part: Part) {
        if part == Part::Core {
            self.exists = true;
        } else {
            self.core.parts = self.core.parts.with(part);
        }
        self.changed = self.changed.with(part);
    }

    /// Forgets everything, and has every part deleted: those that `core` names, and whatever else may be
    /// stored under the user's name.
    pub(crate) fn erase(&mut self) {
        self.stored = Part::ALL.into_iter().collect();
        self.forget();
    }

    /// Forgets everything; what is stored is to be deleted.
    pub(crate) fn forget(&mut self) {
        *self = Self { stored: self.stored, changed: self.stored, ..Self::default() };
    }

    /// Learns one observation: into the baseline, and into the journal for the day it must go.
    pub(crate) fn learn(&mut self, step: LearnStep) {
        self.core.baseline.learn(&step);
        let (next, roll) = self.core.journal.next();
        let chunk = self.journal.get_mut(usize::from(next.current));
        let Some(chunk) = chunk.map(|slot| slot.get_or_insert_default()) else { return };
        if roll == Roll::Fold {
            let checkpoint = self.checkpoint.get_or_insert_default();
            for step in chunk.steps() {
                checkpoint.0.learn(step);
            }
            chunk.clear();
        }
        chunk.push(step);
        self.core.journal = next;
        if roll == Roll::Fold {
            self.touch(Part::Checkpoint);
        }
        self.touch(Part::Journal(next.current));
    }

    /// The chunks that are loaded, the oldest first, and the checkpoint: for the law, and for un-learning.
    #[must_use]
    pub fn journal(&self) -> (Option<&Checkpoint>, Vec<&Chunk>) {
        let chunks = self.core.journal.oldest_first();
        let chunks = chunks.filter_map(|chunk| self.journal.get(usize::from(chunk))?.as_ref());
        (self.checkpoint.as_deref(), chunks.collect())
    }
}

fn encode<T>(part: Option<&T>, write: impl FnOnce(&T)) -> bool {
    part.map(write).is_some()
}
