//! Apps: what a user touches, with which privilege, and since when.
//!
//! An app counts once a day, however many requests a day has, so that the part is written about as
//! often as somebody opens something. The day on which each app came first lets an attacker's be
//! forgotten again.

use super::codec::{Error, Reader, Writer};
use super::decay::Remains;
use super::few::Few;
use super::habits::{DAYS_BACK_MAX, LAST_DAYS, WEIGHT_UNIT, grow, read_day, read_weight, write_day};
use super::networks::key40;
use crate::model::Privilege;

pub const APPS_MAX: usize = 32;

/// One app.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct App {
    /// 40 bits of [`crate::engine::enrich::app_key`].
    pub key: u64,
    /// The highest that was used there, see [`rank`].
    pub rank: u8,
    pub weight: u32,
    pub first_day: i32,
    pub last_day: i32,
}

/// The apps of one user; the least used falls out first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Apps {
    /// Learned accesses, up to [`ACCESSES_MAX`].
    accesses: u16,
    last_day: i32,
    /// The last day on which one fell out: a list that overflows does not know everything.
    overflow: Option<i32>,
    apps: Few<App, APPS_MAX>,
}

impl Apps {
    #[must_use]
    pub const fn accesses(&self) -> u16 {
        self.accesses
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.apps.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.apps.is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, App> {
        self.apps.iter()
    }

    #[must_use]
    pub fn find(&self, key: u64) -> Option<&App> {
        self.apps.iter().find(|app| app.key == key40(key))
    }

    /// The highest privilege used anywhere.
    #[must_use]
    pub fn highest_rank(&self) -> u8 {
        self.apps.iter().map(|app| app.rank).max().unwrap_or(0)
    }

    /// Whether more apps are used than are remembered.
    #[must_use]
    pub fn overflows(&self, day: i32) -> bool {
        self.overflow.is_some_and(|last| day.saturating_sub(last) <= OVERFLOW_DAYS)
    }

    /// Learns an access, and says whether there was anything to learn from it.
    pub(crate) fn learn(&mut self, key: u64, rank: u8, day: i32) -> bool {
        if self.accesses == 0 {
            self.last_day = day;
        }
        let day = day.max(self.last_day.saturating_sub(OVERFLOW_DAYS));
        let grows = self.accesses < ACCESSES_MAX;
        self.accesses = self.accesses.saturating_add(1).min(ACCESSES_MAX);
        if day > self.last_day {
            let weeks = day.div_euclid(7).saturating_sub(self.last_day.div_euclid(7));
            let remains = Remains::slow(weeks.unsigned_abs());
            self.apps.retain_mut(|app| {
                app.weight = remains.of(app.weight);
                app.weight > 0
            });
            self.last_day = day;
            self.overflow = self.overflow.filter(|last| day.saturating_sub(*last) <= OVERFLOW_DAYS);
        }
        if let Some(app) = self.apps.iter_mut().find(|app| app.key == key40(key)) {
            let is_new = day > app.last_day || rank > app.rank;
            if day > app.last_day {
                grow(&mut app.weight, WEIGHT_UNIT);
                app.last_day = day;
                app.first_day = app.first_day.max(day.saturating_sub(DAYS_BACK_MAX));
            }
            app.rank = app.rank.max(rank);
            return is_new || grows;
        }
        if self.apps.is_full() {
            self.overflow = Some(day);
        }
        let app = App { key: key40(key), rank, weight: WEIGHT_UNIT, first_day: day, last_day: day };
        self.apps.push_over(app, |app| (app.weight, app.last_day));
        true
    }

    /// Forgets what came first on `day` or later, and says whether there was such an app.
    pub(crate) fn forget_since(&mut self, day: i32) -> bool {
        let before = self.apps.len();
        self.apps.retain(|app| app.first_day < day);
        self.apps.len() < before
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer::new(out);
        to.byte(VERSION);
        to.uint(self.accesses.into());
        to.int(self.last_day.into());
        to.byte(u8::from(self.overflow.is_some()));
        if let Some(day) = self.overflow {
            write_day(&mut to, self.last_day, day);
        }
        to.size(self.apps.len());
        for app in &self.apps {
            to.key40(app.key);
            to.byte(app.rank);
            to.uint(app.weight.into());
            write_day(&mut to, self.last_day, app.last_day);
            write_day(&mut to, app.last_day, app.first_day);
        }
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let accesses = from.number("accesses")?;
        if accesses > ACCESSES_MAX {
            return Err(Error::Range("accesses"));
        }
        let last_day = from.signed("day")?;
        if !LAST_DAYS.contains(&last_day) {
            return Err(Error::Range("day"));
        }
        let overflow = match from.byte()? {
            0 => None,
            1 => Some(read_day(&mut from, last_day)?),
            _ => return Err(Error::Range("presence")),
        };
        let mut apps = Few::default();
        for _ in 0..from.size(APPS_MAX, "apps")? {
            let key = from.key40()?;
            let rank = from.byte()?;
            if rank > RANK_MAX {
                return Err(Error::Range("privilege"));
            }
            let weight = read_weight(&mut from)?;
            let last = read_day(&mut from, last_day)?;
            apps.push(App { key, rank, weight, first_day: read_day(&mut from, last)?, last_day: last });
        }
        from.end()?;
        Ok(Self { accesses, last_day, overflow, apps })
    }
}

/// How far a privilege reaches: none, a user's, an administrator's. An unknown one is a user's.
#[must_use]
pub const fn rank(privilege: Privilege) -> u8 {
    match privilege {
        Privilege::None => 0,
        Privilege::User | Privilege::Other => 1,
        Privilege::Admin => RANK_MAX,
    }
}

const VERSION: u8 = 1;
const RANK_MAX: u8 = 2;
/// Counting ends where no policy's threshold is higher: [`Apps::learn`] has less to write then.
const ACCESSES_MAX: u16 = 1_000;
/// What decay leaves of an app that was used for a day is gone by then.
const OVERFLOW_DAYS: i32 = 400;

#[cfg(test)]
mod tests {
    use super::super::part::PART_BYTES_MAX;
    use super::*;

