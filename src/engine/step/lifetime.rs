//! When a profile begins and when it ends: the same for production, files, replay and simulation.
//!
//! A profile begins with a successful login, session or access, so that whoever tries names cannot
//! fill the store; a source that is trusted to speak of real users only may begin one with any event.
//! It ends by silence, or by an erasure: somebody who comes back after that comes as a stranger.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Stage;
use crate::model::event::Event;

/// What configuration says of it. Two runs agree on their decisions only if they agree on this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// A profile whose last event is longer ago than this counts as absent.
    pub profile_ttl: Duration,
    /// Names of the sources of which any event begins a profile.
    pub creators: BTreeSet<String>,
}

/// What holds where nothing is configured.
pub static LIFETIME: Lifetime = Lifetime { profile_ttl: PROFILE_TTL, creators: BTreeSet::new() };

impl Default for Lifetime {
    fn default() -> Self {
        LIFETIME.clone()
    }
}

impl Lifetime {
    /// Whether an event of somebody unknown is remembered.
    pub(super) fn begins(&self, stage: &Stage<'_>) -> bool {
        stage.asked || !stage.seen.event.is_erasure() && self.is_creator(&stage.seen.event)
    }

    fn is_creator(&self, event: &Event<'_>) -> bool {
        event.source.as_deref().is_some_and(|source| self.creators.contains(source))
    }
}

/// A year, and room for whoever comes once a year and is late.
const PROFILE_TTL: Duration = Duration::from_secs(400 * 86_400);
