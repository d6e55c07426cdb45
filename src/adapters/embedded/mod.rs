//! An in-process log behind the same ports as Kafka: for the demo, the contract tests and the
//! simulator. One process and no cluster; it lives as long as its process.
//!
//! *Delivery*: a transaction is atomic, and readers see committed records only. *Ordering*: by
//! partition. *Failure*: a writer whose partitions have moved is fenced, by owner (as a group's
//! generation does it) and by the epoch of its transactional id. *Bounds*: an input or output
//! partition keeps its last records, a changelog its last record of each key.

mod group;
mod ledger;
mod log;
mod open;
mod partition;

pub use self::group::EmbeddedSource;
pub use self::ledger::EmbeddedLedger;
pub use self::log::{Log, Retention};
pub use self::partition::Stored;
