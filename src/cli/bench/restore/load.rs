//! The changelog of many users, as a worker would have left it.
#![expect(clippy::disallowed_methods, reason = "waits for the broker, with a deadline")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::ground::Ground;
use super::super::{Failure, Interrupt};
use super::drawn::Person;
use crate::adapters::kafka::{KafkaLedger, KafkaSource, decisions};
use crate::model::id::{Digest, UserKey};
use crate::pipeline::intake::partition_of;
use crate::pipeline::wire;
use crate::ports::failure::Failure as Refused;
use crate::ports::ledger::{Ledger as _, Mark, Output, Unit};
use crate::ports::source::{Arrival, Source as _};

/// What there is to be restored.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loaded {
    pub(super) parts: u64,
    /// Of keys and values.
    pub(super) bytes: u64,
}

pub(super) fn user(number: u32) -> UserKey {
    UserKey::new(TENANT, &name(number))
}

pub(super) fn name(number: u32) -> String {
    format!("user-{number:07}")
}

/// Writes a profile for each of `users`, drawn from `people` in turn, under a mark that every
/// partition's input has come to: it needs a record there.
pub(super) fn changelog(
    ground: &Ground,
    people: &[Person],
    users: u32,
    interrupt: &Interrupt,
) -> Result<Loaded, Failure> {
    let (connection, names) = (&ground.connection, &ground.names);
    let refused = |refused: Refused| Failure::Internal(format!("loading the changelog: {refused}"));
    // In the place of the first worker: the group knows no other member than those that are to come.
    let member = format!("{}-0", super::super::process::INSTANCE);
    let mut source =
        KafkaSource::join(connection, connection.group(), &member, &names.events).map_err(refused)?;
    await_partitions(&mut source, ground.partitions, interrupt)?;
    let id = format!("{}-{member}", connection.group());
    let mut ledger = KafkaLedger::new(connection.clone(), names.clone(), &source, id, decisions::avro);
    for partition in 0..ground.partitions {
        ledger.ground(partition).map_err(refused)?;
    }

    let mut loaded = Loaded::default();
    let (mut units, mut key, mut open) = (empty(ground.partitions), Vec::new(), 0);
    for (number, person) in (0..users).zip(people.iter().cycle()) {
        let user = user(number);
        let partition = partition_of(user.as_bytes(), ground.partitions);
        let unit = usize::try_from(partition).ok().and_then(|partition| units.get_mut(partition));
        let Some(unit) = unit else { continue };
        let before = unit.size();
        for (part, state) in &person.profile {
            key.clear();
            part.write_key(user.as_bytes(), &mut key);
            let at = unit.key(&key);
            unit.push(Output::Profiles, 0, at, |out| wire::profile(*part, state, out));
        }
        loaded.parts += person.profile.len() as u64;
        open += unit.size() - before;
        if open >= TRANSACTION_BYTES || number + 1 == users {
            if interrupt.is_set() {
                return Err(Failure::Interrupted);
            }
            let full: Vec<_> =
                std::mem::replace(&mut units, empty(ground.partitions)).into_iter().map(Arc::new).collect();
            ledger.publish(&full).map_err(refused)?;
            loaded.bytes += open as u64;
            open = 0;
            // Shows the group that this member lives.
            source.poll(Duration::ZERO, &mut |_| true).map_err(refused)?;
        }
    }
    Ok(loaded)
}

/// One of each partition. Empty ones carry the mark all the same.
fn empty(partitions: i32) -> Vec<Unit> {
    let unit = |partition| {
        let mut unit = Unit::default();
        unit.reset(partition, 0, MARK);
        unit
    };
    (0..partitions).map(unit).collect()
}

fn await_partitions(source: &mut KafkaSource, partitions: i32, interrupt: &Interrupt) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    let mut assigned = 0;
    while assigned < partitions {
        if interrupt.is_set() {
            return Err(Failure::Interrupted);
        }
        if Instant::now() >= deadline {
            return Err(Failure::Unreachable(format!("the group gave no partitions within {PATIENCE:?}")));
        }
        let polled = source.poll(POLL_WAIT, &mut |arrival| {
            if let Arrival::Assigned(found) = arrival {
                assigned += i32::try_from(found.len()).unwrap_or(0);
            }
            true
        });
        polled.map_err(|refused| Failure::Internal(format!("joining the group: {refused}")))?;
    }
    Ok(())
}

pub(super) const TENANT: &str = "bench";
/// After the one record that every partition has.
const MARK: Mark = Mark { offset: 1, chain: Digest::ZERO };
const TRANSACTION_BYTES: usize = 8 << 20;
const PATIENCE: Duration = Duration::from_secs(30);
const POLL_WAIT: Duration = Duration::from_millis(100);