    #[track_caller]
    fn comes_back(apps: &Apps) -> usize {
        let mut bytes = Vec::new();
        apps.encode(&mut bytes);
        assert_eq!(Apps::decode(&bytes).as_ref(), Ok(apps));
        bytes.len()
    }

    #[test]
    fn an_app_counts_once_a_day() {
        let mut apps = Apps::default();
        assert!(apps.learn(1, 1, 20_000));
        for _ in 1..ACCESSES_MAX {
            apps.learn(1, 1, 20_000);
        }
        assert!(!apps.learn(1, 1, 20_000), "counted out, and of the same day");
        assert!(apps.learn(1, 2, 20_000), "a higher privilege");
        assert!(apps.learn(1, 1, 20_001));
        let app = apps.find(1).unwrap();
        assert_eq!((app.weight, app.rank, app.first_day), (2 * WEIGHT_UNIT, 2, 20_000));
        assert!(comes_back(&apps) < 24);
    }

    #[test]
    fn the_least_used_falls_out_and_that_is_remembered() {
        let mut apps = Apps::default();
        for day in 0..40 {
            apps.learn(1, 1, 20_000 + day);
        }
        for key in 2..40 {
            apps.learn(key, 0, 20_040);
        }
        assert_eq!((apps.len(), apps.find(1).is_some(), apps.find(2).is_some()), (APPS_MAX, true, false));
        assert!(apps.overflows(20_100) && !apps.overflows(21_000));
        assert!(comes_back(&apps) < PART_BYTES_MAX / 2);
    }

    #[test]
    fn what_came_since_can_be_forgotten() {
        let mut apps = Apps::default();
        apps.learn(1, 1, 20_000);
        apps.learn(2, 2, 20_010);
        assert!(!apps.forget_since(20_011));
        assert!(apps.forget_since(20_010));
        assert!(apps.find(1).is_some() && apps.find(2).is_none());
    }
}
