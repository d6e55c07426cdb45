//! What batches say, and what is said of them. Golden rows come from another implementation.

use std::time::Duration;

use super::*;
use crate::model::event::{KeyPress, MousePoint, TouchPoint};
use crate::model::{MouseKind, TouchPhase};

/// `p 0 95.5`: key, down, up.
fn keyboard(text: &str) -> Vec<KeyPress<'_>> {
    rows(text)
        .map(|[key, down, up]| KeyPress {
            key: key.into(),
            down_ms: down.parse().unwrap(),
            up_ms: up.parse().unwrap(),
        })
        .collect()
}

/// `move 0 100 100`: kind, time, x, y.
fn mouse(text: &str) -> Vec<MousePoint> {
    let point = |words: [&str; 4]| {
        let [kind, t_ms, x, y] = words;
        MousePoint {
            t_ms: t_ms.parse().unwrap(),
            x: x.parse().unwrap(),
            y: y.parse().unwrap(),
            kind: MouseKind::parse(kind).unwrap(),
            button: None,
        }
    };
    rows(text).map(point).collect()
}

/// `start 0 100 500 0.4 0.1`: phase, time, x, y, pressure, size.
fn touch(text: &str) -> Vec<TouchPoint> {
    let point = |words: [&str; 6]| {
        let [phase, t_ms, x, y, pressure, size] = words;
        TouchPoint {
            t_ms: t_ms.parse().unwrap(),
            x: x.parse().unwrap(),
            y: y.parse().unwrap(),
            pressure: pressure.parse().ok(),
            size: size.parse().ok(),
            phase: TouchPhase::parse(phase).unwrap(),
        }
    };
    rows(text).map(point).collect()
}

fn rows<const N: usize>(text: &str) -> impl Iterator<Item = [&str; N]> {
    text.split(',').filter(|row| !row.trim().is_empty()).map(|row| {
        let words: Vec<&str> = row.split_whitespace().collect();
        words.try_into().unwrap()
    })
}

fn at(minutes: u64) -> Timestamp {
    Timestamp::EPOCH.plus(Duration::from_mins(minutes))
}

#[derive(Default)]
struct User {
    keystroke: Option<Keystroke>,
    mouse: Option<Mouse>,
    touch: Option<Touch>,
}

impl User {
    fn parts(&mut self) -> Parts<'_> {
        Parts { keystroke: &mut self.keystroke, mouse: &mut self.mouse, touch: &mut self.touch }
    }
}

const TYPED: &str = "p 0 95.5, a 140 230, s 300.5 401, s 455 540, w 700 810.25, d 790 900";
const MOVED: &str =
    "move 0 100 100, move 16 110 104, move 32 130 112, move 48 160 125, move 64 180 130, move 80 186 131,
    down 400 186 131, up 486 186 131, move 700 180 150, move 716 170 180, move 732 150 220, move 748 140 240";
const TOUCHED: &str =
    "start 0 100 500 0.4 0.1, move 20 102 460 0.45 0.12, move 45 105 400 0.5 0.12, end 60 106 380 0.3 0.1,
    start 800 200 200 0.35 0.1, end 870 201 200 0.35 0.1,
    start 1200 100 500 0.4 0.11, move 1240 104 420 0.5 0.12, end 1290 110 340 0.2 0.1";

#[test]
fn rows_are_those_of_another_implementation() {
    let behavior =
        Behavior { context: None, keyboard: keyboard(TYPED), mouse: mouse(MOVED), touch: touch(TOUCHED) };
    let features = features(&behavior);
    let keys = [
        153, 87, 167, 134, 164, 168, 162, 192, 0, 0, 0, 0, 0, 0, 152, 0, 151, 0, 157, 155, 0, 0, 167, 0, 0,
        0, 173, 0, 0, 0, 168, 151,
    ];
    assert_eq!(features.keystroke, Some(keys));
    assert_eq!(features.mouse, Some([144, 189, 201, 114, 186, 195, 133, 102, 200, 150, 121, 166, 181]));
    assert_eq!(features.touch, Some([126, 144, 199, 200, 173, 132, 136, 68, 200, 182, 144, 89]));
    assert_eq!(features.velocity_milli, Some(281_196));
    assert!(!features.is_uneven);
}

