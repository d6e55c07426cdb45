//! What comes after an erasure is what comes where nothing was before, whatever came before.

use proptest::prelude::*;
use wardstream::engine::baseline::{Part, Profile};
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting, Stepped, step};
use wardstream::model::decision::UserRisk;
use wardstream::model::{History, Level, Verdict};

use super::{Act, acts, observations, run, said};
use crate::world::{Parts, basis, position};

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_was_erased_is_a_stranger(before in acts(), after in acts()) {
        check(before, after);
    }
}

fn check(before: Vec<Act>, after: Vec<Act>) {
    let policy = Policy::shipped("default").unwrap();
    let setting = Setting { policy: &policy, shadow: None, basis: basis(&policy), lifetime: &LIFETIME };
    let place = before.len();
    let erasure = Act { kind: 6, pick: Verdict::Erase.code(), repeats: false, ..after[0].clone() };
    let seen = observations(&[before, vec![erasure], after].concat());
    let mut stored = run(&seen[..place], &policy);

    let mut profile = stored.load(&seen[place]).unwrap();
    let Stepped::Decided(ruling) = step(&mut profile, &seen[place], position(0), &setting) else {
        panic!("an erasure is decided")
    };
    assert_eq!(
        (ruling.decision.history, ruling.decision.user_risk),
        (History::None, UserRisk { level: Level::Low, previous: Level::Low })
    );
    assert_eq!((ruling.alert, ruling.revocations), (None, vec![]));
    assert!(!profile.exists());
    assert_eq!(profile.changed(), Part::ALL.into_iter().collect(), "every part is ended");
    stored.store(&mut profile);
    assert_eq!(stored, Parts::default());

    let mut stranger = Profile::absent();
    for (offset, seen) in (1..).zip(&seen[place + 1..]) {
        let stepped = step(&mut profile, seen, position(offset), &setting);
        let expected = step(&mut stranger, seen, position(offset), &setting);
        assert_eq!(said(&stepped), said(&expected));
    }
    let mut expected = Parts::default();
    stored.store(&mut profile);
    expected.store(&mut stranger);
    assert_eq!(stored, expected);
}
