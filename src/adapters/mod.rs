//! The outside, behind the ports.

pub mod embedded;
pub mod files;
pub mod geo;
mod http;
pub mod kafka;
pub mod otlp;
pub mod registry;
mod secret;
pub mod signing;
pub mod store;
