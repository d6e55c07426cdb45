//! A jump in what is asked of people: one bad table or policy must not log out a company in silence.
//!
//! The share of decisions that step up, deny or revoke among the last thousand is compared with the
//! share before them. A burst of a few is an attack on a few, and the alerts' business; it takes
//! three in a hundred to be a jump. After a restart two thousand decisions pass before it can speak.

use crate::model::Action;

/// Counts what a worker decides.
#[derive(Debug)]
pub struct Drift {
    /// How many times the share before is a jump.
    times: u64,
    /// The last decisions, the oldest at `next`: whether each was strict.
    window: Vec<bool>,
    next: usize,
    strict: u64,
    /// What left the window.
    before: Share,
    raised: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    strict: u64,
    all: u64,
}

/// The share changed, in decisions of a thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drifted {
    Jumped {
        before: u64,
        now: u64,
    },
    /// It is no jump any more.
    Settled {
        now: u64,
    },
}

impl Drift {
    #[must_use]
    pub fn new(times: u32) -> Self {
        Self {
            times: times.into(),
            window: Vec::with_capacity(WINDOW),
            next: 0,
            strict: 0,
            before: Share::default(),
            raised: false,
        }
    }

    /// Counts a decision by its published action.
    pub fn note(&mut self, action: Action) -> Option<Drifted> {
        let strict = action >= Action::StepUp;
        self.strict += u64::from(strict);
        match self.window.get_mut(self.next) {
            Some(oldest) => {
                let left = std::mem::replace(oldest, strict);
                self.strict -= u64::from(left);
                self.before.count(left);
            }
            None => self.window.push(strict),
        }
        self.next = (self.next + 1) % WINDOW;
        self.compare()
    }

    fn compare(&mut self) -> Option<Drifted> {
        if self.before.all < BEFORE_MIN {
            return None;
        }
        let now = self.strict;
        let usual = self.before.strict * 1000;
        // now / 1000 > times * strict / all, without a division.
        let jumped = now >= STRICT_MIN && now * self.before.all > self.times * usual;
        let calm = now < STRICT_MIN || 2 * now * self.before.all <= self.times * usual;
        if jumped && !self.raised {
            self.raised = true;
            return Some(Drifted::Jumped { before: usual / self.before.all, now });
        }
        if calm && self.raised {
            self.raised = false;
            return Some(Drifted::Settled { now });
        }
        None
    }
}

impl Share {
    fn count(&mut self, strict: bool) {
        self.strict += u64::from(strict);
        self.all += 1;
        if self.all >= BEFORE_MAX {
            // What is long ago weighs less.
            (self.strict, self.all) = (self.strict / 2, self.all / 2);
        }
    }
}

/// Decisions that are compared.
const WINDOW: usize = 1_000;
/// Decisions before them without which there is nothing to compare with.
const BEFORE_MIN: u64 = 1_000;
const BEFORE_MAX: u64 = 100_000;
/// Of a thousand: fewer are a few users, whatever the share before.
const STRICT_MIN: u64 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    /// `2000x0 1000x3`: decisions, and how many of a hundred are strict; what is told, and after how many.
    #[track_caller]
    fn check(script: &str, expected: &[(usize, Drifted)]) {
        let (mut drift, mut told, mut count) = (Drift::new(5), Vec::new(), 0);
        for part in script.split(' ') {
            let (decisions, percent) = part.split_once('x').unwrap();
            for number in 0..decisions.parse::<usize>().unwrap() {
                count += 1;
                let strict = number % 100 < percent.parse().unwrap();
                let action = if strict { Action::StepUp } else { Action::Challenge };
                told.extend(drift.note(action).map(|drifted| (count, drifted)));
            }
        }
        assert_eq!(told, expected);
    }

    #[test]
    fn normal_traffic_is_silent() {
        check("50000x1", &[]);
        check("5000x1 5000x4 5000x2 5000x5", &[]);
        check("5000x0 100x2 5000x0", &[]);
    }

    #[test]
    fn five_times_as_many_are_told_once_and_once_when_it_is_over() {
        check("5000x1 3000x60", &[(5042, Drifted::Jumped { before: 10, now: 51 })]);
        check(
            "5000x0 200x60 3000x0",
            &[(5030, Drifted::Jumped { before: 0, now: 30 }), (6121, Drifted::Settled { now: 39 })],
        );
    }

    #[test]
    fn nothing_is_told_before_there_is_something_to_compare_with() {
        check("1900x100", &[]);
        check("1000x0 900x100", &[]);
    }

    #[test]
    fn a_share_that_stays_becomes_the_usual_one() {
        let mut drift = Drift::new(5);
        let mut told = 0;
        for number in 0..200_000 {
            let strict = number > 3_000 && number % 4 == 0;
            told += usize::from(drift.note(if strict { Action::Deny } else { Action::Allow }).is_some());
        }
        assert_eq!(told, 2, "once when it jumped, once when it had become usual");
    }
}
