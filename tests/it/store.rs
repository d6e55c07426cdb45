//! What every store promises, held over each of them; and what only a disk can do wrong.

mod pieces;

use std::path::Path;
use std::sync::Arc;

use wardstream::adapters::store::{MemoryStore, SledStore};
use wardstream::model::id::Digest;
use wardstream::ports::ledger::{Mark, Positions};
use wardstream::ports::store::{Batch, Parts, Spot, StateStore, StoreError, by_user};

const CACHE: u64 = 16 << 20;

/// Runs `fact` over a store in memory and over one on disk.
#[track_caller]
fn check(fact: impl Fn(&dyn StateStore)) {
    fact(&MemoryStore::new().counting(count_held));
    let folder = tempfile::tempdir().unwrap();
    fact(&SledStore::open(folder.path(), CACHE, "now").unwrap().store.counting(count_held));
}

/// As many as a `core` that is a number says.
fn count_held(name: &[u8], value: Option<&[u8]>) -> Option<u64> {
    let said = |value| std::str::from_utf8(value).unwrap().parse().unwrap_or(0);
    (name == b"core").then(|| value.map_or(0, said))
}

fn spot(offset: i64) -> Option<Spot> {
    let mark = Mark { offset, chain: Digest([u8::try_from(offset).unwrap(); 32]) };
    Some(Spot { mark, positions: Positions { decision: Some(offset - 1), profiles: Some(2 * offset) } })
}

/// `"ada=1 bob/journal=2 eve-"`: sets a core and another part, and ends a core.
fn batch(parts: &str, place: Option<Spot>) -> Batch {
    let mut parts: Vec<_> = parts
        .split_whitespace()
        .map(|part| match part.split_once('=') {
            Some((user, value)) => (key(user), Some(value.as_bytes().into())),
            None => (key(part.trim_end_matches('-')), None),
        })
        .collect();
    parts.sort_by(|(a, _), (b, _)| by_user(a, b));
    Batch { parts, place }
}

/// `ada` is her core, `ada/journal` her journal; `~` stands for NUL.
fn key(part: &str) -> Box<[u8]> {
    let (user, name) = part.split_once('/').unwrap_or((part, "core"));
    format!("{}\0{name}", String::from_utf8(self::user(user)).unwrap()).into_bytes().into()
}

fn user(user: &str) -> Vec<u8> {
    format!("acme/{user}").replace('~', "\0").into_bytes()
}

fn value(store: &dyn StateStore, partition: i32, part: &str) -> Option<String> {
    let (user, name) = part.split_once('/').unwrap_or((part, "core"));
    let mut kept = Parts::default();
    store.get(partition, &self::user(user), &mut kept).unwrap();
    kept.get(name.as_bytes()).map(|value| String::from_utf8(value.to_vec()).unwrap())
}

#[test]
fn a_batch_is_read_back_with_its_place() {
    check(|store| {
        assert_eq!(store.open(3).unwrap(), None);
        store.apply_batch(3, &batch("ada=1 bob=2", spot(7))).unwrap();
        store.apply_batch(3, &batch("ada=3 bob-", None)).unwrap();
        assert_eq!((value(store, 3, "ada").as_deref(), value(store, 3, "bob")), (Some("3"), None));
        assert_eq!(value(store, 4, "ada"), None, "of another partition");
        let found = store.open(3).unwrap().unwrap();
        assert_eq!((found.checkpoint.place, found.checkpoint.users), (spot(7), 1));
        assert_eq!(store.verify(3, &mut |_| ()).unwrap(), found.checkpoint);
    });
}

/// More than goes in at once, into a store without a place and into one that has one.
#[test]
fn a_large_batch_is_read_back_whole() {
    let parts = |round: u32| (0..1000).map(|user| format!("u{user}={round}")).collect::<Vec<_>>().join(" ");
    check(|store| {
        store.apply_batch(3, &batch(&parts(1), None)).unwrap();
        store.apply_batch(3, &batch(&parts(2), None)).unwrap();
        store.apply_batch(3, &batch("u7- v=1", None)).unwrap();
        assert_eq!(store.open(3).unwrap().unwrap().checkpoint.place, None);
        store.apply_batch(3, &batch(&parts(3), spot(7))).unwrap();
        let found = store.open(3).unwrap().unwrap();
        assert_eq!((found.checkpoint.place, found.checkpoint.users), (spot(7), 1001));
        assert_eq!(store.verify(3, &mut |_| ()).unwrap(), found.checkpoint);
        assert_eq!(value(store, 3, "u7").as_deref(), Some("3"));
    });
}

