//! What `core` holds, how large it gets, and that it is read back as it was written.

use super::*;
use crate::engine::baseline::codec::Writer;
use crate::engine::baseline::devices::Client;
use crate::engine::baseline::journal::{LearnStep, STEP_BYTES_MAX};
use crate::engine::baseline::marks::{Cause, Judged};
use crate::engine::baseline::part::PART_BYTES_MAX;
use crate::engine::baseline::session::Session;
use crate::model::id::Id128;
use crate::model::place::{Coordinates, Country};
use crate::model::{Browser, DeviceKind, Factors, Level, Os, RevocationScope};

const KEY48: u64 = (1 << 48) - 1;
const CLIENT: Client =
    Client { browser: Some(Browser::Other), os: Some(Os::Other), kind: Some(DeviceKind::Other) };

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

/// The earliest and the latest time that there are.
fn ends() -> (Timestamp, Timestamp) {
    (second(-62_135_596_800), second(253_402_207_199))
}

/// A step with everything in it, one of eight ways.
fn step(at: Timestamp, way: u8) -> LearnStep {
    let east = i32::from(way) * 400_000 - 1_700_000;
    LearnStep {
        at,
        weight: 4,
        login: true,
        interactive: true,
        fix: true,
        place: Coordinates::from_e4(i32::from(way) * 100_000 - 800_000, east, 2047),
        country: Country::parse(&format!("Z{}", char::from(b'A' + way))),
        asn: Some(u32::MAX - u32::from(way)),
        address: Some(0xffff_ffff_ffff - u64::from(way)),
        prefix: Some(0xffff_ffff_ffff - u64::from(way)),
        device: Some(u64::MAX - u64::from(way)),
        client: CLIENT,
        utc_offset_minutes: -2047,
        event: 0xffff_ffff_ffff,
    }
}

/// Everything at its longest: lists full, numbers large, times far from the newest.
fn longest(held: usize) -> Core {
    let (far, newest) = ends();
    let mut core = Core { first_seen: far, newest, batches: u32::MAX, ..Core::default() };
    let begin = newest.seconds() - 86_400 * 216;
    for half_hour in 0..14 * 48 {
        for way in 0..8 {
            for _ in 0..20 {
                core.baseline.learn(&step(second(begin + half_hour * 1800), way));
            }
        }
    }
    // As if learned long ago, so that every day is written long.
    core.baseline.learn(&LearnStep { interactive: false, ..step(second(begin + 86_400 * 215), 0) });
    (core.baseline.steps, core.baseline.logins, core.baseline.days) = (u32::MAX, u32::MAX, u16::MAX);
    core.baseline.newest = far;
    core.baseline.fix = core.baseline.fix.map(|fix| Fix { at: far, ..fix });
    for way in 0..4_i32 {
        core.sessions.start(Session {
            key: KEY48 - u64::from(way.unsigned_abs()),
            started: far,
            last: far,
            device: Some(1),
            client: CLIENT,
            fix: Coordinates::from_e4(-800_000 + way, -1_700_000, 2047)
                .map(|at| Fix { coordinates: at, at: far }),
            presented: Factors::from_bits(u16::MAX),
            risky: true,
            revoked: true,
            taught: u16::MAX,
        });
    }
    for _ in 0..20_000 {
        core.failures.count(far, Duration::from_secs(1800));
    }
    for _ in 0..REFUSED_MAX {
        core.refused.push(far);
    }
    let waiting = Held {
        step: step(far, 0),
        session: Some(KEY48),
        id: 0xffff_ffff_ffff,
        presented: Factors::from_bits(u16::MAX),
        first: far,
        days: u8::MAX,
        last_day: step(far, 0).local().day + 1_000_000,
    };
    core.held = vec![waiting; held];
    // Each of another than the one before, so that no two share a run.
    for event in 0..40 {
        let whose = Whose { device: None, session: Some(KEY48 - event % 2) };
        core.recent.push(u64::MAX - event, whose, &core.sessions, &core.baseline.devices);
    }
    core.standing =
        Standing { level: Level::High, since: far, cause: Cause::SessionDevice, not_before: Some(far) };
    let id = Id128([255; 16]);
    core.case = Some(Case { id, opened: far, last: far, update: u32::MAX });
    for _ in 0..REVOKED_MAX {
        core.revoked.push(Revoked { scope: RevocationScope::Session, session: Some(KEY48), id, at: far });
    }
    core.reported = Some(Reported { device: Some(u64::MAX), session: Some(KEY48), since: far });
    for _ in 0..GLANCES_MAX {
        let judged =
            Judged { batches: u32::MAX, learned: u32::MAX, deviation_centi: u32::MAX, features: u16::MAX };
        core.glances.push(Glance { session: Some(1), device: Some(2), at: far, judged });
    }
    core.journal = Head { current: 7, count: 8, chunks: 8 };
    core.parts = Part::ALL.into_iter().filter(|part| *part != Part::Core).collect();
    core
}

fn encoded(core: &Core) -> Vec<u8> {
    let mut bytes = Vec::new();
    core.encode(&mut bytes);
    bytes
}

#[test]
fn the_longest_core_fits_and_comes_back() {
    let core = longest(HELD_MAX);
    let bytes = encoded(&core);
    println!("{} bytes", bytes.len());
    assert!(bytes.len() <= PART_BYTES_MAX, "{} bytes", bytes.len());
    assert!(bytes.len() > PART_BYTES_MAX - 300, "{} bytes: is everything long?", bytes.len());
    assert!(Core::decode(&bytes) == Ok(core), "comes back as another");
}

#[test]
fn the_longest_step_fits() {
    let mut bytes = Vec::new();
    step(ends().0, 3).write(&mut Writer::new(&mut bytes));
    assert_eq!(bytes.len(), STEP_BYTES_MAX);
}

#[test]
fn a_first_login_is_short() {
    let mut core =
        Core { first_seen: second(1_767_603_600), newest: second(1_767_603_600), ..Core::default() };
    core.baseline.learn(&step(core.newest, 1));
    let bytes = encoded(&core).len();
    assert!(bytes < 150, "{bytes} bytes");
}

#[track_caller]
fn check_refused(change: impl Fn(&mut Vec<u8>), expected: Error) {
    let mut bytes = encoded(&longest(1));
    change(&mut bytes);
    assert_eq!(Core::decode(&bytes).unwrap_err(), expected);
}

#[test]
fn refuses_bytes_that_it_did_not_write() {
    check_refused(|bytes| bytes.push(0), Error::TrailingBytes);
    check_refused(|bytes| bytes.truncate(bytes.len() - 1), Error::Truncated);
    check_refused(|bytes| bytes[0] = 3, Error::Version { found: 3, known: 2 });
    check_refused(|bytes| bytes.clear(), Error::Truncated);
}
