//! The clock of the process: how long something took and when a unit is due. Never the time of an
//! event, which is what its record states.

use std::time::Duration;

/// Time since the process began; never runs backwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub Duration);

impl Tick {
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }
}

pub trait Clock: std::fmt::Debug + Send + Sync {
    fn now(&self) -> Tick;
}
