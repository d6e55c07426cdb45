//! What `core` remembers besides habits: bursts, held observations, standing, cases, revocations.

use std::time::Duration;

use super::codec::{Error, Reader, Writer};
use super::devices::Devices;
use super::journal::LearnStep;
use super::session::{Sessions, read_factors};
use crate::engine::number::{exp2, whole};
use crate::model::id::Id128;
use crate::model::time::Timestamp;
use crate::model::{Factors, Level, RevocationScope};

/// Failed logins, decayed: every one counts 100 and halves every half-life of the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    centi: u32,
    at: Timestamp,
}

impl Failures {
    /// Hundredths of a failure that remain at `now`.
    #[must_use]
    pub fn centi_at(&self, now: Timestamp, half_life: Duration) -> u32 {
        if self.centi == 0 {
            return 0;
        }
        let half_lives = now.since_or_zero(self.at).as_secs_f64() / half_life.as_secs_f64().max(1.0);
        whole(f64::from(self.centi) * exp2(-half_lives))
    }

    pub(crate) fn count(&mut self, at: Timestamp, half_life: Duration) {
        let before = self.centi_at(at, half_life);
        self.at = if before == 0 { at } else { at.max(self.at) };
        self.centi = before.saturating_add(100).min(FAILURES_CENTI_MAX);
    }

    pub(super) fn write(&self, to: &mut Writer<'_>) {
        to.uint(self.centi.into());
        if self.centi > 0 {
            to.time(self.at);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        match from.number("failures")? {
            0 => Ok(Self::default()),
            centi => Ok(Self { centi, at: from.time()? }),
        }
    }
}

/// An observation that waits for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// What it would teach; of the latest observation of its kind.
    pub step: LearnStep,
    pub session: Option<u64>,
    /// 48 bits of the event's id alone: feedback names it without its source.
    pub id: u64,
    /// What it and its session presented.
    pub presented: Factors,
    /// When the first of its kind was held.
    pub first: Timestamp,
    /// Distinct days on which its device or its place came.
    pub days: u8,
    pub last_day: i32,
}

impl Held {
    pub(super) fn write(&self, to: &mut Writer<'_>) {
        self.step.write(to);
        to.byte(u8::from(self.session.is_some()));
        if let Some(session) = self.session {
            to.key48(session);
        }
        to.key48(self.id);
        to.uint(self.presented.bits().into());
        to.time(self.first);
        to.byte(self.days);
        to.int(i64::from(self.last_day) - i64::from(self.step.local().day));
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        let step = LearnStep::read(from)?;
        let session = read_option(from, Reader::key48)?;
        let id = from.key48()?;
        let presented = read_factors(from)?;
        let first = from.time()?;
        let days = from.byte()?;
        let last_day = from.int()?.checked_add(step.local().day.into());
        let last_day = last_day.and_then(|day| i32::try_from(day).ok()).ok_or(Error::Range("day"))?;
        Ok(Self { step, session, id, presented, first, days, last_day })
    }
}

/// Why a user's risk is what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    #[default]
    None,
    /// A decision whose factors were missing.
    Missing,
    Reported,
    TokenReuse,
    /// The device changed inside a session.
    SessionDevice,
}

impl Cause {
    const ALL: [Self; 5] = [Self::None, Self::Missing, Self::Reported, Self::TokenReuse, Self::SessionDevice];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Missing => "missing_factors",
            Self::Reported => "reported",
            Self::TokenReuse => "token_reuse",
            Self::SessionDevice => "session_device",
        }
    }
}

/// The user's risk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub level: Level,
    pub since: Timestamp,
    pub cause: Cause,
    /// Sessions that began before this are not to be trusted.
    pub not_before: Option<Timestamp>,
}

impl Default for Standing {
    fn default() -> Self {
        Self { level: Level::Low, since: Timestamp::EPOCH, cause: Cause::None, not_before: None }
    }
}

impl Standing {
    /// What it is at `at`: medium passes with a day of event time.
    #[must_use]
    pub fn as_of(self, at: Timestamp) -> Self {
        let passed = at.since(self.since).is_some_and(|elapsed| elapsed >= MEDIUM_PASSES);
        if self.level == Level::Medium && passed { self.lowered() } else { self }
    }

    #[must_use]
    pub(crate) fn lowered(self) -> Self {
        Self { not_before: self.not_before, ..Self::default() }
    }

    pub(super) fn write(&self, to: &mut Writer<'_>) {
        to.byte(self.level.code() << 4 | (self.cause as u8) << 1 | u8::from(self.not_before.is_some()));
        if self.level != Level::Low {
            to.time(self.since);
        }
        if let Some(not_before) = self.not_before {
            to.time(not_before);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        let packed = from.byte()?;
        let level = Level::from_code(packed >> 4).ok_or(Error::Range("standing"))?;
        let cause = *Cause::ALL.get(usize::from(packed >> 1 & 7)).ok_or(Error::Range("standing"))?;
        let since = if level == Level::Low { Timestamp::EPOCH } else { from.time()? };
        let not_before = if packed & 1 == 1 { Some(from.time()?) } else { None };
        Ok(Self { level, since, cause, not_before })
    }
}

/// The open alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    pub id: Id128,
    pub opened: Timestamp,
    pub last: Timestamp,
    pub update: u32,
}

