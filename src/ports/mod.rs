//! What the inside asks of the outside, as traits with two implementations each.

pub mod tables;
