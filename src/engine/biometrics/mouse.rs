//! How a user moves a mouse: speed, acceleration, pauses, straightness, clicks.
//!
//! Points are taken in order of time. Positions outside of any screen (65535 is what some recorders
//! write for "unknown") and points at one moment are left out. A stroke is what lies between pauses.

use super::habit::Row;
use super::scale::{self, code_of};
use super::stats::{deviation, mean, median, percentile, ratio};
use crate::engine::number::{atan2, sqrt, whole};
use crate::model::MouseKind;
use crate::model::event::MousePoint;

pub(super) const FEATURES: usize = 13;

/// From one move to the next.
struct Leg {
    dx: f64,
    dy: f64,
    px: f64,
    ms: f64,
}

/// What the points say; `None` for too few of them.
pub(super) fn measure(points: &[MousePoint]) -> Option<Row<FEATURES>> {
    let points = in_order(points);
    let legs = legs(&points);
    if legs.len() < LEGS_MIN {
        return None;
    }
    let moving: Vec<&Leg> = legs.iter().filter(|leg| leg.ms <= PAUSE_MS).collect();
    let mut speeds: Vec<f64> = moving.iter().map(|leg| 1000.0 * leg.px / leg.ms).collect();
    let accelerations: Vec<f64> = moving
        .windows(2)
        .filter_map(|pair| {
            let (before, after) = (pair.first()?, pair.get(1)?);
            Some((after.px / after.ms - before.px / before.ms).abs() / after.ms)
        })
        .collect();
    let turns: Vec<f64> = moving.windows(2).filter_map(|pair| turn(pair.first()?, pair.get(1)?)).collect();
    let (mut lengths, mut times, mut straightness) = (Vec::new(), Vec::new(), Vec::new());
    for stroke in legs.split(|leg| leg.ms > PAUSE_MS).filter(|stroke| !stroke.is_empty()) {
        let px: f64 = stroke.iter().map(|leg| leg.px).sum();
        let (dx, dy) = stroke.iter().fold((0.0, 0.0), |(x, y), leg| (x + leg.dx, y + leg.dy));
        lengths.push(px);
        times.push(stroke.iter().map(|leg| leg.ms).sum());
        straightness.extend(ratio(1000.0 * length(dx, dy), px).filter(|_| px >= STROKE_PX_MIN));
    }
    let sum = |part: fn(&Leg) -> f64| legs.iter().map(part).sum::<f64>();
    let paused: f64 = legs.iter().map(|leg| leg.ms).filter(|ms| *ms > PAUSE_MS).sum();
    let mut steps: Vec<f64> = moving.iter().map(|leg| 4.0 * leg.ms).collect();
    let spread = ratio(100.0 * deviation(&speeds).unwrap_or_default(), mean(&speeds).unwrap_or_default());
    let median_speed = median(&mut speeds);

    let mut row = [scale::ABSENT; FEATURES];
    let taken = [
        ratio(500.0 * sum(|leg| leg.px), sum(|leg| leg.ms)),
        median_speed.map(|speed| speed / 2.0),
        percentile(&speeds, 90).map(|speed| speed / 2.0),
        spread,
        mean(&accelerations).map(|acceleration| 10_000.0 * acceleration),
        ratio(1000.0 * paused, sum(|leg| leg.ms)),
        median(&mut lengths),
        median(&mut times).map(|ms: f64| ms / 2.0),
        median(&mut straightness),
        median(&mut clicks(&points)).map(|ms| 2.0 * ms),
        median(&mut steps),
        mean(&turns).map(|turn| 1000.0 * turn),
        ratio(1000.0 * sum(|leg| leg.dy.abs()), sum(|leg| leg.dx.abs() + leg.dy.abs())),
    ];
    row.iter_mut().zip(taken).for_each(|(slot, taken)| *slot = code_of(taken));
    Some(row)
}

/// The seed's measure: the path over the time of the moves, in thousandths of a pixel a second.
pub(super) fn velocity_milli(points: &[MousePoint]) -> Option<u32> {
    let points = in_order(points);
    let moves: Vec<&MousePoint> = points.iter().filter(|point| point.kind == MouseKind::Move).collect();
    let px: f64 = moves
        .windows(2)
        .filter_map(|pair| Some(between(pair.first()?, pair.get(1)?)))
        .map(|leg| leg.px)
        .sum();
    let ms = moves.last()?.t_ms - moves.first()?.t_ms;
    ratio(1000.0 * px, ms).map(|px_per_s| whole(1000.0 * px_per_s))
}

fn in_order(points: &[MousePoint]) -> Vec<MousePoint> {
    let is_on_screen = |at: f64| at.abs() < OFF_SCREEN_PX;
    let mut sound: Vec<MousePoint> = points
        .iter()
        .filter(|point| point.t_ms.is_finite() && is_on_screen(point.x) && is_on_screen(point.y))
        .copied()
        .collect();
    sound.sort_by(|a, b| a.t_ms.total_cmp(&b.t_ms));
    sound
}

/// Between moves at different moments; of several at one moment the first counts.
fn legs(points: &[MousePoint]) -> Vec<Leg> {
    let mut legs = Vec::new();
    let mut moves = points.iter().filter(|point| point.kind == MouseKind::Move);
    let Some(mut before) = moves.next() else { return legs };
    for point in moves {
        let leg = between(before, point);
        if leg.ms > 0.0 {
            legs.push(leg);
            before = point;
        }
    }
    legs
}

fn between(before: &MousePoint, after: &MousePoint) -> Leg {
    let (dx, dy) = (after.x - before.x, after.y - before.y);
    Leg { dx, dy, px: length(dx, dy), ms: after.t_ms - before.t_ms }
}

/// The angle between two legs, 0 to π.
fn turn(before: &Leg, after: &Leg) -> Option<f64> {
    let cross = before.dx * after.dy - before.dy * after.dx;
    let dot = before.dx * after.dx + before.dy * after.dy;
    (before.px > 0.0 && after.px > 0.0).then(|| atan2(cross, dot).abs())
}

/// How long a button is held, down to the up that follows.
fn clicks(points: &[MousePoint]) -> Vec<f64> {
    let mut held = Vec::new();
    let mut down: Option<&MousePoint> = None;
    for point in points {
        match point.kind {
            MouseKind::Down => down = Some(point),
            MouseKind::Up => {
                let pressed = down.take().filter(|down| down.button == point.button);
                held.extend(pressed.map(|down| point.t_ms - down.t_ms).filter(|ms| *ms <= HOLD_MS_MAX));
            }
            _ => {}
        }
    }
    held
}

fn length(dx: f64, dy: f64) -> f64 {
    sqrt(dx * dx + dy * dy)
}

const LEGS_MIN: usize = 5;
const PAUSE_MS: f64 = 200.0;
const HOLD_MS_MAX: f64 = 2_000.0;
/// Shorter strokes are straight whoever makes them.
const STROKE_PX_MIN: f64 = 10.0;
/// No desktop is that wide.
const OFF_SCREEN_PX: f64 = 65_535.0;
