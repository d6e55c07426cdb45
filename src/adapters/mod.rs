//! The outside, behind the ports.

pub mod geo;
pub mod kafka;
