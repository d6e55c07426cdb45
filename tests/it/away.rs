//! A local copy that was away while somebody was erased: what it may be brought up with, and when it must
//! not be.

use std::sync::Arc;
use std::time::Duration;

use wardstream::adapters::embedded::{EmbeddedLedger, Log, Retention};
use wardstream::adapters::store::MemoryStore;
use wardstream::engine::baseline::Part;
use wardstream::engine::emit::{ProfilePart, profile_avro};
use wardstream::model::id::Digest;
use wardstream::pipeline::recover::{Because, Way, Wishes};
use wardstream::pipeline::restore::take_over;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Change, ENDS_KEPT, Ground, Ledger, Mark, Output, Positions, ReadBack, Unit};
use wardstream::ports::source::Source as _;
use wardstream::ports::store::{Batch, Spot, StateStore};

/// A broker so long after: what it wrote is as old as that, and compaction has taken the ends of keys once
/// they were kept long enough.
#[derive(Debug)]
struct Later {
    ledger: EmbeddedLedger,
    after: Duration,
}

impl Ledger for Later {
    fn publish(&mut self, units: &[Arc<Unit>]) -> Result<Vec<Positions>, Failure> {
        self.ledger.publish(units)
    }

    fn ground(&mut self, partition: i32) -> Result<Ground, Failure> {
        self.ledger.ground(partition)
    }

    fn read_back(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        let found = self.ledger.read_back(partition, offset)?;
        Ok(found.map(|found| ReadBack { age: self.after, ..found }))
    }

    fn changes(
        &mut self,
        partition: i32,
        from: i64,
        visit: &mut dyn FnMut(Change<'_>) -> bool,
    ) -> Result<i64, Failure> {
        let keeps_ends = self.after < ENDS_KEPT;
        self.ledger
            .changes(partition, from, &mut |change| change.value.is_none() && !keeps_ends || visit(change))
    }
}

fn key(user: &str) -> Vec<u8> {
    let mut key = Vec::new();
    Part::Core.write_key(user.as_bytes(), &mut key);
    key
}

fn core() -> Vec<u8> {
    let mut value = Vec::new();
    profile_avro(&ProfilePart { part: "core".into(), format: 1, state: b"state" }, &mut value);
    value
}

/// A unit of one record of input: a decision, and what becomes of the users' cores.
fn unit(offset: i64, changes: &[(&str, Option<&[u8]>)]) -> Arc<Unit> {
    let mark = |offset: i64| Mark { offset, chain: Digest([u8::try_from(offset).unwrap(); 32]) };
    let mut unit = Unit::default();
    unit.reset(0, 0, mark(offset));
    unit.to = mark(offset + 1);
    let at = unit.key(b"acme/somebody");
    unit.push(Output::Decisions, offset, at, |out| out.push(b'd'));
    for (user, value) in changes {
        let at = unit.key(&key(user));
        match value {
            Some(value) => unit.push(Output::Profiles, offset, at, |out| out.extend_from_slice(value)),
            None => unit.push_end(Output::Profiles, offset, at),
        }
    }
    Arc::new(unit)
}

/// The copy has ada and bob; then ada is erased and bob goes on, and the copy comes back after so long.
fn back_after(after: Duration) -> (Way, MemoryStore) {
    let log = Log::new(1, Retention::default());
    log.append(0, None, None, None).unwrap();
    log.append(0, None, None, None).unwrap();
    log.join("one").poll(Duration::ZERO, &mut |_| true).unwrap();
    let mut ledger = log.ledger("one");
    let core = core();
    let first = unit(0, &[("acme/ada", Some(&core)), ("acme/bob", Some(&core))]);
    let positions = ledger.publish(&[Arc::clone(&first)]).unwrap()[0];
    let store = MemoryStore::new();
    let parts = [key("acme/ada"), key("acme/bob")].map(|key| (key.into(), Some(core.clone().into())));
    let place = Some(Spot { mark: first.to, positions });
    store.apply_batch(0, &Batch { parts: parts.into(), place }).unwrap();
    ledger.publish(&[unit(1, &[("acme/ada", None), ("acme/bob", Some(&core))])]).unwrap();

    let mut later = Later { ledger, after };
    let taken = take_over(0, &mut later, &store, None, 7, Wishes::default(), &mut |_| true).unwrap();
    (taken.plan.way, store)
}

fn users(store: &MemoryStore) -> Vec<String> {
    let mut users = Vec::new();
    store
        .scan(0, None, usize::MAX, &mut |user, _| users.push(String::from_utf8(user.to_vec()).unwrap()))
        .unwrap();
    users
}

#[track_caller]
fn check(after: Duration, expected: impl Fn(&Way) -> bool) {
    let (way, store) = back_after(after);
    assert!(expected(&way), "{way:?} after {after:?}");
    assert_eq!(users(&store), ["acme/bob"], "after {after:?}, by {way:?}");
}

#[test]
fn whoever_was_erased_meanwhile_is_gone_from_a_copy_that_comes_back() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    for soon in [0, 1, 12] {
        check(hours(soon), |way| matches!(way, Way::Replay { .. }));
    }
    for late in [13, 24, 1000] {
        check(hours(late), |way| *way == Way::Restore(Because::Old));
    }
}
