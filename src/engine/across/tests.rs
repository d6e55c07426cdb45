//! What the fold and its table must hold, whatever comes.

use proptest::prelude::*;

use super::*;
use crate::model::across::Sight;

fn at(minute: i64) -> Timestamp {
    Timestamp::from_seconds(60 * minute).unwrap()
}

fn key(origin: u64, tenant: &str) -> Vec<u8> {
    let mut key = Vec::new();
    Origin::Device(origin).write_key(tenant, &mut key);
    key
}

fn failed(user: u64, minute: i64) -> Sighting {
    Sighting { sight: Sight::Failed, user, at: at(minute) }
}

/// What is told now: `key failed version`, or the key with `ended`.
fn told(fold: &mut Fold) -> Vec<String> {
    let mut told = Vec::new();
    fold.drain(|change| {
        let key = String::from_utf8_lossy(change.key).into_owned();
        match change.news {
            News::None => {}
            News::Facts(Told { facts, .. }) => {
                told.push(format!("{key} {} {}", facts.failed, facts.version));
            }
            News::End => told.push(format!("{key} ended")),
        }
    });
    told
}

#[test]
fn facts_are_told_while_they_are_notable() {
    let (mut fold, key) = (Fold::default(), key(1, "acme"));
    let name = String::from_utf8(key.clone()).unwrap();
    for user in 0..4 {
        fold.take(&key, &failed(user, 0), user + 1);
        assert_eq!(told(&mut fold), [""; 0]);
    }
    fold.take(&key, &failed(4, 0), 5);
    assert_eq!(told(&mut fold), [format!("{name} 5 5")]);
    fold.take(&key, &Sighting { sight: Sight::Other, user: 5, at: at(1) }, 6);
    assert_eq!(told(&mut fold), [""; 0], "nothing is new");
    // Two of five recover, then the third: three who succeeded are notable still, until the pane passes.
    fold.take(&key, &failed(5, 25 * 60), 7);
    assert_eq!(told(&mut fold), [format!("{name} ended")], "one user of today");
    fold.take(&key, &failed(6, 25 * 60), 8);
    assert_eq!(told(&mut fold), [""; 0]);
}

#[test]
fn what_nobody_comes_from_any_more_ends_with_the_next_sighting_anywhere() {
    let mut fold = Fold::default();
    for user in 0..9 {
        fold.take(&key(1, "acme"), &failed(user, 0), user + 1);
    }
    assert_eq!(told(&mut fold).len(), 1);
    fold.take(&key(2, "acme"), &failed(1, 24 * 60 - 1), 10);
    assert_eq!((told(&mut fold).len(), fold.len()), (0, 2));
    fold.take(&key(2, "acme"), &failed(1, 24 * 60), 11);
    assert_eq!((told(&mut fold), fold.len()), (vec!["acme/dev:0000000000000001 ended".to_owned()], 1));
}

#[test]
fn an_origin_that_comes_back_within_a_unit_is_ended_once() {
    let mut fold = Fold::bounded(1);
    for user in 0..9 {
        fold.take(&key(1, "acme"), &failed(user, 0), user + 1);
    }
    assert_eq!(told(&mut fold).len(), 1);
    fold.take(&key(1, "acme"), &failed(1, 48 * 60), 10);
    assert_eq!(told(&mut fold), ["acme/dev:0000000000000001 ended"]);
    assert_eq!(told(&mut fold), [""; 0]);
}

#[test]
fn tables_hold_what_is_told_and_tell_nobody_else() {
    let mut table = Table::default();
    let told = |minute| Some(Told { facts: OriginFacts::default(), until: at(minute) });
    assert!(table.put(&key(1, "acme"), told(10)) && table.put(&key(1, "zoo"), told(10)));
    assert!(table.put(&key(1, "acme"), told(20)));
    assert_eq!(table.len(), 2);
    assert!(table.put(&key(1, "acme"), None) && table.put(&key(2, "acme"), None));
    assert!(table.put(&key(1, "zoo"), None) && table.is_empty());
    assert!(!table.put(b"acme/ada", told(10)) && table.is_empty());
}

