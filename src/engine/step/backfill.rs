//! A log of before, learned: how its decisions say so.
//!
//! The mark is build metadata of the engine's name in `basis`, as semantic versions have it: the same
//! engine, told to act on nothing. So a backfilled event has another decision id than a live one, and
//! decisions need no other schema: one would change the bytes under every chain.

use crate::model::decision::Basis;
use crate::model::event::Event;

/// What `basis.engine` of a backfilled event ends with.
pub const MARK: &str = "+backfill";

pub(super) fn basis<'p>(event: &Event<'_>, basis: Basis<'p>) -> Basis<'p> {
    // A replay takes over the name that was recorded, mark and all.
    if !event.backfill || basis.engine.ends_with(MARK) {
        return basis;
    }
    Basis { engine: crate::engine::BACKFILLING, ..basis }
}
