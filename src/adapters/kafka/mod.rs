//! Kafka: where events come from and decisions go.
//!
//! *Delivery*: exactly once. One transaction carries decisions, alerts, revocations, changelog,
//! rejected records and the input offsets of a worker. *Ordering*: that of the input partition.
//! *Failure*: every blocking call has a time limit; a transaction whose outcome is unknown ends its
//! producer, and the committed offsets say what became of it.

mod admin;
mod events;
mod settings;
pub mod topics;

pub use admin::{Admin, Failure};
pub use settings::{Connection, Mechanism, Sasl, Settings, Tls, is_reserved};
