//! What a relay makes of its input, and what must come of it: the fold of what is committed, with no relay
//! in sight.

use std::collections::{BTreeMap, BTreeSet};

use wardstream::engine::across::{Fold as Sketches, News};
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::emit;
use wardstream::model::EventType;
use wardstream::model::across::Origin;
use wardstream::model::id::UserKey;
use wardstream::pipeline::lane::Rendering;
use wardstream::pipeline::relay::Fold;
use wardstream::runtime::lookup::Lookup;
use wardstream::runtime::networks::Sightings;
use wardstream::runtime::normaliser::{Copies, Form, Lets, Stage};

use super::input;
use crate::sim::input::{Input, random};
use crate::sim::script::Dice;

pub trait Course {
    type Fold<'c>: Fold
    where
        Self: 'c;

    fn fold(&self) -> Self::Fold<'_>;

    fn inputs(&self) -> &[Input];

    /// What must have been written when `partition` is committed to these offsets, one after the other.
    fn expected(&self, partition: i32, commits: &BTreeSet<i64>) -> Written;
}

/// One partition of the outputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Keys and values, in order.
    pub told: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// Keys of what was rejected.
    pub rejected: Vec<Vec<u8>>,
    /// As a compacted changelog has it.
    pub kept: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Those of one partition before an offset.
fn of(inputs: &[Input], partition: i32, to: i64) -> impl Iterator<Item = (i64, &Input)> {
    let here = inputs.iter().filter(move |input| input.partition == partition);
    (0i64..to).zip(here)
}

/// An input of JSON lines is copied.
#[derive(Debug)]
pub struct Copying {
    inputs: Vec<Input>,
    copies: BTreeMap<i32, Vec<Copied>>,
    stage: Stage,
}

/// A key and an event, or a rejection's key.
type Copied = Result<(Vec<u8>, Vec<u8>), Vec<u8>>;

impl Copying {
    pub fn new(dice: &mut Dice, partitions: i32) -> Self {
        let stage = Stage {
            name: "other".into(),
            topic: "raw".into(),
            from: Format::Json,
            mapping: None,
            lets: Lets::Events,
            to: Form::Rendered(Rendering::Json),
            limits: Limits::default(),
            rejected: Rendering::Json,
            lookup: Lookup::default(),
            traces: false,
        };
        let inputs = random(dice, partitions);
        let copies =
            |partition| of(&inputs, partition, i64::MAX).map(|(offset, one)| copy(offset, one)).collect();
        let copies = (0..partitions).map(|partition| (partition, copies(partition))).collect();
        Self { inputs, copies, stage }
    }
}

impl Course for Copying {
    type Fold<'c> = Copies<'c>;

    fn fold(&self) -> Copies<'_> {
        self.stage.copies()
    }

    fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    fn expected(&self, partition: i32, commits: &BTreeSet<i64>) -> Written {
        let mut written = Written::default();
        let to = usize::try_from(commits.last().copied().unwrap_or(0)).unwrap();
        for copy in &self.copies[&partition][..to] {
            match copy.clone() {
                Ok((key, value)) => written.told.push((key, Some(value))),
                Err(id) => written.rejected.push(id),
            }
        }
        written
    }
}

fn copy(offset: i64, input: &Input) -> Copied {
    let id = format!("raw:{}:{offset}", input.partition);
    let decoded = decode(&input.value, Format::Json, &id, input.recorded_at, &Limits::default());
    match decoded {
        Ok(decoded) if decoded.event.kind() != EventType::Feedback => {
            let event = &decoded.event;
            let mut value = Vec::new();
            emit::event_json(event, &mut value);
            Ok((UserKey::new(&event.tenant, &event.user).as_bytes().to_vec(), value))
        }
        _ => Err(id.into_bytes()),
    }
}

/// Sightings are folded.
#[derive(Debug)]
pub struct Sighted {
    inputs: Vec<Input>,
}

impl Sighted {
    pub fn new(dice: &mut Dice, partitions: i32) -> Self {
        Self { inputs: input::sightings(dice, partitions) }
    }
}

impl Course for Sighted {
    type Fold<'c> = Sightings;

    fn fold(&self) -> Sightings {
        Sightings
    }

    fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// What is told depends on when it is: once a transaction.
    fn expected(&self, partition: i32, commits: &BTreeSet<i64>) -> Written {
        let (mut written, mut sketches) = (Written::default(), Sketches::default());
        for (offset, input) in of(&self.inputs, partition, commits.last().copied().unwrap_or(0)) {
            let key = input.key.as_deref().filter(|key| Origin::parse_key(key).is_some());
            if let (Some(key), Ok(sighting)) = (key, emit::sighting_read(&input.value)) {
                sketches.take(key, &sighting, offset.unsigned_abs() + 1);
            }
            if !commits.contains(&(offset + 1)) {
                continue;
            }
            sketches.drain(|change| {
                let key = change.key.to_vec();
                let mut value = Vec::new();
                match change.news {
                    News::None => {}
                    News::Facts(told) => {
                        emit::network_avro(&told, &mut value);
                        written.told.push((key.clone(), Some(std::mem::take(&mut value))));
                    }
                    News::End => written.told.push((key.clone(), None)),
                }
                match change.state {
                    Some(state) => {
                        emit::network_state_avro(state, &mut value);
                        written.kept.insert(key, value);
                    }
                    None => drop(written.kept.remove(&key)),
                }
            });
        }
        written
    }
}
