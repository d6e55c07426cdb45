//! Asks the broker now and then where partitions end: what lag is measured by, whether a transaction
//! hangs, whether the broker is there at all.

#![expect(clippy::disallowed_methods, reason = "paces itself")]

use std::time::Duration;

use super::status::{DECISIONS, EVENTS, Ends, Status};
use super::stop::Stop;
use crate::ports::failure::Failure;
use crate::telemetry::Happened;

/// Where a partition of `events` or `decisions` ends.
pub type Sound<'s> = dyn FnMut(&'static str, i32) -> Result<Ends, Failure> + 's;

/// Sounds what the process holds until it is told to stop. Without partitions, the first of the
/// input stands for the broker.
pub fn run(status: &Status, stop: &Stop, bootstrap: &str, sound: &mut Sound<'_>) {
    let mut is_away = false;
    while !stop.is_set() {
        let outcome = look(status, stop, sound);
        if let Err(failure) = &outcome
            && !is_away
        {
            Happened::BrokerAway { bootstrap, why: &failure.to_string() }.emit();
        }
        is_away = outcome.is_err();
        let mut waited = Duration::ZERO;
        while waited < EVERY && !stop.is_set() {
            std::thread::sleep(PAUSE);
            waited += PAUSE;
        }
    }
}

fn look(status: &Status, stop: &Stop, sound: &mut Sound<'_>) -> Result<(), Failure> {
    let held = status.held();
    if held.is_empty() {
        sound(EVENTS, 0)?;
        status.heard();
    }
    for partition in held {
        for topic in [EVENTS, DECISIONS] {
            if stop.is_set() {
                return Ok(());
            }
            status.sounded(topic, partition, sound(topic, partition)?);
        }
    }
    Ok(())
}

/// Four small questions a partition: 24 of them are about 20 a second.
const EVERY: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_that_is_held_is_sounded() {
        let (status, stop) = (Status::default(), Stop::default());
        let mut asked = Vec::new();
        let mut sound = |topic, partition| {
            asked.push((topic, partition));
            Ok(Ends { stable: 1, high: 1 })
        };
        look(&status, &stop, &mut sound).unwrap();
        status.assigned(0, &[2, 5]);
        look(&status, &stop, &mut sound).unwrap();
        assert_eq!(asked, [(EVENTS, 0), (EVENTS, 2), (DECISIONS, 2), (EVENTS, 5), (DECISIONS, 5)]);
        assert!(!status.readiness().missing.iter().any(|missing| missing.contains("broker")));
    }

    #[test]
    fn a_broker_that_does_not_answer_was_not_heard_of() {
        let (status, stop) = (Status::default(), Stop::default());
        let away = || Failure::Unreachable("connection refused".into());
        assert!(look(&status, &stop, &mut |_, _| Err(away())).is_err());
        assert!(status.readiness().missing[0].contains("broker"));
    }
}
