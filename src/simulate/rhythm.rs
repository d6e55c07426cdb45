//! How somebody types, moves a mouse and swipes: a rhythm of their own, and the noise of a day.

use std::borrow::Cow;

use super::day::Gesture;
use super::dice::Dice;
use super::world::spread;
use crate::engine::number;
use crate::model::event::{Behavior, KeyPress, MousePoint, TouchPoint};
use crate::model::{MouseKind, TouchPhase};

/// One batch by `hand`. `secret` is the password's owner: a thief types the same keys.
pub(super) fn batch(hand: u64, secret: u64, gesture: Gesture, dice: &mut Dice) -> Behavior<'static> {
    match gesture {
        Gesture::TypePassword => {
            let keyboard = keys(hand, secret, dice);
            Behavior { context: Some(Cow::Borrowed("password")), keyboard, ..Behavior::default() }
        }
        Gesture::Mouse => {
            Behavior { context: Some(Cow::Borrowed("page")), mouse: path(hand, dice), ..Behavior::default() }
        }
        Gesture::Touch => Behavior {
            context: Some(Cow::Borrowed("page")),
            touch: stroke(hand, dice),
            ..Behavior::default()
        },
    }
}

fn keys(hand: u64, secret: u64, dice: &mut Dice) -> Vec<KeyPress<'static>> {
    let length = 9 + secret % 6;
    let hold = trait_of(hand, 1, 70.0, 135.0);
    let flight = trait_of(hand, 2, 120.0, 320.0);
    let unsteady = trait_of(hand, 3, 0.07, 0.13);
    let tempo = 1.0 + 0.05 * dice.normal();
    let mut at = 0.0;
    let mut keys = Vec::with_capacity(14);
    for place in 0..length {
        let label = spread(secret ^ place << 8) % 40;
        let held = hold * trait_of(hand, 100 + label, 0.8, 1.25) * tempo * (1.0 + unsteady * dice.normal());
        keys.push(KeyPress {
            key: Cow::Owned(format!("k{label}")),
            down_ms: tenth(at),
            up_ms: tenth(at + held.max(15.0)),
        });
        let to_next = flight * trait_of(hand, 300 + place, 0.65, 1.5);
        at += (to_next * tempo * (1.0 + unsteady * dice.normal())).max(20.0);
    }
    keys
}

/// From somewhere to somewhere in a bow, fast in the middle, then a click.
fn path(hand: u64, dice: &mut Dice) -> Vec<MousePoint> {
    let speed = trait_of(hand, 4, 350.0, 1_100.0) * (1.0 + 0.08 * dice.normal());
    let bow = trait_of(hand, 5, -0.25, 0.25) + 0.03 * dice.normal();
    let unsteady = trait_of(hand, 6, 0.4, 2.5);
    let from = (100.0 + 800.0 * dice.unit(), 100.0 + 500.0 * dice.unit());
    let turn = std::f64::consts::TAU * dice.unit();
    let far = 250.0 + 350.0 * dice.unit();
    let (dx, dy) = (far * number::cos(turn), far * number::sin(turn));
    let steps = number::whole(far / speed * 1000.0 / POINT_MS).clamp(8, 120);
    let mut points = Vec::with_capacity(steps as usize + 3);
    let mut at = 0.0;
    for step in 0..=steps {
        let part = f64::from(step) / f64::from(steps);
        let eased = part * part * (3.0 - 2.0 * part);
        let aside = bow * 4.0 * part * (1.0 - part);
        let x = from.0 + dx * eased - dy * aside + unsteady * dice.normal();
        let y = from.1 + dy * eased + dx * aside + unsteady * dice.normal();
        points.push(MousePoint {
            t_ms: tenth(at),
            x: x.round(),
            y: y.round(),
            kind: MouseKind::Move,
            button: None,
        });
        at += POINT_MS + 0.6 * dice.normal();
    }
    let (x, y) = points.last().map_or(from, |last| (last.x, last.y));
    let pause = trait_of(hand, 7, 60.0, 260.0) * (1.0 + 0.1 * dice.normal());
    let held = trait_of(hand, 8, 60.0, 130.0) * (1.0 + 0.1 * dice.normal());
    for (t_ms, kind) in [(at + pause, MouseKind::Down), (at + pause + held, MouseKind::Up)] {
        points.push(MousePoint { t_ms: tenth(t_ms), x, y, kind, button: Some(0) });
    }
    points
}

