//! Kafka: where events come from and decisions go.
//!
//! *Delivery*: exactly once. One transaction carries decisions, alerts, revocations, changelog,
//! rejected records and the input offsets of a worker. *Ordering*: that of the input partition.
//! *Failure*: every blocking call has a time limit; a transaction whose outcome is unknown ends its
//! producer, and the committed offsets say what became of it.

pub mod acls;
mod admin;
mod carried;
mod changelog;
mod connection;
pub mod decisions;
mod ends;
mod events;
mod follow;
mod hanging;
mod ledger;
mod log;
pub mod permissions;
pub mod policies;
mod properties;
mod publish;
mod readers;
mod roll;
mod settings;
mod source;
mod survey;
pub mod topics;
mod withheld;
mod writer;

pub use admin::{Admin, Failure, Refused, remedy};
pub use changelog::KafkaChangelog;
pub use connection::Connection;
pub use follow::Follower;
pub use ledger::{KafkaLedger, Placement};
pub use log::KafkaLog;
pub use properties::is_reserved;
pub use publish::Publisher;
pub use roll::{Held, Roll};
pub use settings::{Assignment, Mechanism, Sasl, Settings, Tls};
pub use source::KafkaSource;
pub use survey::Survey;
pub use withheld::Withheld;