#[test]
fn order_of_points_does_not_matter() {
    let mut shuffled = Behavior { mouse: mouse(MOVED), keyboard: keyboard(TYPED), ..Behavior::default() };
    let ordered = features(&shuffled);
    shuffled.mouse.reverse();
    shuffled.keyboard.reverse();
    assert_eq!(features(&shuffled), ordered);
}

#[track_caller]
fn check_uneven(text: &str, expected: bool) {
    let typed = Behavior { keyboard: keyboard(text), ..Behavior::default() };
    assert_eq!(features(&typed).is_uneven, expected);
}

#[test]
fn uneven_is_a_variance_above_three_tenths_of_the_squared_mean() {
    check_uneven("", false);
    check_uneven("a 0 50", false);
    check_uneven("a 0 50, b 100 150", false);
    check_uneven("a 0 50, b 100 150, c 200 250, d 300 350", false);
    // 100 and 300: mean 200, variance 10,000, ratio 0.25.
    check_uneven("a 0 50, b 100 150, c 400 450", false);
    // 100 and 400: mean 250, variance 22,500, ratio 0.36.
    check_uneven("a 0 50, b 100 150, c 500 550", true);
    // All at once: no mean to compare with.
    check_uneven("a 5 50, b 5 50, c 5 50", false);
}

#[track_caller]
fn check_velocity(text: &str, expected: Option<u32>) {
    let moved = Behavior { mouse: mouse(text), ..Behavior::default() };
    assert_eq!(features(&moved).velocity_milli, expected);
}

#[test]
fn velocity_is_the_path_over_the_time_of_the_moves() {
    check_velocity("", None);
    check_velocity("move 0 0 0", None);
    check_velocity("move 0 0 0, move 1000 300 400", Some(500_000));
    check_velocity("move 0 0 0, move 500 300 400, move 1000 0 0", Some(1_000_000));
    check_velocity("move 0 0 0, down 900 7 7, move 1000 300 400, up 9000 0 0", Some(500_000));
    check_velocity("move 0 5 5, move 1000 5 5", Some(0));
    check_velocity("move 7 0 0, move 7 300 400", None);
    check_velocity("move 0 0 0, move 500 65535 65535, move 1000 300 400", Some(500_000));
}

#[test]
fn the_verdict_is_fast_or_uneven_and_ends_at_25() {
    #[track_caller]
    fn check(user: &mut User, typed: &str, moved: &str, expected: u8) {
        let batch = Behavior { keyboard: keyboard(typed), mouse: mouse(moved), ..Behavior::default() };
        let said = verdict(&features(&batch), &user.parts());
        assert_eq!(
            (said.risk_score, said.anomaly_detected, said.recommended_action),
            (expected, false, Action::Allow)
        );
    }
    const UNEVEN: &str = "a 0 50, b 100 150, c 500 550";
    let (slow, fast) = ("move 0 0 0, move 1000 300 400", "move 0 0 0, move 999 300 400");
    let mut user = User::default();
    check(&mut user, "", fast, 0);
    check(&mut user, UNEVEN, fast, 15);
    let slow_batch = Behavior { mouse: mouse(slow), ..Behavior::default() };
    learn(&features(&slow_batch), at(0), &mut user.parts());
    check(&mut user, "", slow, 0);
    check(&mut user, "", fast, 10);
    check(&mut user, UNEVEN, fast, 25);
    check(&mut user, UNEVEN, "", 15);
}

/// A user who types `hold` and `flight` milliseconds, with a little of both.
fn typed(hold: f64, flight: f64, seed: u32) -> Behavior<'static> {
    let noise = |at: u32| f64::from((seed * 7 + at * 13) % 11) - 5.0;
    let keys = ["k1", "k2", "k3", "k4", "k5", "k1", "k3", "k6"];
    let keyboard = (0_u32..).zip(keys).map(|(n, key)| {
        let down_ms = f64::from(n) * flight + noise(n);
        KeyPress { key: key.into(), down_ms, up_ms: down_ms + hold + noise(n + 5) }
    });
    Behavior { keyboard: keyboard.collect(), ..Behavior::default() }
}

