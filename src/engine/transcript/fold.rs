//! The plain fold of events through the engine: no lane and no store in sight.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::engine::across::Local;
use crate::engine::baseline::{Part, Profile};
use crate::engine::decode::{Format, Limits, Rejected, decode};
use crate::engine::emit;
use crate::engine::enrich::{Enricher, builtin::Builtin};
use crate::engine::policy::Policy;
use crate::engine::step::{Lifetime, Setting, Stepped, step};
use crate::model::decision::{Basis, Ruling};
use crate::model::id::{Digest, Position};
use crate::ports::tables::Tables as _;

/// Users' profiles, as stored, and what must be the same for all of them.
pub(super) struct Fold {
    policy: Policy,
    shadow: Option<Policy>,
    lifetime: Lifetime,
    limits: Limits,
    tables: Builtin,
    enricher: Enricher,
    across: Local,
    stored: BTreeMap<(Vec<u8>, Part), Vec<u8>>,
    chain: Digest,
    offset: i64,
}

/// What one event gave, in the JSON that is published.
pub(super) struct Told {
    pub(super) decision: Value,
    pub(super) alert: Option<Value>,
    pub(super) revocations: Vec<Value>,
}

impl Fold {
    pub(super) fn new(
        policy: Policy,
        shadow: Option<Policy>,
        lifetime: Lifetime,
        backfill: Vec<String>,
    ) -> Self {
        Self {
            limits: Limits { backfill, ..Limits::default() },
            policy,
            shadow,
            lifetime,
            tables: Builtin::new(),
            enricher: Enricher::default(),
            across: Local::default(),
            stored: BTreeMap::new(),
            chain: Digest::ZERO,
            offset: 0,
        }
    }

    /// `None` for a duplicate. Stores and loads every part in between: a profile lives in its bytes.
    pub(super) fn next(&mut self, value: &[u8], fallback_id: &str) -> Result<Option<Told>, Refused> {
        let decoded = decode(value, Format::Json, fallback_id, None, &self.limits);
        let mut seen = self.enricher.enrich(decoded.map_err(Refused::Event)?.event, &self.tables);
        seen.facts.across = self.across.look_up(&seen);
        let key = format!("{}/{}", seen.event.tenant, seen.event.user).into_bytes();
        let broken = |error: &dyn std::fmt::Display| Refused::Engine(error.to_string());
        let mut profile = match self.stored.get(&(key.clone(), Part::Core)) {
            Some(core) => Profile::from_core(core).map_err(|error| broken(&error))?,
            None => Profile::absent(),
        };
        for part in profile.needs(seen.event.kind()).iter() {
            let stored = self.stored.get(&(key.clone(), part)).map(Vec::as_slice);
            profile.load(part, stored).map_err(|error| broken(&error))?;
        }
        let basis = Basis {
            policy: self.policy.digest,
            engine: self.lifetime.engine(),
            tables: self.tables.digest(),
            model: None,
        };
        let setting =
            Setting { policy: &self.policy, shadow: self.shadow.as_ref(), basis, lifetime: &self.lifetime };
        let position = Position { topic: None, partition: 0, offset: self.offset };
        let stepped = step(&mut profile, &seen, position, &setting);
        self.offset += 1;
        let told = match stepped {
            Stepped::Duplicate => None,
            Stepped::Missing(part) => return Err(broken(&format!("part `{part}` was not loaded"))),
            Stepped::Decided(ruling) => {
                let (told, chain) = tell(&ruling, self.chain).map_err(|error| broken(&error))?;
                self.chain = chain;
                self.across.take(&seen, ruling.sightings, self.offset.unsigned_abs());
                Some(told)
            }
        };
        let mut buffer = Vec::new();
        let stored = &mut self.stored;
        profile.take_changes(&mut buffer, |part, bytes| {
            match bytes {
                Some(bytes) => stored.insert((key.clone(), part), bytes.to_vec()),
                None => stored.remove(&(key.clone(), part)),
            };
        });
        Ok(told)
    }
}

/// Why an event gave nothing.
pub(super) enum Refused {
    Event(Rejected),
    Engine(String),
}

fn tell(ruling: &Ruling<'_>, chain: Digest) -> Result<(Told, Digest), serde_json::Error> {
    let mut out = Vec::new();
    let chain = emit::decision_json(&ruling.decision, chain, &mut out);
    let json = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        serde_json::from_slice::<Value>(&out)
    };
    let alert = ruling.alert.as_ref().map(|alert| json(&|out| emit::alert_json(alert, out)));
    let revocations =
        ruling.revocations.iter().map(|revocation| json(&|out| emit::revocation_json(revocation, out)));
    let told = Told {
        decision: serde_json::from_slice(&out)?,
        alert: alert.transpose()?,
        revocations: revocations.collect::<Result<_, _>>()?,
    };
    Ok((told, chain))
}
