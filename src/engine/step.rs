//! The fold: one observation and a profile to a ruling and the next profile.

use crate::engine::baseline::{Part, Profile};
use crate::engine::policy::Policy;
use crate::model::decision::{Basis, Ruling};
use crate::model::id::Position;
use crate::model::observation::Observation;

/// What a step rests on beside the event and the profile; the same for a whole unit.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'p> {
    pub policy: &'p Policy,
    pub basis: Basis<'p>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Stepped<'a> {
    /// Seen before: no decision, nothing learned; only the mark moves.
    Duplicate,
    /// Nothing was done: this part must be loaded first, see [`Profile::needs`].
    Missing(Part),
    Decided(Box<Ruling<'a>>),
}

/// Decides `seen` on `profile` and learns what may be learned, in place.
pub fn step<'a>(
    _profile: &mut Profile,
    _seen: &'a Observation<'a>,
    _position: Position<'a>,
    _setting: &Setting<'a>,
) -> Stepped<'a> {
    Stepped::Duplicate
}
