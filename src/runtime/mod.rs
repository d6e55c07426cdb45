//! What waits: threads that carry out what the pure pipeline says.
//!
//! A [`worker`] polls its source on one thread, publishes on a second and checkpoints on a third;
//! a [`relay`] does one thing after the other on one: [`normaliser`] copies what others write elsewhere into the
//! input, [`networks`] fold what many users show; [`lookup`] asks the registry for others' schemas; [`footing`] is what decisions rest on, swapped
//! when files change; [`standby`] keeps copies of what other processes serve; [`status`] is how all of them stand, [`survey`]
//! what the broker says of it, [`probes`] who tells it to Prometheus, [`canary`] whether every detector still
//! speaks; [`stages`] what each stage of an event's way costs; [`stop`] is how all of them are told to end,
//! and how a thread that hangs is noticed.

pub mod canary;
pub mod custody;
pub mod facts;
pub mod footing;
mod keeper;
pub mod lookup;
pub mod networks;
pub mod normaliser;
pub mod probes;
pub mod publisher;
pub mod registry;
pub mod relay;
pub mod stages;
pub mod standby;
pub mod status;
pub mod stop;
pub mod survey;
pub mod worker;
