//! What was known before a decision: one user's events, folded again up to it.
//!
//! The facts are those that were recorded, so that nothing is looked up. What comes out at the end is
//! held against what was published: events that are missing would give another profile, and an
//! explanation by that one would be none.

use crate::engine::decode::Decoded;
use crate::engine::emit::{self, Recorded, Stored};
use crate::engine::enrich;
use crate::engine::explain::Context;
use crate::engine::policy::Policy;
use crate::engine::step::{Lifetime, Setting};
use crate::model::decision::Basis;
use crate::model::id::{Digest, Position, UserKey};
use crate::pipeline::profiles::Profiles;
use crate::pipeline::replay::{Stopped, Unknown};

/// The fold of one user's events.
#[derive(Debug)]
pub struct Rebuild<'p> {
    policies: &'p [Policy],
    lifetime: &'p Lifetime,
    profiles: Profiles,
}

/// The end of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Rebuilt {
    /// What was known, by which the same decision comes out.
    Same(Box<Context>),
    /// Another one comes out: this score.
    Other(i64),
    /// None comes out: it is a repeat, or a detector panics.
    Nothing,
}

impl<'p> Rebuild<'p> {
    /// Of nobody yet. `policies` are those that may have decided.
    #[must_use]
    pub fn new(policies: &'p [Policy], lifetime: &'p Lifetime, hash_seed: u64) -> Self {
        Self { policies, lifetime, profiles: Profiles::new(hash_seed) }
    }

    /// Folds an event of the user, for which `recorded` was published.
    ///
    /// # Errors
    /// When it was decided by a policy that is not at hand.
    pub fn fold(&mut self, decoded: Decoded<'_>, recorded: &Recorded) -> Result<(), Stopped> {
        self.step(decoded, recorded, None).map(drop)
    }

    /// Folds the event that `published` decides.
    ///
    /// # Errors
    /// As [`Self::fold`].
    pub fn end(
        mut self,
        decoded: Decoded<'_>,
        recorded: &Recorded,
        published: &Stored<'_>,
    ) -> Result<Rebuilt, Stopped> {
        self.step(decoded, recorded, Some(published))
    }

    fn step(
        &mut self,
        decoded: Decoded<'_>,
        recorded: &Recorded,
        published: Option<&Stored<'_>>,
    ) -> Result<Rebuilt, Stopped> {
        let digest = recorded.basis.policy;
        let policy = self.policies.iter().find(|policy| policy.digest == digest).ok_or(Unknown(digest))?;
        let basis = Basis {
            policy: digest,
            engine: &recorded.basis.engine,
            tables: recorded.basis.tables,
            model: recorded.basis.model,
        };
        let setting = Setting { policy, shadow: None, basis, lifetime: self.lifetime };
        let seen = enrich::with_facts(decoded.event, recorded.facts);
        let user = UserKey::new(&seen.event.tenant, &seen.event.user);
        let before = published.map(|_| self.profiles.copy(&user)).transpose()?;
        let position = Position { topic: None, partition: recorded.partition, offset: recorded.offset };
        let mut line = Vec::new();
        let _folded = self.profiles.fold(&seen, position, &setting, &mut |ruling| {
            if published.is_some() {
                emit::decision_json(&ruling.decision, Digest::ZERO, &mut line);
            }
        })?;
        let (Some(published), Some(before), Ok(made)) = (published, before, Stored::from_json(&line)) else {
            return Ok(Rebuilt::Nothing);
        };
        if !is_same(&made, published) {
            return Ok(Rebuilt::Other(made.risk_score));
        }
        // It was decided a moment ago: no detector panics on it.
        Ok(Context::of(before, &seen, &setting).map_or(Rebuilt::Nothing, |it| Rebuilt::Same(Box::new(it))))
    }
}

/// Whether what is explained of both is the same.
fn is_same(made: &Stored<'_>, published: &Stored<'_>) -> bool {
    made.decision_id == published.decision_id
        && made.risk_score == published.risk_score
        && made.reasons == published.reasons
        && made.unknown == published.unknown
        && made.history == published.history
        && made.action == published.action
}
