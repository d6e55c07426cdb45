//! Plays the script: appends its events to the embedded log as its people act, and tells what the
//! worker has committed, as any reader of the output would see it.
//!
//! The history goes in as fast as it is decided; the live part in step with the viewer's time. Only
//! the live part is timed: what waits in the queue of a replay is nobody's login.

#![expect(clippy::disallowed_methods, reason = "the viewer's time is the one thing that the demo measures")]

use std::collections::VecDeque;
use std::sync::mpsc::{SendError, SyncSender};
use std::time::{Duration, Instant};

use crate::adapters::embedded::Log;
use crate::engine::emit::event_avro;
use crate::model::event::Event;
use crate::model::time::Timestamp;
use crate::pipeline::intake::partition_of;
use crate::ports::ledger::Output;
use crate::runtime::stop::Stop;
use crate::simulate::demo::{Cue, Live, PACE, Script};

use super::board::Told;

/// Who plays, and where to.
pub(super) struct Player {
    log: Log,
    tell: SyncSender<Told>,
    stop: Stop,
    began: Instant,
    length: Duration,
    partitions: Vec<Read>,
    events: u64,
    live: bool,
}

/// How far a partition was read, and what was appended and not yet decided.
#[derive(Default)]
struct Read {
    next: [i64; TOLD.len()],
    waiting: VecDeque<(i64, Instant)>,
}

impl Player {
    pub(super) fn new(
        log: Log,
        tell: SyncSender<Told>,
        stop: Stop,
        began: Instant,
        length: Duration,
    ) -> Self {
        let partitions = (0..log.partitions()).map(|_| Read::default()).collect();
        Self { log, tell, stop, began, length, partitions, events: 0, live: false }
    }

    /// Plays until the time is over or whoever listens is gone; returns the number of events.
    pub(super) fn play(mut self, mut script: Script) -> u64 {
        drop(self.history(&mut script).and_then(|()| self.live(script.live())));
        self.events
    }

    fn history(&mut self, script: &mut Script) -> Result<(), Over> {
        self.clock(script.begins())?;
        for simulated in script {
            self.append(&simulated.event);
            while self.log.lag() >= LAG_MAX {
                self.wait()?;
            }
        }
        while self.log.lag() > 0 {
            self.wait()?;
        }
        self.read()
    }

    fn live(&mut self, live: Live) -> Result<(), Over> {
        self.live = true;
        let from = Instant::now();
        for Cue { after_ms, simulated, caption } in live {
            while from.elapsed() < Duration::from_millis(after_ms) {
                self.wait()?;
            }
            if let Some(words) = caption {
                self.tell(Told::Scene(words))?;
            }
            self.clock(simulated.event.occurred_at)?;
            self.append(&simulated.event);
        }
        Ok(())
    }

    fn append(&mut self, event: &Event<'_>) {
        let key = format!("{}/{}", event.tenant, event.user);
        let mut value = Vec::new();
        event_avro(event, &mut value);
        let partition = partition_of(key.as_bytes(), self.log.partitions());
        let now = Instant::now();
        // The record's time is the event's: its people live in their own year.
        let at = Some(event.occurred_at);
        if let Some(offset) = self.log.append(partition, at, Some(key.as_bytes()), Some(&value)) {
            self.events += 1;
            if let Some(read) =
                usize::try_from(partition).ok().and_then(|number| self.partitions.get_mut(number))
            {
                read.waiting.push_back((offset, now));
            }
        }
    }

    fn wait(&mut self) -> Result<(), Over> {
        self.read()?;
        if self.stop.is_set() || self.began.elapsed() >= self.length {
            return Err(Over);
        }
        std::thread::sleep(STEP);
        Ok(())
    }

    /// Tells what was committed since the last time.
    fn read(&mut self) -> Result<(), Over> {
        for (number, read) in (0..).zip(&mut self.partitions) {
            for (output, next) in TOLD.iter().zip(&mut read.next) {
                loop {
                    let records = self.log.read(*output, number, *next, READ_AT_ONCE);
                    let Some(last) = records.last() else { break };
                    *next = last.offset + 1;
                    for record in &records {
                        let json =
                            String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned();
                        let told = match output {
                            Output::Decisions => {
                                let took = took(&mut read.waiting, &json).filter(|_| self.live);
                                Told::Decision { json, took }
                            }
                            Output::Alerts => Told::Alert,
                            Output::Rejected => Told::Rejected { json },
                            _ => Told::Revocation { json },
                        };
                        self.tell.send(told)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn clock(&self, events_at: Timestamp) -> Result<(), Over> {
        self.tell(Told::Clock { events_at: events_at.to_string(), live: self.live })
    }

    fn tell(&self, told: Told) -> Result<(), Over> {
        Ok(self.tell.send(told)?)
    }
}

/// Time since the event of this decision was appended. Events that gave none are passed over.
fn took(waiting: &mut VecDeque<(i64, Instant)>, decision: &str) -> Option<Duration> {
    let Decided { position } = serde_json::from_str(decision).ok()?;
    let mut since = None;
    while let Some((_, at)) = waiting.pop_front_if(|(offset, _)| *offset <= position.offset) {
        since = Some(at);
    }
    since.map(|at| at.elapsed())
}

#[derive(serde::Deserialize)]
struct Decided {
    position: Place,
}

#[derive(serde::Deserialize)]
struct Place {
    offset: i64,
}

/// The play is over: its time is, or nobody listens.
struct Over;

impl From<SendError<Told>> for Over {
    fn from(_: SendError<Told>) -> Self {
        Self
    }
}

const TOLD: [Output; 4] = [Output::Decisions, Output::Alerts, Output::Revocations, Output::Rejected];
const READ_AT_ONCE: usize = 500;
/// How many events of the history may wait: fewer than the log keeps.
const LAG_MAX: u64 = 5_000;
/// How exactly events are played, and latencies measured.
const STEP: Duration = Duration::from_millis(1);
const _: () = assert!(PACE > 0, "the live part goes forward");
