//! Copies of partitions that others serve: whatever happens to one, whoever takes it over has the fold of the
//! changelog, and reads no more of it than has come since.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use wardstream::adapters::embedded::{EmbeddedLedger, Log, Retention};
use wardstream::adapters::store::MemoryStore;
use wardstream::engine::baseline::Part;
use wardstream::engine::emit::{ProfilePart, profile_avro};
use wardstream::model::id::Digest;
use wardstream::pipeline::filter::Filter;
use wardstream::pipeline::recover::{Because, Way, Wishes};
use wardstream::pipeline::restore::{Taken, Trouble, take_over};
use wardstream::pipeline::standby::{Round, Standby};
use wardstream::ports::changelog::Changelog;
use wardstream::ports::failure::Failure;
use wardstream::ports::ledger::{Change, ENDS_KEPT, Ledger, Mark, Output, ReadBack, Unit};
use wardstream::ports::source::Source as _;
use wardstream::ports::store::StateStore;

type Parts = BTreeMap<Vec<u8>, Vec<u8>>;

/// A partition that somebody serves, and what its changelog folds to.
#[derive(Debug)]
struct Served {
    log: Log,
    ledger: EmbeddedLedger,
    mark: Mark,
    parts: Parts,
    /// Records of the changelog since the last call of [`Served::since`].
    since: u64,
}

impl Served {
    fn new() -> Self {
        let log = Log::new(1, Retention::default());
        log.join("one").poll(Duration::ZERO, &mut |_| true).unwrap();
        let ledger = log.ledger("one");
        Self { log, ledger, mark: Mark::default(), parts: Parts::new(), since: 0 }
    }

    /// Commits a unit of one record of input: a decision, and what becomes of the users' cores.
    fn commit(&mut self, changes: &[(String, Option<u8>)]) {
        self.log.append(0, None, None, None).unwrap();
        let offset = self.mark.offset;
        let chain = blake3::hash(&offset.to_le_bytes());
        let to = Mark { offset: offset + 1, chain: Digest(*chain.as_bytes()) };
        let mut unit = Unit::default();
        unit.reset(0, 0, self.mark);
        unit.to = to;
        let at = unit.key(b"acme/somebody");
        unit.push(Output::Decisions, offset, at, |out| out.push(b'd'));
        for (user, state) in changes {
            let key = key(user);
            let at = unit.key(&key);
            match state.map(core) {
                Some(value) => {
                    unit.push(Output::Profiles, offset, at, |out| out.extend_from_slice(&value));
                    self.parts.insert(key, value);
                }
                None => {
                    unit.push_end(Output::Profiles, offset, at);
                    self.parts.remove(&key);
                }
            }
            self.since += 1;
        }
        self.ledger.publish(&[Arc::new(unit)]).unwrap();
        self.mark = to;
    }

    fn since(&mut self) -> u64 {
        std::mem::take(&mut self.since)
    }

    /// Takes the partition over and holds what is in the store against the fold.
    #[track_caller]
    fn taken_over(&mut self, store: &MemoryStore, known: Option<Filter>) -> Taken {
        let taken =
            take_over(0, &mut self.ledger, store, known, 7, Wishes::default(), &mut |_| true).unwrap();
        let mut found = Parts::new();
        store
            .scan(0, None, usize::MAX, &mut |user, stored| {
                for (name, value) in stored.iter() {
                    found.insert([user, &[0], name].concat(), value.into());
                }
            })
            .unwrap();
        assert_eq!(found, self.parts, "after {:?}", taken.plan.way);
        let unknown = self.parts.keys().find(|key| !taken.filter.has(Part::split_key(key).unwrap().0));
        assert_eq!(unknown, None, "a user of the store is not in the filter");
        assert_eq!(taken.plan.mark, self.mark);
        store.verify(0, &mut |_| {}).unwrap();
        taken
    }
}

fn key(user: &str) -> Vec<u8> {
    let mut key = Vec::new();
    Part::Core.write_key(user.as_bytes(), &mut key);
    key
}

