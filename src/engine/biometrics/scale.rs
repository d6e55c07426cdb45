//! Measures in a byte: twenty steps an octave, so that 30 batches of 32 measures fit in a kilobyte.
//!
//! A step is 3.5 %, less than the 5 % below which no deviation is told apart. Every measure comes in
//! units of its own (half a millisecond, two pixels a second) and spans 1 to 6,600 of them.

use std::sync::LazyLock;

use crate::engine::number::{exp2, log2, whole};

/// A measure that could not be taken.
pub(super) const ABSENT: u8 = 0;

/// What `units` are stored as; negative counts as nothing, and what is no number is absent.
pub(super) fn code(units: f64) -> u8 {
    if units.is_nan() {
        return ABSENT;
    }
    let steps = whole(STEPS * log2(1.0 + units.max(0.0)));
    u8::try_from(steps.saturating_add(1)).unwrap_or(u8::MAX)
}

/// As [`code`], for a measure that may not be there.
pub(super) fn code_of(units: Option<f64>) -> u8 {
    units.map_or(ABSENT, code)
}

/// The units that `code` stands for.
pub(super) fn units(code: u8) -> Option<f64> {
    if code == ABSENT { None } else { UNITS.get(usize::from(code)).copied() }
}

/// A batch is compared with a thousand codes.
static UNITS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    (0..=u8::MAX).map(|code| exp2(f64::from(code.saturating_sub(1)) / STEPS) - 1.0).collect()
});

const STEPS: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for byte in 0..=u8::MAX {
            assert_eq!(code_of(units(byte)), byte);
        }
    }

    #[test]
    fn a_step_is_finer_than_what_is_told_apart() {
        for hundreds in 1..60 {
            let value = f64::from(hundreds) * 100.0;
            let read = units(code(value)).unwrap();
            assert!((read - value).abs() <= 0.02 * (value + 1.0), "{value} became {read}");
        }
    }

    #[test]
    fn garbage_has_a_code() {
        assert_eq!([f64::NAN, -5.0, 0.0, f64::INFINITY, 1e300].map(code), [ABSENT, 1, 1, u8::MAX, u8::MAX]);
    }
}
