//! A habit: the measures of the last learned batches, of the last seen ones, and older selves.
//!
//! Bounded: at most [`LEARNED_MAX`] learned batches, [`RECENT_MAX`] recent ones and three older
//! selves. No journal is kept: to un-learn is to return to an older self. Of those, one is at least a
//! day old and one at least a week, once that much time has passed; a third is on its way there.

use std::time::Duration;

use super::scale;
use crate::engine::baseline::codec::{Error, Reader, Writer, whole_second};
use crate::model::time::Timestamp;

/// The measures of one batch, each as a [`scale`] code.
pub(super) type Row<const F: usize> = [u8; F];

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Habit<const F: usize> {
    now: Own<F>,
    /// Learned or not, oldest first.
    recent: Vec<(Timestamp, Row<F>)>,
    /// Becomes `day`.
    fresh: Option<Own<F>>,
    day: Option<Own<F>>,
    week: Option<Own<F>>,
}

/// What was learned up to a time.
#[derive(Clone, Debug, Default, PartialEq)]
struct Own<const F: usize> {
    /// Of the last batch learned.
    at: Timestamp,
    /// Batches learned, those that are forgotten included.
    count: u32,
    tally: Tally,
    /// Oldest first.
    rows: Vec<Row<F>>,
}

/// A sum over all learned batches, undecayed: what the seed takes the mean of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) sum: u64,
    pub(super) count: u32,
}

/// Deviations that were compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Terms {
    pub(super) sum: f64,
    pub(super) count: u32,
    /// Measures that had something to compare with, in any batch.
    pub(super) features: u16,
    pub(super) batches: u32,
    pub(super) learned: u32,
}

impl<const F: usize> Habit<F> {
    pub(super) const fn tally(&self) -> Tally {
        self.now.tally
    }

    /// Batches learned.
    pub(super) const fn learned(&self) -> u32 {
        self.now.count
    }

    /// Remembers a batch that was seen, learned or not.
    pub(super) fn see(&mut self, row: &Row<F>, at: Timestamp) {
        let is_of_now = |seen: &(Timestamp, Row<F>)| at.since(seen.0).is_some_and(|age| age <= RECENT);
        self.recent.retain(is_of_now);
        if self.recent.len() == RECENT_MAX {
            self.recent.remove(0);
        }
        self.recent.push((whole_second(at), *row));
    }

    /// Learns a batch; one that is too short for measures may still have something to tally.
    pub(super) fn learn(&mut self, row: Option<&Row<F>>, tallied: Option<u32>, at: Timestamp) {
        self.grow_older(at);
        let now = &mut self.now;
        now.at = whole_second(at).max(now.at);
        if let Some(tallied) = tallied {
            now.tally.sum = now.tally.sum.saturating_add(tallied.into());
            now.tally.count = now.tally.count.saturating_add(1);
        }
        let Some(row) = row else { return };
        now.count = now.count.saturating_add(1);
        if now.rows.len() == LEARNED_MAX {
            now.rows.remove(0);
        }
        now.rows.push(*row);
    }

    /// The newest self that learned nothing at or after `before`, as it was then.
    pub(super) fn as_of(&self, before: Timestamp) -> Option<Self> {
        let selves = [Some(&self.now), self.fresh.as_ref(), self.day.as_ref(), self.week.as_ref()];
        let now = selves.into_iter().flatten().find(|own| **own != Own::default() && own.at < before)?;
        Some(Self { now: now.clone(), ..Self::default() })
    }

    /// Adds the distances of the recent batches from the learned ones.
    pub(super) fn compare(&self, terms: &mut Terms) {
        terms.learned = terms.learned.max(self.now.count);
        let mut compared = false;
        for feature in 0..F {
            let seen = self.recent.iter().filter_map(|(_, row)| scale::units(*row.get(feature)?));
            if seen.clone().next().is_none() {
                continue;
            }
            let Some((middle, spread)) = self.middle(feature) else { continue };
            for units in seen {
                let distance = if spread > 0.0 { (units - middle).abs() / spread } else { 0.0 };
                terms.sum += distance.min(DISTANCE_MAX);
                terms.count += 1;
            }
            terms.features += 1;
            compared = true;
        }
        if compared {
            let batches = u32::try_from(self.recent.len()).unwrap_or(u32::MAX);
            terms.batches = terms.batches.max(batches);
        }
    }

