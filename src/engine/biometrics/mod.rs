//! Behaviour: keystroke, mouse and touch features, and the seed's own analysis of them.
//!
//! A batch of input dynamics becomes a row of measures a modality ([`features`]), is compared with
//! the rows that this user taught ([`judge`]) and may teach its own ([`learn`]). Beside that stands
//! [`verdict`], the seed's analysis: a sum of its own that enters no risk score.
//!
//! Silent where there is nothing to compare: fewer than 5 learned batches, too few presses or points.

mod habit;
mod keystroke;
mod mouse;
mod scale;
mod stats;
mod touch;

use crate::engine::baseline::codec::Error;
use crate::engine::baseline::marks::Judged;
use crate::engine::number::whole;
use crate::model::Action;
use crate::model::decision::BehaviorVerdict;
use crate::model::event::Behavior;
use crate::model::time::Timestamp;
use habit::{Habit, Row, Terms};

/// What one batch says, computed once a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    keystroke: Option<Row<{ keystroke::FEATURES }>>,
    mouse: Option<Row<{ mouse::FEATURES }>>,
    touch: Option<Row<{ touch::FEATURES }>>,
    /// Of the seed: keys follow each other unevenly.
    is_uneven: bool,
    /// Of the seed: thousandths of a pixel a second.
    velocity_milli: Option<u32>,
}

/// The parts that a behaviour event compares with and teaches. `None`: the user has none yet.
#[derive(Debug)]
pub struct Parts<'p> {
    pub keystroke: &'p mut Option<Keystroke>,
    pub mouse: &'p mut Option<Mouse>,
    pub touch: &'p mut Option<Touch>,
}

#[must_use]
pub fn features(behavior: &Behavior<'_>) -> Features {
    Features {
        keystroke: keystroke::measure(&behavior.keyboard),
        mouse: mouse::measure(&behavior.mouse),
        touch: touch::measure(&behavior.touch),
        is_uneven: keystroke::is_uneven(&behavior.keyboard),
        velocity_milli: mouse::velocity_milli(&behavior.mouse),
    }
}

/// The seed's verdict on one batch. It cannot exceed 25, so it never asks for a challenge: the
/// seed's own numbers, kept as they are.
#[must_use]
pub fn verdict(features: &Features, parts: &Parts<'_>) -> BehaviorVerdict {
    let baseline = parts.mouse.as_ref().map(|mouse| mouse.0.tally()).filter(|tally| tally.count > 0);
    let is_fast = baseline.zip(features.velocity_milli).is_some_and(|(tally, velocity)| {
        u128::from(velocity) * u128::from(tally.count) > u128::from(tally.sum)
    });
    let fast = if is_fast { VELOCITY_POINTS } else { 0 };
    let uneven = if features.is_uneven { UNEVEN_POINTS } else { 0 };
    let risk_score = fast + uneven;
    BehaviorVerdict {
        risk_score,
        anomaly_detected: risk_score > ANOMALY_ABOVE,
        recommended_action: if risk_score > CHALLENGE_ABOVE { Action::Challenge } else { Action::Allow },
    }
}

/// Remembers the batch among the last 3 (learned or not) and says how far those are from the
/// user's own: the mean of |x − median| ÷ MAD over the features.
pub fn judge(features: &Features, at: Timestamp, parts: &mut Parts<'_>) -> Judged {
    let mut terms = Terms::default();
    if let (Some(row), Some(own)) = (&features.keystroke, parts.keystroke.as_mut()) {
        look(&mut own.0, row, at, &mut terms);
    }
    if let (Some(row), Some(own)) = (&features.mouse, parts.mouse.as_mut()) {
        look(&mut own.0, row, at, &mut terms);
    }
    if let (Some(row), Some(own)) = (&features.touch, parts.touch.as_mut()) {
        look(&mut own.0, row, at, &mut terms);
    }
    let mean = if terms.count > 0 { terms.sum / f64::from(terms.count) } else { 0.0 };
    Judged {
        batches: terms.batches,
        learned: terms.learned,
        deviation_centi: whole(100.0 * mean),
        features: terms.features,
    }
}

fn look<const F: usize>(own: &mut Habit<F>, row: &Row<F>, at: Timestamp, terms: &mut Terms) {
    own.see(row, at);
    own.compare(terms);
}

/// Learns the batch: called after [`judge`], when the session may teach.
pub fn learn(features: &Features, at: Timestamp, parts: &mut Parts<'_>) {
    if let Some(row) = &features.keystroke {
        parts.keystroke.get_or_insert_default().0.learn(Some(row), None, at);
    }
    // The seed's mean is over every learned batch, one too short for measures included.
    if features.mouse.is_some() || features.velocity_milli.is_some() {
        let own = parts.mouse.get_or_insert_default();
        own.0.learn(features.mouse.as_ref(), features.velocity_milli, at);
    }
    if let Some(row) = &features.touch {
        parts.touch.get_or_insert_default().0.learn(Some(row), None, at);
    }
}

macro_rules! part {
    ($(#[$doc:meta])* $name:ident, $features:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name(Habit<{ $features }>);

        impl $name {
            pub fn encode(&self, out: &mut Vec<u8>) {
                self.0.encode(out);
            }

            pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
                Habit::decode(bytes).map(Self)
            }

            /// Batches learned.
            #[must_use]
            pub const fn batches(&self) -> u32 {
                self.0.learned()
            }

            /// The newest self that learned nothing at or after `before`: what un-learning returns to.
            #[must_use]
            pub fn as_of(&self, before: Timestamp) -> Option<Self> {
                self.0.as_of(before).map(Self)
            }
        }
    };
}

part! {
    /// How a user types. At most 2 KiB, older selves included.
    Keystroke, keystroke::FEATURES
}
part! {
    /// How a user moves a mouse. At most 2 KiB, older selves included.
    Mouse, mouse::FEATURES
}
part! {
    /// How a user touches. At most 2 KiB, older selves included.
    Touch, touch::FEATURES
}

const VELOCITY_POINTS: u8 = 10;
const UNEVEN_POINTS: u8 = 15;
const ANOMALY_ABOVE: u8 = 30;
const CHALLENGE_ABOVE: u8 = 50;

#[cfg(test)]
mod tests;
