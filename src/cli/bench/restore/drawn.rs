//! Profiles to draw from: those of simulated people after a year.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::super::{Failure, Interrupt};
use crate::engine::REVISION;
use crate::engine::baseline::Part;
use crate::engine::enrich::Enricher;
use crate::engine::enrich::builtin::Builtin;
use crate::engine::policy::Policy;
use crate::engine::step::{LIFETIME, Setting};
use crate::model::decision::Basis;
use crate::model::event::Event;
use crate::model::id::{Digest, Position, UserKey};
use crate::model::time::Timestamp;
use crate::pipeline::profiles::Profiles;
use crate::simulate::{Plan, Stream, World};

/// The parts of one profile.
pub(super) type Parts = Vec<(Part, Box<[u8]>)>;

/// Somebody who has lived.
pub(super) struct Person {
    pub(super) profile: Parts,
    /// The last events of the year.
    pub(super) habits: Vec<Event<'static>>,
}

/// Lives `people` for a year that ends `now`, on every core.
pub(super) fn people(
    people: u32,
    seed: u64,
    world: &World,
    now: Timestamp,
    interrupt: &Interrupt,
) -> Result<Vec<Person>, Failure> {
    let cores =
        std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let start = now.minus(YEAR);
    let mut threads: Vec<JoinHandle<Result<Vec<Person>, Failure>>> = Vec::new();
    for number in 0..cores.min(people) {
        let users = people / cores + u32::from(number < people % cores);
        let seed = seed.wrapping_add(u64::from(number));
        let plan = Plan { users, seed, attacks: Vec::new(), start, days: DAYS };
        let (world, interrupt) = (world.clone(), interrupt.clone());
        let started = std::thread::Builder::new()
            .name("simulator".into())
            .spawn(move || lived(&plan, world, now, &interrupt));
        threads.push(started.map_err(|error| Failure::Internal(format!("a thread did not start: {error}")))?);
    }
    let mut all = Vec::new();
    for thread in threads {
        let lived = thread.join().unwrap_or_else(|_| Err(Failure::Internal("the simulator panicked".into())));
        all.append(&mut lived?);
    }
    if all.is_empty() {
        return Err(Failure::Internal("nobody lived through the year".into()));
    }
    Ok(all)
}

fn lived(plan: &Plan, world: World, now: Timestamp, interrupt: &Interrupt) -> Result<Vec<Person>, Failure> {
    let policy = Policy::shipped("default")
        .ok_or_else(|| Failure::Internal("the policy `default` is not shipped".into()))?;
    let basis = Basis { policy: policy.digest, engine: REVISION, tables: Digest::ZERO, model: None };
    let setting = Setting { policy: &policy, shadow: None, basis, lifetime: &LIFETIME };
    let (tables, mut enricher) = (Builtin::new(), Enricher::default());
    let mut stream = Stream::new(plan, world);
    let mut profiles = Profiles::new(plan.seed);
    let mut habits = HashMap::<Arc<[u8]>, VecDeque<Event<'static>>>::new();
    let mut offset = 0;
    while stream.peek().is_some_and(|at| at < now) {
        if offset % INTERRUPTED_EVERY == 0 && interrupt.is_set() {
            return Err(Failure::Interrupted);
        }
        let Some(made) = stream.next() else { break };
        let seen = enricher.enrich(made.event, &tables);
        let position = Position { topic: None, partition: 0, offset };
        let folded = profiles.fold(&seen, position, &setting, &mut |_| ());
        folded
            .map_err(|damaged| Failure::Internal(damaged.to_string()))?
            .map_err(|rejected| Failure::Internal(rejected.detail))?;
        offset += 1;
        let user = UserKey::new(&seen.event.tenant, &seen.event.user);
        let last = habits.entry(user.as_bytes().into()).or_default();
        if last.len() == HABITS {
            last.pop_front();
        }
        last.push_back(seen.event);
    }
    let mut all: Vec<(Arc<[u8]>, Parts)> = Vec::new();
    let saved = profiles.save::<std::convert::Infallible>(|user, part, state| {
        if all.last().is_none_or(|(last, _)| **last != *user) {
            all.push((user.into(), Parts::new()));
        }
        if let Some((_, parts)) = all.last_mut() {
            parts.push((part, state.into()));
        }
        Ok(())
    });
    match saved {
        Ok(()) => Ok(all
            .into_iter()
            .map(|(user, profile)| Person {
                profile,
                habits: habits.remove(&user).unwrap_or_default().into(),
            })
            .collect()),
    }
}

/// Some of a login, what follows it and what is typed meanwhile.
const HABITS: usize = 12;
const DAYS: u32 = 365;
const YEAR: Duration = Duration::from_secs(365 * 86_400);
const INTERRUPTED_EVERY: i64 = 4_096;
