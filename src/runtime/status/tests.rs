//! What `/ready` says, and what lag is.

use super::*;

fn stand(partition: i32, committed: i64, is_settled: bool) -> Stand {
    Stand {
        partition,
        committed,
        recorded_at: None,
        is_settled,
        unstored_records: 0,
        unstored_changes: Some(0),
        held: 0,
    }
}

#[track_caller]
fn check(status: &Status, missing: &[&str]) {
    let found = status.readiness();
    assert_eq!(found.missing, missing);
    assert_eq!(found.ready, missing.is_empty());
}

#[test]
fn ready_is_assigned_restored_and_heard_of() {
    let status = Status::default();
    check(&status, &["the broker was not heard of yet", "no worker runs yet"]);
    status.heard();
    status.joining(0);
    check(&status, &["worker 0 has no assignment yet"]);
    status.assigned(0, &[3, 4]);
    check(&status, &["partition 3 waiting", "partition 4 waiting"]);
    status.phase(0, 3, Phase::Served);
    status.phase(0, 4, Phase::Restoring);
    check(&status, &["partition 4 restoring"]);
    status.phase(0, 4, Phase::Refused("no mark".into()));
    check(&status, &["partition 4 refused: no mark"]);
    status.phase(0, 4, Phase::Served);
    check(&status, &[]);
    status.stopping();
    check(&status, &["stopping"]);
}

#[test]
fn a_worker_speaks_only_of_what_it_holds() {
    let status = Status::default();
    status.heard();
    status.assigned(0, &[3]);
    status.assigned(1, &[3]);
    status.released(0, &[3]);
    status.phase(0, 3, Phase::Served);
    check(&status, &["partition 3 waiting"]);
    status.phase(1, 3, Phase::Served);
    check(&status, &[]);
    status.joining(1);
    check(&status, &["worker 1 has no assignment yet"]);
    assert_eq!(status.held(), Vec::<i32>::new());
}

#[test]
fn an_empty_assignment_is_one() {
    let status = Status::default();
    status.heard();
    status.joining(0);
    status.assigned(0, &[]);
    check(&status, &[]);
}

#[test]
fn what_is_wrong_but_does_not_stop_is_said() {
    let status = Status::default();
    status.heard();
    status.assigned(0, &[]);
    status.concern(Concern::Policy, Some("ward.toml:3: broken".into()));
    let found = status.readiness();
    assert!(found.ready);
    assert_eq!(
        serde_json::to_string(&found).unwrap(),
        r#"{"ready":true,"missing":[],"degraded":{"policy":"ward.toml:3: broken"}}"#
    );
    status.concern(Concern::Policy, None);
    assert!(status.readiness().degraded.is_empty());
}

#[test]
fn lag_passes_control_records_and_nothing_else() {
    let lag = |committed, is_settled, position, end| {
        let stand = Some(stand(0, committed, is_settled));
        LaneStatus { worker: 0, phase: Phase::Served, stand, position, end }.lag()
    };
    assert_eq!(lag(10, true, Some(10), None), None);
    assert_eq!(lag(10, true, None, Some(15)), Some(5));
    assert_eq!(lag(10, true, Some(11), Some(11)), Some(0));
    assert_eq!(lag(10, false, Some(14), Some(15)), Some(5));
    assert_eq!(lag(10, true, Some(8), Some(9)), Some(0));
}

#[test]
fn a_stable_offset_is_stuck_while_it_does_not_move_and_records_lie_beyond() {
    let status = Status::default();
    let stuck = |stable, high| {
        status.sounded(EVENTS, 0, Ends { stable, high });
        status.lock().stable[&(EVENTS, 0)].stuck_since
    };
    assert_eq!(stuck(5, 5), None);
    let first = stuck(5, 7);
    assert!(first.is_some());
    assert_eq!(stuck(5, 9), first);
    assert_ne!(stuck(6, 9), first);
    assert_eq!(stuck(9, 9), None);
}
