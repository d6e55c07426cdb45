//! How a user touches: strokes, taps, pressure, size.
//!
//! A stroke begins at a start and ends at an end or cancel; points are taken in order of time.
//! Several fingers at once look like one that jumps: first form.

use super::habit::Row;
use super::scale::{self, code_of};
use super::stats::{deviation, mean, median, percentile, ratio};
use crate::engine::number::sqrt;
use crate::model::TouchPhase;
use crate::model::event::TouchPoint;

pub(super) const FEATURES: usize = 12;

struct Stroke {
    ms: f64,
    px: f64,
    /// From its first point to its last.
    direct_px: f64,
    starts_ms: f64,
}

/// What the points say; `None` for too few of them.
pub(super) fn measure(points: &[TouchPoint]) -> Option<Row<FEATURES>> {
    let is_sound = |point: &&TouchPoint| {
        point.t_ms.is_finite() && point.x.abs() < OFF_SCREEN_PX && point.y.abs() < OFF_SCREEN_PX
    };
    let mut points: Vec<TouchPoint> = points.iter().filter(is_sound).copied().collect();
    points.sort_by(|a, b| a.t_ms.total_cmp(&b.t_ms));
    let strokes = strokes(&points);
    if points.len() < POINTS_MIN || strokes.is_empty() {
        return None;
    }
    let slides: Vec<&Stroke> = strokes.iter().filter(|stroke| stroke.px >= SLIDE_PX_MIN).collect();
    let mut lengths: Vec<f64> = slides.iter().map(|stroke| stroke.px).collect();
    let mut times: Vec<f64> = slides.iter().map(|stroke| stroke.ms).collect();
    let mut speeds: Vec<f64> =
        slides.iter().filter_map(|stroke| ratio(500.0 * stroke.px, stroke.ms)).collect();
    let mut straightness: Vec<f64> =
        slides.iter().filter_map(|stroke| ratio(1000.0 * stroke.direct_px, stroke.px)).collect();
    let mut taps: Vec<f64> =
        strokes.iter().filter(|stroke| stroke.px < SLIDE_PX_MIN).map(|stroke| stroke.ms).collect();
    let mut gaps: Vec<f64> = strokes
        .windows(2)
        .filter_map(|pair| {
            let before = pair.first()?;
            Some(pair.get(1)?.starts_ms - before.starts_ms - before.ms)
        })
        .filter(|ms| *ms <= GAP_MS_MAX)
        .collect();
    let of = |measure: fn(&TouchPoint) -> Option<f64>| -> Vec<f64> {
        points
            .iter()
            .filter_map(measure)
            .filter(|value| value.is_finite())
            .map(|value| 1000.0 * value)
            .collect()
    };
    let (pressures, sizes) = (of(|point| point.pressure), of(|point| point.size));
    let median_speed = median(&mut speeds);

    let mut row = [scale::ABSENT; FEATURES];
    let taken = [
        median(&mut times),
        median(&mut lengths),
        median_speed,
        percentile(&speeds, 90),
        mean(&pressures),
        deviation(&pressures),
        mean(&sizes),
        deviation(&sizes),
        median(&mut straightness),
        median(&mut gaps),
        median(&mut taps).map(|ms| 2.0 * ms),
        deviation(&lengths),
    ];
    row.iter_mut().zip(taken).for_each(|(slot, taken)| *slot = code_of(taken));
    Some(row)
}

fn strokes(points: &[TouchPoint]) -> Vec<Stroke> {
    let mut strokes = Vec::new();
    let mut open: Option<(TouchPoint, TouchPoint, f64)> = None;
    for point in points {
        if point.phase == TouchPhase::Start {
            open = Some((*point, *point, 0.0));
            continue;
        }
        let Some((first, last, px)) = open.as_mut() else { continue };
        *px += length(last, point);
        *last = *point;
        if matches!(point.phase, TouchPhase::End | TouchPhase::Cancel) {
            strokes.push(Stroke {
                ms: point.t_ms - first.t_ms,
                px: *px,
                direct_px: length(first, point),
                starts_ms: first.t_ms,
            });
            open = None;
        }
    }
    strokes
}

fn length(from: &TouchPoint, to: &TouchPoint) -> f64 {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    sqrt(dx * dx + dy * dy)
}

const POINTS_MIN: usize = 2;
/// Less is a tap.
const SLIDE_PX_MIN: f64 = 10.0;
const GAP_MS_MAX: f64 = 5_000.0;
const OFF_SCREEN_PX: f64 = 65_535.0;
