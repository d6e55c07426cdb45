//! A relay's thread: polls, and carries out what [`Relay`] says.
//!
//! *Delivery*: exactly once: what is made of records and the offsets of the input are one transaction.
//! *Ordering*: that of the partition. *Failure*: what can be tried again is, by the relay; what cannot ends
//! the thread. Records that retention took before they were read are passed over, and said.

use std::sync::Arc;
use std::time::Duration;

use super::stop::{ProcessClock, Pulse, Stop};
use super::worker::{Ended, ended};
use crate::pipeline::relay::{Command, Fold, Relay};
use crate::ports::clock::Clock as _;
use crate::ports::failure::Failure;
use crate::ports::ledger::{Ledger, Outgoing, Output, Unit};
use crate::ports::source::Source;

/// Runs until it is told to stop, or cannot go on.
///
/// # Errors
/// See [`Ended`].
pub fn run<F: Fold>(
    fold: F,
    (stop, clock): (&Stop, ProcessClock),
    mut source: Box<dyn Source + Send>,
    mut ledger: Box<dyn Ledger + Send>,
    pulse: &Pulse,
) -> Result<(), Ended> {
    let mut relay = Relay::new(fold, F::PACE);
    loop {
        let mut wait = POLL_MAX;
        loop {
            pulse.beat();
            if stop.is_set() {
                // What is open is not committed, so the next run reads it again.
                return Ok(());
            }
            let Some(command) = relay.next(clock.now()) else { break };
            match command {
                Command::Begin(partition) => {
                    relay.begin(partition, ledger.as_mut(), source.as_mut(), clock.now()).map_err(ended)?;
                    // This may take long; the group wants to hear from us between two.
                    wait = Duration::ZERO;
                    break;
                }
                Command::Publish(units) => {
                    ledger.prepare();
                    let outcome = match ledger.publish(&units) {
                        Err(Failure::Fatal(why)) => return Err(Ended::Refused(why)),
                        Err(Failure::Fenced(why)) => return Err(Ended::Again(why)),
                        outcome => outcome.map(drop),
                    };
                    relay.published(outcome.as_ref().copied(), clock.now());
                }
                Command::Hold(partition) => source.hold(partition).map_err(ended)?,
                Command::Release(partitions) => source.release(&partitions).map_err(ended)?,
            }
        }
        source.poll(wait, &mut |arrival| relay.arrived(arrival)).map_err(ended)?;
    }
}

/// What units carry to one output.
pub(super) fn written(units: &[Arc<Unit>], output: Output) -> impl Iterator<Item = Outgoing<'_>> {
    units.iter().flat_map(|unit| unit.records()).filter(move |record| record.output == output)
}

/// Longest wait for a record: how soon a stop, a schema or the time to publish is noticed.
const POLL_MAX: Duration = Duration::from_millis(20);