    /// Median and median absolute deviation of a measure, if it was taken often enough.
    fn middle(&self, feature: usize) -> Option<(f64, f64)> {
        let mut codes = [scale::ABSENT; LEARNED_MAX];
        let mut count = 0;
        let learned =
            self.now.rows.iter().filter_map(|row| row.get(feature)).filter(|code| **code != scale::ABSENT);
        for (slot, code) in codes.iter_mut().zip(learned) {
            *slot = *code;
            count += 1;
        }
        let codes = codes.get_mut(..count).filter(|codes| codes.len() >= LEARNED_MIN)?;
        codes.sort_unstable();
        let middle = f64::midpoint(units_at(codes, (count - 1) / 2)?, units_at(codes, count / 2)?);
        Some((middle, median_distance(codes, middle)?.max(SPREAD_MIN * middle)))
    }

    /// Keeps what was learned so far, if what is kept has grown old enough to make room.
    fn grow_older(&mut self, at: Timestamp) {
        let is_of = |own: &Own<F>, least| at.since_or_zero(own.at) >= least;
        if self.now == Own::default() || self.fresh.as_ref().is_some_and(|fresh| !is_of(fresh, DAY)) {
            return;
        }
        let fresh = self.fresh.replace(self.now.older());
        if self.day.is_none() {
            self.day = fresh;
        } else if self.day.as_ref().is_some_and(|day| is_of(day, WEEK)) {
            self.week = std::mem::replace(&mut self.day, fresh);
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer::new(out);
        to.byte(VERSION);
        to.time(self.now.at);
        to.base(self.now.at);
        self.now.write(&mut to);
        to.size(self.recent.len());
        for (at, row) in &self.recent {
            to.time(*at);
            to.bytes(row);
        }
        for own in [&self.fresh, &self.day, &self.week] {
            to.byte(u8::from(own.is_some()));
            if let Some(own) = own {
                to.time(own.at);
                own.write(&mut to);
            }
        }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut from = Reader::new(bytes);
        from.version(VERSION)?;
        let at = from.time()?;
        from.base(at);
        let now = Own::read(&mut from, at, LEARNED_MAX)?;
        let mut recent = Vec::new();
        for _ in 0..from.size(RECENT_MAX, "recent batches")? {
            recent.push((from.time()?, from.bytes()?));
        }
        let mut older = || match from.byte()? {
            0 => Ok(None),
            1 => {
                let at = from.time()?;
                Own::read(&mut from, at, OLDER_MAX).map(Some)
            }
            _ => Err(Error::Range("older self")),
        };
        let (fresh, day, week) = (older()?, older()?, older()?);
        from.end()?;
        Ok(Self { now, recent, fresh, day, week })
    }
}

impl<const F: usize> Own<F> {
    /// Itself, with the newest batches only: an older self has less room.
    fn older(&self) -> Self {
        let skipped = self.rows.len().saturating_sub(OLDER_MAX);
        Self { rows: self.rows.iter().skip(skipped).copied().collect(), ..*self }
    }

    fn write(&self, to: &mut Writer<'_>) {
        to.uint(self.count.into());
        to.uint(self.tally.count.into());
        to.uint(self.tally.sum);
        to.size(self.rows.len());
        for row in &self.rows {
            to.bytes(row);
        }
    }

