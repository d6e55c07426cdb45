//! Measures: how far a signal was from counting, silent or not.

/// A number that was compared, and the one from which on it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Measure {
    /// What was measured, in words that follow `the`.
    pub what: &'static str,
    pub value: u32,
    pub counts_from: u32,
    /// It counts downwards from there: the less, the stranger.
    pub downwards: bool,
    pub unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Km,
    Kmh,
    Permille,
    Days,
    /// Hundredths of whatever is counted.
    Hundredths,
    Count,
}

impl Measure {
    /// One that counts upwards.
    pub(super) const fn up(what: &'static str, value: u32, counts_from: u32, unit: Unit) -> Self {
        Self { what, value, counts_from, downwards: false, unit }
    }
}
