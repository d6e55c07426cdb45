//! The plain fold of events through the engine: the yardstick, with no lane and no store in sight.

use std::collections::BTreeMap;

use serde_json::Value;
use wardstream::engine::baseline::{Part, Profile};
use wardstream::engine::decode::{Format, Limits, Rejected, decode};
use wardstream::engine::emit;
use wardstream::engine::enrich::{Enricher, builtin::Builtin};
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{Setting, Stepped, step};
use wardstream::model::decision::Basis;
use wardstream::model::id::{Digest, Position};
use wardstream::ports::tables::Tables as _;

/// Users' profiles, as stored, and what must be the same for all of them.
pub struct Fold {
    policy: Policy,
    tables: Builtin,
    enricher: Enricher,
    stored: BTreeMap<(Vec<u8>, Part), Vec<u8>>,
    chain: Digest,
    offset: i64,
}

/// What one event gave, in the JSON that is published.
pub struct Ruling {
    pub decision: Value,
    pub alert: Option<Value>,
    pub revocations: Vec<Value>,
}

impl Fold {
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            tables: Builtin::new(),
            enricher: Enricher::default(),
            stored: BTreeMap::new(),
            chain: Digest::ZERO,
            offset: 0,
        }
    }

    /// `None` for a duplicate. Stores and loads every part in between: a profile lives in its bytes.
    pub fn next(
        &mut self,
        value: &[u8],
        format: Format,
        fallback_id: &str,
    ) -> Result<Option<Ruling>, Rejected> {
        let decoded = decode(value, format, fallback_id, None, &Limits::default())?;
        let seen = self.enricher.enrich(decoded.event, &self.tables);
        let key = format!("{}/{}", seen.event.tenant, seen.event.user).into_bytes();
        let mut profile = match self.stored.get(&(key.clone(), Part::Core)) {
            Some(core) => Profile::from_core(core).unwrap(),
            None => Profile::absent(),
        };
        for part in profile.needs(seen.event.kind()).iter() {
            profile.load(part, self.stored.get(&(key.clone(), part)).map(Vec::as_slice)).unwrap();
        }
        let setting = Setting {
            policy: &self.policy,
            basis: Basis {
                policy: self.policy.digest,
                engine: wardstream::engine::REVISION,
                tables: self.tables.digest(),
                model: None,
            },
        };
        let position = Position { topic: None, partition: 0, offset: self.offset };
        let stepped = step(&mut profile, &seen, position, &setting);
        self.offset += 1;
        let ruling = match stepped {
            Stepped::Duplicate => None,
            Stepped::Missing(part) => panic!("part `{part}` was not loaded"),
            Stepped::Decided(ruling) => {
                let mut out = Vec::new();
                self.chain = emit::decision_json(&ruling.decision, self.chain, &mut out);
                let json = |write: &dyn Fn(&mut Vec<u8>)| {
                    let mut out = Vec::new();
                    write(&mut out);
                    serde_json::from_slice::<Value>(&out).unwrap()
                };
                Some(Ruling {
                    decision: serde_json::from_slice(&out).unwrap(),
                    alert: ruling.alert.as_ref().map(|alert| json(&|out| emit::alert_json(alert, out))),
                    revocations: ruling
                        .revocations
                        .iter()
                        .map(|revocation| json(&|out| emit::revocation_json(revocation, out)))
                        .collect(),
                })
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
        Ok(ruling)
    }
}
