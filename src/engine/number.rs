//! Numbers that are the same on every machine: transcendental functions of `libm`, and roundings
//! to the integers that leave a function.

pub use libm::{asin, atan2, cos, exp, exp2, log, log2, log10, pow, sin, sqrt};

/// Rounds half away from zero into `0..=u32::MAX`; not a number is 0.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped on the same line")]
pub fn whole(value: f64) -> u32 {
    if value.is_nan() { 0 } else { libm::round(value).clamp(0.0, f64::from(u32::MAX)) as u32 }
}