fn stream() -> impl Strategy<Value = Vec<(u64, u64, i64, usize)>> {
    // Origin, user, minute, sight: time goes on, and now and then back.
    prop::collection::vec((0..24_u64, 0..40_u64, 0..4000_i64, 0..Sight::ALL.len()), 1..300)
}

proptest! {
    /// Whatever comes, the fold is bounded, what falls out was the least useful, and it goes on from what
    /// it handed out as if it had never stopped.
    #[test]
    fn any_stream_is_bounded_and_restorable(stream in stream(), cut in 0..300_usize) {
        let mut fold = Fold::bounded(8);
        let mut kept = BTreeMap::<Vec<u8>, Vec<u8>>::new();
        let mut facts = BTreeMap::<Vec<u8>, Told>::new();
        for (number, (origin, user, minute, sight)) in stream.iter().enumerate() {
            let key = key(*origin, "acme");
            let before: BTreeMap<_, _> = fold.watched.clone();
            let at = at(*minute / 2 + i64::try_from(number).unwrap() * 20);
            let sighting = Sighting { sight: Sight::ALL[*sight], user: *user, at };
            fold.take(&key, &sighting, number as u64 + 1);
            prop_assert!(fold.len() <= 8);
            prop_assert_eq!(fold.by_end.len(), fold.len());
            prop_assert_eq!(fold.by_use.len(), fold.len());
            let least = fold.watched.values().map(|watched| watched.ranks.1).min();
            for (gone, watched) in before.iter().filter(|(key, _)| !fold.watched.contains_key(*key)) {
                let is_over = watched.crowd.until() <= at;
                prop_assert!(is_over || Some(watched.ranks.1) <= least, "{gone:?} was useful");
            }
            if number % 3 == 0 || number == cut {
                fold.drain(|change| {
                    match change.state {
                        Some(state) => drop(kept.insert(change.key.to_vec(), state.to_vec())),
                        None => drop(kept.remove(change.key)),
                    }
                    match change.news {
                        News::None => {}
                        News::Facts(told) => drop(facts.insert(change.key.to_vec(), told)),
                        News::End => drop(facts.remove(change.key)),
                    }
                });
                let told: BTreeMap<_, _> = fold.told().map(|(key, told)| (key.to_vec(), told)).collect();
                prop_assert_eq!(&told, &facts);
            }
            if number == cut {
                let mut again = Fold::bounded(8);
                for (key, state) in &kept {
                    again.restore(key, state).unwrap();
                }
                prop_assert_eq!(&again.watched, &fold.watched);
                fold = again;
            }
        }
    }

    /// Damaged state is an error, and never a panic.
    #[test]
    fn any_bytes_are_a_state_or_an_error(bytes: Vec<u8>, at in 0..200_usize, flip: u8) {
        let mut fold = Fold::default();
        let _refused = fold.restore(b"acme/dev:0000000000000001", &bytes);
        (0..9).for_each(|user| fold.take(&key(3, "acme"), &failed(user, 0), user));
        fold.drain(|_| ());
        let mut state = Vec::new();
        fold.save(|_, bytes| { state = bytes.to_vec(); Ok::<_, ()>(()) }).unwrap();
        if let Some(byte) = state.get_mut(at) {
            *byte ^= flip;
        }
        if let Ok(watched) = Watched::read(&state) {
            let mut again = Vec::new();
            watched.write(&mut again);
            prop_assert_eq!(again, state);
        }
    }
}

#[test]
fn users_are_known_by_another_name_at_each_origin() {
    let names = [
        user_at("acme", "ada", Origin::Device(1)),
        user_at("acme", "ada", Origin::Device(2)),
        user_at("acme", "ada", Origin::Network(1)),
        user_at("zoo", "ada", Origin::Device(1)),
        user_at("acme", "bob", Origin::Device(1)),
    ];
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert_eq!(names[0], user_at("acme", "ada", Origin::Device(1)));
}
