//! What the process says about itself: log lines and metrics, from one table.
//!
//! A log line and its metric are one value, [`Happened`]; whoever emits one emits both. What a unit
//! decided is counted as plain numbers where it is decided and read by [`Meters`] when it is
//! committed; how things stand is asked for by whoever shows it ([`Gauged`]). Without an
//! [`Exporter`] the metrics cost nothing and go nowhere.

mod call;
mod exporter;
mod gauges;
mod happened;
mod log;
mod meters;
mod restoring;
mod spans;
mod table;

pub use call::Call;
pub use exporter::{Exporter, UPKEEP_EVERY};
pub use gauges::Gauged;
pub use happened::Happened;
pub use log::{Format, filter_mistake, start};
pub use meters::Meters;
pub use restoring::Restoring;
pub use spans::{Dropped, Processed, SPANS_A_RECORD, Spans, dropped, sent};
pub use table::{Kind, METRICS, Metric, reference};
