//! What the inside asks of the outside, as traits with two implementations each.

pub mod changelog;
pub mod clock;
pub mod failure;
pub mod ledger;
pub mod schemas;
pub mod source;
pub mod stages;
pub mod store;
pub mod tables;
pub mod tracer;
