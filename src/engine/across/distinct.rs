//! How many different users: exact as long as they are few, a HyperLogLog of the same size afterwards.
//!
//! *Error*: none up to [`EXACT_MAX`]; beyond, a standard error of 1.04 ÷ √512 = 4.6 %, so that three
//! counts in a hundred are off by more than 10 %. The estimate is Ertl's (arXiv:1702.01284): it needs no
//! table of corrections, and nothing but additions, products and square roots, which are the same on
//! every machine.
//!
//! What is kept follows from the set of users alone: their order, repeats, and the parts in which they
//! came and were merged make no difference.

use crate::engine::baseline::codec::{Error, Reader, Writer};
use crate::engine::number::whole;

/// A set of users, by 64-bit hashes that nobody can choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distinct {
    /// Ascending.
    Exact(Vec<u64>),
    Sketch(Box<Sketch>),
}

/// Registers, and what they say: most users change none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch {
    registers: [u8; REGISTERS],
    count: u32,
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

impl Distinct {
    pub fn insert(&mut self, user: u64) {
        match self {
            Self::Exact(users) => {
                let Err(at) = users.binary_search(&user) else { return };
                if users.len() < EXACT_MAX {
                    users.insert(at, user);
                } else {
                    let mut registers = [0; REGISTERS];
                    for user in users.iter().chain([&user]) {
                        note(&mut registers, *user);
                    }
                    *self = Self::Sketch(Box::new(Sketch::of(registers)));
                }
            }
            Self::Sketch(sketch) => {
                if note(&mut sketch.registers, user) {
                    **sketch = Sketch::of(sketch.registers);
                }
            }
        }
    }

    /// The union of both.
    pub fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Exact(users)) => users.iter().for_each(|user| self.insert(*user)),
            (Self::Sketch(sketch), Self::Sketch(other)) => {
                let mut registers = sketch.registers;
                let both = registers.iter_mut().zip(&other.registers);
                both.for_each(|(one, other)| *one = (*one).max(*other));
                **sketch = Sketch::of(registers);
            }
            (Self::Exact(_), Self::Sketch(_)) => {
                let users = std::mem::replace(self, other.clone());
                self.merge(&users);
            }
        }
    }

    /// Whether `user` is one of them; `None` when it is no longer known who they are.
    #[must_use]
    pub fn has(&self, user: u64) -> Option<bool> {
        match self {
            Self::Exact(users) => Some(users.binary_search(&user).is_ok()),
            Self::Sketch(_) => None,
        }
    }

    #[must_use]
    pub fn count(&self) -> u32 {
        match self {
            Self::Exact(users) => u32::try_from(users.len()).unwrap_or(u32::MAX),
            Self::Sketch(sketch) => sketch.count,
        }
    }

    /// How many the union of both has.
    #[must_use]
    pub fn count_with(&self, other: &Self) -> u32 {
        if *other == Self::default() {
            return self.count();
        }
        let mut both = self.clone();
        both.merge(other);
        both.count()
    }

    pub(super) fn write(&self, to: &mut Writer<'_>) {
        match self {
            Self::Exact(users) => {
                to.size(users.len());
                users.iter().for_each(|user| to.key64(*user));
            }
            Self::Sketch(sketch) => {
                to.size(SKETCH);
                to.bytes(&sketch.registers);
            }
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Error> {
        let size = from.size(SKETCH, "distinct users")?;
        if size == SKETCH {
            let registers: [u8; REGISTERS] = from.bytes()?;
            if registers.iter().any(|register| *register > RANK_MAX) {
                return Err(Error::Range("register"));
            }
            return Ok(Self::Sketch(Box::new(Sketch::of(registers))));
        }
        let users = (0..size).map(|_| from.key64()).collect::<Result<Vec<_>, _>>()?;
        if users.iter().zip(users.iter().skip(1)).any(|(one, next)| one >= next) {
            return Err(Error::Range("order of users"));
        }
        Ok(Self::Exact(users))
    }
}

impl Sketch {
    fn of(registers: [u8; REGISTERS]) -> Self {
        let count = estimate(&registers).max(SKETCHED_MIN);
        Self { registers, count }
    }
}

/// Whether that changes anything.
fn note(registers: &mut [u8; REGISTERS], user: u64) -> bool {
    let at = usize::try_from(user >> (u64::BITS - PRECISION)).unwrap_or(0);
    let rest = user << PRECISION;
    let rank = u8::try_from(rest.leading_zeros() + 1).unwrap_or(RANK_MAX).min(RANK_MAX);
    let Some(register) = registers.get_mut(at).filter(|register| **register < rank) else { return false };
    *register = rank;
    true
}

/// Ertl's improved raw estimator, algorithm 6.
fn estimate(registers: &[u8; REGISTERS]) -> u32 {
    const M: f64 = REGISTERS as f64;
    let mut counts = [0.0; RANK_MAX as usize + 1];
    for register in registers {
        if let Some(count) = counts.get_mut(usize::from(*register)) {
            *count += 1.0;
        }
    }
    let [zeros, middle @ .., full] = counts;
    let mut sum = M * tau(1.0 - full / M);
    for count in middle.iter().rev() {
        sum = 0.5 * (sum + count);
    }
    sum += M * sigma(zeros / M);
    whole(ALPHA * M * M / sum)
}

fn sigma(share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (share, 1.0, share);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        // It grows until the next term is too small to be seen.
        if z <= before {
            return z;
        }
    }
}

