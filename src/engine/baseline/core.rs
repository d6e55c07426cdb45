//! `core`: the part that every event needs, at most 2 KiB.

use std::time::Duration;

use super::codec::{Error, Reader, Writer};
use super::few::Few;
use super::habits::{Baseline, Fix};
use super::journal::Head;
use super::marks::{Case, Failures, Glance, Held, Reported, Revoked, Standing, read_option};
use super::part::{Part, PartSet};
use super::recent::{Recent, Whose};
use super::session::Sessions;
use crate::model::History;
use crate::model::observation::Keys;
use crate::model::time::Timestamp;

pub const HELD_MAX: usize = 8;
pub const REFUSED_MAX: usize = 8;
pub const REVOKED_MAX: usize = 2;
pub const GLANCES_MAX: usize = 2;
/// 10 learned logins on 5 days: the engine knows the user.
pub const MATURE_LOGINS: u32 = 10;
pub const MATURE_DAYS: u16 = 5;

/// What is known of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Core {
    pub(crate) first_seen: Timestamp,
    /// The newest `occurred_at`.
    pub(crate) newest: Timestamp,
    pub(crate) baseline: Baseline,
    /// Learned batches of behaviour.
    pub(crate) batches: u32,
    pub(crate) sessions: Sessions,
    pub(crate) failures: Failures,
    /// When prompts were refused or ignored, the oldest first.
    pub(crate) refused: Few<Timestamp, REFUSED_MAX>,
    pub(crate) held: Vec<Held>,
    pub(crate) recent: Recent,
    pub(crate) standing: Standing,
    pub(crate) case: Option<Case>,
    pub(crate) revoked: Few<Revoked, REVOKED_MAX>,
    pub(crate) reported: Option<Reported>,
    pub(crate) glances: Few<Glance, GLANCES_MAX>,
    pub(crate) journal: Head,
    /// Which other parts exist.
    pub(crate) parts: PartSet,
}

impl Core {
    #[must_use]
    pub const fn first_seen(&self) -> Timestamp {
        self.first_seen
    }

    #[must_use]
    pub const fn newest(&self) -> Timestamp {
        self.newest
    }

    #[must_use]
    pub const fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    #[must_use]
    pub const fn history(&self) -> History {
        if self.baseline.steps == 0 {
            History::None
        } else if self.is_mature() {
            History::Mature
        } else {
            History::New
        }
    }

    #[must_use]
    pub const fn is_mature(&self) -> bool {
        self.baseline.logins >= MATURE_LOGINS && self.baseline.days >= MATURE_DAYS
    }

    #[must_use]
    pub const fn home_offset_minutes(&self) -> i16 {
        self.baseline.home_offset_minutes
    }

    #[must_use]
    pub const fn trusted_fix(&self) -> Option<Fix> {
        self.baseline.fix
    }

    #[must_use]
    pub const fn batches(&self) -> u32 {
        self.batches
    }

    #[must_use]
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    #[must_use]
    pub const fn failures(&self) -> &Failures {
        &self.failures
    }