/// What is kept of a user is one value, and each part of it comes and goes by itself.
#[test]
fn parts_of_a_user_come_and_go_by_themselves() {
    check(|store| {
        store.apply_batch(3, &batch("ada=1 ada/journal=x bob/journal=y", spot(1))).unwrap();
        store.apply_batch(3, &batch("ada=2 ada/apps=z bob/journal-", spot(2))).unwrap();
        for (part, expected) in [
            ("ada", Some("2")),
            ("ada/journal", Some("x")),
            ("ada/apps", Some("z")),
            ("ada/touch", None),
            ("bob/journal", None),
        ] {
            assert_eq!(value(store, 3, part).as_deref(), expected, "{part}");
        }
        assert_eq!(store.verify(3, &mut |_| ()).unwrap().users, 1, "nothing is left of bob");
        store.apply_batch(3, &batch("ada- ada/apps- ada/journal-", spot(3))).unwrap();
        assert_eq!(store.verify(3, &mut |_| ()).unwrap().users, 0);
    });
}

/// A user id may hold NUL, as the end of one does that a part's name follows.
#[test]
fn users_whose_keys_hold_nul_are_told_apart() {
    check(|store| {
        store.apply_batch(3, &batch("a=1 a~b=2 a~core=3 a/apps=4 a~b/apps=5", spot(1))).unwrap();
        store.apply_batch(3, &batch("a~b=7 a/apps-", spot(2))).unwrap();
        for (part, expected) in [
            ("a", Some("1")),
            ("a~b", Some("7")),
            ("a~core", Some("3")),
            ("a/apps", None),
            ("a~b/apps", Some("5")),
        ] {
            assert_eq!(value(store, 3, part).as_deref(), expected, "{part}");
        }
        let mut users = Vec::new();
        store.verify(3, &mut |user| users.push(user.to_vec())).unwrap();
        assert_eq!(users, ["a", "a~b", "a~core"].map(user));
    });
}

#[test]
fn held_observations_are_counted() {
    check(|store| {
        let held = |parts| store.apply_batch(3, &batch(parts, None)).unwrap().held;
        assert_eq!(held("ada=3 bob=0 eve=x"), 3);
        assert_eq!(held("bob=2"), 5);
        assert_eq!(held("bob/journal=x ada/touch-"), 5, "no other part holds any");
        assert_eq!(held("ada=1 eve=7"), 10);
        assert_eq!(held("ada- eve=x"), 2);
        assert_eq!(store.open(3).unwrap().unwrap().checkpoint.held, 2);
        store.drop_partition(3).unwrap();
        assert_eq!(store.apply_batch(3, &batch("ada=1", None)).unwrap().held, 1);
    });
}

#[test]
fn a_restore_that_broke_off_has_no_place() {
    check(|store| {
        store.apply_batch(3, &batch("ada=1", None)).unwrap();
        assert_eq!(store.open(3).unwrap().unwrap().checkpoint.place, None);
    });
}

#[test]
fn a_scan_goes_on_where_it_ended() {
    check(|store| {
        store.apply_batch(3, &batch("a=1 b=2 c=3 d=4 e=5", spot(7))).unwrap();
        let (mut after, mut seen, mut rounds) = (None, Vec::new(), 0);
        loop {
            let next = store.scan(3, after.as_deref(), 2, &mut |user, _| seen.push(user.to_vec())).unwrap();
            rounds += 1;
            after = next;
            if after.is_none() {
                break;
            }
        }
        let expected: Vec<_> = ["a", "b", "c", "d", "e"].map(user).to_vec();
        assert_eq!((seen, rounds), (expected, 3));
    });
}

