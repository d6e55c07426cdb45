//! The stage over a log of the test's own, whose transactions fail as they are told.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use super::*;
use crate::ports::failure::Oversized;
use crate::ports::ledger::{Change, Committed, Positions, ReadBack, Witness};
use crate::ports::source::{Arrival, Source};
use crate::runtime::relay::run;
use crate::runtime::stop::{ProcessClock, Pulse, Stop};

/// One partition of `count` events, what was copied of it, and how the next transactions end.
#[derive(Clone, Debug)]
struct Log(Arc<Mutex<State>>, Stop);

#[derive(Debug, Default)]
struct State {
    count: i64,
    committed: Option<i64>,
    /// Where the client reads; it goes on reading whatever became of a transaction.
    position: Option<i64>,
    assigned: bool,
    copied: Vec<String>,
    rejected: usize,
    failures: VecDeque<Failure>,
    polls: usize,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Source for Log {
    fn poll(&mut self, _: Duration, visit: &mut dyn FnMut(Arrival<'_>) -> bool) -> Result<(), Failure> {
        let mut state = self.lock();
        state.polls += 1;
        if state.committed == Some(state.count) || state.polls > POLLS_MAX {
            self.1.set();
        }
        if !std::mem::replace(&mut state.assigned, true) {
            visit(Arrival::Assigned(vec![0]));
            return Ok(());
        }
        let Some(offset) = state.position.filter(|offset| *offset < state.count) else {
            drop(state);
            std::thread::yield_now();
            return Ok(());
        };
        state.position = Some(offset + 1);
        drop(state);
        let value = format!(
            r#"{{"event_id":"e{offset}","user_id":"ada","type":"login","outcome":"success","occurred_at":"2026-01-05T09:00:00Z"}}"#
        );
        let value = Some(value.as_bytes());
        visit(Arrival::Record(Record {
            partition: 0,
            offset,
            recorded_at: None,
            key: None,
            value,
            headers: &[],
        }));
        Ok(())
    }

    fn start(&mut self, _: i32, offset: i64) -> Result<(), Failure> {
        self.lock().position = Some(offset);
        Ok(())
    }

    fn hold(&mut self, _: i32) -> Result<(), Failure> {
        Ok(())
    }

    fn release(&mut self, _: &[i32]) -> Result<(), Failure> {
        Ok(())
    }

    fn pause(&mut self, _: bool) -> Result<(), Failure> {
        Ok(())
    }
}

impl Ledger for Log {
    fn publish(&mut self, units: &[Arc<Unit>]) -> Result<Vec<Positions>, Failure> {
        let mut state = self.lock();
        if let Some(failure) = state.failures.pop_front() {
            return Err(failure);
        }
        for unit in units {
            state.committed = Some(unit.to.offset);
            for record in unit.records() {
                match record.output {
                    Output::Decisions => {
                        let event: serde_json::Value = serde_json::from_slice(record.value.unwrap()).unwrap();
                        state.copied.push(event["event_id"].as_str().unwrap().to_owned());
                    }
                    _ => state.rejected += 1,
                }
            }
        }
        Ok(vec![Positions::default(); units.len()])
    }

    fn ground(&mut self, _: i32) -> Result<Ground, Failure> {
        let state = self.lock();
        let committed = state.committed.map(|offset| Committed { offset, metadata: String::new() });
        let (input, witness) = (0..state.count, Witness::Never);
        Ok(Ground { committed, input, profiles: 0..0, witness, hanging: None })
    }

    fn read_back(&mut self, _: i32, _: i64) -> Result<Option<ReadBack>, Failure> {
        Ok(None)
    }

    fn changes(&mut self, _: i32, from: i64, _: &mut dyn FnMut(Change<'_>) -> bool) -> Result<i64, Failure> {
        Ok(from)
    }
}

/// Copies twelve events over these failures; returns what was copied, and how many were rejected.
fn copied(failures: impl IntoIterator<Item = Failure>) -> (Vec<String>, usize) {
    let state = State { count: 12, failures: failures.into_iter().collect(), ..State::default() };
    let log = Log(Arc::new(Mutex::new(state)), Stop::default());
    let clock = ProcessClock::default();
    let stage = Stage {
        name: "other".into(),
        topic: "raw".into(),
        from: Format::Json,
        mapping: None,
        lets: Lets::Events,
        to: Form::Rendered(Rendering::Json),
        limits: Limits::default(),
        rejected: Rendering::Json,
        lookup: Lookup::default(),
        traces: false,
    };
    let (source, ledger) = (Box::new(log.clone()), Box::new(log.clone()));
    run(stage.copies(), (&log.1, clock), source, ledger, &Pulse::new(clock)).unwrap();
    let state = log.lock();
    (state.copied.clone(), state.rejected)
}

fn all_but(left_out: &[usize]) -> Vec<String> {
    (0..12).filter(|number| !left_out.contains(number)).map(|number| format!("e{number}")).collect()
}

/// The client goes on handing over what comes after a batch whose transaction did not go through: none of
/// it may be copied before that batch is.
#[test]
fn a_transaction_that_fails_loses_nothing_and_copies_nothing_twice() {
    let aborted = || Failure::Aborted("planted".into());
    assert_eq!(copied([]), (all_but(&[]), 0));
    assert_eq!(copied([aborted()]), (all_but(&[]), 0));
    assert_eq!(copied([aborted(), Failure::Unknown("planted".into()), aborted()]), (all_but(&[]), 0));
}

#[test]
fn a_copy_that_the_broker_refuses_is_rejected_and_the_rest_goes_on() {
    let oversized = Oversized { partition: 0, offset: 0, output: Output::Decisions, bytes: 2_000_000 };
    assert_eq!(copied([Failure::TooLarge(oversized)]), (all_but(&[0]), 1));
}

/// Many times what passes while the stage waits before it tries again.
const POLLS_MAX: usize = 50_000_000;
