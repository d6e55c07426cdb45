//! The outside, behind the ports.

pub mod kafka;