fn stroke(hand: u64, dice: &mut Dice) -> Vec<TouchPoint> {
    let speed = trait_of(hand, 9, 600.0, 1_800.0) * (1.0 + 0.08 * dice.normal());
    let pressure = trait_of(hand, 10, 0.25, 0.75) * (1.0 + 0.05 * dice.normal());
    let size = trait_of(hand, 11, 0.04, 0.16) * (1.0 + 0.05 * dice.normal());
    let lean = trait_of(hand, 12, -0.3, 0.3) + 0.04 * dice.normal();
    let far = 350.0 + 200.0 * dice.unit();
    let (x, y) = (150.0 + 100.0 * dice.unit(), 650.0 + 80.0 * dice.unit());
    let steps = number::whole(far / speed * 1000.0 / POINT_MS).clamp(6, 60);
    (0..=steps)
        .map(|step| {
            let part = f64::from(step) / f64::from(steps);
            let phase = match step {
                0 => TouchPhase::Start,
                _ if step == steps => TouchPhase::End,
                _ => TouchPhase::Move,
            };
            TouchPoint {
                t_ms: tenth(f64::from(step) * POINT_MS),
                x: (x + lean * far * part + dice.normal()).round(),
                y: (y - far * part + dice.normal()).round(),
                pressure: Some(hundredth(pressure * (1.0 + 0.04 * dice.normal()))),
                size: Some(hundredth(size * (1.0 + 0.04 * dice.normal()))),
                phase,
            }
        })
        .collect()
}

/// A number that is this hand's for good, between `least` and `most`.
fn trait_of(hand: u64, which: u64, least: f64, most: f64) -> f64 {
    let part = u32::try_from(spread(hand ^ spread(which)) >> 32).unwrap_or(0);
    least + (most - least) * f64::from(part) / f64::from(u32::MAX)
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn hundredth(value: f64) -> f64 {
    (value.clamp(0.01, 1.0) * 100.0).round() / 100.0
}

/// A pointer is sampled once a frame.
const POINT_MS: f64 = 16.0;

#[cfg(test)]
mod tests {
    use super::super::dice::Purpose;
    use super::*;

    fn dice(index: u64) -> Dice {
        Dice::new(1, 1, Purpose::Behavior, index)
    }

    #[test]
    fn keys_are_the_secrets_and_the_rhythm_is_the_hands() {
        let labels = |hand, index| {
            let batch = batch(hand, 77, Gesture::TypePassword, &mut dice(index));
            batch.keyboard.iter().map(|key| key.key.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(labels(1, 1), labels(2, 9));
        let length = |hand, index| {
            batch(hand, 77, Gesture::TypePassword, &mut dice(index))
                .keyboard
                .last()
                .map_or(0.0, |key| key.down_ms)
        };
        assert!((length(1, 1) / length(1, 2) - 1.0).abs() < 0.25);
    }

    #[test]
    fn time_moves_forward() {
        for index in 0..50 {
            let typed = batch(5, 5, Gesture::TypePassword, &mut dice(index)).keyboard;
            assert!(typed.is_sorted_by(|a, b| a.down_ms < b.down_ms));
            assert!(typed.iter().all(|key| key.up_ms > key.down_ms));
            let moved = batch(5, 5, Gesture::Mouse, &mut dice(index)).mouse;
            assert!(moved.is_sorted_by(|a, b| a.t_ms < b.t_ms) && moved.len() < 200);
            let swiped = batch(5, 5, Gesture::Touch, &mut dice(index)).touch;
            assert!(swiped.is_sorted_by(|a, b| a.t_ms < b.t_ms) && swiped.len() < 100);
        }
    }
}
