//! How large a `core` becomes: simulated users after a year.

use std::collections::BTreeMap;

use crate::world::{basis, position};
use wardstream::engine::baseline::Profile;
use wardstream::engine::enrich::{Enricher, builtin::Builtin};
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting, step};
use wardstream::model::time::Timestamp;
use wardstream::simulate::{Plan, Stream, World, start_of};

const USERS: u32 = 12;
const DAYS: u32 = 365;
const CORE_BYTES_MEAN_MAX: usize = 600;

#[test]
fn a_core_is_small_after_a_year() {
    let policy = Policy::shipped("default").unwrap();
    let setting = Setting { policy: &policy, shadow: None, basis: basis(&policy), lifetime: &LIFETIME };
    let tables = Builtin::new();
    let (start, mut enricher) = (start_of(7), Enricher::default());
    let plan = Plan { users: USERS, seed: 7, attacks: Vec::new(), start, days: DAYS };
    let end = Timestamp::from_seconds(start.seconds() + i64::from(DAYS) * 86_400).unwrap();
    let mut stream = Stream::new(&plan, World::of(&tables).unwrap());
    let mut profiles = BTreeMap::<String, Profile>::new();
    let mut events = 0;
    while stream.peek().is_some_and(|at| at < end) {
        let seen = enricher.enrich(stream.next().unwrap().event, &tables);
        let profile = profiles.entry(seen.event.user.to_string()).or_default();
        step(profile, &seen, position(events), &setting);
        events += 1;
    }

    let mut sizes = Vec::new();
    for (user, profile) in &profiles {
        let (core, mut bytes) = (profile.core(), Vec::new());
        core.encode(&mut bytes);
        sizes.push(bytes.len());
        let (baseline, networks) = (core.baseline(), &core.baseline().networks);
        println!(
            "{user:>12}: {:4} bytes; {} places, {} devices, {}/{}/{}/{} networks, {} sessions, {} held, {} learned",
            bytes.len(),
            baseline.places.len(),
            baseline.devices.len(),
            networks.addresses(),
            networks.prefixes(),
            networks.asns().len(),
            networks.countries().count(),
            core.sessions().len(),
            core.held().len(),
            baseline.steps,
        );
    }
    let mean = sizes.iter().sum::<usize>() / sizes.len();
    println!("mean {mean}, most {} of {events} events", sizes.iter().max().unwrap());
    assert_eq!(sizes.len(), USERS as usize);
    assert!(mean <= CORE_BYTES_MEAN_MAX, "{mean} bytes on average");
}