fn core(state: u8) -> Vec<u8> {
    let mut value = Vec::new();
    profile_avro(&ProfilePart { part: "core".into(), format: 1, state: &[state] }, &mut value);
    value
}

fn users(range: Range<u32>) -> Vec<(String, Option<u8>)> {
    range.map(|user| (format!("acme/u{user}"), Some(7))).collect()
}

fn begun(log: &mut dyn Changelog, store: &MemoryStore) -> (Standby, Filter) {
    Standby::begin(0, log, store, 7, &mut || true).unwrap()
}

/// The users of a copy, kept as the runtime keeps them, are not looked at: who takes over without them
/// reads the store through.
fn brought_up(copy: &mut Standby, log: &mut dyn Changelog, store: &MemoryStore) -> u64 {
    match copy.round(log, store, &mut |_| true).unwrap() {
        Round::Copied(records) => records,
        Round::Cut => panic!("nothing was cut"),
    }
}

#[test]
fn a_take_over_reads_what_has_come_since() {
    let (mut served, store) = (Served::new(), MemoryStore::new());
    let mut log = served.log.clone();
    served.commit(&users(0..500));
    served.commit(&users(500..1_000));
    let (mut copy, _) = begun(&mut log, &store);
    assert_eq!(brought_up(&mut copy, &mut log, &store), served.since());
    served.commit(&[("acme/u3".into(), None), ("acme/u4".into(), Some(9)), ("acme/new".into(), Some(1))]);
    let taken = served.taken_over(&store, None);
    assert!(matches!(taken.plan.way, Way::Replay { .. }), "{:?}", taken.plan.way);
    assert_eq!(taken.changes, 3);

    let taken = served.taken_over(&MemoryStore::new(), None);
    assert_eq!((taken.plan.way, taken.changes), (Way::Restore(Because::NoStore), 1_001), "without a copy");
}

#[test]
fn a_copy_that_is_up_to_date_is_gone_on_with() {
    let (mut served, store) = (Served::new(), MemoryStore::new());
    let mut log = served.log.clone();
    served.commit(&users(0..10));
    let (mut copy, _) = begun(&mut log, &store);
    brought_up(&mut copy, &mut log, &store);
    assert_eq!(served.taken_over(&store, None).plan.way, Way::Continue);
}

/// Nobody may serve a state that a compacted changelog has in its middle.
#[test]
fn a_copy_that_is_being_filled_has_no_place() {
    let (mut served, store) = (Served::new(), MemoryStore::new());
    let mut log = served.log.clone();
    served.commit(&users(0..3_000));
    served.commit(&users(1_000..5_000));
    let (mut copy, _) = begun(&mut log, &store);
    let mut batches = 0;
    let broken_off = copy.round(&mut log, &store, &mut |_| {
        batches += 1;
        batches < 3
    });
    assert_eq!((broken_off, copy.is_placed()), (Err(Trouble::BrokenOff), false));
    let taken = served.taken_over(&store, None);
    assert_eq!(taken.plan.way, Way::Restore(Because::NoStore));
}

/// A changelog that has lost what comes next, or that comes back after so long.
#[derive(Debug)]
struct Worn {
    log: Log,
    start: i64,
    after: Duration,
}

impl Changelog for Worn {
    fn range(&mut self, partition: i32) -> Result<Range<i64>, Failure> {
        Ok(self.start..self.log.range(partition)?.end)
    }

    fn decided_before(&mut self, partition: i32, offset: i64) -> Result<Option<ReadBack>, Failure> {
        let found = self.log.decided_before(partition, offset)?;
        Ok(found.map(|found| ReadBack { age: self.after, ..found }))
    }

