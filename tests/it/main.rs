//! One integration binary: laws, golden transcripts, contracts, and the live suites.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    clippy::string_slice,
    unreachable_pub,
    reason = "a test that cannot go on must fail loudly"
)]

mod avro;
mod away;
mod backfill;
mod bytes;
mod canary;
mod check;
mod demo;
mod deploy;
mod drift;
mod ending;
mod ends;
mod erase;
mod explain;
mod export;
mod folder;
mod formats;
mod golden;
mod hard;
mod laws;
mod live;
mod lookup;
mod map;
mod metrics;
mod mmdb;
mod oracle;
mod pages;
mod policy;
mod profile;
mod reference;
mod registry;
mod renderings;
mod replay;
mod score;
mod secrets;
mod sim;
mod size;
mod spans;
mod standby;
mod store;
mod tables;
mod tidy;
mod traffic;
mod verify;
mod waits;
mod watch;
mod working;
mod world;
