//! Live sessions: what the engine remembers of each until it ends, idles out or falls out.

use super::codec::{Error, Reader, Writer};
use super::devices::Client;
use super::few::Few;
use super::habits::{Baseline, Fix};
use crate::model::Factors;
use crate::model::place::Coordinates;
use crate::model::time::Timestamp;

pub const SESSIONS_MAX: usize = 4;

/// One live session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// [`crate::model::observation::Keys::session`].
    pub key: u64,
    pub started: Timestamp,
    pub last: Timestamp,
    /// As it began; a later one that differs is a mismatch, not a change.
    pub device: Option<u64>,
    pub client: Client,
    /// Its last trusted fix.
    pub fix: Option<Fix>,
    /// By its login and its approved challenges.
    pub presented: Factors,
    /// Something was asked of it and not yet answered: its behaviour teaches nothing.
    pub risky: bool,
    /// A revocation of it, or of the user, was issued.
    pub revoked: bool,
    /// Stands for the day, address and device it last taught from, see `step/learn`.
    pub taught: u16,
}

/// The live sessions of one user; the one longest without an event falls out first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sessions(Few<Session, SESSIONS_MAX>);

impl Sessions {
    #[must_use]
    pub fn find(&self, key: u64) -> Option<&Session> {
        self.iter().find(|session| session.key == key)
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Session> {
        self.0.iter()
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn find_mut(&mut self, key: u64) -> Option<&mut Session> {
        self.0.iter_mut().find(|session| session.key == key)
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Session> {
        self.0.iter_mut()
    }

    pub(crate) fn start(&mut self, session: Session) {
        self.end(session.key);
        self.0.push_over(session, |session| session.last);
    }

    pub(crate) fn end(&mut self, key: u64) {
        self.0.retain(|session| session.key != key);
    }

    pub(crate) fn retain(&mut self, keep: impl FnMut(&Session) -> bool) {
        self.0.retain(keep);
    }

    /// A device that was learned is written as its number in `habits`, and its client not at all; a
    /// fix where one was before is written as that one. Most sessions are of such a kind.
    pub(super) fn write(&self, to: &mut Writer<'_>, habits: &Baseline) {
        to.size(self.len());
        let mut earlier = Earlier::of(habits);
        for session in self.iter() {
            let learned = session.device.and_then(|key| habits.devices.position(key));
            let device = match (session.device, learned) {
                (None, _) => NO_DEVICE,
                (Some(_), Some(_)) => LEARNED_DEVICE,
                (Some(_), None) => OWN_DEVICE,
            };
            let own_client = client_of(habits, learned) != Some(session.client);
            let fix = earlier.kind(session.fix);
            let flag = |set: bool, bit: u8| u8::from(set) << bit;
            to.key48(session.key);
            to.byte(
                flag(session.risky, 0)
                    | flag(session.revoked, 1)
                    | flag(own_client, 2)
                    | device << 3
                    | fix << 5,
            );
            to.time(session.started);
            to.time(session.last);
            match (session.device, learned) {
                (_, Some(index)) => to.size(index),
                (Some(key), None) => to.key64(key),
                (None, None) => {}
            }
            if own_client {
                to.uint(session.client.code().into());
            }
            if let Some(at) = session.fix {
                if fix == OWN_FIX {
                    to.coordinates(at.coordinates);
                }
                to.time(at.at);
            }
            earlier.note(session.fix);
            to.uint(session.presented.bits().into());
            to.bytes(&session.taught.to_le_bytes());
        }
    }

    pub(super) fn read(from: &mut Reader<'_>, habits: &Baseline) -> Result<Self, Error> {
        let mut sessions = Few::default();
        let mut earlier = Earlier::of(habits);
        for _ in 0..from.size(SESSIONS_MAX, "sessions")? {
            let key = from.key48()?;
            let flags = from.byte()?;
            let (started, last) = (from.time()?, from.time()?);
            let (device, learned) = match flags >> 3 & 3 {
                NO_DEVICE => (None, None),
                LEARNED_DEVICE => {
                    let index = from.number("device")?;
                    (habits.devices.get(index).map(|device| device.key), Some(index))
                }
                OWN_DEVICE => (Some(from.key64()?), None),
                _ => return Err(Error::Range("device")),
            };
            if device.and_then(|key| habits.devices.position(key)) != learned {
                return Err(Error::Range("device"));
            }
            let known = client_of(habits, learned);
            let client = if flags & 4 != 0 {
                let own = Client::from_code(from.number("client")?)?;
                Some(own).filter(|own| known != Some(*own))
            } else {
                known
            };
            let kind = flags >> 5;
            let coordinates = match kind {
                NO_FIX => None,
                OWN_FIX => Some(from.coordinates()?),
                kind => Some(earlier.fix(kind).ok_or(Error::Range("fix"))?),
            };
            let fix = match coordinates {
                Some(coordinates) => Some(Fix { coordinates, at: from.time()? }),
                None => None,
            };
            if earlier.kind(fix) != kind {
                return Err(Error::Range("fix"));
            }
            earlier.note(fix);
            sessions.push(Session {
                key,
                started,
                last,
                device,
                client: client.ok_or(Error::Range("client"))?,
                fix,
                presented: read_factors(from)?,
                risky: flags & 1 != 0,
                revoked: flags & 2 != 0,
                taught: u16::from_le_bytes(from.bytes()?),
            });
        }
        Ok(Self(sessions))
    }
}

fn client_of(habits: &Baseline, learned: Option<usize>) -> Option<Client> {
    learned.and_then(|index| habits.devices.get(index)).map(|device| device.client)
}

/// Places that were written before: of the last trusted fix, and of the session before.
struct Earlier {
    trusted: Option<Coordinates>,
    session: Option<Coordinates>,
}

impl Earlier {
    fn of(habits: &Baseline) -> Self {
        Self { trusted: habits.fix.map(|fix| fix.coordinates), session: None }
    }

    fn kind(&self, fix: Option<Fix>) -> u8 {
        match fix.map(|fix| fix.coordinates) {
            None => NO_FIX,
            fix if fix == self.trusted => TRUSTED_FIX,
            fix if fix == self.session => SESSION_FIX,
            Some(_) => OWN_FIX,
        }
    }

    fn fix(&self, kind: u8) -> Option<Coordinates> {
        match kind {
            TRUSTED_FIX => self.trusted,
            SESSION_FIX => self.session,
            _ => None,
        }
    }

    fn note(&mut self, fix: Option<Fix>) {
        self.session = fix.map(|fix| fix.coordinates).or(self.session);
    }
}

const NO_DEVICE: u8 = 0;
const LEARNED_DEVICE: u8 = 1;
const OWN_DEVICE: u8 = 2;
const NO_FIX: u8 = 0;
const TRUSTED_FIX: u8 = 1;
const SESSION_FIX: u8 = 2;
const OWN_FIX: u8 = 3;

pub(super) fn read_factors(from: &mut Reader<'_>) -> Result<Factors, Error> {
    let bits = from.number("factors")?;
    let factors = Factors::from_bits(bits);
    if factors.bits() == bits { Ok(factors) } else { Err(Error::Range("factors")) }
}
