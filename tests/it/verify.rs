//! A store that was damaged after a clean stop: it serves at once, and damage that nobody reads is
//! found beside the work and cured from the changelog.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wardstream::adapters::embedded::{Log, Retention};
use wardstream::adapters::store::SledStore;
use wardstream::pipeline::dispatch::Pace;
use wardstream::ports::ledger::Output;
use wardstream::ports::store::{Parts, StateStore, StoreError, split};
use wardstream::runtime::stop::{ProcessClock, Pulse, Stop};
use wardstream::runtime::worker::{self, Ended, Shared};

use crate::working::{self, MEMBER};

/// More than one slice reads.
const USERS: usize = 1_500;

fn log_in(log: &Log, users: impl Iterator<Item = usize>, hour: u32) {
    for user in users {
        let key = format!("acme/user{user}");
        let event = format!(
            r#"{{"event_id":"{hour}-{user}","tenant":"acme","user_id":"user{user}","type":"login","outcome":"success",
                "occurred_at":"2026-01-05T{hour:02}:00:00Z","ip_address":"81.2.69.142","device_fingerprint":"d-{user}"}}"#
        );
        log.append(0, None, Some(key.as_bytes()), Some(event.as_bytes())).unwrap();
    }
}

/// Runs a worker over the store in `folder` while `meanwhile` looks on, then stops it in good order.
#[track_caller]
fn run(log: &Log, folder: &Path, meanwhile: impl FnOnce(&SledStore)) {
    let store = Arc::new(SledStore::open(folder, 16 << 20, "now").unwrap().store);
    let (stop, clock) = (Stop::default(), ProcessClock::default());
    let shared = Shared {
        pace: Pace { checkpoint_interval: Duration::from_millis(20), ..Pace::default() },
        ..working::shared(working::settings(log), Arc::clone(&store) as _, &stop, clock)
    };
    let (source, ledger) = (Box::new(log.join(MEMBER)), Box::new(log.ledger(MEMBER)));
    let worker = std::thread::spawn(move || worker::run(0, shared, source, ledger, Pulse::new(clock)));
    meanwhile(&store);
    until("everything is decided", || log.lag() == 0 || worker.is_finished());
    stop.set();
    let ended: Result<(), Ended> = worker.join().unwrap();
    assert_eq!(ended, Ok(()));
    log.leave(MEMBER);
}

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Does `damage` to what is stored of one user, in the files of a stopped process.
#[track_caller]
fn damage(folder: &Path, user: usize, damage: impl FnOnce(&sled::Tree, &[u8], &[u8])) {
    // A child that another test starts at the moment holds this process's locks until it is another program.
    let mut db = None;
    until("the store is free", || {
        db = sled::open(folder.join("profiles")).ok();
        db.is_some()
    });
    let db = db.unwrap();
    let tree = db.open_tree("p0").unwrap();
    let key = format!("acme/user{user}").into_bytes();
    let stored = tree.get(&key).unwrap().unwrap();
    damage(&tree, &key, &stored);
    db.flush().unwrap();
}

#[track_caller]
fn check(harm: impl FnOnce(&sled::Tree, &[u8], &[u8])) {
    let (log, folder) = (Log::new(1, Retention::default()), tempfile::tempdir().unwrap());
    log_in(&log, 0..USERS, 9);
    run(&log, folder.path(), |_| ());
    damage(folder.path(), 700, harm);

    // Others log in while the store is read through; the damaged user does not.
    log_in(&log, (0..USERS).filter(|user| *user != 700), 10);
    run(&log, folder.path(), |store| {
        let damaged = |found| matches!(found, Err(StoreError::Damaged { .. }));
        until("the damage is cured", || !damaged(store.verify(0, &mut |_| ())));
    });

    // The user is known, and the store is what the changelog says.
    log_in(&log, 700..701, 11);
    run(&log, folder.path(), |_| ());
    let store = SledStore::open(folder.path(), 16 << 20, "now").unwrap().store;
    store.verify(0, &mut |_| ()).unwrap();
    let mut parts = 0;
    let mut changelog: Vec<_> = log.read(Output::Profiles, 0, 0, usize::MAX);
    changelog.retain(|record| record.key.as_deref() != Some(b"\0mark"));
    for record in &changelog {
        let (user, name) = split(record.key.as_deref().unwrap());
        let mut kept = Parts::default();
        store.get(0, user, &mut kept).unwrap();
        assert_eq!(kept.get(name), record.value.as_deref());
        parts += usize::from(kept.get(name).is_some());
    }
    assert!(parts > USERS, "{parts} parts");
    assert_eq!(log.read(Output::Decisions, 0, 0, usize::MAX).len(), 2 * USERS);
}

#[test]
fn a_flipped_bit_in_a_value_that_nobody_reads_is_found_and_cured() {
    check(|tree, key, stored| {
        let mut stored = stored.to_vec();
        *stored.last_mut().unwrap() ^= 1;
        tree.insert(key, stored).unwrap();
    });
}

#[test]
fn a_key_that_is_gone_is_found_and_cured() {
    check(|tree, key, _| drop(tree.remove(key).unwrap()));
}
