//! One user's profile as the store has it: bytes by part, loaded before a step and written after.

use std::collections::BTreeMap;

use wardstream::engine::baseline::{Part, Profile};
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::enrich::builtin::Builtin;
use wardstream::engine::enrich::enrich;
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{Setting, Stepped, step};
use wardstream::engine::{REVISION, baseline::profile};
use wardstream::model::decision::{Basis, Ruling};
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

/// Takes JSON and lets `see` look at what came of each event.
#[derive(Debug)]
pub struct World {
    pub parts: Parts,
    policy: Policy,
    tables: Builtin,
    offset: i64,
}

impl World {
    pub fn new(policy: &str) -> Self {
        Self {
            parts: Parts::default(),
            policy: Policy::shipped(policy).unwrap(),
            tables: Builtin::new(),
            offset: 0,
        }
    }

    /// `None` for a repeat.
    pub fn take<T>(&mut self, json: &serde_json::Value, see: impl FnOnce(&Ruling<'_>) -> T) -> Option<T> {
        let bytes = serde_json::to_vec(json).unwrap();
        let event = decode(&bytes, Format::Json, "line", None, &Limits::default()).unwrap().event;
        let seen = enrich(event, &self.tables);
        let mut profile = self.parts.load(&seen).unwrap();
        let setting = Setting { policy: &self.policy, basis: basis(&self.policy) };
        let stepped = step(&mut profile, &seen, position(self.offset), &setting);
        self.offset += 1;
        self.parts.store(&mut profile);
        match stepped {
            Stepped::Duplicate => None,
            Stepped::Missing(part) => panic!("`{part}` was not loaded"),
            Stepped::Decided(ruling) => Some(see(&ruling)),
        }
    }
}
