//! The outside, behind the ports.

pub mod embedded;
pub mod files;
pub mod geo;
pub mod kafka;
pub mod registry;
mod secret;
pub mod signing;
pub mod store;