#[test]
fn a_clean_close_is_told_once() {
    check(|store| {
        store.apply_batch(3, &batch("ada=1", spot(7))).unwrap();
        let filter = vec![7; 10_000];
        store.close(3, &filter).unwrap();
        assert_eq!(store.open(3).unwrap().unwrap().filter, Some(filter.clone()));
        assert_eq!(store.open(3).unwrap().unwrap().filter, None, "the second time");
        store.close(3, &filter).unwrap();
        store.apply_batch(3, &batch("ada=2", spot(8))).unwrap();
        assert_eq!(store.open(3).unwrap().unwrap().filter, None, "after another write");
    });
}

#[test]
fn a_dropped_partition_is_gone_and_can_begin_anew() {
    check(|store| {
        store.apply_batch(3, &batch("ada=1", spot(7))).unwrap();
        store.apply_batch(4, &batch("ada=4", spot(7))).unwrap();
        store.drop_partition(3).unwrap();
        assert_eq!(store.open(3).unwrap(), None);
        assert_eq!(value(store, 4, "ada").as_deref(), Some("4"));
        store.apply_batch(3, &batch("bob=1", spot(1))).unwrap();
        assert_eq!((value(store, 3, "ada"), value(store, 3, "bob").as_deref()), (None, Some("1")));
        store.verify(3, &mut |_| ()).unwrap();
    });
}

/// Whoever looks at a partition while it is dropped must not bring back what was dropped.
#[test]
fn a_partition_that_is_looked_at_while_it_is_dropped_begins_anew() {
    check(|store| {
        std::thread::scope(|scope| {
            let dropping = scope.spawn(|| {
                for round in 0..300 {
                    store.drop_partition(3).unwrap();
                    store.apply_batch(3, &batch(&format!("ada={round}"), spot(1))).unwrap();
                    assert_eq!(value(store, 3, "ada"), Some(round.to_string()), "round {round}");
                    store.verify(3, &mut |_| ()).unwrap();
                }
            });
            while !dropping.is_finished() {
                // Sound or not, as far as the drop has come.
                drop(store.verify(3, &mut |_| ()));
            }
        });
        assert_eq!(value(store, 3, "ada").as_deref(), Some("299"));
    });
}

#[test]
fn sums_follow_every_write() {
    check(|store| {
        for round in 0..50 {
            let parts = format!("a{}={round} b{}={round} a{}-", round % 7, round % 3, (round + 1) % 7);
            store.apply_batch(3, &batch(&parts, spot(7))).unwrap();
            store.verify(3, &mut |_| ()).unwrap();
        }
    });
}

#[test]
fn a_damaged_value_is_told() {
    let store = MemoryStore::new();
    store.apply_batch(3, &batch("ada=1 bob=2", spot(7))).unwrap();
    assert!(store.damage(3, &user("ada"), false));
    let damaged = |error| matches!(error, StoreError::Damaged { partition: 3, .. });
    assert!(damaged(store.get(3, &user("ada"), &mut Parts::default()).unwrap_err()));
    assert!(damaged(store.verify(3, &mut |_| ()).unwrap_err()));
    assert!(damaged(store.apply_batch(3, &batch("ada=3", spot(8))).unwrap_err()));
    assert_eq!(value(&store, 3, "bob").as_deref(), Some("2"));
}

#[test]
fn a_value_that_is_gone_is_told_by_a_scan() {
    let store = MemoryStore::new();
    store.apply_batch(3, &batch("ada=1 bob=2", spot(7))).unwrap();
    assert!(store.damage(3, &user("ada"), true));
    assert_eq!(value(&store, 3, "ada"), None);
    let error = store.verify(3, &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("1 users are there, 2 were written"), "{error}");
}

/// A store that is read through in slices of one, with a batch between every two.
fn read_through(store: &dyn StateStore, batches: &[&str]) -> Result<(), StoreError> {
    let mut batches = batches.iter();
    while !store.verify_some(3, 1)? {
        if let Some(parts) = batches.next() {
            store.apply_batch(3, &batch(parts, spot(8))).unwrap();
        }
    }
    Ok(())
}

