//! Deliveries of a transaction, counted where the writer waits for them.

#![expect(clippy::disallowed_methods, reason = "time limits at the edge to the broker")]

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message as _;
use rdkafka::producer::{DeliveryResult, NoCustomPartitioner, ProducerContext};

use super::Slot;
use crate::adapters::kafka::events::Events;

/// The producer's context.
pub(super) type Deliveries = Events<Arc<Tally>>;

impl ProducerContext<NoCustomPartitioner> for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        self.role.note(
            opaque,
            match result {
                Ok(message) => Ok(message.offset()),
                Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)),
            },
        );
    }
}

/// Of the transaction at hand.
#[derive(Default)]
pub(super) struct Tally {
    state: Mutex<Counted>,
    arrived: Condvar,
}

#[derive(Default)]
struct Counted {
    transaction: u16,
    delivered: usize,
    /// How many the writer waits for; it is woken once, not by each.
    awaited: Option<usize>,
    failed: Option<(RDKafkaErrorCode, usize)>,
    offsets: Vec<Option<i64>>,
}

impl Tally {
    fn state(&self) -> MutexGuard<'_, Counted> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, transaction: u16, slots: usize) {
        let mut state = self.state();
        *state = Counted { transaction, offsets: std::mem::take(&mut state.offsets), ..Counted::default() };
        state.offsets.clear();
        state.offsets.resize(slots, None);
    }

    fn note(&self, opaque: usize, result: Result<i64, RDKafkaErrorCode>) {
        let (transaction, slot, number) = parts(opaque);
        let mut state = self.state();
        if state.transaction != transaction {
            return; // Purged remains of one that was aborted.
        }
        match result {
            Ok(offset) => {
                if let Some(last) = state.offsets.get_mut(usize::from(slot)) {
                    *last = Some(last.map_or(offset, |last| last.max(offset)));
                }
            }
            Err(code) => {
                state.failed.get_or_insert((code, number));
            }
        }
        state.delivered += 1;
        if state.failed.is_some() || state.awaited.is_some_and(|awaited| state.delivered >= awaited) {
            self.arrived.notify_one();
        }
    }

    /// The first failure, if there was one, as soon as there is one or all `sent` are delivered.
    pub(super) fn wait(&self, sent: usize, deadline: Instant) -> Option<(RDKafkaErrorCode, usize)> {
        let mut state = self.state();
        state.awaited = Some(sent);
        loop {
            if state.failed.is_some() {
                return state.failed;
            }
            if state.delivered >= sent {
                return None;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some((RDKafkaErrorCode::MessageTimedOut, state.delivered));
            }
            state = self
                .arrived
                .wait_timeout(state, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
    }

    pub(super) fn take(&self) -> Vec<Option<i64>> {
        self.state().offsets.clone()
    }
}

/// Transaction, slot and number of a record in one word, so that a delivery allocates nothing.
pub(super) const fn opaque(transaction: u16, slot: Slot, number: usize) -> usize {
    (transaction as usize) << 48 | (slot as usize) << 32 | (number & 0xffff_ffff)
}

#[expect(clippy::cast_possible_truncation, reason = "each part is masked to its width")]
const fn parts(opaque: usize) -> (u16, Slot, usize) {
    ((opaque >> 48) as u16, (opaque >> 32) as u16, opaque & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        notes: &[(u16, Slot, usize, Result<i64, RDKafkaErrorCode>)],
        sent: usize,
        failed: Option<usize>,
        offsets: &[Option<i64>],
    ) {
        let tally = Tally::default();
        tally.open(7, offsets.len());
        for (transaction, slot, number, result) in notes {
            tally.note(opaque(*transaction, *slot, *number), *result);
        }
        assert_eq!(tally.wait(sent, Instant::now()).map(|(_, number)| number), failed);
        assert_eq!(tally.take(), offsets);
    }

    #[test]
    fn counts_deliveries_of_this_transaction_only() {
        check(&[(7, 0, 0, Ok(4)), (7, 1, 1, Ok(9)), (7, 0, 2, Ok(5))], 3, None, &[Some(5), Some(9)]);
        check(&[(7, 0, 0, Ok(4)), (6, 1, 1, Ok(9))], 2, Some(1), &[Some(4), None]);
        check(
            &[(7, 0, 0, Ok(4)), (7, 1, 1, Err(RDKafkaErrorCode::MessageTimedOut))],
            2,
            Some(1),
            &[Some(4), None],
        );
        check(&[], 0, None, &[]);
    }
}
