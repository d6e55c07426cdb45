//! The engine: bytes in, decision out. Pure: the same event, profile, policy and facts give the same
//! bytes on every machine.
//!
//! `decode` → `enrich` → `signals` → `score` → `decide` → `learn` → `emit`, one function each;
//! [`step::step`] is the fold over them that production, replay, simulation and tests all call.

pub mod across;
pub(crate) mod avro;
pub mod baseline;
pub mod biometrics;
pub mod decide;
pub mod decode;
pub mod document;
pub mod emit;
pub mod enrich;
pub(crate) mod escape;
pub mod explain;
pub mod mapping;
mod memory;
pub mod number;
pub mod policy;
mod quick;
pub(crate) mod schema;
pub mod score;
pub mod signals;
pub mod step;
pub mod transcript;

/// Once, for both names.
macro_rules! revision {
    () => {
        "0.1.4"
    };
}

/// Stands in every decision's basis. A test makes you raise it when a golden transcript changes.
pub const REVISION: &str = revision!();

/// What a decision of a backfilled event names in its place.
pub(crate) const BACKFILLING: &str = concat!(revision!(), "+backfill");