/// Every kind of change, behind the reader and before it, at every place that it may have come to.
#[test]
fn a_store_that_is_written_while_it_is_read_through_is_what_was_written() {
    let changes = ["a=9", "e=9", "a-", "e-", "aa=1", "ee=1", "a- b=7 d- e=7 f=7", "c=9", "c-", ""];
    check(|store| {
        for first in changes {
            for second in changes {
                for quiet in 0..5 {
                    store.drop_partition(3).unwrap();
                    store.apply_batch(3, &batch("a=1 b=2 c=3 d=4 e=5", spot(7))).unwrap();
                    store.open(3).unwrap();
                    let mut batches = vec![""; quiet];
                    batches.extend([first, second]);
                    let told = read_through(store, &batches);
                    assert_eq!(told, Ok(()), "{quiet} slices, `{first}`, `{second}`");
                    store.verify(3, &mut |_| ()).unwrap();
                }
            }
        }
        assert_eq!(store.verify_some(9, 1), Ok(true), "nothing is there to be wrong");
    });
}

#[test]
fn reading_begins_anew_when_a_store_is_opened() {
    check(|store| {
        store.apply_batch(3, &batch("a=1 b=2", spot(7))).unwrap();
        assert_eq!(store.verify_some(3, 1), Ok(false));
        store.open(3).unwrap();
        assert_eq!(store.verify_some(3, 2), Ok(false), "two are read, and the end is not seen yet");
        assert_eq!(store.verify_some(3, 2), Ok(true));
    });
}

/// Damage that no read meets, while other users' parts are written.
#[test]
fn damage_is_found_while_the_store_is_written() {
    let busy = ["a=1", "e=2", "a=3 bb=1", "e-"];
    for (user, take_away) in [("c", false), ("c", true), ("d", false), ("d", true)] {
        let store = MemoryStore::new();
        store.apply_batch(3, &batch("a=1 b=2 c=3 d=4 e=5", spot(7))).unwrap();
        assert!(store.damage(3, &self::user(user), take_away));
        let found = read_through(&store, &busy);
        assert!(
            matches!(found, Err(StoreError::Damaged { partition: 3, .. })),
            "{user} {take_away}: {found:?}"
        );
    }
}

#[test]
fn a_store_in_memory_loses_what_was_not_flushed() {
    let store = MemoryStore::with_power_to_lose();
    store.apply_batch(3, &batch("ada=1", spot(7))).unwrap();
    store.flush().unwrap();
    store.apply_batch(3, &batch("ada=2", spot(8))).unwrap();
    store.lose_power();
    assert_eq!(value(&store, 3, "ada").as_deref(), Some("1"));
    assert_eq!(store.open(3).unwrap().unwrap().checkpoint.place, spot(7));
}

#[test]
fn a_store_on_disk_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    {
        let opened = SledStore::open(folder.path(), CACHE, "1").unwrap();
        opened.store.apply_batch(3, &batch("ada=1", spot(7))).unwrap();
        opened.store.close(3, b"filter").unwrap();
    }
    let opened = SledStore::open(folder.path(), CACHE, "2").unwrap();
    assert!(opened.quarantined.is_none());
    let found = opened.store.open(3).unwrap().unwrap();
    assert_eq!((found.checkpoint.place, found.filter.as_deref()), (spot(7), Some(b"filter".as_slice())));
    assert_eq!(value(&opened.store, 3, "ada").as_deref(), Some("1"));
}

/// As an earlier version left it: it is not read, and makes room for what the changelog says.
#[test]
fn a_store_of_another_layout_is_told_and_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    {
        let db = sled::open(folder.path().join("profiles")).unwrap();
        let tree = db.open_tree("p3").unwrap();
        for (key, value) in [("\0format", "ward-store-3"), ("\0checkpoint", "7"), ("acme/ada\0core", "1")] {
            tree.insert(key, value).unwrap();
        }
        db.flush().unwrap();
    }
    let store = SledStore::open(folder.path(), CACHE, "1").unwrap().store;
    let told = store.open(3).unwrap_err();
    assert!(matches!(told, StoreError::Damaged { partition: 3, .. }), "{told:?}");
    assert!(told.to_string().contains("`ward-store-3`"), "{told}");
    store.drop_partition(3).unwrap();
    store.apply_batch(3, &batch("ada=2", spot(1))).unwrap();
    assert_eq!(store.verify(3, &mut |_| ()).unwrap().users, 1);
}

#[test]
fn two_processes_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = SledStore::open(folder.path(), CACHE, "1").unwrap();
    let error = SledStore::open(folder.path(), CACHE, "2").unwrap_err();
    assert!(error.to_string().contains("another process uses it"), "{error}");
}

