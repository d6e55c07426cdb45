//! Files of events, and the folder that a file's lane keeps between runs.

pub mod lines;
pub mod rows;
pub mod saved;
pub mod sorted;
