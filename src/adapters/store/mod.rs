//! The store behind [`crate::ports::store`]: sled on disk, a map in memory.
//!
//! Both keep the same values in the same envelope, so that one set of contract tests holds both.

mod memory;
mod reading;
mod record;
mod sled;
mod value;

pub use self::memory::MemoryStore;
pub use self::sled::{Opened, SledStore};
