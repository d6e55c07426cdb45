//! Unusual time: hardly any of the user's logins fall near this local time on such a day.
//!
//! Each half hour of the baseline stands for a von Mises bump of 45 minutes' width, so that a habit
//! of nine o'clock also covers ten to nine. What lies within 90 minutes of the event, on such a day
//! (Monday to Friday, or the weekend), is divided by the whole of the user's decayed weight: below
//! 2 % is unusual. Local time is that of the user's home offset, never of the event's place, which
//! a thief chooses.
//!
//! Silent: before 10 learned logins on 5 days; for events that are not interactive.

use std::sync::LazyLock;

use super::{Detector, Finding, Measure, Unit, applies_to_entries};
use crate::engine::baseline::Profile;
use crate::engine::baseline::hours::{BIN_MINUTES, BINS, DayKind, Hours, Local};
use crate::engine::number::{cos, exp, whole};
use crate::engine::policy::Policy;
use crate::model::History;
use crate::model::evidence::Evidence;
use crate::model::observation::Observation;
use crate::model::signal::{Centibans, Severity, Signal, Why};

pub(super) struct Hour;

impl Detector for Hour {
    fn signal(&self) -> Signal {
        Signal::UnusualTime
    }

    fn inspect(&self, seen: &Observation<'_>, baseline: &Profile, _policy: &Policy) -> Finding {
        if !seen.event.interactive || !applies_to_entries(&seen.event) {
            return Finding::NotApplicable;
        }
        let core = baseline.core();
        if core.history() != History::Mature {
            return Finding::Unknown(Why::NoBaseline);
        }
        let Some((local, share_millionths)) = share_near(seen, baseline) else {
            return Finding::Unknown(Why::NoBaseline);
        };
        if share_millionths >= SHARE_MILLIONTHS_MIN {
            return Finding::Quiet;
        }
        Finding::Found {
            severity: severity(share_millionths),
            centibans: centibans(share_millionths),
            evidence: Evidence::Hour {
                share_permille: u16::try_from(share_millionths / 1000).unwrap_or(u16::MAX),
                minute_of_day: local.minute_of_day,
                weekend: local.kind == DayKind::Weekend,
                logins: core.baseline().logins,
                usual_minute: usual_minute(&core.baseline().hours),
            },
        }
    }

    fn measure(&self, seen: &Observation<'_>, baseline: &Profile, _policy: &Policy) -> Option<Measure> {
        let (_, share_millionths) = share_near(seen, baseline)?;
        let share = u32::try_from(share_millionths / 1000).unwrap_or(u32::MAX);
        let counts_from = u32::try_from(SHARE_MILLIONTHS_MIN / 1000).unwrap_or(u32::MAX);
        Some(Measure {
            what: "share of the logins that are near",
            value: share,
            counts_from,
            downwards: true,
            unit: Unit::Permille,
        })
    }
}

/// The local time of the event, and how much of the user's weight lies near it, in millionths.
fn share_near(seen: &Observation<'_>, baseline: &Profile) -> Option<(Local, u64)> {
    let core = baseline.core();
    let hours = &core.baseline().hours;
    let total = u64::from(hours.total(DayKind::Workday)) + u64::from(hours.total(DayKind::Weekend));
    let local = Local::of(seen.event.occurred_at, core.home_offset_minutes());
    Some((local, mass_near(hours, local).checked_div(total)?))
}

/// Weight times millionths: what the bins of such a day put within 90 minutes of `local`.
pub(super) fn mass_near(hours: &Hours, local: Local) -> u64 {
    let minute = usize::from(local.minute_of_day);
    hours
        .bins(local.kind)
        .iter()
        .enumerate()
        .filter(|(_, weight)| **weight > 0)
        .map(|(bin, weight)| {
            let centre = bin * usize::from(BIN_MINUTES) + usize::from(BIN_MINUTES / 2);
            let apart = minute.abs_diff(centre);
            let apart = apart.min(DAY_MINUTES - apart);
            u64::from(*weight) * u64::from(WITHIN.get(apart).copied().unwrap_or(0))
        })
        .sum()
}

