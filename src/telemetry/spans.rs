//! Spans on their way to whoever exports them: a bounded queue and a bound a second.
//!
//! Workers put in what they have committed and never wait; what finds no room is dropped and counted.
//! *When it does nothing*: there are no [`Spans`] unless somebody traces.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use metrics::counter;

use super::table;
use crate::ports::clock::{Clock, Tick};
use crate::ports::ledger::Unit;
use crate::ports::tracer::{Recorded, Trace, Tracer};

/// A record whose decision is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processed {
    pub partition: i32,
    pub trace: Trace,
    pub recorded: Recorded,
    /// When its transaction was handed to the broker.
    pub publishing: Tick,
    pub committed: Tick,
}

/// Takes what is to be recorded, from every thread of the process.
#[derive(Clone, Debug)]
pub struct Spans {
    inside: Arc<Inside>,
    to: SyncSender<Processed>,
}

#[derive(Debug)]
struct Inside {
    reader: String,
    clock: Arc<dyn Clock>,
    records_a_second: u32,
    /// The second, and how many were admitted in it.
    admitted: AtomicU64,
}

impl Spans {
    /// `reader` is the consumer group. What is taken comes out at the other end.
    #[must_use]
    pub fn new(reader: String, clock: Arc<dyn Clock>, records_a_second: u32) -> (Self, Receiver<Processed>) {
        // Shown from the beginning: an alert sees an increase only of what is there.
        Dropped::ALL.iter().for_each(|why| dropped(*why, 0));
        sent(0);
        let (to, from) = sync_channel(QUEUE_MAX);
        let admitted = AtomicU64::new(0);
        (Self { inside: Arc::new(Inside { reader, clock, records_a_second, admitted }), to }, from)
    }

    /// Takes what a unit recorded, now that it is committed.
    pub fn committed(&self, unit: &Unit, publishing: Tick, committed: Tick) {
        for trace in unit.traces() {
            let Some(recorded) = trace.record.clone() else { continue };
            let trace = Trace { record: None, ..trace.clone() };
            let processed = Processed { partition: unit.partition, trace, recorded, publishing, committed };
            if self.to.try_send(processed).is_err() {
                dropped(Dropped::Queue, SPANS_A_RECORD);
            }
        }
    }
}

impl Tracer for Spans {
    fn reader(&self) -> &str {
        &self.inside.reader
    }

    fn now(&self) -> Tick {
        self.inside.clock.now()
    }

    fn admits(&self) -> bool {
        let second = self.now().0.as_secs() << 32;
        let admit = |admitted: u64| {
            let count = if admitted >> 32 == second >> 32 { admitted & u64::from(u32::MAX) } else { 0 };
            (count < u64::from(self.inside.records_a_second)).then_some(second | (count + 1))
        };
        let admitted = self.inside.admitted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, admit).is_ok();
        if !admitted {
            dropped(Dropped::Rate, SPANS_A_RECORD);
        }
        admitted
    }
}

/// Why a span was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// More than the settings allow in a second.
    Rate,
    /// The collector takes less than comes.
    Queue,
    /// The collector did not take it.
    Collector,
}

impl Dropped {
    const ALL: [Self; 3] = [Self::Rate, Self::Queue, Self::Collector];

    const fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Queue => "queue",
            Self::Collector => "collector",
        }
    }
}

/// Counts spans that nobody will see.
pub fn dropped(why: Dropped, spans: u64) {
    counter!(table::SPANS_DROPPED.name, "why" => why.name()).increment(spans);
}

/// Counts spans that a collector has taken.
pub fn sent(spans: u64) {
    counter!(table::SPANS_SENT.name).increment(spans);
}

/// What becomes of one record: the whole, and its deciding and committing.
pub const SPANS_A_RECORD: u64 = 3;
/// Half a minute at the default rate, under a MiB.
const QUEUE_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;
    use crate::model::id::Digest;
    use crate::model::trace::TraceParent;
    use crate::ports::ledger::Mark;
    use crate::ports::tracer::Became;

    #[derive(Debug, Default)]
    struct Hand(Mutex<u64>);

    impl Clock for Hand {
        fn now(&self) -> Tick {
            Tick(Duration::from_millis(*self.0.lock().unwrap()))
        }
    }

    #[test]
    fn a_second_admits_so_many_and_the_next_as_many_again() {
        let hand = Arc::new(Hand::default());
        let (spans, _from) = Spans::new("g".into(), Arc::clone(&hand) as _, 3);
        let admitted = |millis: u64| {
            *hand.0.lock().unwrap() = millis;
            (0..10).filter(|_| spans.admits()).count()
        };
        assert_eq!([admitted(0), admitted(999), admitted(1_000), admitted(5_500)], [3, 0, 3, 3]);
        let (none, _from) = Spans::new("g".into(), hand, 0);
        assert!(!none.admits());
    }

    #[test]
    fn a_full_queue_takes_no_more_and_nobody_waits() {
        let (spans, from) = Spans::new("g".into(), Arc::new(Hand::default()), 1);
        let mut unit = Unit::default();
        unit.reset(3, 0, Mark { offset: 0, chain: Digest::ZERO });
        let onward = TraceParent { trace: [1; 16], span: [2; 8], flags: 1 };
        let recorded = Recorded {
            parent: [3; 8],
            received: Tick::default(),
            decided: Tick::default(),
            became: Became::Duplicate,
        };
        let trace = |offset, record| Trace { offset, onward, state: None, record };
        unit.note(Some(trace(1, None)));
        unit.note(Some(trace(2, Some(recorded))));
        for _ in 0..=QUEUE_MAX {
            spans.committed(&unit, Tick::default(), Tick::default());
        }
        let taken: Vec<_> = from.try_iter().map(|one| (one.partition, one.trace.offset)).collect();
        assert_eq!(taken, vec![(3, 2); QUEUE_MAX]);
    }
}
