//! Dice: every random choice comes from here, and each from a stream of its own.
//!
//! A stream is named by the seed, the user, the purpose and an index (a day, an event). So a user's
//! life does not depend on how many others there are, and a choice added to one purpose moves no other.

use std::ops::RangeInclusive;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng as _};

use crate::engine::number;

/// What a stream is for. The number is part of every run's bytes: append, never renumber.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Purpose {
    Persona = 1,
    Year = 2,
    Day = 3,
    Behavior = 4,
    Campaign = 5,
    Secret = 6,
    Tenant = 7,
    Raid = 8,
}

#[derive(Clone, Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    pub(super) fn new(seed: u64, user: u32, purpose: Purpose, index: u64) -> Self {
        let mut key = [0; 32];
        let words = [seed, u64::from(user), purpose as u64, index];
        for (to, from) in key.iter_mut().zip(words.iter().flat_map(|word| word.to_le_bytes())) {
            *to = from;
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// `0..below`; 0 when `below` is 0. The bias of a multiply and shift is under one in 2³² / `below`.
    pub(super) fn below(&mut self, below: u32) -> u32 {
        let wide = u64::from(self.0.next_u32()) * u64::from(below);
        u32::try_from(wide >> 32).unwrap_or(0)
    }

    pub(super) fn within(&mut self, range: RangeInclusive<u32>) -> u32 {
        let (low, high) = range.into_inner();
        low + self.below(high.saturating_sub(low) + 1)
    }

    pub(super) fn chance(&mut self, permille: u32) -> bool {
        self.below(1000) < permille
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = self.below(u32::try_from(from.len()).unwrap_or(u32::MAX));
        from.get(at as usize)
    }

    /// The index of one weight, chosen in proportion; 0 when there is nothing to choose.
    pub(super) fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut at = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if at < *weight {
                return index;
            }
            at -= weight;
        }
        0
    }

    /// `0.0..1.0`.
    pub(super) fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// Normal with mean 0 and deviation 1, cut off at ±3: Box and Muller's.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = number::sqrt(-2.0 * number::log(self.unit().max(1e-9)));
        (radius * number::cos(std::f64::consts::TAU * self.unit())).clamp(-3.0, 3.0)
    }

    /// `mean` give or take `deviation`, whole and never below 0: minutes, seconds.
    pub(super) fn about(&mut self, mean: u32, deviation: u32) -> u32 {
        number::whole((f64::from(mean) + self.normal() * f64::from(deviation)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_its_name() {
        let mut first = Dice::new(7, 1, Purpose::Day, 3);
        let mut again = Dice::new(7, 1, Purpose::Day, 3);
        let mut other = Dice::new(7, 1, Purpose::Day, 4);
        let words: Vec<_> = (0..4).map(|_| first.word()).collect();
        assert_eq!(words, (0..4).map(|_| again.word()).collect::<Vec<_>>());
        assert_ne!(words, (0..4).map(|_| other.word()).collect::<Vec<_>>());
    }

    #[test]
    fn choices_stay_in_range() {
        let mut dice = Dice::new(1, 1, Purpose::Day, 1);
        for _ in 0..2_000 {
            assert!(dice.below(6) < 6);
            assert!((3..=5).contains(&dice.within(3..=5)));
            assert!(dice.weighted(&[0, 2, 0, 3]) % 2 == 1);
            assert!(dice.normal().abs() <= 3.0);
            assert!(dice.about(10, 5) <= 25);
        }
        assert_eq!((dice.below(0), dice.weighted(&[]), dice.pick::<u8>(&[])), (0, 0, None));
    }

    #[test]
    fn chances_are_what_they_say() {
        let mut dice = Dice::new(1, 1, Purpose::Day, 2);
        let hits = (0..10_000).filter(|_| dice.chance(250)).count();
        assert!((2_350..2_650).contains(&hits), "{hits}");
    }
}
