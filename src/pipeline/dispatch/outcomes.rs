//! How what was handed out ended, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use super::{Dispatch, Seat};
use crate::model::Reject;
use crate::pipeline::lane::{Lane, Settled};
use crate::pipeline::restore::{Taken, Trouble};
use crate::ports::clock::Tick;
use crate::ports::failure::Failure;
use crate::ports::ledger::{Ground, Mark, Positions, Witness};
use crate::ports::store::{Batch, Checkpoint, StoreError};

impl Dispatch {
    pub fn ready(&mut self, partition: i32, taken: Taken) {
        let Some(seat @ Seat::TakingOver { .. }) = self.seats.get_mut(&partition) else { return };
        if taken.unverified {
            self.unverified.push(partition);
        }
        let lane = Lane::new(partition, Arc::clone(&self.settings), &taken.plan, taken.filter, taken.held);
        self.starts.push((partition, lane.next_offset()));
        *seat = Seat::Running(Box::new(lane));
    }

    /// Logged by the runtime, which asks [`Dispatch::refuses`]: a refusal leaves the partition unserved,
    /// the rest is tried again.
    pub fn troubled(&mut self, partition: i32, trouble: &Trouble, now: Tick) {
        let Some(seat) = self.seats.get_mut(&partition) else { return };
        let Seat::TakingOver { until, failures } = *seat else { return };
        match trouble {
            Trouble::Refused { .. } => *seat = Seat::Refused,
            // The other lanes go on meanwhile.
            Trouble::Hangs(_) => {
                let until = until.unwrap_or_else(|| now.plus(self.pace.hanging_patience));
                *seat = if now < until {
                    Seat::Hanging { again: now.plus(HANGING_PAUSE).min(until), until }
                } else {
                    Seat::Refused
                };
            }
            Trouble::BrokenOff => self.forget(partition),
            Trouble::Broker(Failure::Fatal(why)) => self.fatal = Some(why.clone()),
            // A store that fails is that partition's own trouble.
            Trouble::Broker(_) | Trouble::Store(_) => {
                *seat = Seat::Waiting {
                    again: now.plus(back_off(failures)),
                    failures: failures.saturating_add(1),
                };
            }
        }
    }

    pub fn started(&mut self, partition: i32) {
        if let Some(Seat::Running(lane)) = self.seats.get_mut(&partition) {
            lane.started();
        }
    }

    /// The answer to [`super::Command::Publish`]: positions in the order of its units. After
    /// [`Failure::Fenced`] nothing is held any more, and the worker must join its group anew: what
    /// the group thinks that it owns may be more.
    pub fn published(&mut self, outcome: Result<Vec<Positions>, Failure>, now: Tick) {
        let partitions = self.in_flight.take().unwrap_or_default();
        match outcome {
            Ok(positions) => {
                self.failures = 0;
                self.broken.check(positions.len() == partitions.len(), "every unit is answered");
                for (partition, positions) in partitions.iter().zip(positions) {
                    if let Some(lane) = self.lane_mut(*partition) {
                        lane.committed(positions);
                    }
                }
            }
            Err(Failure::Aborted(_)) => {
                self.abort(&partitions);
                self.back_off(now);
            }
            Err(Failure::Unreachable(_)) => {
                self.abort(&partitions);
                self.back_off(now);
            }
            Err(Failure::TooLarge(what)) => {
                if let Some(lane) = self.lane_mut(what.partition) {
                    lane.refuse(what.offset, Reject::TooLarge);
                }
                self.abort(&partitions);
            }
            Err(Failure::Unknown(_)) => {
                // What was lost meanwhile is nobody's question here: who has it now finds out. And to wait
                // for its answer would hold up everything else.
                self.doubt = partitions.into_iter().filter(|at| self.lane(*at).is_some()).collect();
                self.back_off(now);
            }
            Err(Failure::Fenced(_)) => self.lost(&self.seats.keys().copied().collect::<Vec<_>>()),
            Err(Failure::Fatal(why)) => self.fatal = Some(why),
        }
    }

    /// The answer to [`super::Command::Ask`].
    pub fn answered(&mut self, outcome: Result<Vec<(i32, Ground)>, Failure>, now: Tick) {
        self.asked = false;
        let grounds = match outcome {
            Ok(grounds) => grounds,
            Err(Failure::Fatal(why)) => {
                self.fatal = Some(why);
                return;
            }
            Err(_) => return self.back_off(now),
        };
        self.doubt.clear();
        for (partition, ground) in grounds {
            if ground.hanging.is_some() {
                self.take_over_again(partition);
                continue;
            }
            let Some(lane) = self.lane_mut(partition) else { continue };
            let (mark, positions) = match (&ground.committed, ground.witness) {
                (Some(committed), witness) => {
                    let mark = Mark::parse(committed.offset, &committed.metadata);
                    let known = match witness {
                        Witness::Last(last, positions)
                            if mark.is_some_and(|mark| mark.chain == last.chain) =>
                        {
                            positions
                        }
                        _ => Positions::default(),
                    };
                    (mark, known)
                }
                // Nothing was ever committed: then the unit was not.
                (None, _) => (Some(lane.mark()), Positions::default()),
            };
            match mark.and_then(|mark| lane.settle(mark, positions)) {
                Some(Settled::Committed) => {}
                Some(Settled::Aborted { start }) => {
                    if !self.leaving.contains(&partition) {
                        self.starts.push((partition, start));
                    }
                }
                None => self.take_over_again(partition),
            }
        }
    }