    fn read(from: &mut Reader<'_>, at: Timestamp, most: usize) -> Result<Self, Error> {
        let count = from.number("learned batches")?;
        let tally = Tally { count: from.number("tally")?, sum: from.uint()? };
        let mut rows = Vec::new();
        for _ in 0..from.size(most, "learned batches")? {
            rows.push(from.bytes()?);
        }
        Ok(Self { at, count, tally, rows })
    }
}

fn units_at(codes: &[u8], at: usize) -> Option<f64> {
    scale::units(*codes.get(at)?)
}

/// The median of the distances of sorted `codes` from `middle`: from there they grow to both sides,
/// so the smaller of the two next ones is always the next.
fn median_distance(codes: &[u8], middle: f64) -> Option<f64> {
    let above =
        codes.iter().filter_map(|code| scale::units(*code)).take_while(|units| *units < middle).count();
    let (lower, upper) = codes.split_at_checked(above)?;
    let mut down = lower.iter().rev().filter_map(|code| Some(middle - scale::units(*code)?)).peekable();
    let mut up = upper.iter().filter_map(|code| Some(scale::units(*code)? - middle)).peekable();
    let mut next = || match (down.peek(), up.peek()) {
        (Some(below), Some(above)) if below <= above => down.next(),
        (_, Some(_)) => up.next(),
        (_, None) => down.next(),
    };
    let first = next()?;
    let lower_half = (1..codes.len().div_ceil(2)).try_fold(first, |_, _| next())?;
    if codes.len() % 2 == 1 { Some(lower_half) } else { Some(f64::midpoint(lower_half, next()?)) }
}

const VERSION: u8 = 1;
/// Forgetting old batches matters more than the model; 30 follow a person through a change of keyboard.
const LEARNED_MAX: usize = 30;
/// What a median of distances needs to mean something.
const LEARNED_MIN: usize = 5;
const RECENT_MAX: usize = 3;
/// Batches further apart are not one sitting.
const RECENT: Duration = Duration::from_mins(30);
/// Enough to compare with at once, and to grow from.
const OLDER_MAX: usize = 8;
const DAY: Duration = Duration::from_hours(24);
const WEEK: Duration = Duration::from_hours(7 * 24);
/// One wild measure has a bounded say.
const DISTANCE_MAX: f64 = 3.0;
/// Of the median: nobody is steadier than what can be measured.
const SPREAD_MIN: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::super::stats::median;
    use super::*;

