//! One user's profile as the store has it: bytes by part, loaded before a step and written after.

use std::collections::BTreeMap;

use wardstream::engine::REVISION;
use wardstream::engine::baseline::{Part, Profile, profile};
use wardstream::engine::policy::Policy;
use wardstream::model::decision::Basis;
use wardstream::model::id::{Digest, Position};
use wardstream::model::observation::Observation;

/// What a store holds of one user.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Parts(pub BTreeMap<Part, Vec<u8>>);

impl Parts {
    /// As a lane loads: `core`, then what the step needs.
    pub fn load(&self, seen: &Observation<'_>) -> Result<Profile, profile::Error> {
        let Some(core) = self.0.get(&Part::Core) else { return Ok(Profile::absent()) };
        let mut profile = Profile::from_core(core)?;
        for part in profile.needs(seen.event.kind()).iter() {
            profile.load(part, self.0.get(&part).map(Vec::as_slice))?;
        }
        Ok(profile)
    }

    pub fn store(&mut self, profile: &mut Profile) {
        profile.take_changes(&mut Vec::new(), |part, bytes| match bytes {
            Some(bytes) => {
                self.0.insert(part, bytes.to_vec());
            }
            None => {
                self.0.remove(&part);
            }
        });
    }
}

pub fn basis(policy: &Policy) -> Basis<'_> {
    Basis { policy: policy.digest, engine: REVISION, tables: Digest::ZERO, model: None }
}

pub fn position(offset: i64) -> Position<'static> {
    Position { topic: None, partition: 0, offset }
}
