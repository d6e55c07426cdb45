//! What waits: threads that carry out what the pure pipeline says.
//!
//! A [`worker`] polls its source on one thread, publishes on a second and checkpoints on a third;
//! [`feedback`] copies what people said into the input; [`stop`] is how all of them are told to end,
//! and how a thread that hangs is noticed.

pub mod custody;
pub mod feedback;
mod keeper;
mod publisher;
pub mod stop;
pub mod worker;
