//! What a lane is made with, what it reads, and what it says of a record.

use crate::engine::across::Table;
use crate::engine::decode::{Format, Limits, Writers};
use crate::engine::emit;
use crate::engine::step::Setting;
use crate::model::id::Id128;
use crate::model::{Action, EventType, Level, Reject};
use crate::ports::stages::{Stage, Stopwatch};
use crate::ports::store::StateStore;
use crate::ports::tables::Tables;
use crate::ports::tracer::Tracer;

/// How an output topic is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rendering {
    /// Single-object encoding.
    #[default]
    Avro,
    Json,
    /// The Confluent wire format, under this id of a registry.
    Confluent(u32),
}

impl Rendering {
    /// Appends a record by the one of its two forms that this is made of.
    pub fn write<T>(
        self,
        out: &mut Vec<u8>,
        avro: impl FnOnce(&mut Vec<u8>) -> T,
        json: impl FnOnce(&mut Vec<u8>) -> T,
    ) -> T {
        match self {
            Self::Avro => avro(out),
            Self::Json => json(out),
            Self::Confluent(id) => emit::confluent(id, out, avro),
        }
    }
}

/// How the topic of alerts is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlertRendering {
    #[default]
    Avro,
    Json,
    Ocsf,
    Ecs,
    /// The Confluent wire format, under this id of a registry.
    Confluent(u32),
}

/// What is the same for a lane's whole life.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name of the input topic, as decisions state it.
    pub topic: String,
    /// Of the input topic: a key must lie where it belongs.
    pub partitions: i32,
    pub format: Format,
    pub decisions: Rendering,
    pub alerts: AlertRendering,
    pub revocations: Rendering,
    pub rejected: Rendering,
    pub limits: Limits,
    /// Decoded profiles at hand.
    pub profiles_cached: usize,
    /// Larger output is not even tried.
    pub record_bytes_max: usize,
    /// Drawn by the shell: user ids are picked by others.
    pub hash_seed: u64,
}

#[cfg(test)]
impl Settings {
    /// One partition, JSON in and out: what the tests of a lane begin with.
    pub(crate) fn plain() -> Self {
        Self {
            topic: "identity.events".into(),
            partitions: 1,
            format: Format::Json,
            decisions: Rendering::Json,
            alerts: AlertRendering::Json,
            revocations: Rendering::Json,
            rejected: Rendering::Json,
            limits: Limits::default(),
            profiles_cached: 4,
            record_bytes_max: 100_000,
            hash_seed: 7,
        }
    }
}

/// What is read and never written; it may change between two units.
#[derive(Clone, Copy, Debug)]
pub struct With<'w> {
    pub setting: Setting<'w>,
    pub tables: &'w dyn Tables,
    /// What network lanes tell.
    pub across: &'w Table,
    pub store: &'w dyn StateStore,
    /// Of records in the Confluent wire format.
    pub writers: &'w Writers,
    /// `None`: traces are neither looked for nor handed on.
    pub tracer: Option<&'w dyn Tracer>,
    /// `None`: nobody measures.
    pub stages: Option<&'w dyn Stopwatch>,
}

impl With<'_> {
    /// Says that a stage of the record at hand has ended.
    pub fn lap(&self, stage: Stage) {
        if let Some(stages) = self.stages {
            stages.lap(stage);
        }
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    Decided {
        id: Id128,
        kind: EventType,
        action: Action,
        level: Level,
        score: u8,
        alert: bool,
        revocations: u8,
    },
    Duplicate,
    Rejected(Reject),
    /// Before the lane's next offset, or fetched before a rewind: not taken.
    Old,
}
