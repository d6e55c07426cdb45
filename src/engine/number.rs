//! Numbers that are the same on every machine: transcendental functions of `libm`, and roundings
//! to the integers that leave a function.

use crate::model::place::Coordinates;

pub use libm::{asin, atan2, cos, exp, exp2, log, log2, log10, pow, sin, sqrt};

/// Rounds half away from zero into `0..=u32::MAX`; not a number is 0.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped on the same line")]
pub fn whole(value: f64) -> u32 {
    if value.is_nan() { 0 } else { libm::round(value).clamp(0.0, f64::from(u32::MAX)) as u32 }
}

/// Great-circle distance in metres (haversine on a sphere of 6371.0088 km; radii do not matter).
#[must_use]
pub fn distance_m(from: Coordinates, to: Coordinates) -> u32 {
    if (from.latitude_e4(), from.longitude_e4()) == (to.latitude_e4(), to.longitude_e4()) {
        return 0;
    }
    let (from_latitude, to_latitude) = (from.latitude().to_radians(), to.latitude().to_radians());
    let half_up = sin((to_latitude - from_latitude) / 2.0);
    let half_across = sin((to.longitude() - from.longitude()).to_radians() / 2.0);
    let chord = half_up * half_up + cos(from_latitude) * cos(to_latitude) * half_across * half_across;
    whole(2.0 * EARTH_RADIUS_M * asin(sqrt(chord.min(1.0))))
}

const EARTH_RADIUS_M: f64 = 6_371_008.8;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: (f64, f64), to: (f64, f64), expected_m: u32) {
        let at = |(latitude, longitude)| Coordinates::new(latitude, longitude, 0).unwrap();
        assert_eq!(distance_m(at(from), at(to)), expected_m);
        assert_eq!(distance_m(at(to), at(from)), expected_m);
    }

    #[test]
    fn distances() {
        check((51.5, -0.12), (51.5, -0.12), 0);
        check((0.0, 90.0), (0.0, -90.0), 20_015_114);
        check((90.0, 0.0), (-90.0, 0.0), 20_015_114);
        check((0.1, 179.9), (0.1, -179.9), 22_239);
        check((51.5074, -0.1278), (-33.8688, 151.2093), 16_993_957);
    }

    #[test]
    fn whole_numbers_round_and_clamp() {
        assert_eq!([whole(0.5), whole(-3.0), whole(f64::NAN), whole(1e20)], [1, 0, 0, u32::MAX]);
    }
}
