//! When a profile begins and when it ends: the same for production, files, replay and simulation.
//!
//! A profile begins with a successful login, session or access, so that whoever tries names cannot
//! fill the store; a source that is trusted to speak of real users only may begin one with any event.
//! It ends by silence, or by an erasure: somebody who comes back after that comes as a stranger.
//!
//! Two runs agree on their decisions only if they agree on this. So what differs from the defaults is
//! named in `basis.engine`, by its digest, as build metadata of the engine's revision.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use super::Stage;
use crate::engine::{BACKFILLING, REVISION};
use crate::model::event::Event;

/// What configuration says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembering {
    /// A profile whose last event is longer ago than this counts as absent.
    pub profile_ttl: Duration,
    /// Names of the sources of which any event begins a profile.
    pub creators: BTreeSet<String>,
}

impl Default for Remembering {
    fn default() -> Self {
        LIFETIME.remembering.clone()
    }
}

/// The same, with the names that the engine has under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifetime {
    remembering: Remembering,
    engine: Cow<'static, str>,
    backfilling: Cow<'static, str>,
}

/// What holds where nothing is configured.
pub static LIFETIME: Lifetime = Lifetime {
    remembering: Remembering { profile_ttl: PROFILE_TTL, creators: BTreeSet::new() },
    engine: Cow::Borrowed(REVISION),
    backfilling: Cow::Borrowed(BACKFILLING),
};

impl Default for Lifetime {
    fn default() -> Self {
        LIFETIME.clone()
    }
}

impl Lifetime {
    #[must_use]
    pub fn of(remembering: Remembering) -> Self {
        if remembering == LIFETIME.remembering {
            return LIFETIME.clone();
        }
        let digest = digest(&remembering);
        let engine = format!("{REVISION}+lifetime.{digest}");
        let backfilling = format!("{engine}.{BACKFILL}");
        Self { remembering, engine: Cow::Owned(engine), backfilling: Cow::Owned(backfilling) }
    }

    /// What `basis.engine` is.
    #[must_use]
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// The same, for an event that is a backfill.
    pub(super) fn backfilling(&self) -> &str {
        &self.backfilling
    }

    pub(super) const fn profile_ttl(&self) -> Duration {
        self.remembering.profile_ttl
    }

    /// Whether an event of somebody unknown is remembered.
    pub(super) fn begins(&self, stage: &Stage<'_>) -> bool {
        stage.asked || !stage.seen.event.is_erasure() && self.is_creator(&stage.seen.event)
    }

    fn is_creator(&self, event: &Event<'_>) -> bool {
        event.source.as_deref().is_some_and(|source| self.remembering.creators.contains(source))
    }
}

/// Eight hex digits over what is configured: enough to tell two configurations apart, not to prove one.
fn digest(remembering: &Remembering) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&remembering.profile_ttl.as_secs().to_be_bytes());
    for creator in &remembering.creators {
        hasher.update(&creator.len().to_be_bytes());
        hasher.update(creator.as_bytes());
    }
    let mut text = hasher.finalize().to_hex().to_string();
    text.truncate(8);
    text
}

/// What `basis.engine` of a backfilled event ends with.
pub const BACKFILL: &str = "backfill";

/// A year, and room for whoever comes once a year and is late.
const PROFILE_TTL: Duration = Duration::from_secs(400 * 86_400);
