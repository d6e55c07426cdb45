//! The outside, behind the ports.

pub mod embedded;
pub mod files;
pub mod geo;
pub mod kafka;
pub mod signing;
pub mod store;