#[test]
fn a_store_that_is_being_left_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let first = SledStore::open(folder.path(), 1 << 20, "t").unwrap();
    let leaving = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(first);
    });
    let second = SledStore::open(folder.path(), 1 << 20, "t").unwrap();
    assert_eq!(second.quarantined, None);
    leaving.join().unwrap();
}

/// The files as they stand at any moment of a batch, as after a kill: the new place only with all of the new
/// parts, and never a sum that is not theirs.
#[test]
fn a_batch_that_is_broken_off_is_never_taken_for_whole() {
    const USERS: usize = 2000;
    let parts = |round: i64| {
        let text = round.to_string().repeat(300);
        (0..USERS).map(|user| format!("u{user:04}={text}")).collect::<Vec<_>>().join(" ")
    };
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), CACHE, "1").unwrap().store;
    store.apply_batch(3, &batch(&parts(1), spot(1))).unwrap();
    store.flush().unwrap();
    let mut trusted = 0;
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for round in 2..8 {
                store.apply_batch(3, &batch(&parts(round), spot(round))).unwrap();
            }
        });
        while !writing.is_finished() {
            let copy = tempfile::tempdir().unwrap();
            copy_folder(folder.path(), copy.path());
            let killed = SledStore::open(copy.path(), CACHE, "2").unwrap().store;
            let Ok(Some(found)) = killed.open(3) else { continue };
            let Ok(checkpoint) = killed.verify(3, &mut |_| ()) else { continue };
            trusted += 1;
            assert_eq!((checkpoint, checkpoint.users), (found.checkpoint, USERS as u64));
            let at = checkpoint.place.unwrap().mark.offset;
            killed
                .scan(3, None, USERS, &mut |user, kept| {
                    let round = i64::from(kept.get(b"core").unwrap()[0] - b'0');
                    assert!(round == at || round == at + 1, "{at}: {}", user.escape_ascii());
                })
                .unwrap();
        }
    });
    assert!(trusted > 0, "no copy could be read");
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&to).unwrap();
            copy_folder(&entry.path(), &to);
        } else {
            // Some come and go while sled writes.
            drop(std::fs::copy(entry.path(), to));
        }
    }
}

/// Whatever is done to the files: it opens, if need be empty and the old one put aside; and it
/// never serves a value that was not written.
#[test]
fn a_damaged_folder_never_panics_and_never_lies() {
    const BATCHES: u64 = 40;
    let mut hurt = 0;
    for trial in 0..12u64 {
        let folder = tempfile::tempdir().unwrap();
        {
            let opened = SledStore::open(folder.path(), CACHE, "1").unwrap();
            for round in 0..BATCHES {
                let parts: Vec<_> = (0..50)
                    .map(|user| format!("u{user}={}", "x".repeat(100 + usize::try_from(round).unwrap())))
                    .collect();
                opened.store.apply_batch(3, &batch(&parts.join(" "), spot(7))).unwrap();
            }
            opened.store.flush().unwrap();
        }
        let db = folder.path().join("profiles/db");
        let mut bytes = std::fs::read(&db).unwrap();
        let at = usize::try_from(trial).unwrap() * (bytes.len() - 64) / 12;
        match trial % 4 {
            0 => bytes.truncate(bytes.len() - at.max(4096)),
            _ => bytes[at..at + 64].iter_mut().for_each(|byte| *byte ^= 0x5a),
        }
        std::fs::write(&db, bytes).unwrap();

        let opened = SledStore::open(folder.path(), CACHE, "2").unwrap();
        let quarantined = opened.quarantined.is_some();
        let store: Arc<dyn StateStore> = Arc::new(opened.store);
        // Back at an earlier batch as a whole is no lie: its place says so, and recovery compares it.
        let whole = match store.open(3).and_then(|found| Ok((found, store.verify(3, &mut |_| ())?))) {
            Ok((Some(found), checked)) => {
                assert_eq!(found.checkpoint, checked, "trial {trial}");
                checked.batch == BATCHES
            }
            Ok((None, _)) | Err(StoreError::Damaged { .. }) => false,
            Err(error) => panic!("trial {trial}: {error}"),
        };
        hurt += usize::from(quarantined || !whole);
    }
    assert!(hurt > 0, "no trial hurt anything: the test damages nothing");
}