    /// Without the ends of keys, as compaction leaves it after a while.
    fn changes(
        &mut self,
        partition: i32,
        range: Range<i64>,
        visit: &mut dyn FnMut(Change<'_>) -> bool,
    ) -> Result<(), Failure> {
        let keeps_ends = self.after < ENDS_KEPT;
        self.log
            .changes(partition, range, &mut |change| change.value.is_none() && !keeps_ends || visit(change))
    }
}

/// A copy of ada and bob; then ada is erased. It comes back to what `worn` makes of the changelog.
#[track_caller]
fn check_worn(worn: impl Fn(&Log) -> (i64, Duration), expected_records: u64) {
    let (mut served, store) = (Served::new(), MemoryStore::new());
    served.commit(&[("acme/ada".into(), Some(1)), ("acme/bob".into(), Some(1))]);
    let (mut copy, _) = begun(&mut served.log.clone(), &store);
    brought_up(&mut copy, &mut served.log.clone(), &store);
    served.commit(&[("acme/ada".into(), None), ("acme/bob".into(), Some(2))]);

    let (start, after) = worn(&served.log);
    let mut worn = Worn { log: served.log.clone(), start, after };
    let (mut copy, _) = begun(&mut worn, &store);
    assert_eq!(brought_up(&mut copy, &mut worn, &store), expected_records);
    assert_eq!(served.taken_over(&store, None).plan.way, Way::Continue);
}

#[test]
fn whoever_was_erased_while_a_copy_was_away_is_gone_from_it() {
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    check_worn(|_| (0, hours(0)), 2);
    check_worn(|_| (0, hours(12)), 2);
    // Begun anew: the end of ada is gone, and so is ada.
    check_worn(|_| (0, hours(13)), 2);
    check_worn(|_| (0, hours(25)), 1);
}

#[test]
fn a_changelog_that_was_cut_is_copied_from_its_start() {
    let (mut served, store) = (Served::new(), MemoryStore::new());
    served.commit(&users(0..10));
    let (mut copy, _) = begun(&mut served.log.clone(), &store);
    brought_up(&mut copy, &mut served.log.clone(), &store);
    served.commit(&users(0..10));
    let end = served.log.range(0).unwrap().end;
    let mut worn = Worn { log: served.log.clone(), start: end, after: Duration::ZERO };
    assert_eq!(copy.round(&mut worn, &store, &mut |_| true), Ok(Round::Cut));
    let (copy, known) = begun(&mut worn, &store);
    assert_eq!((copy.is_placed(), known), (false, Filter::new(7)));
    assert!(store.open(0).unwrap().is_none());
}

/// Copies, lanes, kills and stops in any order: the fold, each time.
#[test]
fn whatever_happens_a_take_over_gives_the_fold() {
    for seed in 0..300 {
        let mut dice = Dice(seed << 32);
        let (mut served, store) = (Served::new(), MemoryStore::with_power_to_lose());
        let mut log = served.log.clone();
        let mut copy = None;
        for _ in 0..30 {
            match dice.roll(8) {
                0..=3 => {
                    let change = |dice: &mut Dice| {
                        let user = format!("acme/u{}", dice.roll(6));
                        (user, (dice.roll(4) > 0).then(|| u8::try_from(dice.roll(200)).unwrap()))
                    };
                    let changes: BTreeMap<_, _> = (0..1 + dice.roll(3)).map(|_| change(&mut dice)).collect();
                    served.commit(&changes.into_iter().collect::<Vec<_>>());
                }
                4 => {
                    let (kept, known) = copy.get_or_insert_with(|| begun(&mut log, &store));
                    brought_up(kept, &mut log, &store);
                    store.scan(0, None, usize::MAX, &mut |user, _| known.add(user)).unwrap();
                }
                // What was not flushed is lost, and so is what the process knew.
                5 => {
                    store.lose_power();
                    copy = None;
                }
                // A stop.
                6 => {
                    if let Some((kept, known)) = copy.take()
                        && kept.is_placed()
                    {
                        store.close(0, &known.encode()).unwrap();
                    }
                }
                _ if served.mark.offset > 0 => {
                    let known = copy.take().map(|(_, known)| known);
                    served.taken_over(&store, known);
                }
                _ => {}
            }
        }
    }
}

/// Seeds lie far apart: each roll counts one up.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 += 1;
        let hash = blake3::hash(&self.0.to_le_bytes());
        u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap()) % sides
    }
}
