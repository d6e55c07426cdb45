//! A log of before, learned: how its decisions say so.
//!
//! The mark is build metadata of the engine's name in `basis`, as semantic versions have it: the same
//! engine, told to act on nothing. So a backfilled event has another decision id than a live one, and
//! decisions need no other schema: one would change the bytes under every chain.

use super::{BACKFILL, Setting};
use crate::model::decision::Basis;
use crate::model::event::Event;

pub(super) fn basis<'p>(event: &Event<'_>, setting: &Setting<'p>) -> Basis<'p> {
    let basis = setting.basis;
    // A replay takes over the name that was recorded, mark and all.
    if !event.backfill || basis.engine.ends_with(BACKFILL) {
        return basis;
    }
    Basis { engine: setting.lifetime.backfilling(), ..basis }
}
