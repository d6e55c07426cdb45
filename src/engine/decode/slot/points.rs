//! The points of a behaviour batch: checked one by one, as they are read.

use std::borrow::Cow;

use serde::de::{Deserializer, IgnoredAny};

use super::{
    Fields, Item, KeyPress, ListVisitor, Meter, MouseKind, MousePoint, Slot, TouchPhase, TouchPoint,
};
use crate::engine::decode::limit;
use crate::engine::decode::wire::Text;
use crate::model::Reject;

macro_rules! point {
    ($raw:ident<$a:lifetime> for $point:ty, $expected:literal { $($field:ident : $type:ty = $key:literal),+ } $check:expr) => {
        record! { $raw<$a> { $($field: $type = $key),+ } }

        impl<$a> Item<$a> for $point {
            type List = Vec<Self>;
            const EXPECTED: &'static str = $expected;

            fn push<D: Deserializer<$a>>(list: &mut Vec<Self>, from: D, meter: &mut Meter) -> Result<(), D::Error> {
                if !meter.point() {
                    return from.deserialize_ignored_any(IgnoredAny).map(|_| ());
                }
                let mut raw = $raw::default();
                from.deserialize_map(Fields { into: &mut raw, meter: &mut *meter, outer: false })?;
                let check: fn($raw<$a>, &mut Meter) -> Option<Self> = $check;
                list.extend(check(raw, meter));
                Ok(())
            }
        }
        list!(Vec<$point>, $point);
    };
}

point! {
    RawKey<'a> for KeyPress<'a>, "a list of key presses" { key: Text<'a> = "key", down_ms: Option<f64> = "down_ms", up_ms: Option<f64> = "up_ms" }
    |raw, meter| {
        let key = raw.key.unwrap_or(Cow::Borrowed(""));
        if key.len() > limit::NAME_BYTES_MAX {
            meter.inner = "key";
            meter.refuse(Reject::BadValue, &format!("is {} bytes long, at most {} are taken", key.len(), limit::NAME_BYTES_MAX));
        }
        Some(KeyPress {
            key,
            down_ms: within(raw.down_ms, "down_ms", limit::T_MS_MAX, meter)?,
            up_ms: within(raw.up_ms, "up_ms", limit::T_MS_MAX, meter)?,
        })
    }
}

point! {
    RawMouse<'a> for MousePoint, "a list of mouse points" {
        t_ms: Option<f64> = "t_ms", x: Option<f64> = "x", y: Option<f64> = "y", kind: Option<MouseKind> = "kind", button: Option<f64> = "button"
    }
    |raw, meter| {
        let button = optional(raw.button, "button", limit::BUTTON_MAX, meter);
        Some(MousePoint {
            t_ms: within(raw.t_ms, "t_ms", limit::T_MS_MAX, meter)?,
            x: within(raw.x, "x", limit::PIXELS_MAX, meter)?,
            y: within(raw.y, "y", limit::PIXELS_MAX, meter)?,
            kind: raw.kind.unwrap_or(MouseKind::Move),
            button: button.map(whole),
        })
    }
}

point! {
    RawTouch<'a> for TouchPoint, "a list of touch points" {
        t_ms: Option<f64> = "t_ms", x: Option<f64> = "x", y: Option<f64> = "y", pressure: Option<f64> = "pressure", size: Option<f64> = "size", phase: Option<TouchPhase> = "phase"
    }
    |raw, meter| {
        Some(TouchPoint {
            t_ms: within(raw.t_ms, "t_ms", limit::T_MS_MAX, meter)?,
            x: within(raw.x, "x", limit::PIXELS_MAX, meter)?,
            y: within(raw.y, "y", limit::PIXELS_MAX, meter)?,
            pressure: optional(raw.pressure, "pressure", limit::TOUCH_MAX, meter),
            size: optional(raw.size, "size", limit::TOUCH_MAX, meter),
            phase: raw.phase.unwrap_or(TouchPhase::Move),
        })
    }
}

/// A number that a point cannot do without, within `-max..=max`.
fn within(number: Option<f64>, field: &'static str, max: f64, meter: &mut Meter) -> Option<f64> {
    match number {
        Some(number) if number.abs() <= max => Some(number),
        Some(number) => {
            meter.inner = field;
            meter.refuse(Reject::BadValue, &format!("is `{number}`, expected -{max} to {max}"));
            None
        }
        None => {
            meter.inner = field;
            meter.refuse(Reject::MissingField, "is missing");
            None
        }
    }
}

fn optional(number: Option<f64>, field: &'static str, max: f64, meter: &mut Meter) -> Option<f64> {
    number.and_then(|number| within(Some(number), field, max, meter))
}

#[expect(clippy::cast_possible_truncation, reason = "within BUTTON_MAX by the check before")]
fn whole(number: f64) -> i32 {
    number as i32
}
