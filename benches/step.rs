//! What one event costs: the step on a profile in memory, decode included, and on a profile that
//! is loaded from its bytes and stored again; and what each allocates.
//!
//! The user has 90 days behind them: two places, three devices, a full journal, live sessions.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on must fail loudly"
)]

use std::alloc::System;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write as _;

use criterion::{BatchSize, Criterion, Throughput};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use wardstream::engine::REVISION;
use wardstream::engine::baseline::{Part, Profile};
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::enrich::{Enricher, builtin::Builtin};
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting, Stepped, step};
use wardstream::model::decision::Basis;
use wardstream::model::id::{Digest, Position};
use wardstream::model::observation::Observation;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

type Parts = BTreeMap<Part, Vec<u8>>;

struct Bench {
    policy: Policy,
    tables: Builtin,
}

impl Bench {
    fn setting(&self) -> Setting<'_> {
        let basis = Basis { policy: self.policy.digest, engine: REVISION, tables: Digest::ZERO, model: None };
        Setting { policy: &self.policy, shadow: None, basis, lifetime: &LIFETIME }
    }

    fn observe<'a>(&self, enricher: &mut Enricher, json: &'a [u8]) -> Observation<'a> {
        let event = decode(json, Format::Json, "line", None, &Limits::default()).unwrap().event;
        enricher.enrich(event, &self.tables)
    }
}

/// Logins of one user, four a day: home, office, on the way, and home again.
fn logins(days: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    let agents = [
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    ];
    let mut all = Vec::new();
    for day in days {
        for (turn, hour, address, agent) in
            [(0, 8, "5.0.1.7", 0), (1, 10, "5.2.3.9", 1), (2, 13, "5.3.200.4", 2), (3, 20, "5.0.1.7", 0)]
        {
            let (month, date) = (1 + day / 28, 1 + day % 28);
            // A carrier gives another address every day.
            let address =
                if turn == 2 { format!("5.3.{}.{}", day % 200, 1 + day % 250) } else { address.into() };
            all.push(format!(
                r#"{{"event_id":"e-{day}-{turn}","tenant":"acme","user_id":"ada","type":"login","occurred_at":"2026-{month:02}-{date:02}T{hour:02}:{:02}:00Z","source":"okta","outcome":"success","factors":["password","totp"],"ip_address":"{address}","user_agent":"{}","device_fingerprint":"d-{agent}","session_id":"s-{day}-{turn}","app":"payroll"}}"#,
                day * 7 % 60,
                agents[agent],
            )
            .into_bytes());
        }
    }
    all
}

fn step_one(profile: &mut Profile, seen: &Observation<'_>, setting: &Setting<'_>) {
    let position = Position { topic: None, partition: 0, offset: 1 };
    let stepped = step(profile, seen, position, setting);
    assert!(matches!(black_box(stepped), Stepped::Decided(_)));
}

fn load(parts: &Parts, seen: &Observation<'_>) -> Profile {
    let mut profile = Profile::from_core(&parts[&Part::Core]).unwrap();
    for part in profile.needs(seen.event.kind()).iter() {
        profile.load(part, parts.get(&part).map(Vec::as_slice)).unwrap();
    }
    profile
}

/// Stores the parts that changed and returns their bytes.
fn store(profile: &mut Profile, parts: &mut Parts, buffer: &mut Vec<u8>) -> usize {
    let mut written = 0;
    profile.take_changes(buffer, |part, bytes| {
        let bytes = bytes.unwrap();
        written += bytes.len();
        let stored = parts.entry(part).or_default();
        stored.clear();
        stored.extend_from_slice(bytes);
    });
    written
}

