//! The crowd at one origin: who was seen there, in two panes of twelve hours of event time.
//!
//! What is younger than twelve hours counts, what is older than twenty-four does not; in between it
//! depends on where the panes meet. A sighting goes into the pane of its own time, so late ones count
//! as long as their pane is there, and the order of sightings within a pane makes a difference for one
//! thing only: a success recovers the failures that are known by then.

use super::distinct::Distinct;
use crate::engine::baseline::codec::{Error, Reader, Writer};
use crate::model::across::{OriginFacts, Sight, Sighting};
use crate::model::time::Timestamp;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crowd {
    /// Of the newer pane: twelve hours since the epoch.
    index: i64,
    newer: Pane,
    older: Pane,
    /// Offset after the last sighting that was taken.
    version: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Pane {
    failed: Distinct,
    unknown: Distinct,
    recovered: Distinct,
    succeeded: Distinct,
    attempts: u32,
}

impl Crowd {
    /// An empty one, of the pane of `at`.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        Self { index: index_of(at), ..Self::default() }
    }

    /// Takes a sighting; one that is older than both panes changes nothing.
    pub fn take(&mut self, sighting: &Sighting, version: u64) {
        let index = index_of(sighting.at);
        if index > self.index {
            let newer = std::mem::take(&mut self.newer);
            self.older = if index == self.index + 1 { newer } else { Pane::default() };
            self.index = index;
        }
        let user = sighting.user;
        let known = [&self.newer, &self.older].map(|pane| pane.failed.has(user));
        let pane = match self.index - index {
            0 => &mut self.newer,
            1 => &mut self.older,
            _ => return,
        };
        match sighting.sight {
            Sight::Failed | Sight::UnknownUser => {
                pane.failed.insert(user);
                pane.attempts = pane.attempts.saturating_add(1);
                if sighting.sight == Sight::UnknownUser {
                    pane.unknown.insert(user);
                }
            }
            Sight::Succeeded | Sight::Recovered => {
                pane.succeeded.insert(user);
                // Who failed is known while they are few; then the user's own lane is believed.
                let is_told = sighting.sight == Sight::Recovered && known.contains(&None);
                if known.contains(&Some(true)) || is_told {
                    pane.recovered.insert(user);
                }
            }
            Sight::AtHome => pane.succeeded.insert(user),
            Sight::Other => return,
        }
        self.version = version;
    }

    #[must_use]
    pub fn facts(&self) -> OriginFacts {
        let count = |of: fn(&Pane) -> &Distinct| rounded(of(&self.newer).count_with(of(&self.older)));
        OriginFacts {
            version: self.version,
            failed: count(|pane| &pane.failed),
            unknown: count(|pane| &pane.unknown),
            recovered: count(|pane| &pane.recovered),
            succeeded: count(|pane| &pane.succeeded),
            attempts: rounded(self.newer.attempts.saturating_add(self.older.attempts)),
        }
    }

    /// The first moment at which nothing of it counts any more.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        Timestamp::from_seconds(self.index.saturating_add(2).saturating_mul(PANE_S)).unwrap_or(Timestamp::MAX)
    }

    /// The more users, the more useful: in doublings.
    #[must_use]
    pub fn usefulness(&self) -> u32 {
        let users = |of: fn(&Pane) -> &Distinct| of(&self.newer).count().max(of(&self.older).count());
        let failed = users(|pane| &pane.failed).max(1).ilog2();
        failed.max(users(|pane| &pane.succeeded).max(1).ilog2())
    }

    pub(super) fn write(&self, to: &mut Writer<'_>) {
        to.int(self.index);
        to.uint(self.version);
        for pane in [&self.newer, &self.older] {
            to.uint(pane.attempts.into());
            let all = [&pane.failed, &pane.unknown, &pane.recovered, &pane.succeeded];
            all.iter().for_each(|users| users.write(to));
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        let (index, version) = (from.int()?, from.uint()?);
        let [newer, older] = [Pane::read(from)?, Pane::read(from)?];
        Ok(Self { index, newer, older, version })
    }
}

impl Pane {
    fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        Ok(Self {
            attempts: from.number("attempts")?,
            failed: Distinct::read(from)?,
            unknown: Distinct::read(from)?,
            recovered: Distinct::read(from)?,
            succeeded: Distinct::read(from)?,
        })
    }
}

