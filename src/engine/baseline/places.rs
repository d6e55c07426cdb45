//! Places: clusters of where a user logs in from, never a set of points.

use super::codec::{Error, Reader, Writer};
use super::decay::Remains;
use super::few::Few;
use super::habits::{WEIGHT_UNIT, count_day, grow, read_day, read_weight, write_day};
use super::journal::RADIUS_KM_MAX;
use crate::engine::number::distance_m;
use crate::model::place::{Coordinates, Country};

/// A fix nearer than this to a cluster belongs to it: cities are told apart, suburbs are not.
pub const REACH_M: u32 = 50_000;
pub const PLACES_MAX: usize = 8;

/// One cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Weighted centre; always on the earth, see [`Place::centre`].
    latitude_e4: i32,
    longitude_e4: i32,
    /// Weighted mean distance from the centre, in tenths of a kilometre.
    pub spread_hm: u16,
    /// The widest radius that a source stated for a fix in it.
    pub radius_km: u16,
    pub country: Option<Country>,
    /// Decayed, in [`WEIGHT_UNIT`]s.
    pub weight: u32,
    /// Distinct days on which it was learned, at most 255.
    pub days: u8,
    /// The last of them, counted from the epoch.
    pub last_day: i32,
}

impl Place {
    /// `None` only in the one point that databases write when they know nothing.
    #[must_use]
    pub fn centre(&self) -> Option<Coordinates> {
        Coordinates::from_e4(self.latitude_e4, self.longitude_e4, self.radius_km)
    }

    fn distance_m(&self, from: Coordinates) -> u32 {
        self.centre().map_or(u32::MAX, |centre| distance_m(centre, from))
    }

    /// Moves the centre towards `at` by its share of the weight.
    fn draw(&mut self, at: Coordinates, distance_m: u32, weight: u32) {
        let all = i64::from(self.weight) + i64::from(weight);
        let share = |difference: i64| difference * i64::from(weight) / all.max(1);
        let across = i64::from(at.longitude_e4()) - i64::from(self.longitude_e4);
        // The short way round, over the date line too.
        let across = (across + HALF_TURN_E4).rem_euclid(2 * HALF_TURN_E4) - HALF_TURN_E4;
        let longitude = i64::from(self.longitude_e4) + share(across);
        let longitude = (longitude + HALF_TURN_E4).rem_euclid(2 * HALF_TURN_E4) - HALF_TURN_E4;
        let latitude =
            i64::from(self.latitude_e4) + share(i64::from(at.latitude_e4()) - i64::from(self.latitude_e4));
        if let (Ok(latitude), Ok(longitude)) = (i32::try_from(latitude), i32::try_from(longitude))
            && Coordinates::from_e4(latitude, longitude, 0).is_some()
        {
            (self.latitude_e4, self.longitude_e4) = (latitude, longitude);
        }
        let spread =
            i64::from(self.spread_hm) + share(i64::from(distance_m / 100) - i64::from(self.spread_hm));
        self.spread_hm = u16::try_from(spread).unwrap_or(u16::MAX);
        self.radius_km = self.radius_km.max(at.radius_km);
    }
}

/// The cluster nearest to a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearest<'p> {
    pub index: usize,
    pub place: &'p Place,
    /// From its centre.
    pub distance_m: u32,
}

/// The clusters of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Few<Place, PLACES_MAX>);

impl Places {
    pub fn iter(&self) -> std::slice::Iter<'_, Place> {
        self.0.iter()
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn nearest(&self, to: Coordinates) -> Option<Nearest<'_>> {
        self.iter()
            .enumerate()
            .map(|(index, place)| Nearest { index, place, distance_m: place.distance_m(to) })
            .min_by_key(|nearest| nearest.distance_m)
    }

    /// The cluster that a fix belongs to.
    #[must_use]
    pub fn at(&self, fix: Coordinates) -> Option<&Place> {
        self.nearest(fix).filter(|nearest| nearest.distance_m <= REACH_M).map(|nearest| nearest.place)
    }

    /// Any cluster in that country.
    #[must_use]
    pub fn knows_country(&self, country: Country) -> bool {
        self.iter().any(|place| place.country == Some(country))
    }

    pub(super) fn learn(&mut self, at: Coordinates, country: Option<Country>, weight: u32, day: i32) {
        let nearest = self.nearest(at).map(|nearest| (nearest.index, nearest.distance_m));
        if let Some((index, distance_m)) = nearest
            && distance_m <= REACH_M
            && let Some(place) = self.0.get_mut(index)
        {
            place.draw(at, distance_m, weight);
            grow(&mut place.weight, weight);
            place.country = country.or(place.country);
            count_day(&mut place.days, &mut place.last_day, day);
        } else {
            let place = Place {
                latitude_e4: at.latitude_e4(),
                longitude_e4: at.longitude_e4(),
                spread_hm: 0,
                radius_km: at.radius_km,
                country,
                weight,
                days: 1,
                last_day: day,
            };
            self.0.push_over(place, |place| (place.weight, place.last_day));
        }
    }

    pub(super) fn decay(&mut self, remains: Remains) {
        self.0.retain_mut(|place| {
            place.weight = remains.of(place.weight);
            place.weight > 0
        });
    }

    pub(super) fn write(&self, to: &mut Writer<'_>, day: i32) {
        to.size(self.len());
        for place in self.iter() {
            to.int(place.latitude_e4.into());
            to.int(place.longitude_e4.into());
            to.uint(place.spread_hm.into());
            to.uint(place.radius_km.into());
            to.country(place.country);
            to.uint(place.weight.into());
            to.byte(place.days);
            write_day(to, day, place.last_day);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>, day: i32) -> Result<Self, Error> {
        let mut places = Few::default();
        for _ in 0..from.size(PLACES_MAX, "places")? {
            let (latitude_e4, longitude_e4) = (from.signed("latitude")?, from.signed("longitude")?);
            Coordinates::from_e4(latitude_e4, longitude_e4, 0).ok_or(Error::Range("place"))?;
            places.push(Place {
                latitude_e4,
                longitude_e4,
                spread_hm: from.number("spread")?,
                radius_km: from.number("radius").and_then(|radius| {
                    if radius <= RADIUS_KM_MAX { Ok(radius) } else { Err(Error::Range("radius")) }
                })?,
                country: from.country()?,
                weight: read_weight(from)?,
                days: from.byte()?,
                last_day: read_day(from, day)?,
            });
        }
        Ok(Self(places))
    }
}

const HALF_TURN_E4: i64 = 1_800_000;

/// A place learned this often with full days is where the user works or lives.
#[must_use]
pub fn is_settled(place: &Place) -> bool {
    place.days >= 3 && place.weight >= WEIGHT_UNIT
}
