//! A place on the earth, in integers: what is compared must be equal on every machine.

/// ISO 3166-1 alpha-2, upper case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        match code.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }

    #[must_use]
    pub const fn bytes(self) -> [u8; 2] {
        self.0
    }
}

impl std::fmt::Debug for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Country {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Coordinates in ten-thousandths of a degree (11 m), with the radius that the source states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Coordinates {
    latitude_e4: i32,
    longitude_e4: i32,
    pub radius_km: u16,
}

impl Coordinates {
    /// A radius from which on the source means a country, and not where in it.
    pub const COUNTRY_RADIUS_KM: u16 = 1000;

    /// Whether distances from it mean anything.
    #[must_use]
    pub const fn is_point(self) -> bool {
        self.radius_km < Self::COUNTRY_RADIUS_KM
    }

    /// `None` for what is no point on the earth: not finite, out of range, or null island (0, 0),
    /// which is what databases write when they know nothing.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "ranges are checked on the line before")]
    pub fn new(latitude: f64, longitude: f64, radius_km: u16) -> Option<Self> {
        if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
            return None;
        }
        let (latitude_e4, longitude_e4) = ((latitude * 1e4).round() as i32, (longitude * 1e4).round() as i32);
        Self::from_e4(latitude_e4, longitude_e4, radius_km)
    }

    #[must_use]
    pub fn from_e4(latitude_e4: i32, longitude_e4: i32, radius_km: u16) -> Option<Self> {
        let on_earth = latitude_e4.unsigned_abs() <= 900_000 && longitude_e4.unsigned_abs() <= 1_800_000;
        (on_earth && (latitude_e4, longitude_e4) != (0, 0)).then_some(Self {
            latitude_e4,
            longitude_e4,
            radius_km,
        })
    }

    #[must_use]
    pub const fn latitude_e4(self) -> i32 {
        self.latitude_e4
    }

    #[must_use]
    pub const fn longitude_e4(self) -> i32 {
        self.longitude_e4
    }

    #[must_use]
    pub fn latitude(self) -> f64 {
        f64::from(self.latitude_e4) / 1e4
    }

    #[must_use]
    pub fn longitude(self) -> f64 {
        f64::from(self.longitude_e4) / 1e4
    }
}