/// Down to five binary digits: a fact that moves with every sighting would be written with every one.
const fn rounded(number: u32) -> u32 {
    let spare = match number.checked_ilog2() {
        Some(digits) if digits >= DIGITS => digits + 1 - DIGITS,
        _ => 0,
    };
    number >> spare << spare
}

fn index_of(at: Timestamp) -> i64 {
    at.seconds().div_euclid(PANE_S)
}

/// A low and slow spray tries some users a night; a pane of a whole day would hold what happened at an
/// origin against it for two.
const PANE_S: i64 = 12 * 3600;
const DIGITS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    /// `hour sight user` each, and what is known then: failed unknown recovered succeeded attempts.
    #[track_caller]
    fn check(sightings: &[(i64, Sight, u64)], expected: [u32; 5]) {
        let at = |hour: i64| Timestamp::from_seconds(hour * 3600).unwrap();
        let mut crowd = Crowd::at(at(sightings[0].0));
        for (hour, sight, user) in sightings {
            crowd.take(&Sighting { sight: *sight, user: *user, at: at(*hour) }, 1);
        }
        let facts = crowd.facts();
        let found = [facts.failed, facts.unknown, facts.recovered, facts.succeeded, facts.attempts];
        assert_eq!(found, expected, "{sightings:?}");
        let mut bytes = Vec::new();
        crowd.write(&mut Writer::new(&mut bytes));
        assert_eq!(Crowd::read(&mut Reader::new(&bytes)), Ok(crowd));
    }

    use Sight::{AtHome, Failed, Other, Recovered, Succeeded, UnknownUser};

    #[test]
    fn counts_users_and_not_tries() {
        check(&[(1, Failed, 7), (1, Failed, 7), (2, UnknownUser, 8)], [2, 1, 0, 0, 3]);
        check(&[(1, AtHome, 7), (1, AtHome, 7), (1, Other, 9)], [0, 0, 0, 1, 0]);
    }

    #[test]
    fn a_success_recovers_who_failed_here() {
        check(&[(1, Failed, 7), (2, Succeeded, 7)], [1, 0, 1, 1, 1]);
        check(&[(1, Failed, 7), (13, Recovered, 7)], [1, 0, 1, 1, 1]);
        // Elsewhere, that is.
        check(&[(1, Failed, 7), (2, Recovered, 8)], [1, 0, 0, 1, 1]);
        check(&[(1, Succeeded, 7), (2, Failed, 7)], [1, 0, 0, 1, 1]);
    }

    #[test]
    fn beyond_the_exact_the_users_own_lane_is_believed() {
        let mut many: Vec<_> = (0..65).map(|user| (1, Failed, user << 32)).collect();
        many.push((2, Recovered, 9));
        many.push((2, Succeeded, 10));
        let crowd = many.iter().fold(Crowd::at(Timestamp::EPOCH), |mut crowd, (_, sight, user)| {
            crowd.take(&Sighting { sight: *sight, user: *user, at: Timestamp::EPOCH }, 1);
            crowd
        });
        assert_eq!((crowd.facts().recovered, crowd.facts().succeeded), (1, 2));
    }

    #[test]
    fn panes_pass() {
        let first = (1, Failed, 1);
        check(&[first, (13, Failed, 2)], [2, 0, 0, 0, 2]);
        check(&[first, (13, Failed, 2), (25, Failed, 3)], [2, 0, 0, 0, 2]);
        check(&[first, (25, Failed, 3)], [1, 0, 0, 0, 1]);
        // Late: into its own pane while that is there.
        check(&[(13, Failed, 2), first], [2, 0, 0, 0, 2]);
        check(&[(25, Failed, 2), first], [1, 0, 0, 0, 1]);
        let crowd = Crowd::at(Timestamp::from_seconds(13 * 3600).unwrap());
        assert_eq!(crowd.until().seconds(), 36 * 3600);
    }

    #[test]
    fn numbers_are_rounded_down_to_five_digits() {
        for (number, expected) in [(0, 0), (31, 31), (32, 32), (33, 32), (63, 62), (64, 64), (1000, 992)] {
            assert_eq!(rounded(number), expected);
        }
        assert_eq!(rounded(u32::MAX), 0xF800_0000);
    }
}
