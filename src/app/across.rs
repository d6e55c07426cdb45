//! Signals across users in `ward run`: the thread of the network lanes, and the one that keeps their
//! facts at hand.
#![expect(clippy::disallowed_methods, reason = "the edge waits for a broker")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::adapters::kafka::acls::networks_group;
use crate::adapters::kafka::topics::Names;
use crate::adapters::kafka::{
    Connection, Failure as KafkaFailure, Follower, KafkaLedger, KafkaLog, KafkaSource, Placement,
};
use crate::engine::across::Table;
use crate::ports::source::Record;
use crate::runtime::facts;
use crate::runtime::networks::Sightings;
use crate::runtime::relay;
use crate::runtime::stop::{Pulse, Stop};
use crate::runtime::worker::{Ended, Shared};

/// The network lanes of this process.
pub(super) fn lanes(
    shared: &Shared,
    connection: &Connection,
    names: &Names,
    pulse: Pulse,
) -> impl FnOnce() -> Result<(), Ended> + Send + 'static {
    let (connection, instance) = (connection.clone(), Arc::clone(&shared.instance));
    let (stop, clock) = (shared.stop.clone(), shared.clock);
    // The same ledger, another fold: its decisions are facts, its profiles are sketches.
    let names = Names {
        events: names.sightings.clone(),
        decisions: names.networks.clone(),
        profiles: names.network_state.clone(),
        ..names.clone()
    };
    move || {
        let group = networks_group(connection.group());
        let member = format!("{instance}-networks");
        let id = format!("{}-{member}", connection.group());
        super::anew::again(&stop, "networks", || {
            let source = KafkaSource::join(&connection, &group, &member, &names.events)
                .map_err(|failure| Ended::Refused(failure.to_string()))?;
            let ledger = KafkaLedger::new(connection.clone(), names.clone(), &source, id.clone(), |_| None)
                .placed(Placement::Facts)
                .watched(pulse.call());
            relay::run(Sightings, (&stop, clock), Box::new(source), Box::new(ledger), &pulse)
        })
    }
}

/// What the network lanes tell, as far as it is told, and where the reader goes on. A broker that has gone
/// away again is waited for; `None`: until the process was told to stop.
///
/// # Errors
/// When the broker refuses.
pub(super) fn told(
    connection: &Connection,
    topic: &str,
    partitions: i32,
    stop: &Stop,
) -> Result<Option<(Table, Vec<i64>)>, KafkaFailure> {
    let (mut table, mut ends) = (Table::default(), Vec::new());
    for partition in 0..partitions {
        let began = Instant::now();
        let end = loop {
            match read(connection, topic, partition, &mut table) {
                // A topic that was just made has no leader yet. What is read again says the same again.
                Err(KafkaFailure::Refused { .. }) if began.elapsed() < PATIENCE => {}
                Err(failure @ KafkaFailure::Unreachable { .. }) => {
                    warn!(%failure, topic, "facts across users are not read yet");
                }
                end => break end?,
            }
            if stop.is_set() {
                return Ok(None);
            }
            std::thread::sleep(PAUSE);
        };
        ends.push(end);
    }
    Ok(Some((table, ends)))
}

fn read(
    connection: &Connection,
    topic: &str,
    partition: i32,
    table: &mut Table,
) -> Result<i64, KafkaFailure> {
    let mut log = KafkaLog::open(connection, topic, partition)?;
    let mut take = |record: &Record<'_>| facts::take(table, record.key.unwrap_or_default(), record.value);
    while log.next(&mut take)?.is_some() {}
    Ok(log.end())
}

/// Keeps the facts at hand as new ones are told.
pub(super) fn follow(
    shared: &Shared,
    connection: &Connection,
    topic: &str,
    (mut table, ends): (Table, Vec<i64>),
    pulse: Pulse,
) -> impl FnOnce() -> Result<(), Ended> + Send + 'static {
    let (connection, topic) = (connection.clone(), topic.to_owned());
    let (stop, facts) = (shared.stop.clone(), shared.facts.clone());
    move || {
        let refused = |failure: KafkaFailure| Ended::Refused(failure.to_string());
        let partitions = i32::try_from(ends.len()).unwrap_or(0);
        let follower = Follower::new(&connection, &topic, partitions).map_err(refused)?;
        follower.begin_at(&ends).map_err(refused)?;
        let (mut changed, mut is_away) = (true, false);
        while !stop.is_set() {
            pulse.beat();
            // What comes together is told together.
            let wait = if changed { Duration::ZERO } else { WAIT };
            let mut take =
                |record: &Record<'_>| facts::take(&mut table, record.key.unwrap_or_default(), record.value);
            match follower.try_next(wait, &mut take) {
                Ok(Some(())) => (changed, is_away) = (true, false),
                Ok(None) if changed => {
                    facts.replace(table.clone());
                    changed = false;
                }
                Ok(None) => {}
                // Decisions go on with what is at hand; what is told ends by itself.
                Err(failure @ (KafkaFailure::Unreachable { .. } | KafkaFailure::Refused { .. })) => {
                    if !is_away {
                        warn!(%failure, topic, "facts across users are not read");
                    }
                    is_away = true;
                }
                Err(failure) => return Err(refused(failure)),
            }
        }
        Ok(())
    }
}

const WAIT: Duration = Duration::from_millis(100);
/// What `ward run` waits for a broker that has answered once.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);