fn tau(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (share, 1.0, 1.0 - share);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

/// As many as take the room of a sketch.
pub const EXACT_MAX: usize = 64;
/// Fewer are counted one by one.
const SKETCHED_MIN: u32 = 65;
const PRECISION: u32 = 9;
const REGISTERS: usize = 1 << PRECISION;
/// Of the 55 bits that pick no register, all zero.
const RANK_MAX: u8 = 56;
/// 1 ÷ (2 ln 2).
const ALPHA: f64 = 0.721_347_520_444_481_7;
/// Where a number of users stands, this stands for a sketch.
const SKETCH: usize = EXACT_MAX + 1;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::id::hash64;

    fn user(number: u32) -> u64 {
        hash64("test", &[&number.to_le_bytes()])
    }

    fn of(users: impl IntoIterator<Item = u32>) -> Distinct {
        let mut distinct = Distinct::default();
        users.into_iter().for_each(|number| distinct.insert(user(number)));
        distinct
    }

    fn union(one: &Distinct, other: &Distinct) -> Distinct {
        let mut both = one.clone();
        both.merge(other);
        both
    }

    #[test]
    fn few_are_counted_one_by_one() {
        for count in 0..=64 {
            assert_eq!(of((0..count).chain(0..count)).count(), count);
        }
        assert!(of(0..65).count() >= 65);
        assert_eq!(of(0..9).has(user(3)), Some(true));
        assert_eq!(of(0..9).has(user(9)), Some(false));
        assert_eq!(of(0..65).has(user(3)), None);
    }

    /// 150 sets of many sizes: the mean error must be what theory says, and none beyond five of them.
    #[test]
    fn many_are_counted_within_the_stated_error() {
        let (mut squares, mut sets) = (0.0, 0.0);
        for (round, count) in [65_u32, 100, 300, 1000, 5000, 20_000].into_iter().cycle().take(150).enumerate()
        {
            let first = u32::try_from(round).unwrap() << 20;
            let error = f64::from(of(first..first + count).count()) / f64::from(count) - 1.0;
            assert!(error.abs() < 5.0 * 0.046, "{count}: {error}");
            squares += error * error;
            sets += 1.0;
        }
        let deviation: f64 = squares / sets;
        assert!(deviation.sqrt() < 1.2 * 0.046, "{}", deviation.sqrt());
    }

    #[test]
    fn damage_is_refused() {
        let read = |bytes: &[u8]| Distinct::read(&mut Reader::new(bytes));
        assert_eq!(
            read(&[2, 5, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]),
            Err(Error::Range("order of users"))
        );
        assert_eq!(read(&[66]), Err(Error::Range("distinct users")));
        assert_eq!(read(&[1, 0]), Err(Error::Truncated));
        let mut sketch = vec![65];
        sketch.resize(513, 57);
        assert_eq!(read(&sketch), Err(Error::Range("register")));
    }

    fn users() -> impl Strategy<Value = Vec<u32>> {
        prop_oneof![prop::collection::vec(0..90_u32, 0..100), prop::collection::vec(0..900_u32, 0..400)]
    }

    proptest! {
        #[test]
        fn only_the_set_matters(one in users(), other in users(), third in users()) {
            let (a, b, c) = (of(one.clone()), of(other.clone()), of(third.clone()));
            prop_assert_eq!(union(&a, &b), union(&b, &a));
            prop_assert_eq!(union(&union(&a, &b), &c), union(&a, &union(&b, &c)));
            prop_assert_eq!(&union(&a, &a), &a);
            let all: BTreeSet<u32> = one.into_iter().chain(other).chain(third).collect();
            let together = union(&union(&a, &b), &c);
            prop_assert_eq!(&together, &of(all.iter().rev().copied()));
            let count = u32::try_from(all.len()).unwrap();
            if all.len() <= EXACT_MAX {
                prop_assert_eq!(together.count(), count);
            } else {
                let error = f64::from(together.count()) / f64::from(count) - 1.0;
                prop_assert!(error.abs() < 0.25, "{} for {count}", together.count());
            }
            let mut bytes = Vec::new();
            together.write(&mut Writer::new(&mut bytes));
            let mut from = Reader::new(&bytes);
            prop_assert_eq!(Distinct::read(&mut from), Ok(together));
            prop_assert_eq!(from.end(), Ok(()));
        }
    }
}
