//! How a user types: how long keys are held, and how they follow each other.
//!
//! Whole-batch measures say how somebody types anything; measures by key and by pair of keys say how
//! somebody types *this*. Keys are opaque labels: they share [`BUCKETS`] buckets, so no table of keys
//! is kept. Presses that do not end, last longer than 2 s or have no time are left out.

use super::habit::Row;
use super::scale::{self, code_of};
use super::stats::{count, deviation, median, percentile, ratio, variance};
use crate::model::event::KeyPress;

pub(super) const FEATURES: usize = 8 + 2 * BUCKETS;
const BUCKETS: usize = 12;

/// A press, with a stand-in for its key.
struct Press {
    down_ms: f64,
    held_ms: Option<f64>,
    key: u32,
}

/// What the presses say; `None` for too few of them.
pub(super) fn measure(presses: &[KeyPress<'_>]) -> Option<Row<FEATURES>> {
    let presses = in_order(presses);
    if presses.len() < PRESSES_MIN {
        return None;
    }
    let mut holds: Vec<f64> = presses.iter().filter_map(|press| press.held_ms).collect();
    let mut flights: Vec<f64> = presses.windows(2).filter_map(flight_ms).collect();
    let mut row = [scale::ABSENT; FEATURES];
    let (whole, by_key) = row.split_at_mut(8);
    let overlaps = presses.windows(2).filter(|pair| overlap(pair)).count();
    let span_ms = presses.last()?.down_ms - presses.first()?.down_ms;
    let taken = [
        median(&mut holds).map(half_ms),
        deviation(&holds).map(half_ms),
        median(&mut flights).map(half_ms),
        deviation(&flights).map(half_ms),
        percentile(&flights, 25).map(half_ms),
        percentile(&flights, 75).map(half_ms),
        Some(100.0 + 1000.0 * f64::from(u32::try_from(overlaps).ok()?) / count(&presses)),
        ratio(100_000.0 * count(&presses), span_ms),
    ];
    whole.iter_mut().zip(taken).for_each(|(slot, taken)| *slot = code_of(taken));

    let (hold_slots, flight_slots) = by_key.split_at_mut(BUCKETS);
    let held = presses.iter().filter_map(|press| Some((press.key, press.held_ms?)));
    means(hold_slots, held);
    let flown = presses.windows(2).filter_map(|pair| Some((pair_of(pair)?, flight_ms(pair)?)));
    means(flight_slots, flown);
    Some(row)
}

/// The seed's measure: whether the population variance of the times from key down to key down is
/// above 0.3 of their squared mean.
pub(super) fn is_uneven(presses: &[KeyPress<'_>]) -> bool {
    let mut downs: Vec<f64> = presses.iter().map(|press| press.down_ms).filter(|ms| ms.is_finite()).collect();
    downs.sort_unstable_by(f64::total_cmp);
    let times: Vec<f64> = downs.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).collect();
    let squared_mean = super::stats::mean(&times).map_or(0.0, |mean| mean * mean);
    variance(&times).and_then(|variance| ratio(variance, squared_mean)).is_some_and(|share| share > UNEVEN)
}

fn in_order(presses: &[KeyPress<'_>]) -> Vec<Press> {
    let press = |press: &KeyPress<'_>| {
        let held_ms = Some(press.up_ms - press.down_ms).filter(|ms| *ms > 0.0 && *ms <= TIME_MS_MAX);
        Press { down_ms: press.down_ms, held_ms, key: stand_in(&press.key) }
    };
    let mut all: Vec<Press> = presses.iter().map(press).filter(|press| press.down_ms.is_finite()).collect();
    all.sort_by(|a, b| a.down_ms.total_cmp(&b.down_ms));
    all
}

fn flight_ms(pair: &[Press]) -> Option<f64> {
    Some(pair.get(1)?.down_ms - pair.first()?.down_ms).filter(|ms| *ms <= TIME_MS_MAX)
}

/// Whether the second key goes down before the first comes up.
fn overlap(pair: &[Press]) -> bool {
    let held = pair.first().and_then(|first| first.held_ms);
    held.zip(flight_ms(pair)).is_some_and(|(held, flight)| flight < held)
}

fn pair_of(pair: &[Press]) -> Option<u32> {
    Some(pair.first()?.key.rotate_left(9) ^ pair.get(1)?.key)
}

/// The mean of what fell into each bucket.
fn means(slots: &mut [u8], values: impl Iterator<Item = (u32, f64)>) {
    let mut sums = [(0.0, 0.0); BUCKETS];
    for (key, value) in values {
        let bucket = usize::try_from(key).unwrap_or(0) % BUCKETS;
        if let Some((sum, count)) = sums.get_mut(bucket) {
            *sum += value;
            *count += 1.0;
        }
    }
    for (slot, (sum, count)) in slots.iter_mut().zip(sums) {
        *slot = code_of(ratio(sum, count).map(half_ms));
    }
}

/// FNV-1a: nobody gains by two keys that share a bucket.
fn stand_in(key: &str) -> u32 {
    let hash =
        key.bytes().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash ^ (hash >> 15)
}

/// Times are measured in half milliseconds: 1 ms to 3.3 s.
fn half_ms(ms: f64) -> f64 {
    2.0 * ms
}

/// A password's worth: fewer say nothing about a person.
const PRESSES_MIN: usize = 4;
/// What takes longer is a pause, not typing.
const TIME_MS_MAX: f64 = 2_000.0;
const UNEVEN: f64 = 0.3;
