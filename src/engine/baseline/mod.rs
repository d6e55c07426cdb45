//! The profile of a user: bounded parts with decay, and their stored form.

/// A part of a profile: one record of `risk.profiles`, one value of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    Core,
    Keystroke,
    Mouse,
    Touch,
    Checkpoint,
    /// 0..=7.
    Journal(u8),
}

/// A user's profile as loaded for one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {}
