//! The last events: that a repeat is seen, and whose an event was that feedback names later.
//!
//! Of each 40 bits of its key, a third of an average `core`: with 32 of them, one event in 3 × 10^10 is
//! taken for a repeat that is none. Half of the bits are of the event's id alone: feedback names the id
//! and not the source, and one that names a forgotten event finds another in 3 of 100,000 cases.
//!
//! Whose an event was is known while its session lives or its device is learned. That is written in
//! runs, since events come in sessions: a byte for up to 16 of one owner.

use super::codec::{Error, Reader, Writer};
use super::devices::{DEVICES_MAX, Devices};
use super::few::Few;
use super::networks::key40;
use super::session::{SESSIONS_MAX, Sessions};
use crate::model::observation::EVENT_ID_SHIFT;

pub const RECENT_MAX: usize = 32;

/// A ring; the oldest is written first. The low 40 bits of an entry are the event's, the rest its
/// owner's tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recent(Few<u64, RECENT_MAX>);

/// Whose an event was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whose {
    pub device: Option<u64>,
    pub session: Option<u64>,
}

impl Recent {
    #[must_use]
    pub fn has(&self, event: u64) -> bool {
        self.0.iter().any(|seen| key40(*seen) == key40(event))
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whose the newest event was whose id has this key, [`crate::engine::enrich::event_id_key`];
    /// `None` when no such event is remembered.
    #[must_use]
    pub fn whose(&self, id: u64, sessions: &Sessions, devices: &Devices) -> Option<Whose> {
        let of_id = |entry: &&u64| (key40(**entry) >> EVENT_ID_SHIFT) == id & ID_MASK;
        let tag = self.0.as_slice().iter().rev().find(of_id)? >> TAG_SHIFT;
        let session = sessions.iter().find(|session| tag == of_session(session.key));
        let device = devices.iter().find(|device| tag == of_device(device.key));
        Some(Whose {
            device: session.and_then(|session| session.device).or_else(|| device.map(|device| device.key)),
            session: session.map(|session| session.key),
        })
    }

    /// Appends an event of this session if it lives, else of this device if it was learned.
    pub(crate) fn push(&mut self, event: u64, of: Whose, sessions: &Sessions, devices: &Devices) {
        let session = of.session.filter(|key| sessions.find(*key).is_some()).map(of_session);
        let device = of.device.filter(|key| devices.find(*key).is_some()).map(of_device);
        self.0.push(key40(event) | session.or(device).unwrap_or(NOBODY) << TAG_SHIFT);
    }

    /// Forgets owners that are no more: what is in memory is what would be read back.
    pub(crate) fn forget_gone(&mut self, sessions: &Sessions, devices: &Devices) {
        let mut known = NOBODY;
        for entry in self.0.iter_mut() {
            let tag = *entry >> TAG_SHIFT;
            if tag == known {
                continue;
            }
            if owners(sessions, devices).any(|owner| owner == tag) {
                known = tag;
            } else {
                *entry = key40(*entry);
            }
        }
    }

    pub(super) fn write(&self, to: &mut Writer<'_>, sessions: &Sessions, devices: &Devices) {
        to.size(self.len());
        for entry in &self.0 {
            to.key40(*entry);
        }
        let mut tags = self.0.iter().map(|entry| entry >> TAG_SHIFT).peekable();
        while let Some(tag) = tags.next() {
            let mut more = 0_u8;
            while more < MORE_MAX && tags.next_if_eq(&tag).is_some() {
                more += 1;
            }
            let owner = owners(sessions, devices).position(|owner| owner == tag);
            to.byte(owner.and_then(|owner| u8::try_from(owner + 1).ok()).unwrap_or(0) << 4 | more);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>, sessions: &Sessions, devices: &Devices) -> Result<Self, Error> {
        let mut recent = Few::<u64, RECENT_MAX>::default();
        for _ in 0..from.size(RECENT_MAX, "recent events")? {
            recent.push(from.key40()?);
        }
        let mut entries = recent.iter_mut();
        let mut last = None;
        while let Some(first) = entries.next() {
            let run = from.byte()?;
            let (owner, more) = (usize::from(run >> 4), run & MORE_MAX);
            let tag = match owner {
                0 => NOBODY,
                owner => owners(sessions, devices).nth(owner - 1).ok_or(Error::Range("owner of an event"))?,
            };
            // The longest runs only, and of the first of equals, so that equal parts are equal bytes.
            if last == Some((tag, false))
                || owners(sessions, devices).position(|one| one == tag).map_or(0, |at| at + 1) != owner
            {
                return Err(Error::Range("run of events"));
            }
            *first |= tag << TAG_SHIFT;
            for _ in 0..more {
                *entries.next().ok_or(Error::Range("run of events"))? |= tag << TAG_SHIFT;
            }
            last = Some((tag, more == MORE_MAX));
        }
        Ok(Self(recent))
    }
}

/// The tags of those who can own an event, in the order in which they are numbered.
fn owners(sessions: &Sessions, devices: &Devices) -> impl Iterator<Item = u64> {
    let sessions = sessions.iter().map(|session| of_session(session.key));
    sessions.chain(devices.iter().map(|device| of_device(device.key)))
}

/// 24 bits, none of them 0; among a dozen owners of one user 22 bits of a key are enough.
const fn of_session(key: u64) -> u64 {
    (key & KEY_MASK) << 2 | 1
}

const fn of_device(key: u64) -> u64 {
    (key & KEY_MASK) << 2 | 2
}

const NOBODY: u64 = 0;
const TAG_SHIFT: u32 = 40;
const KEY_MASK: u64 = (1 << 22) - 1;
const ID_MASK: u64 = (1 << (40 - EVENT_ID_SHIFT)) - 1;
/// What a run counts beyond its first.
const MORE_MAX: u8 = 15;
/// An owner's number takes four bits.
const _: () = assert!(SESSIONS_MAX + DEVICES_MAX < 16);
