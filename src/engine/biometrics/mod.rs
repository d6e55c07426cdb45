//! Behaviour: keystroke, mouse and touch features, and the seed's own analysis of them.

use crate::engine::baseline::codec::Error;
use crate::engine::baseline::marks::Judged;
use crate::model::decision::BehaviorVerdict;
use crate::model::event::Behavior;
use crate::model::time::Timestamp;

/// What one batch says, computed once a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {}

/// How a user types. At most 2 KiB, two older selves included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Keystroke {}

/// How a user moves a mouse. At most 2 KiB, two older selves included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mouse {}

/// How a user touches. At most 2 KiB, two older selves included.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Touch {}

/// The parts that a behaviour event compares with and teaches. `None`: the user has none yet.
#[derive(Debug)]
pub struct Parts<'p> {
    pub keystroke: &'p mut Option<Keystroke>,
    pub mouse: &'p mut Option<Mouse>,
    pub touch: &'p mut Option<Touch>,
}

pub fn features(_behavior: &Behavior<'_>) -> Features {
    Features {}
}

/// The seed's verdict on one batch.
pub fn verdict(_features: &Features, _parts: &Parts<'_>) -> BehaviorVerdict {
    BehaviorVerdict {
        risk_score: 0,
        anomaly_detected: false,
        recommended_action: crate::model::Action::Allow,
    }
}

/// Remembers the batch among the last 3 (learned or not) and says how far those are from the
/// user's own.
pub fn judge(_features: &Features, _at: Timestamp, _parts: &mut Parts<'_>) -> Judged {
    Judged::default()
}

/// Learns the batch: called after [`judge`], when the session may teach.
pub fn learn(_features: &Features, _at: Timestamp, _parts: &mut Parts<'_>) {}

impl Keystroke {
    pub fn encode(&self, _out: &mut Vec<u8>) {}

    pub fn decode(_bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self {})
    }
}

impl Mouse {
    pub fn encode(&self, _out: &mut Vec<u8>) {}

    pub fn decode(_bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self {})
    }
}

impl Touch {
    pub fn encode(&self, _out: &mut Vec<u8>) {}

    pub fn decode(_bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self {})
    }
}
