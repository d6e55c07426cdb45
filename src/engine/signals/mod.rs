//! Signals: one detector a file, one entry a detector in the static table.

use crate::model::signal::{Finding, Signal};

/// What every detector said, by [`Signal::index`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings(pub [Finding; Signal::COUNT]);
