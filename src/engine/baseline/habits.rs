//! The baseline proper: places, devices, networks and hours, and one function that teaches them.
//!
//! Everything in it comes from [`Baseline::learn`] and nothing else, so that a baseline is the fold
//! of its steps: to un-learn is to fold without some of them.

use super::codec::{Error, Reader, Writer};
use super::decay::Remains;
use super::devices::Devices;
use super::hours::{HOUR_UNIT, Hours};
use super::journal::LearnStep;
use super::networks::Networks;
use super::places::Places;
use crate::model::place::Coordinates;
use crate::model::time::Timestamp;

/// The weight of one learned login of assurance 1, before decay.
pub const WEIGHT_UNIT: u32 = 32;

/// A place at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fix {
    pub coordinates: Coordinates,
    pub at: Timestamp,
}

/// What a user does as a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    pub places: Places,
    pub devices: Devices,
    pub networks: Networks,
    pub hours: Hours,
    /// UTC offset of the place of the last trusted fix; 0 before any.
    pub home_offset_minutes: i16,
    /// The last trusted fix.
    pub fix: Option<Fix>,
    /// Learned observations, logins and others.
    pub steps: u32,
    /// Learned logins.
    pub logins: u32,
    /// Distinct local days on which something was learned.
    pub days: u16,
    /// The last of them, counted from the epoch; everything decayed up to its week.
    pub last_day: i32,
    /// Time of the newest learned observation.
    pub newest: Timestamp,
}

impl Baseline {
    /// Learns one observation. The only way in.
    pub fn learn(&mut self, step: &LearnStep) {
        let local = step.local();
        // One that was held for years counts as if it were not older than anything else kept.
        let oldest = if self.steps == 0 { local.day } else { self.last_day.saturating_sub(DAYS_BACK_MAX) };
        let day = local.day.max(oldest);
        if self.steps == 0 {
            (self.last_day, self.days) = (day, 1);
        } else if day > self.last_day {
            self.decay(day.div_euclid(7) - self.last_day.div_euclid(7));
            self.last_day = day;
            self.days = self.days.saturating_add(1);
        }
        self.steps = self.steps.saturating_add(1);
        self.logins = self.logins.saturating_add(u32::from(step.login));

        let assurance = u32::from(step.weight);
        let weight = assurance * WEIGHT_UNIT;
        if let Some(place) = step.place {
            self.places.learn(place, step.country, weight, day);
        }
        if let Some(device) = step.device {
            self.devices.learn(device, step.client, weight, day);
        }
        if let Some(address) = step.address {
            self.networks.learn_address(address, weight);
        }
        if let Some(prefix) = step.prefix {
            self.networks.learn_prefix(prefix, weight, day);
        }
        if let Some(asn) = step.asn {
            self.networks.learn_asn(asn, weight, day);
        }
        if let Some(country) = step.country {
            self.networks.learn_country(country, weight);
        }
        if step.interactive {
            self.hours.learn(local, assurance * HOUR_UNIT);
        }
        // One that was held and is learned late moves nothing that is newer.
        if step.at >= self.newest || self.steps == 1 {
            self.newest = step.at;
            self.home_offset_minutes = step.utc_offset_minutes;
            if let Some(coordinates) = step.place.filter(|_| step.fix) {
                self.fix = Some(Fix { coordinates, at: step.at });
            }
        }
    }

    fn decay(&mut self, weeks: i32) {
        let Some(weeks) = u32::try_from(weeks).ok().filter(|weeks| *weeks > 0) else { return };
        let (slow, fast) = (Remains::slow(weeks), Remains::fast(weeks));
        self.places.decay(slow);
        self.devices.decay(slow);
        self.networks.decay(fast);
        self.hours.decay(fast);
    }

    pub(super) fn write(&self, to: &mut Writer<'_>) {
        to.uint(self.steps.into());
        if self.steps == 0 {
            return;
        }
        to.uint(self.logins.into());
        to.uint(self.days.into());
        to.int(self.last_day.into());
        to.time(self.newest);
        to.int(self.home_offset_minutes.into());
        write_fix(to, self.fix);
        self.places.write(to, self.last_day);
        self.devices.write(to, self.last_day);
        self.networks.write(to, self.last_day);
        self.hours.write(to);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        let steps = from.number("steps")?;
        if steps == 0 {
            return Ok(Self::default());
        }
        let (logins, days) = (from.number("logins")?, from.number("days")?);
        let last_day = from.signed("day")?;
        if !LAST_DAYS.contains(&last_day) {
            return Err(Error::Range("day"));
        }
        Ok(Self {
            steps,
            logins,
            days,
            last_day,
            newest: from.time()?,
            home_offset_minutes: from.signed("utc offset")?,
            fix: read_fix(from)?,
            places: Places::read(from, last_day)?,
            devices: Devices::read(from, last_day)?,
            networks: Networks::read(from, last_day)?,
            hours: Hours::read(from)?,
        })
    }
}

pub(super) fn write_fix(to: &mut Writer<'_>, fix: Option<Fix>) {
    to.byte(u8::from(fix.is_some()));
    if let Some(fix) = fix {
        to.coordinates(fix.coordinates);
        to.time(fix.at);
    }
}

pub(super) fn read_fix(from: &mut Reader<'_>) -> Result<Option<Fix>, Error> {
    match from.byte()? {
        0 => Ok(None),
        1 => Ok(Some(Fix { coordinates: from.coordinates()?, at: from.time()? })),
        _ => Err(Error::Range("fix")),
    }
}

/// Counts a day that is later than the last counted one.
pub(super) const fn count_day(days: &mut u8, last_day: &mut i32, day: i32) {
    if day > *last_day {
        *days = days.saturating_add(1);
        *last_day = day;
    }
}

/// Adds to a weight as much as fits; a login an hour for a year is far below.
pub(super) fn grow(weight: &mut u32, by: u32) {
    *weight = weight.saturating_add(by).min(WEIGHT_MAX);
}

pub(super) fn read_weight(from: &mut Reader<'_>) -> Result<u32, Error> {
    let weight = from.number("weight")?;
    if weight <= WEIGHT_MAX { Ok(weight) } else { Err(Error::Range("weight")) }
}

/// Writes a day as its distance before `day`, the newest that anything was learned on.
pub(super) fn write_day(to: &mut Writer<'_>, day: i32, was: i32) {
    to.uint(u64::from(day.saturating_sub(was).unsigned_abs()));
}

pub(super) fn read_day(from: &mut Reader<'_>, day: i32) -> Result<i32, Error> {
    let before: i32 = from.number("day")?;
    if before > DAYS_BACK_MAX { Err(Error::Range("day")) } else { Ok(day.saturating_sub(before)) }
}

/// Years 1 to 9999, and a day of time zone.
pub(super) const LAST_DAYS: std::ops::RangeInclusive<i32> = -719_164..=2_932_898;
/// Three bytes.
const WEIGHT_MAX: u32 = (1 << 21) - 1;
/// Two bytes; any weight has decayed to nothing in a fraction of it.
pub(super) const DAYS_BACK_MAX: i32 = (1 << 14) - 1;