impl Case {
    pub(super) fn write(&self, to: &mut Writer<'_>) {
        to.bytes(&self.id.0);
        to.time(self.opened);
        to.time(self.last);
        to.uint(self.update.into());
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            id: Id128(from.bytes()?),
            opened: from.time()?,
            last: from.time()?,
            update: from.number("update")?,
        })
    }
}

/// A revocation that was issued and may still be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    pub scope: RevocationScope,
    pub session: Option<u64>,
    pub id: Id128,
    pub at: Timestamp,
}

impl Default for Revoked {
    fn default() -> Self {
        Self { scope: RevocationScope::Session, session: None, id: Id128([0; 16]), at: Timestamp::EPOCH }
    }
}

impl Revoked {
    pub(super) fn write(&self, to: &mut Writer<'_>) {
        to.byte(self.scope.code() << 1 | u8::from(self.session.is_some()));
        if let Some(session) = self.session {
            to.key48(session);
        }
        to.bytes(&self.id.0);
        to.time(self.at);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        let packed = from.byte()?;
        Ok(Self {
            scope: RevocationScope::from_code(packed >> 1).ok_or(Error::Range("revocation"))?,
            session: if packed & 1 == 1 { Some(from.key48()?) } else { None },
            id: Id128(from.bytes()?),
            at: from.time()?,
        })
    }
}

/// What user or analyst said was not them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    pub device: Option<u64>,
    pub session: Option<u64>,
    pub since: Timestamp,
}

impl Reported {
    pub(super) fn write(&self, to: &mut Writer<'_>) {
        to.byte(u8::from(self.device.is_some()) | u8::from(self.session.is_some()) << 1);
        if let Some(device) = self.device {
            to.key64(device);
        }
        if let Some(session) = self.session {
            to.key48(session);
        }
        to.time(self.since);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        let flags = from.byte()?;
        if flags > 3 {
            return Err(Error::Range("reported"));
        }
        Ok(Self {
            device: if flags & 1 != 0 { Some(from.key64()?) } else { None },
            session: if flags & 2 != 0 { Some(from.key48()?) } else { None },
            since: from.time()?,
        })
    }
}

/// The behaviour last seen of a session or device, judged when it came: a login needs no biometric part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    pub session: Option<u64>,
    pub device: Option<u64>,
    pub at: Timestamp,
    pub judged: Judged,
}

/// How far the last batches of behaviour are from the user's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Batches looked at.
    pub batches: u32,
    /// Batches learned before.
    pub learned: u32,
    /// Hundredths of a median absolute deviation, on average over the features.
    pub deviation_centi: u32,
    /// Features compared; 0 when there was nothing to compare.
    pub features: u16,
}

impl Glance {
    /// A learned device and a live session are written as their numbers: most glances are of such.
    pub(super) fn write(&self, to: &mut Writer<'_>, sessions: &Sessions, devices: &Devices) {
        let device = self.device.map(|key| devices.position(key));
        let session = self.session.map(|key| sessions.iter().position(|session| session.key == key));
        to.byte(kind(device) | kind(session) << 2);
        match (self.device, device.flatten()) {
            (_, Some(index)) => to.size(index),
            (Some(key), None) => to.key64(key),
            (None, None) => {}
        }
        match (self.session, session.flatten()) {
            (_, Some(index)) => to.size(index),
            (Some(key), None) => to.key48(key),
            (None, None) => {}
        }
        to.time(self.at);
        to.uint(self.judged.batches.into());
        to.uint(self.judged.learned.into());
        to.uint(self.judged.deviation_centi.into());
        to.uint(self.judged.features.into());
    }

    pub(super) fn read(from: &mut Reader<'_>, sessions: &Sessions, devices: &Devices) -> Result<Self, Error> {
        let flags = from.byte()?;
        let error = Error::Range("behaviour");
        let device = match flags & 3 {
            ABSENT => None,
            NUMBERED => Some(devices.get(from.number("device")?).ok_or(error)?.key),
            // One that has a number is written as that.
            OWN => {
                Some(from.key64()?).filter(|key| devices.position(*key).is_none()).ok_or(error).map(Some)?
            }
            _ => return Err(error),
        };
        let session = match flags >> 2 {
            ABSENT => None,
            NUMBERED => Some(sessions.iter().nth(from.number("session")?).ok_or(error)?.key),
            OWN => Some(from.key48()?).filter(|key| sessions.find(*key).is_none()).ok_or(error).map(Some)?,
            _ => return Err(error),
        };
        let at = from.time()?;
        let judged = Judged {
            batches: from.number("batches")?,
            learned: from.number("batches")?,
            deviation_centi: from.number("deviation")?,
            features: from.number("features")?,
        };
        Ok(Self { session, device, at, judged })
    }
}

/// How a key is written: not at all, by its number, or itself.
const fn kind(key: Option<Option<usize>>) -> u8 {
    match key {
        None => ABSENT,
        Some(Some(_)) => NUMBERED,
        Some(None) => OWN,
    }
}

const ABSENT: u8 = 0;
const NUMBERED: u8 = 1;
const OWN: u8 = 2;

pub(super) fn read_option<'b, T>(
    from: &mut Reader<'b>,
    read: impl FnOnce(&mut Reader<'b>) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    match from.byte()? {
        0 => Ok(None),
        1 => read(from).map(Some),
        _ => Err(Error::Range("presence")),
    }
}

const MEDIUM_PASSES: Duration = Duration::from_secs(86_400);
/// Ten thousand failures: beyond that more make no difference.
const FAILURES_CENTI_MAX: u32 = 1_000_000;