    fn at(hours: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_hours(hours))
    }

    fn row(units: f64) -> Row<32> {
        [scale::code(units); 32]
    }

    /// Hundredths of the mean distance and the number of features.
    fn compared(habit: &Habit<32>) -> (u32, u16) {
        let mut terms = Terms::default();
        habit.compare(&mut terms);
        (crate::engine::number::whole(100.0 * terms.sum / f64::from(terms.count.max(1))), terms.features)
    }

    fn learned(batches: &[f64]) -> Habit<32> {
        let mut habit = Habit::default();
        for (hour, units) in (0..).zip(batches) {
            habit.learn(Some(&row(*units)), None, at(hour));
        }
        habit
    }

    #[test]
    fn compares_from_five_learned_batches() {
        let mut habit = learned(&[100.0, 110.0, 90.0, 100.0]);
        habit.see(&row(300.0), at(5));
        assert_eq!(compared(&habit), (0, 0));
        habit.learn(Some(&row(100.0)), None, at(5));
        assert_eq!(compared(&habit), (300, 32));
    }

    #[test]
    fn a_distance_is_in_median_absolute_deviations_with_a_floor_and_a_cap() {
        #[track_caller]
        fn check(batches: &[f64], seen: f64, expected_centi: std::ops::RangeInclusive<u32>) {
            let mut habit = learned(batches);
            habit.see(&row(seen), at(24));
            let (centi, _) = compared(&habit);
            assert!(expected_centi.contains(&centi), "{centi}");
        }
        // Median 100, deviations 20, 10, 0, 10, 20: their median is 10.
        let spread = [80.0, 90.0, 100.0, 110.0, 120.0];
        check(&spread, 100.0, 0..=0);
        check(&spread, 120.0, 165..=235);
        check(&spread, 80.0, 165..=235);
        check(&spread, 200.0, 300..=300);
        // Never the same to the bit: 5 of 100 is what counts as one deviation.
        check(&[100.0; 6], 100.0, 0..=0);
        check(&[100.0; 6], 107.5, 130..=170);
        check(&[0.0; 6], 50.0, 0..=0);
    }

    #[test]
    fn three_batches_of_one_sitting_are_looked_at() {
        let mut habit = learned(&[100.0; 10]);
        for units in [200.0, 200.0, 100.0, 100.0, 100.0] {
            habit.see(&row(units), at(24));
        }
        assert_eq!(compared(&habit).0, 0);
        habit.see(&row(200.0), at(24));
        assert_eq!(compared(&habit).0, 100);
        habit.see(&row(200.0), at(25));
        assert_eq!(compared(&habit).0, 300);
    }

    #[test]
    fn what_was_not_measured_is_not_compared() {
        let mut habit = learned(&[100.0; 10]);
        let mut seen = row(200.0);
        seen[0] = scale::ABSENT;
        habit.see(&seen, at(24));
        assert_eq!(compared(&habit), (300, 31));
    }

    #[test]
    fn older_selves_are_a_day_and_a_week_old() {
        let mut habit = Habit::<32>::default();
        for hour in (0..24 * 60).step_by(5) {
            habit.learn(Some(&row(100.0)), Some(1), at(hour));
            let age = |own: &Option<Own<32>>| own.as_ref().map(|own| at(hour).since(own.at).unwrap());
            assert!(age(&habit.day).is_none_or(|age| (DAY..10 * DAY).contains(&age)), "at {hour}");
            assert!(age(&habit.week).is_none_or(|age| (WEEK..18 * DAY).contains(&age)), "at {hour}");
            assert_eq!(habit.day.is_some(), hour >= 25, "at {hour}");
            assert_eq!(habit.week.is_some(), hour >= 185, "at {hour}");
        }
        let count = |before: u64| habit.as_of(at(before)).map(|old| (old.now.count, old.now.rows.len()));
        assert_eq!(count(24 * 70), Some((288, 30)));
        assert!(count(24 * 59).is_some_and(|(count, rows)| count < 284 && rows == OLDER_MAX));
        assert_eq!(count(10), None);
    }

    /// Everything at its longest.
    fn full() -> Habit<32> {
        let end = Timestamp::from_micros(253_402_207_199_000_000).unwrap();
        let own = |at: Timestamp, rows: usize| Own {
            at,
            count: u32::MAX,
            tally: Tally { sum: u64::MAX, count: u32::MAX },
            rows: vec![[255; 32]; rows],
        };
        Habit {
            now: own(end, LEARNED_MAX),
            recent: vec![(Timestamp::EPOCH, [255; 32]); RECENT_MAX],
            fresh: Some(own(Timestamp::EPOCH, OLDER_MAX)),
            day: Some(own(Timestamp::EPOCH, OLDER_MAX)),
            week: Some(own(Timestamp::EPOCH, OLDER_MAX)),
        }
    }

    #[test]
    fn a_part_fits_in_two_kibibytes_and_comes_back_the_same() {
        for habit in [Habit::default(), learned(&[100.0; 40]), full()] {
            let mut bytes = Vec::new();
            habit.encode(&mut bytes);
            assert!(bytes.len() <= 2048, "{} bytes", bytes.len());
            assert_eq!(Habit::decode(&bytes), Ok(habit));
        }
    }

    proptest::proptest! {
        /// The short way to the median distance is the long way's.
        #[test]
        fn middles_are_those_of_the_definition(codes in proptest::collection::vec(1_u8..=255, 5..LEARNED_MAX)) {
            let mut habit = Habit::<1>::default();
            for code in &codes {
                habit.learn(Some(&[*code]), None, at(1));
            }
            let mut values: Vec<f64> = codes.iter().filter_map(|code| scale::units(*code)).collect();
            let middle = median(&mut values).unwrap();
            values.iter_mut().for_each(|value| *value = (*value - middle).abs());
            let spread = median(&mut values).unwrap().max(SPREAD_MIN * middle);
            proptest::prop_assert_eq!(habit.middle(0), Some((middle, spread)));
        }

        #[test]
        fn bytes_of_others_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            if let Ok(habit) = Habit::<4>::decode(&bytes) {
                let mut again = Vec::new();
                habit.encode(&mut again);
                proptest::prop_assert_eq!(again, bytes);
            }
        }

        #[test]
        fn cut_and_changed_bytes_never_panic(length in 0_usize..2048, at in 0_usize..2048, to in proptest::num::u8::ANY) {
            let mut bytes = Vec::new();
            full().encode(&mut bytes);
            bytes.truncate(length);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            if let Ok(habit) = Habit::<32>::decode(&bytes) {
                let mut again = Vec::new();
                habit.encode(&mut again);
                proptest::prop_assert_eq!(again, bytes);
            }
        }
    }
}