fn main() {
    let bench = Bench { policy: Policy::shipped("default").unwrap(), tables: Builtin::new() };
    let setting = bench.setting();
    let mut enricher = Enricher::default();
    let (mut parts, mut buffer) = (Parts::new(), Vec::new());
    for json in &logins(0..90) {
        let seen = bench.observe(&mut enricher, json);
        let mut profile = if parts.is_empty() { Profile::absent() } else { load(&parts, &seen) };
        step_one(&mut profile, &seen, &setting);
        store(&mut profile, &mut parts, &mut buffer);
    }

    let next = logins(90..106);
    let seen: Vec<_> = next.iter().map(|json| bench.observe(&mut enricher, json)).collect();
    let mut hot = load(&parts, &seen[0]);
    for part in hot.core().parts().iter() {
        hot.load(part, parts.get(&part).map(Vec::as_slice)).unwrap();
    }
    report(&bench, &hot, &parts, &next, &seen);

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(seen.len() as u64));
    group.bench_function("hot", |bencher| {
        bencher.iter_batched_ref(
            || hot.clone(),
            |profile| seen.iter().for_each(|seen| step_one(profile, seen, &setting)),
            BatchSize::SmallInput,
        );
    });
    // Other levels, points and one threshold: one detector is asked again.
    let text = "version = 1\nextends = 'default'\n[levels]\nhigh = 40\n[signals.failed_burst]\nthreshold = 3";
    let read = |path: &std::path::Path| match path.to_str() {
        Some("shadow.toml") => Ok(text.to_owned()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    let shadow = Policy::load("shadow.toml", &read).unwrap();
    let shadowed = Setting { shadow: Some(&shadow), ..setting };
    group.bench_function("hot, with a shadow policy", |bencher| {
        bencher.iter_batched_ref(
            || hot.clone(),
            |profile| seen.iter().for_each(|seen| step_one(profile, seen, &shadowed)),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("hot, decode and enrich included", |bencher| {
        bencher.iter_batched_ref(
            || hot.clone(),
            |profile| {
                for json in &next {
                    let seen = bench.observe(&mut enricher, json);
                    step_one(profile, &seen, &setting);
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("hot, changes encoded", |bencher| {
        bencher.iter_batched_ref(
            || (hot.clone(), Vec::new()),
            |(profile, buffer)| {
                for seen in &seen {
                    step_one(profile, seen, &setting);
                    profile.take_changes(buffer, |_, bytes| {
                        black_box(bytes);
                    });
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("cold: loaded and stored", |bencher| {
        bencher.iter_batched_ref(
            || (parts.clone(), Vec::new()),
            |(parts, buffer)| {
                for seen in &seen {
                    let mut profile = load(parts, seen);
                    step_one(&mut profile, seen, &setting);
                    store(&mut profile, parts, buffer);
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
    criterion.final_summary();
}

/// Bytes: of the parts, in memory, and allocated by a step.
fn report(bench: &Bench, hot: &Profile, parts: &Parts, next: &[Vec<u8>], seen: &[Observation<'_>]) {
    let setting = bench.setting();
    let mut out = std::io::stderr().lock();
    let sizes: Vec<_> = parts.iter().map(|(part, bytes)| format!("{part} {}", bytes.len())).collect();
    writeln!(out, "stored: {} bytes", sizes.join(", ")).unwrap();
    writeln!(out, "in memory: profile {} bytes", size_of::<Profile>()).unwrap();

    let mut profile = hot.clone();
    let count = seen.len();
    let mut allocated = |what: &str, run: &mut dyn FnMut()| {
        let region = Region::new(ALLOCATOR);
        run();
        let change = region.change();
        writeln!(
            out,
            "allocated {what}: {} bytes in {} calls an event",
            change.bytes_allocated / count,
            change.allocations / count
        )
        .unwrap();
    };
    allocated("by a hot step", &mut || seen.iter().for_each(|seen| step_one(&mut profile, seen, &setting)));
    let mut enricher = Enricher::default();
    enricher_warm(bench, &mut enricher, next);
    let mut profile = hot.clone();
    allocated("by decode, enrich and a hot step", &mut || {
        for json in next {
            let seen = bench.observe(&mut enricher, json);
            step_one(&mut profile, &seen, &setting);
        }
    });
    let (mut parts, mut buffer) = (parts.clone(), Vec::new());
    let mut written = 0;
    allocated("by load, step and store", &mut || {
        for seen in seen {
            let mut profile = load(&parts, seen);
            step_one(&mut profile, seen, &setting);
            written += store(&mut profile, &mut parts, &mut buffer);
        }
    });
    writeln!(out, "changelog: {} bytes an event", written / count).unwrap();
}

fn enricher_warm(bench: &Bench, enricher: &mut Enricher, next: &[Vec<u8>]) {
    for json in next {
        black_box(bench.observe(enricher, json));
    }
}