#[test]
fn a_stranger_is_far_from_the_users_own_and_the_user_is_not() {
    let mut user = User::default();
    assert_eq!(judge(&features(&typed(90.0, 200.0, 0)), at(0), &mut user.parts()), Judged::default());
    for day in 0..12 {
        let own = features(&typed(90.0, 200.0, day));
        let judged = judge(&own, at(1440 * u64::from(day)), &mut user.parts());
        assert_eq!(judged.learned, day);
        assert_eq!(judged.features == 0, day < 5, "day {day}: {judged:?}");
        assert!(judged.deviation_centi <= 200, "day {day}: {judged:?}");
        learn(&own, at(1440 * u64::from(day)), &mut user.parts());
    }
    let stranger = features(&typed(130.0, 140.0, 3));
    let judged = judge(&stranger, at(20_000), &mut user.parts());
    assert_eq!((judged.batches, judged.learned), (1, 12));
    assert!(judged.deviation_centi > 200, "{judged:?}");
    assert!(judge(&features(&typed(90.0, 200.0, 5)), at(30_000), &mut user.parts()).deviation_centi <= 200);
}

#[test]
fn what_is_not_learned_leaves_the_baseline_alone() {
    let mut user = User::default();
    for day in 0..6 {
        learn(&features(&typed(90.0, 200.0, day)), at(1440 * u64::from(day)), &mut user.parts());
    }
    for minute in 0..50 {
        judge(&features(&typed(130.0, 140.0, 1)), at(10_000 + minute), &mut user.parts());
    }
    let own = judge(&features(&typed(90.0, 200.0, 3)), at(20_000), &mut user.parts());
    assert!(own.deviation_centi <= 200, "{own:?}");
}

#[test]
fn parts_return_to_an_older_self() {
    let mut user = User::default();
    for day in 0..20 {
        learn(&features(&typed(90.0, 200.0, day)), at(1440 * u64::from(day)), &mut user.parts());
    }
    let part = user.keystroke.unwrap();
    let old = part.as_of(at(1440 * 17)).unwrap();
    assert_ne!(old, part);
    assert_eq!(old.as_of(at(1440 * 17)).as_ref(), Some(&old));
    assert_eq!(part.as_of(at(0)), None);
    let mut bytes = Vec::new();
    part.encode(&mut bytes);
    assert!(bytes.len() <= 2048);
    assert_eq!(Keystroke::decode(&bytes), Ok(part));
}

proptest::proptest! {
    /// Times that run backwards, points at one moment, numbers of any size.
    #[test]
    fn garbage_is_measured_or_not(
        keys in proptest::collection::vec((0_usize..4, proptest::num::f64::ANY, proptest::num::f64::ANY), 0..40),
        points in proptest::collection::vec((0_usize..5, proptest::num::f64::ANY, -70_000.0..70_000.0_f64, proptest::num::f64::ANY), 0..40),
        same in proptest::bool::ANY,
    ) {
        let time = |t_ms: f64| if same { 5.0 } else { t_ms };
        let batch = Behavior {
            context: None,
            keyboard: keys
                .iter()
                .map(|(key, down, up)| KeyPress { key: ["a", "b", "c", ""][*key].into(), down_ms: time(*down), up_ms: *up })
                .collect(),
            mouse: points
                .iter()
                .map(|(kind, t, x, y)| MousePoint { t_ms: time(*t), x: *x, y: *y, kind: MouseKind::ALL[*kind], button: None })
                .collect(),
            touch: points
                .iter()
                .map(|(phase, t, x, y)| TouchPoint {
                    t_ms: time(*t), x: *x, y: *y, pressure: Some(*y), size: None, phase: TouchPhase::ALL[*phase],
                })
                .collect(),
        };
        let measured = features(&batch);
        let mut user = User::default();
        for minute in 0..8 {
            learn(&measured, at(minute), &mut user.parts());
        }
        let judged = judge(&measured, at(9), &mut user.parts());
        // The same as ever is never unusual.
        proptest::prop_assert_eq!(judged.deviation_centi, 0);
        proptest::prop_assert!(verdict(&measured, &user.parts()).risk_score <= 15);
    }
}