    /// The answer to [`super::Command::Checkpoint`].
    pub fn checkpointed(&mut self, partition: i32, batch: &Batch, outcome: Result<Checkpoint, &StoreError>) {
        match outcome {
            Ok(checkpoint) => {
                if let Some(lane) = self.lane_mut(partition) {
                    lane.checkpointed(batch, checkpoint.held);
                }
            }
            Err(_) => self.take_over_again(partition),
        }
    }

    /// The answer to [`super::Command::Verify`]: a store that is not what was written is restored.
    pub fn verified(&mut self, partition: i32, outcome: Result<(), &StoreError>) {
        if outcome.is_err() && self.lane(partition).is_some() {
            self.take_over_again(partition);
        }
    }

    fn abort(&mut self, partitions: &[i32]) {
        for partition in partitions {
            let leaves = self.leaving.contains(partition);
            let Some(lane) = self.lane_mut(*partition) else { continue };
            let offset = lane.aborted();
            if !leaves {
                self.starts.push((*partition, offset));
            }
        }
    }

    fn back_off(&mut self, now: Tick) {
        self.retry_at = Some(now.plus(back_off(self.failures)));
        self.failures = self.failures.saturating_add(1);
    }
}

/// How long to wait after so many failures before this one.
fn back_off(failures: u32) -> Duration {
    BACK_OFF_FIRST.saturating_mul(1 << failures.min(BACK_OFF_DOUBLINGS))
}

/// How often an open transaction is looked for again.
const HANGING_PAUSE: Duration = Duration::from_millis(200);
const BACK_OFF_FIRST: Duration = Duration::from_millis(20);
/// 20 ms to about 5 s.
const BACK_OFF_DOUBLINGS: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::ledger::Hanging;

    const PATIENCE: u64 = 10;

    /// Dispatch with one partition, whose output hangs until `ends` seconds. Gives the second in which
    /// it is refused, or ready to be served.
    #[track_caller]
    fn check(ends: u64, expected: (u64, bool)) {
        let second = |second| Tick(Duration::from_secs(second));
        let pace = super::super::Pace {
            hanging_patience: Duration::from_secs(PATIENCE),
            ..super::super::Pace::default()
        };
        let mut dispatch = Dispatch::new(Arc::new(settings()), pace, second(0));
        dispatch.assigned(&[3]);
        let hanging = Hanging { topic: "risk.decisions".into(), partition: 3, offset: 7, counted: None };
        let trouble = Trouble::Hangs(hanging);
        for now in 0..2 * PATIENCE {
            let command = dispatch.next(second(now));
            let Some(super::super::Command::TakeOver(3)) = command else { panic!("{command:?} at {now}") };
            assert!(dispatch.next(second(now)).is_none(), "one take-over at a time");
            if now >= ends {
                assert_eq!((now, false), expected);
                return;
            }
            dispatch.troubled(3, &trouble, second(now));
            if dispatch.refuses(3) {
                assert_eq!((now, true), expected);
                assert!(dispatch.next(second(100 * PATIENCE)).is_none(), "refused is not tried again");
                return;
            }
            assert!(dispatch.next(second(now)).is_none(), "not at once");
            assert!(dispatch.wake_at() <= second(now + 1), "woken in time");
        }
        panic!("waits for ever");
    }

    #[test]
    fn a_partition_that_cannot_be_taken_over_does_not_hold_up_the_others() {
        let at = |millis| Tick(Duration::from_millis(millis));
        let mut dispatch = Dispatch::new(Arc::new(settings()), super::super::Pace::default(), at(0));
        dispatch.assigned(&[1, 2]);
        let trouble = Trouble::Store(StoreError::Unusable("disk full".into()));
        let mut tried = Vec::new();
        for now in 0..200 {
            while let Some(command) = dispatch.next(at(now)) {
                let super::super::Command::TakeOver(partition) = command else { panic!("{command:?}") };
                tried.push((now, partition));
                dispatch.troubled(partition, &trouble, at(now));
            }
            assert!(dispatch.wake_at() > at(now), "nothing is left to be done");
        }
        assert_eq!(tried, [(0, 1), (0, 2), (20, 1), (20, 2), (60, 1), (60, 2), (140, 1), (140, 2)]);
    }

    #[test]
    fn what_was_lost_is_not_asked_for() {
        let at = |millis| Tick(Duration::from_millis(millis));
        let mut dispatch = Dispatch::new(Arc::new(settings()), super::super::Pace::default(), at(0));
        dispatch.assigned(&[1]);
        dispatch.in_flight = Some(vec![1]);
        dispatch.lost(&[1]);
        dispatch.published(Err(Failure::Unknown("timed out".into())), at(0));
        dispatch.assigned(&[1]);
        let command = dispatch.next(at(1_000));
        assert!(matches!(command, Some(super::super::Command::TakeOver(1))), "{command:?}");
    }

    fn settings() -> crate::pipeline::lane::Settings {
        crate::pipeline::lane::Settings { partitions: 4, ..crate::pipeline::lane::Settings::plain() }
    }

    #[test]
    fn an_open_transaction_is_waited_for_and_then_the_lane_stops() {
        check(0, (0, false));
        check(4, (4, false));
        check(PATIENCE, (PATIENCE, false));
        check(PATIENCE + 1, (PATIENCE, true));
        check(u64::MAX, (PATIENCE, true));
    }
}
