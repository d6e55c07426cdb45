//! The outside, behind the ports.

pub mod kafka;
pub mod store;
