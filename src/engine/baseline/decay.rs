//! Decay: weights halve with the days of event time, in integers.
//!
//! Applied when something is learned, by whole weeks: a day takes so little of a small weight that
//! rounding would decide what is kept. Shares and comparisons need no decay in between, because
//! everything compared has the same half-life. Rounded down, so that what never comes again is
//! gone in the end and takes no room.

/// Of places and devices.
pub const SLOW_HALF_LIFE_DAYS: u32 = 90;
/// Of networks and hours.
pub const FAST_HALF_LIFE_DAYS: u32 = 60;

/// 2^(-7/90) and 2^(-7/60) in units of 2^-31.
const SLOW_WEEK: u64 = 2_034_775_133;
const FAST_WEEK: u64 = 1_980_658_944;

/// What remains of a weight after some weeks, in units of 2^-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remains(u64);

impl Remains {
    #[must_use]
    pub fn slow(weeks: u32) -> Self {
        Self(power(SLOW_WEEK, weeks))
    }

    #[must_use]
    pub fn fast(weeks: u32) -> Self {
        Self(power(FAST_WEEK, weeks))
    }

    #[must_use]
    pub fn of(self, weight: u32) -> u32 {
        u32::try_from((u64::from(weight) * self.0) >> 31).unwrap_or(weight)
    }
}

fn power(week: u64, mut weeks: u32) -> u64 {
    let (mut all, mut square) = (ONE, week);
    while weeks > 0 {
        if weeks & 1 == 1 {
            all = (all * square) >> 31;
        }
        square = (square * square) >> 31;
        weeks >>= 1;
    }
    all
}

const ONE: u64 = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(remains: Remains, weight: u32, expected: u32) {
        assert_eq!(remains.of(weight), expected);
    }

    #[test]
    fn halves_at_the_half_life() {
        check(Remains::slow(0), 1_000_000, 1_000_000);
        check(Remains::slow(90), 1 << 20, 8191);
        check(Remains::fast(60), 1 << 20, 8191);
        check(Remains::fast(u32::MAX), u32::MAX, 0);
    }

    #[test]
    fn the_constants_are_what_they_say() {
        let week = |half_life: u32| {
            crate::engine::number::whole(ONE as f64 * libm::exp2(-7.0 / f64::from(half_life)))
        };
        assert_eq!(u64::from(week(SLOW_HALF_LIFE_DAYS)), SLOW_WEEK);
        assert_eq!(u64::from(week(FAST_HALF_LIFE_DAYS)), FAST_WEEK);
    }

    #[test]
    fn what_never_comes_again_is_gone() {
        let mut weight = 64;
        let weeks = (0..)
            .take_while(|_| {
                weight = Remains::slow(1).of(weight);
                weight > 0
            })
            .count();
        assert!((20..40).contains(&weeks), "{weeks} weeks");
    }
}
