//! The yardstick: the input, read back from the broker, folded through the engine with no lane and no
//! store in sight, each event under the policy that decided it.

use std::collections::BTreeMap;

use serde_json::Value;
use wardstream::engine::baseline::{Part, Profile};
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit;
use wardstream::engine::enrich::{builtin::Builtin, enrich};
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting, Stepped, step};
use wardstream::model::decision::Basis;
use wardstream::model::id::{Digest, Position};
use wardstream::model::time::Timestamp;
use wardstream::ports::tables::Tables as _;

/// What must have come out, by partition, in order.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) decisions: BTreeMap<i64, Vec<Value>>,
    pub(super) alerts: BTreeMap<i64, Vec<Value>>,
    pub(super) revocations: BTreeMap<i64, Vec<Value>>,
    /// Offsets of the input.
    pub(super) rejected: BTreeMap<i64, Vec<i64>>,
    pub(super) repeats: usize,
    /// By user and part.
    pub(super) profiles: BTreeMap<(String, String), Vec<u8>>,
}

/// Folds `input`, whose records come in the order of their partition. `decided_by` says which policy the
/// decision of an offset names; where there is none, the one before goes on.
pub(super) fn fold(
    topic: &str,
    input: &[Value],
    policies: &[Policy],
    decided_by: &BTreeMap<(i64, i64), String>,
) -> Expected {
    let tables = Builtin::new();
    let mut expected = Expected::default();
    let mut profiles = BTreeMap::<String, BTreeMap<Part, Vec<u8>>>::new();
    let mut chains = BTreeMap::<i64, Digest>::new();
    let mut policy_of = BTreeMap::<i64, &Policy>::new();
    for record in input {
        let (partition, offset) = (record["partition"].as_i64().unwrap(), record["offset"].as_i64().unwrap());
        let recorded_at = record["timestamp"].as_i64().and_then(|ms| Timestamp::from_micros(ms * 1000));
        let text = record["value"].to_string();
        let id = format!("{topic}:{partition}:{offset}");
        let Ok(decoded) = decode(text.as_bytes(), Format::Json, &id, recorded_at, &Limits::default()) else {
            expected.rejected.entry(partition).or_default().push(offset);
            continue;
        };
        let named = decided_by.get(&(partition, offset));
        let named = named
            .and_then(|named| policies.iter().find(|policy| named.ends_with(&policy.digest.to_string())));
        let policy = named.or_else(|| policy_of.get(&partition).copied()).unwrap_or(&policies[0]);
        policy_of.insert(partition, policy);
        let basis = Basis {
            policy: policy.digest,
            engine: wardstream::engine::REVISION,
            tables: tables.digest(),
            model: None,
        };
        let setting = Setting { policy, shadow: None, basis, lifetime: &LIFETIME };

        let key = record["key"].as_str().unwrap_or_default().to_owned();
        let seen = enrich(decoded.event, &tables);
        let parts = profiles.entry(key).or_default();
        let mut profile = match parts.get(&Part::Core) {
            Some(core) => Profile::from_core(core).unwrap(),
            None => Profile::absent(),
        };
        for part in profile.needs(seen.event.kind()).iter() {
            profile.load(part, parts.get(&part).map(Vec::as_slice)).unwrap();
        }
        let at = Position { topic: Some(topic.into()), partition: i32::try_from(partition).unwrap(), offset };
        match step(&mut profile, &seen, at, &setting) {
            Stepped::Duplicate => {
                expected.repeats += 1;
                continue;
            }
            Stepped::Missing(part) => panic!("part {part} was not loaded"),
            Stepped::Decided(ruling) => {
                let told = |write: &mut dyn FnMut(&mut Vec<u8>)| {
                    let mut text = Vec::new();
                    write(&mut text);
                    serde_json::from_slice::<Value>(&text).unwrap()
                };
                let chain = chains.entry(partition).or_default();
                let decision = told(&mut |text| *chain = emit::decision_json(&ruling.decision, *chain, text));
                expected.decisions.entry(partition).or_default().push(decision);
                if let Some(alert) = &ruling.alert {
                    let alert = told(&mut |text| emit::alert_json(alert, text));
                    expected.alerts.entry(partition).or_default().push(alert);
                }
                for one in &ruling.revocations {
                    let one = told(&mut |text| emit::revocation_json(one, text));
                    expected.revocations.entry(partition).or_default().push(one);
                }
            }
        }
        profile.take_changes(&mut Vec::new(), |part, bytes| match bytes {
            Some(bytes) => drop(parts.insert(part, bytes.to_vec())),
            None => drop(parts.remove(&part)),
        });
    }
    for (user, parts) in profiles {
        for (part, state) in parts {
            expected.profiles.insert((user.clone(), part.name().to_owned()), state);
        }
    }
    expected
}
