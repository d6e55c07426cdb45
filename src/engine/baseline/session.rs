//! Live sessions: what the engine remembers of each until it ends, idles out or falls out.

use super::codec::{Error, Reader, Writer};
use super::devices::Client;
use super::few::Few;
use super::habits::{Fix, read_fix, write_fix};
use crate::model::Factors;
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

    pub(super) fn write(&self, to: &mut Writer<'_>) {
        to.size(self.len());
        for session in self.iter() {
            to.key64(session.key);
            let flag = |set: bool, bit: u8| u8::from(set) << bit;
            to.byte(flag(session.risky, 0) | flag(session.revoked, 1) | flag(session.device.is_some(), 2));
            to.time(session.started);
            to.time(session.last);
            if let Some(device) = session.device {
                to.key64(device);
            }
            to.uint(session.client.code().into());
            write_fix(to, session.fix);
            to.uint(session.presented.bits().into());
            to.bytes(&session.taught.to_le_bytes());
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        let mut sessions = Few::default();
        for _ in 0..from.size(SESSIONS_MAX, "sessions")? {
            let key = from.key64()?;
            let flags = from.byte()?;
            if flags > 7 {
                return Err(Error::Range("session"));
            }
            sessions.push(Session {
                key,
                risky: flags & 1 != 0,
                revoked: flags & 2 != 0,
                started: from.time()?,
                last: from.time()?,
                device: if flags & 4 != 0 { Some(from.key64()?) } else { None },
                client: Client::from_code(from.number("client")?)?,
                fix: read_fix(from)?,
                presented: read_factors(from)?,
                taught: u16::from_le_bytes(from.bytes()?),
            });
        }
        Ok(Self(sessions))
    }
}

pub(super) fn read_factors(from: &mut Reader<'_>) -> Result<Factors, Error> {
    let bits = from.number("factors")?;
    let factors = Factors::from_bits(bits);
    if factors.bits() == bits { Ok(factors) } else { Err(Error::Range("factors")) }
}