    /// Prompts refused or ignored in the time before `now`.
    #[must_use]
    pub fn refused_within(&self, within: Duration, now: Timestamp) -> u16 {
        let since = now.minus(within);
        let count = self.refused.iter().filter(|at| (since..=now).contains(*at)).count();
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    #[must_use]
    pub fn held(&self) -> &[Held] {
        &self.held
    }

    #[must_use]
    pub const fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Whose an event was that is held, or among the last; `None` when it is no longer known. `id` is of
    /// [`crate::engine::enrich::event_id_key`].
    #[must_use]
    pub fn whose(&self, id: u64) -> Option<Whose> {
        let held = self.held.iter().rev().find(|held| held.id == id);
        let held = held.map(|held| Whose { device: held.step.device, session: held.session });
        held.or_else(|| self.recent.whose(id, &self.sessions, &self.baseline.devices))
    }

    #[must_use]
    pub const fn standing(&self) -> &Standing {
        &self.standing
    }

    #[must_use]
    pub const fn case(&self) -> Option<&Case> {
        self.case.as_ref()
    }

    #[must_use]
    pub fn revoked(&self) -> &[Revoked] {
        self.revoked.as_slice()
    }

    #[must_use]
    pub const fn reported(&self) -> Option<&Reported> {
        self.reported.as_ref()
    }

    /// The behaviour last seen of the same session, or of the same device within `within` of `now`.
    #[must_use]
    pub fn glance(&self, keys: &Keys, within: Duration, now: Timestamp) -> Option<&Glance> {
        let same = |one: Option<u64>, other: Option<u64>| one.is_some() && one == other;
        let of_session = self.glances.iter().find(|glance| same(glance.session, keys.session));
        of_session.or_else(|| {
            self.glances.iter().find(|glance| {
                same(glance.device, keys.device)
                    && now.since(glance.at).is_some_and(|elapsed| elapsed <= within)
            })
        })
    }

    #[must_use]
    pub const fn journal(&self) -> Head {
        self.journal
    }

    /// The parts besides `core` that exist.
    #[must_use]
    pub const fn parts(&self) -> PartSet {
        self.parts
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer::new(out);
        to.byte(VERSION);
        to.int(self.newest.seconds());
        to.base(self.newest);
        to.time(self.first_seen);
        to.uint(self.parts.bits().into());
        self.journal.write(&mut to);
        self.baseline.write(&mut to);
        to.uint(self.batches.into());
        self.sessions.write(&mut to, &self.baseline);
        self.failures.write(&mut to);
        to.size(self.refused.len());
        for at in &self.refused {
            to.time(*at);
        }
        to.size(self.held.len());
        for held in &self.held {
            held.write(&mut to);
        }
        self.recent.write(&mut to, &self.sessions, &self.baseline.devices);
        self.standing.write(&mut to);
        to.byte(u8::from(self.case.is_some()));
        if let Some(case) = &self.case {
            case.write(&mut to);
        }
        to.size(self.revoked.len());
        for revoked in &self.revoked {
            revoked.write(&mut to);
        }
        to.byte(u8::from(self.reported.is_some()));
        if let Some(reported) = &self.reported {
            reported.write(&mut to);
        }
        to.size(self.glances.len());
        for glance in &self.glances {
            glance.write(&mut to, &self.sessions, &self.baseline.devices);
        }
    }

    pub(crate) fn drop_oldest_held(&mut self) {
        let oldest = self.held.iter().enumerate().min_by_key(|(_, held)| held.step.at);
        if let Some((oldest, _)) = oldest {
            self.held.remove(oldest);
        }
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let newest = Timestamp::from_seconds(from.int()?).ok_or(Error::Range("time"))?;
        from.base(newest);
        let first_seen = from.time()?;
        let parts = PartSet::from_bits(from.number("parts")?).ok_or(Error::Range("parts"))?;
        if parts.has(Part::Core) {
            return Err(Error::Range("parts"));
        }
        let journal = Head::read(&mut from)?;
        let baseline = Baseline::read(&mut from)?;
        let batches = from.number("batches")?;
        let sessions = Sessions::read(&mut from, &baseline)?;
        let core = Self {
            first_seen,
            newest,
            parts,
            journal,
            batches,
            failures: Failures::read(&mut from)?,
            refused: read_few(&mut from, Reader::time)?,
            held: read_held(&mut from)?,
            recent: Recent::read(&mut from, &sessions, &baseline.devices)?,
            standing: Standing::read(&mut from)?,
            case: read_option(&mut from, Case::read)?,
            revoked: read_few(&mut from, Revoked::read)?,
            reported: read_option(&mut from, Reported::read)?,
            glances: read_few(&mut from, |from| Glance::read(from, &sessions, &baseline.devices))?,
            sessions,
            baseline,
        };
        from.end()?;
        Ok(core)
    }
}

fn read_few<'b, T: Copy + Default, const N: usize>(
    from: &mut Reader<'b>,
    read: impl Fn(&mut Reader<'b>) -> Result<T, Error>,
) -> Result<Few<T, N>, Error> {
    let mut few = Few::default();
    for _ in 0..from.size(N, "list")? {
        few.push(read(from)?);
    }
    Ok(few)
}

fn read_held(from: &mut Reader<'_>) -> Result<Vec<Held>, Error> {
    let count = from.size(HELD_MAX, "held observations")?;
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        held.push(Held::read(from)?);
    }
    Ok(held)
}

const VERSION: u8 = 2;

#[cfg(test)]
mod tests;
