//! What one event costs a lane, from its Avro bytes to the records of its unit: what a worker's thread does
//! for it between the client that reads and the client that writes.
//!
//! `cargo bench --bench lane -- [EVENTS [USERS]]`. Simulated users, in the order of their events. A first half
//! warms and is not measured. Where the instructions go, of half as many events as are asked for:
//! `valgrind --tool=callgrind --toggle-collect='*measured*' target/release/deps/lane-… 40000 2000`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench reads the clock, and one that cannot go on must fail loudly"
)]

use std::sync::Arc;
use std::time::Instant;

use wardstream::adapters::store::MemoryStore;
use wardstream::engine::across::Table;
use wardstream::engine::decode::{Format, Limits, NO_WRITERS};
use wardstream::engine::enrich::builtin::Builtin;
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting};
use wardstream::engine::{REVISION, emit};
use wardstream::model::decision::Basis;
use wardstream::model::id::Digest;
use wardstream::model::time::Timestamp;
use wardstream::pipeline::filter::Filter;
use wardstream::pipeline::lane::{AlertRendering, Lane, Offered, Rendering, Settings, With};
use wardstream::pipeline::recover::{Plan as Recovery, Way};
use wardstream::ports::ledger::{Mark, Positions};
use wardstream::ports::source::Record;
use wardstream::ports::store::StateStore as _;
use wardstream::simulate::{Plan, Stream, World};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Key and value.
type Keyed = (Vec<u8>, Vec<u8>);

fn events(count: usize, users: u32) -> Vec<Keyed> {
    let start = Timestamp::parse("2026-01-05T00:00:00Z").unwrap();
    let plan = Plan { users, seed: 1, attacks: Vec::new(), start, days: 30 };
    let keyed = |event: &wardstream::model::event::Event<'_>| {
        let mut value = Vec::new();
        emit::event_avro(event, &mut value);
        (format!("{}/{}", event.tenant, event.user).into_bytes(), value)
    };
    Stream::new(&plan, World::of(&Builtin::new()).unwrap()).take(count).map(|one| keyed(&one.event)).collect()
}

struct Bench {
    lane: Lane,
    store: MemoryStore,
    policy: Policy,
    tables: Builtin,
    across: Table,
    offset: i64,
    bytes: usize,
}

impl Bench {
    /// Offers everything, in units of a thousand; one in ten is followed by a checkpoint.
    fn offer(&mut self, events: &[Keyed]) {
        let basis = Basis { policy: self.policy.digest, engine: REVISION, tables: Digest::ZERO, model: None };
        let with = With {
            setting: Setting { policy: &self.policy, shadow: None, basis, lifetime: &LIFETIME },
            tables: &self.tables,
            across: &self.across,
            store: &self.store,
            writers: &NO_WRITERS,
            tracer: None,
            stages: None,
        };
        for (number, unit) in events.chunks(1_000).enumerate() {
            for (key, value) in unit {
                let (offset, key, value) = (self.offset, Some(key.as_slice()), Some(value.as_slice()));
                let record = Record { partition: 0, offset, recorded_at: None, key, value, headers: &[] };
                let offered = self.lane.offer(&record, &with).unwrap();
                assert!(matches!(offered, Offered::Decided { .. }), "{offered:?}");
                self.offset += 1;
            }
            self.bytes += self.lane.seal().unwrap().size();
            self.lane.committed(Positions::default());
            if number % 10 == 9 {
                let batch = self.lane.checkpoint().unwrap();
                let kept = self.store.apply_batch(0, &batch).unwrap();
                self.lane.checkpointed(&batch, kept.held);
            }
        }
    }
}

#[inline(never)]
fn measured(bench: &mut Bench, events: &[Keyed]) {
    bench.offer(events);
}

fn main() {
    let mut numbers = std::env::args().filter_map(|word| word.parse::<u32>().ok());
    let (count, users) = (numbers.next().unwrap_or(400_000), numbers.next().unwrap_or(20_000));
    let events = events(count as usize, users);
    let settings = Settings {
        topic: "identity.events".into(),
        partitions: 1,
        format: Format::Avro,
        decisions: Rendering::Avro,
        alerts: AlertRendering::Avro,
        revocations: Rendering::Avro,
        rejected: Rendering::Avro,
        limits: Limits::default(),
        profiles_cached: 100_000,
        record_bytes_max: 1_000_000,
        hash_seed: 7,
    };
    let plan =
        Recovery { mark: Mark::default(), positions: Positions::default(), way: Way::Fresh, gap: None };
    let mut lane = Lane::new(0, Arc::new(settings), &plan, Filter::new(7), 0);
    lane.started();
    let mut bench = Bench {
        lane,
        store: MemoryStore::new(),
        policy: Policy::shipped("default").unwrap(),
        tables: Builtin::new(),
        across: Table::default(),
        offset: 0,
        bytes: 0,
    };
    let (warm, rest) = events.split_at(events.len() / 2);
    bench.offer(warm);
    let (bytes, began) = (bench.bytes, Instant::now());
    measured(&mut bench, rest);
    let (took, many) = (began.elapsed().as_secs_f64(), rest.len() as f64);
    println!(
        "{users} users: {:.2} µs an event, {:.0} bytes out",
        took * 1e6 / many,
        (bench.bytes - bytes) as f64 / many
    );
}
