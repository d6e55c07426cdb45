//! Synthetic people with habits, and labelled attacks on them, from a seed.
//!
//! Pure: the same seed, plan and world give the same bytes on every machine.

pub mod attacks;

pub use attacks::Attack;
