//! Hours of the week: when a user logs in, in half hours of the home offset, on two kinds of day.

use super::codec::{Error, Reader, Writer};
use super::decay::Remains;
use crate::model::time::Timestamp;

pub const BINS: usize = 48;
pub const BIN_MINUTES: u16 = 30;
/// Two bytes.
const BIN_MAX: u16 = (1 << 14) - 1;
/// A quarter of [`super::habits::WEIGHT_UNIT`]: most bins are written as one byte.
pub const HOUR_UNIT: u32 = 8;

/// Monday to Friday, or Saturday and Sunday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayKind {
    Workday,
    Weekend,
}

/// A moment on the wall clock of some UTC offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Days from the epoch.
    pub day: i32,
    /// 0..=1439.
    pub minute_of_day: u16,
    pub kind: DayKind,
}

impl Local {
    #[must_use]
    pub fn of(at: Timestamp, utc_offset_minutes: i16) -> Self {
        let minutes = at.seconds().div_euclid(60) + i64::from(utc_offset_minutes);
        let day = minutes.div_euclid(1440);
        Self {
            // Years 1 to 9999 are within 4 million days.
            day: i32::try_from(day).unwrap_or(0),
            minute_of_day: u16::try_from(minutes.rem_euclid(1440)).unwrap_or(0),
            // The epoch was a Thursday: day 2 was a Saturday.
            kind: if (day + 5).rem_euclid(7) <= 1 { DayKind::Weekend } else { DayKind::Workday },
        }
    }

    /// Of [`BINS`].
    #[must_use]
    pub fn bin(self) -> usize {
        usize::from(self.minute_of_day / BIN_MINUTES)
    }
}

/// Decayed weights, in [`HOUR_UNIT`]s a login of assurance 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    workday: [u16; BINS],
    weekend: [u16; BINS],
}

impl Default for Hours {
    fn default() -> Self {
        Self { workday: [0; BINS], weekend: [0; BINS] }
    }
}

impl Hours {
    /// The weights of such a day, from midnight on.
    #[must_use]
    pub const fn bins(&self, kind: DayKind) -> &[u16; BINS] {
        match kind {
            DayKind::Workday => &self.workday,
            DayKind::Weekend => &self.weekend,
        }
    }

    /// Sum of the weights of such a day.
    #[must_use]
    pub fn total(&self, kind: DayKind) -> u32 {
        self.bins(kind).iter().map(|weight| u32::from(*weight)).sum()
    }

    pub(super) fn learn(&mut self, at: Local, weight: u32) {
        let room = |bin: Option<&u16>| {
            let grown = bin.map(|bin| u32::from(*bin).saturating_add(weight));
            grown.and_then(|grown| u16::try_from(grown).ok()).filter(|grown| *grown <= BIN_MAX)
        };
        let mut grown = room(self.bins(at.kind).get(at.bin()));
        if grown.is_none() {
            // A full bin halves all of them: shares stay.
            for bin in self.workday.iter_mut().chain(&mut self.weekend) {
                *bin /= 2;
            }
            grown = room(self.bins(at.kind).get(at.bin()));
        }
        let bins = match at.kind {
            DayKind::Workday => &mut self.workday,
            DayKind::Weekend => &mut self.weekend,
        };
        if let (Some(bin), Some(grown)) = (bins.get_mut(at.bin()), grown) {
            *bin = grown;
        }
    }

    pub(super) fn decay(&mut self, remains: Remains) {
        for bin in self.workday.iter_mut().chain(&mut self.weekend) {
            *bin = u16::try_from(remains.of((*bin).into())).unwrap_or(*bin);
        }
    }

    /// Which bins are not empty, then those.
    pub(super) fn write(&self, to: &mut Writer<'_>) {
        for bins in [&self.workday, &self.weekend] {
            let mut map = 0_u64;
            for (index, bin) in bins.iter().enumerate() {
                map |= u64::from(*bin > 0) << index;
            }
            to.key48(map);
            for bin in bins.iter().filter(|bin| **bin > 0) {
                to.uint((*bin).into());
            }
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        let mut hours = Self::default();
        for bins in [&mut hours.workday, &mut hours.weekend] {
            let map = from.key48()?;
            for (index, bin) in bins.iter_mut().enumerate() {
                if map >> index & 1 == 1 {
                    *bin = from.number("hour")?;
                    if *bin == 0 || *bin > BIN_MAX {
                        return Err(Error::Range("hour"));
                    }
                }
            }
        }
        Ok(hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(at: &str, offset: i16, expected: (u16, DayKind)) {
        let local = Local::of(Timestamp::parse(at).unwrap(), offset);
        assert_eq!((local.minute_of_day, local.kind), expected);
    }

    #[test]
    fn weekends_are_local() {
        check("2026-01-05T09:00:00Z", 0, (540, DayKind::Workday));
        check("2026-01-03T23:59:00Z", 0, (1439, DayKind::Weekend));
        check("2026-01-02T23:30:00Z", 60, (30, DayKind::Weekend));
        check("2026-01-05T01:00:00Z", -120, (1380, DayKind::Weekend));
        check("0001-01-01T00:00:00Z", -720, (720, DayKind::Weekend));
    }

    #[test]
    fn a_full_bin_keeps_its_share() {
        let mut hours = Hours::default();
        let nine = Local::of(Timestamp::parse("2026-01-05T09:00:00Z").unwrap(), 0);
        let ten = Local::of(Timestamp::parse("2026-01-05T10:00:00Z").unwrap(), 0);
        hours.learn(ten, 1000);
        for _ in 0..20 {
            hours.learn(nine, 1000);
        }
        assert_eq!((hours.bins(DayKind::Workday)[18], hours.bins(DayKind::Workday)[20]), (12_000, 500));
    }
}
