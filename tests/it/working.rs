//! What a worker is given, over a log in memory: in the tests that run one for its own sake.

use std::sync::Arc;

use wardstream::adapters::embedded::Log;
use wardstream::engine::decode::{Format, Limits};
use wardstream::engine::policy::Policy;
use wardstream::pipeline::dispatch::Pace;
use wardstream::pipeline::lane::{AlertRendering, Rendering, Settings};
use wardstream::pipeline::recover::Wishes;
use wardstream::ports::store::StateStore;
use wardstream::ports::tables::NoTables;
use wardstream::runtime::custody::Custody;
use wardstream::runtime::facts::Facts;
use wardstream::runtime::footing::{Current, Footing};
use wardstream::runtime::lookup::Lookup;
use wardstream::runtime::registry::Registry;
use wardstream::runtime::status::Status;
use wardstream::runtime::stop::{ProcessClock, Stop};
use wardstream::runtime::worker::Shared;

pub const MEMBER: &str = "one";

/// Events in JSON; everything else is written in Avro.
pub fn settings(log: &Log) -> Settings {
    Settings {
        topic: "identity.events".into(),
        partitions: log.partitions(),
        format: Format::Json,
        decisions: Rendering::Avro,
        alerts: AlertRendering::Avro,
        revocations: Rendering::Avro,
        rejected: Rendering::Avro,
        limits: Limits::default(),
        profiles_cached: 10,
        record_bytes_max: 1_000_000,
        hash_seed: 7,
    }
}

/// The default policy, no tables and no registry.
pub fn shared(settings: Settings, store: Arc<dyn StateStore>, stop: &Stop, clock: ProcessClock) -> Shared {
    Shared {
        group: "ward".into(),
        instance: MEMBER.into(),
        settings: Arc::new(settings),
        pace: Pace::default(),
        wishes: Wishes::default(),
        store,
        custody: Custody::default(),
        footing: Current::new(Footing {
            policy: Arc::new(Policy::shipped("default").unwrap()),
            shadow: None,
            tables: Arc::new(NoTables),
        }),
        lifetime: Arc::default(),
        policies: Registry::default(),
        max_action_change: 5,
        stop: stop.clone(),
        clock,
        status: Status::new(clock),
        lookup: Lookup::default(),
        spans: None,
        stages: None,
        facts: Facts::default(),
    }
}
