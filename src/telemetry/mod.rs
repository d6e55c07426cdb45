//! What the process says about itself: log lines and metrics, from one table.
//!
//! A log line and its metric are one value, [`Happened`]; whoever emits one emits both. Without a
//! recorder the metrics cost nothing and go nowhere.

mod happened;
mod log;
mod restoring;

pub use happened::Happened;
pub use log::{Format, filter_mistake, start};
pub use restoring::Restoring;
