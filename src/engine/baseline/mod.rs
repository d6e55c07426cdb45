//! The profile of a user: bounded parts with decay, and their stored form.
//!
//! | part | holds | at most |
//! |---|---|---|
//! | `core` | habits, sessions, bursts, held observations, standing: what every event needs | 2 KiB |
//! | `journal/0`–`/7`, `checkpoint` | how the habits came about, so that they can be un-learned | 386 B each, 1 KiB |
//! | `keystroke`, `mouse`, `touch` | how the user types and points | 2 KiB each |
//! | `apps` | which apps the user touches, and with which privilege | 1 KiB |
//! | `tokens` | refresh tokens that were spent, by session | 1.1 KiB |
//! | `workload` | how often a program comes; people have none | 32 B |

pub mod apps;
pub mod codec;
pub mod core;
pub mod decay;
pub mod devices;
pub mod few;
pub mod habits;
pub mod home;
pub mod hours;
pub mod journal;
pub mod marks;
pub mod networks;
pub mod part;
pub mod places;
pub mod profile;
pub mod recent;
pub mod session;
pub mod tokens;
pub mod workload;

pub use self::core::Core;
pub use habits::{Baseline, Fix};
pub use home::AtHome;
pub use journal::{Checkpoint, Chunk, LearnStep, fold};
pub use part::{Part, PartSet};
pub use profile::Profile;
