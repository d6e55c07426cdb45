//! What must come out: the records folded through the engine, with no lane and no store in sight.
//! Another run of the lane would not do as the yardstick; it would share the lane's mistakes.

use std::collections::BTreeMap;

use wardstream::engine::across::tell;
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit::{self, ProfilePart};
use wardstream::engine::enrich::enrich;
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting, Stepped, step};
use wardstream::model::id::{Digest, Position};
use wardstream::ports::ledger::{Mark, Output};
use wardstream::ports::tables::Tables;

use super::input::Input;
use super::world::TOPIC;
use crate::world::{Parts, basis};

/// One partition, folded.
#[derive(Debug, Default)]
pub struct Folded {
    pub decisions: Vec<Vec<u8>>,
    pub alerts: Vec<Vec<u8>>,
    pub revocations: Vec<Vec<u8>>,
    /// Keys of the rejected records: where they stood.
    pub rejected: Vec<Vec<u8>>,
    pub sightings: Vec<Vec<u8>>,
    /// As the changelog has them.
    pub profiles: BTreeMap<Vec<u8>, Vec<u8>>,
    pub mark: Mark,
    /// Erasures of somebody of whom something was known.
    pub erased: usize,
}

impl Folded {
    pub fn of(&self, output: Output) -> &[Vec<u8>] {
        match output {
            Output::Decisions => &self.decisions,
            Output::Alerts => &self.alerts,
            Output::Revocations => &self.revocations,
            Output::Rejected => &self.rejected,
            Output::Sightings => &self.sightings,
            Output::Profiles => &[],
        }
    }
}

pub fn fold(inputs: &[Input], partition: i32, policy: &Policy, tables: &dyn Tables) -> Folded {
    let mut folded = Folded::default();
    let mut users = BTreeMap::<Vec<u8>, Parts>::new();
    let mut chain = Digest::ZERO;
    let here = inputs.iter().filter(|input| input.partition == partition);
    for (offset, input) in (0i64..).zip(here) {
        folded.mark.offset = offset + 1;
        let id = format!("{TOPIC}/{partition}/{offset}");
        if input.junk.is_some() {
            folded.rejected.push(id.into_bytes());
            continue;
        }
        let decoded = decode(&input.value, Format::Json, &id, input.recorded_at, &Limits::default()).unwrap();
        let seen = enrich(decoded.event, tables);
        let user = users.entry(input.key.clone().unwrap()).or_default();
        let mut profile = user.load(&seen).unwrap();
        folded.erased += usize::from(seen.event.is_erasure() && profile.exists());
        let position = Position { topic: Some(TOPIC.into()), partition, offset };
        let setting = Setting { policy, shadow: None, basis: basis(policy), lifetime: &LIFETIME };
        if let Stepped::Decided(ruling) = step(&mut profile, &seen, position, &setting) {
            let mut out = Vec::new();
            chain = emit::decision_avro(&ruling.decision, chain, &mut out);
            folded.decisions.push(out);
            folded
                .alerts
                .extend(ruling.alert.iter().map(|alert| written(|out| emit::alert_avro(alert, out))));
            let revocations = ruling.revocations.iter();
            folded.revocations.extend(revocations.map(|one| written(|out| emit::revocation_avro(one, out))));
            tell(&seen, ruling.sightings, |_, one| {
                folded.sightings.push(written(|out| emit::sighting_avro(one, out)));
            });
        }
        user.store(&mut profile);
    }
    for (user, parts) in users {
        for (part, state) in parts.0 {
            let mut key = Vec::new();
            part.write_key(&user, &mut key);
            let part = ProfilePart { part: part.name().into(), format: 1, state: &state };
            folded.profiles.insert(key, written(|out| emit::profile_avro(&part, out)));
        }
    }
    folded.mark.chain = chain;
    folded
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}