/// The middle of the half hour that has the most weight, of either kind of day.
fn usual_minute(hours: &Hours) -> u16 {
    let heaviest = [DayKind::Workday, DayKind::Weekend]
        .into_iter()
        .flat_map(|kind| hours.bins(kind).iter().copied().zip(0_u16..))
        .max_by_key(|(weight, bin)| (*weight, u16::MAX - bin));
    heaviest.map_or(0, |(_, bin)| bin * BIN_MINUTES + BIN_MINUTES / 2)
}

/// 500 just below the threshold, 1000 where there was never anything.
fn severity(share_millionths: u64) -> Severity {
    let missing = SHARE_MILLIONTHS_MIN.saturating_sub(share_millionths);
    Severity::new(500 + u32::try_from(missing * 500 / SHARE_MILLIONTHS_MIN).unwrap_or(500))
}

/// Against an intruder who comes at any hour alike: within 90 minutes lies an eighth of a day.
fn centibans(share_millionths: u64) -> Centibans {
    let share = u32::try_from(share_millionths.max(1_000)).unwrap_or(u32::MAX);
    let ratio = 125_000.0 / f64::from(share);
    Centibans::new(i32::try_from(whole(100.0 * crate::engine::number::log10(ratio).max(0.0))).unwrap_or(0))
}

/// How much of a von Mises bump lies within 90 minutes of a point, in millionths, by the minutes
/// between that point and the bump's centre.
static WITHIN: LazyLock<[u32; DAY_MINUTES / 2 + 1]> = LazyLock::new(|| {
    let angle = |minutes: usize| {
        2.0 * std::f64::consts::PI * f64::from(u32::try_from(minutes).unwrap_or(0)) / DAY_MINUTES_F
    };
    // The density needs no Bessel function: it is divided by its own sum.
    let density: Vec<f64> = (0..DAY_MINUTES).map(|minute| exp(KAPPA * (cos(angle(minute)) - 1.0))).collect();
    let all: f64 = density.iter().sum();
    std::array::from_fn(|apart| {
        let near: f64 = (0..=2 * REACH_MINUTES)
            .filter_map(|step| density.get((apart + DAY_MINUTES + step - REACH_MINUTES) % DAY_MINUTES))
            .sum();
        whole(1e6 * near / all)
    })
});

const DAY_MINUTES: usize = 1440;
const DAY_MINUTES_F: f64 = 1440.0;
const REACH_MINUTES: usize = 90;
/// 1 ÷ (45 minutes as an angle)².
const KAPPA: f64 = 25.94;
const SHARE_MILLIONTHS_MIN: u64 = 20_000;
const _: () = assert!(BINS * BIN_MINUTES as usize == DAY_MINUTES, "bins cover a day");

#[cfg(test)]
mod tests {
    use super::super::world::{LONDON, check as says};
    use super::*;

    #[test]
    fn a_bump_is_almost_whole_at_its_centre_and_gone_three_hours_away() {
        assert!((940_000..960_000).contains(&WITHIN[0]), "{}", WITHIN[0]);
        assert!((490_000..510_000).contains(&WITHIN[90]), "{}", WITHIN[90]);
        assert!(WITHIN[180] < 25_000, "{}", WITHIN[180]);
        assert!(WITHIN[240] < 1_000, "{}", WITHIN[240]);
        assert!(WITHIN.is_sorted_by(|near, far| near >= far));
    }

    #[test]
    fn counts_hours_that_are_hardly_ever_used() {
        says(&Hour, LONDON, "2026-01-20 03:00 login london.fibre laptop chrome-mac s2", "1000");
        says(&Hour, LONDON, "2026-01-24 09:00 login london.fibre laptop chrome-mac s2", "1000");
    }

    #[test]
    fn is_silent_near_a_habit_and_in_the_background() {
        says(&Hour, LONDON, "2026-01-20 10:15 login london.fibre laptop chrome-mac s2", "quiet");
        says(
            &Hour,
            LONDON,
            "2026-01-20 03:00 background london.fibre laptop chrome-mac s2",
            "not applicable",
        );
        says(&Hour, "", "2026-01-20 03:00 login london.fibre laptop chrome-mac s2", "unknown no_baseline");
    }
}
