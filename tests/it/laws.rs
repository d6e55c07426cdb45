//! Laws: what holds for any stream of events, hostile ones included.

mod erasure;

use std::borrow::Cow;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::world::{Parts, basis, position};
use wardstream::engine::baseline::{
    Checkpoint, Chunk, Core, Part, Profile, apps::Apps, fold, tokens::Tokens, workload::Workload,
};
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting, Stepped, step};
use wardstream::model::decision::Ruling;
use wardstream::model::event::{About, Behavior, Body, Event, KeyPress, MousePoint, TouchPoint};
use wardstream::model::id::hash64;
use wardstream::model::observation::{Facts, Keys, Observation};
use wardstream::model::place::{Coordinates, Country};
use wardstream::model::time::Timestamp;
use wardstream::model::{
    Action, AlertKind, Browser, ChallengeOutcome, CredentialChange, DeviceKind, Factor, Factors,
    FailureReason, FeedbackBy, Learned, Level, MouseKind, NetworkClass, Os, Outcome, Privilege,
    SessionChange, SubjectKind, TouchPhase, Verdict,
};

const CORE_BYTES_MAX: usize = 2048;
const PART_BYTES_MAX: usize = 2048;
const CHUNK_BYTES_MAX: usize = 2 + 8 * 48;

/// One event in numbers: small pools, so that sessions, devices and places meet again.
#[derive(Clone, Debug)]
struct Act {
    gap_s: i64,
    kind: u8,
    pick: u8,
    session: Option<u8>,
    device: Option<u8>,
    place: Option<u8>,
    class: Option<u8>,
    factors: u16,
    own_id: bool,
    repeats: bool,
    interactive: bool,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    acts_of(6, 1, 0, 1..120)
}

/// A user who goes on for long and can answer whatever is asked.
fn steady_acts() -> impl Strategy<Value = Vec<Act>> {
    let answers = Factors::of(Factor::WebauthnPlatform).with(Factor::WebauthnRoaming);
    acts_of(40, 0, answers.bits(), 150..250)
}

/// `logins` in `logins + 4` are logins; `wild` in about 30 come at any time.
fn acts_of(
    logins: u32,
    wild: u32,
    factors_at_least: u16,
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Act>> {
    let gap_s = prop_oneof![
        20 => 0_i64..100_000,
        6 => 0_i64..1_000,
        2 => -2_000_i64..0,
        wild => -40_000_000_000_i64..40_000_000_000,
        wild => 0_i64..40_000_000,
    ];
    // Logins are most of life.
    let kind = prop_oneof![logins => Just(0_u8), 4 => 1_u8..7];
    let act = (
        (gap_s, kind, any::<u8>(), option::weighted(0.8, 0_u8..6), option::weighted(0.9, 0_u8..12)),
        (option::weighted(0.9, 0_u8..14), option::weighted(0.1, 0_u8..8), any::<u16>()),
        (prop::bool::weighted(0.9), prop::bool::weighted(0.05), prop::bool::weighted(0.9)),
    )
        .prop_map(move |((gap_s, kind, pick, session, device), (place, class, factors), flags)| Act {
            gap_s,
            kind,
            pick,
            session,
            device,
            place,
            class,
            factors: factors | factors_at_least,
            own_id: flags.0,
            repeats: flags.1,
            interactive: flags.2,
        });
    vec(act, count)
}

fn text<'a>(name: &str, number: u8) -> Cow<'a, str> {
    Cow::Owned(format!("{name}{number}"))
}

/// The observations of `acts`, in their order.
fn observations(acts: &[Act]) -> Vec<Observation<'static>> {
    let mut at_s = 1_767_603_600_i64;
    let mut seen: Vec<Observation<'static>> = Vec::new();
    for (index, act) in acts.iter().enumerate() {
        if let Some(last) = seen.last().filter(|_| act.repeats) {
            seen.push(last.clone());
            continue;
        }
        at_s = (at_s + act.gap_s).clamp(-62_135_596_800, 253_402_207_199);
        seen.push(observation(index, at_s, act));
    }
    seen
}

fn observation(index: usize, at_s: i64, act: &Act) -> Observation<'static> {
    let id = format!("e{index}");
    let key = |domain: &str, number: u8| hash64(domain, &[&[number]]);
    let place = act.place.and_then(|place| {
        let place = i32::from(place);
        Coordinates::from_e4(place * 130_000 - 899_999, place * 270_000 - 1_799_000, 50)
    });
    let country = act.place.map(|place| Country::parse(&format!("C{}", char::from(b'A' + place))).unwrap());
    let facts = Facts {
        across: None,
        country,
        coordinates: place,
        place_source: None,
        asn: act.place.map(|place| 64_512 + u32::from(place / 2)),
        network_class: act.class.and_then(NetworkClass::from_code),
        utc_offset_minutes: act.place.map(|place| i16::from(place) * 60 - 400),
        browser: Browser::from_code(act.pick % 11),
        os: Os::from_code(act.pick % 7),
        device: DeviceKind::from_code(act.pick % 5),
    };
    let keys = Keys {
        event: hash64("event", &[id.as_bytes()]) & 0xffff_ffff_ffff,
        device: act.device.map(|device| key("device", device)),
        // 48 bits, as enrichment has them.
        session: act.session.map(|session| key("session", session) & 0xffff_ffff_ffff),
        address: act.place.map(|place| key("address", place)),
        prefix: act.place.map(|place| key("prefix", place / 2)),
    };
    let event = Event {
        id: Cow::Owned(id),
        has_own_id: act.own_id,
        tenant: Cow::Borrowed("acme"),
        user: Cow::Borrowed("ada"),
        occurred_at: Timestamp::from_seconds(at_s).unwrap(),
        source: None,
        source_user_id: None,
        source_session_id: None,
        subject_kind: if act.pick % 9 == 8 { SubjectKind::Service } else { SubjectKind::Person },
        groups: Vec::new(),
        actor_id: None,
        // As many as are remembered, and more.
        app: (act.pick % 8 != 7).then(|| text("app", act.pick % 50)),
        resource: None,
        privilege: Privilege::from_code(act.pick % 4).unwrap(),
        session_id: act.session.map(|session| text("s", session)),
        ip_address: None,
        ip_chain: Vec::new(),
        user_agent: None,
        device_fingerprint: act.device.map(|device| text("d", device)),
        device_managed: None,
        tls_fingerprint: None,
        rtt_ms: None,
        place_hint: None,
        network_hint: None,
        interactive: act.interactive,
        evaluation_id: None,
        backfill: false,
        body: body(act),
    };
    Observation { event, facts, keys }
}

fn body(act: &Act) -> Body<'static> {
    let factors = Factors::from_bits(act.factors & 0xfff);
    let factor = factors.iter().next();
    let outcome = Outcome::from_code([0, 0, 0, 0, 1, 2, 3][usize::from(act.pick % 7)]).unwrap();
    match act.kind {
        0 => Body::Login { outcome, failure_reason: FailureReason::from_code(act.pick % 9), factors },
        1 => Body::Challenge {
            challenge_id: None,
            factor,
            outcome: ChallengeOutcome::from_code(act.pick % 6).unwrap(),
        },
        2 => Body::Session {
            change: SessionChange::from_code(act.pick % 5).unwrap(),
            token_id: Some(text("t", act.pick % 12)),
            previous_token_id: act.factors.is_multiple_of(2).then(|| text("t", (act.pick % 12 + 1) % 12)),
        },
        3 => Body::Credential {
            factor: Some(Factor::Password),
            change: CredentialChange::from_code(act.pick % 5).unwrap(),
        },
        4 => Body::Access { outcome },
        5 => Body::Behavior(behavior(act)),
        _ => Body::Feedback {
            verdict: Verdict::from_code(act.pick % 5).unwrap(),
            about: if act.pick % 5 == Verdict::Erase.code() {
                About::default()
            } else {
                About {
                    event_id: (act.pick > 100).then(|| text("e", act.pick % 50)),
                    session_id: act.session.map(|session| text("s", session)),
                    since: act.pick.is_multiple_of(7).then_some(Timestamp::EPOCH),
                }
            },
            by: FeedbackBy::from_code(act.pick % 4).unwrap(),
            assurance: None,
        },
    }
}

fn behavior(act: &Act) -> Behavior<'static> {
    let points = u32::from(act.factors % 40);
    let t_ms = |point: u32| f64::from(point) * 20.0 + f64::from(act.pick);
    Behavior {
        context: None,
        keyboard: (0..points)
            .map(|point| KeyPress {
                key: Cow::Owned(format!("k{}", point % 5)),
                down_ms: t_ms(point) * 5.0,
                up_ms: t_ms(point) * 5.0 + 80.0,
            })
            .collect(),
        mouse: (0..points)
            .map(|point| MousePoint {
                t_ms: t_ms(point),
                x: f64::from(point * point),
                y: f64::from(act.pick),
                kind: MouseKind::from_code(u8::try_from(point % 5).unwrap()).unwrap(),
                button: None,
            })
            .collect(),
        touch: (0..points / 2)
            .map(|point| TouchPoint {
                t_ms: t_ms(point),
                x: f64::from(point),
                y: 1e300 * f64::from(act.pick),
                pressure: Some(0.5),
                size: None,
                phase: TouchPhase::from_code(u8::try_from(point % 5).unwrap()).unwrap(),
            })
            .collect(),
    }
}

fn bytes_max(part: Part) -> usize {
    match part {
        Part::Core => CORE_BYTES_MAX,
        Part::Journal(_) => CHUNK_BYTES_MAX,
        _ => PART_BYTES_MAX,
    }
}

/// What a step gave, as far as its borrows let it be compared with another run.
fn said(stepped: &Stepped<'_>) -> String {
    format!("{stepped:?}")
}

fn check_ruling(ruling: &Ruling<'_>, level_before: Level) {
    let decision = &ruling.decision;
    assert!(decision.risk_score <= 100);
    assert_eq!(decision.user_risk.previous, level_before, "previous is what the step before left");
    assert!(ruling.revocations.len() <= 1);
    assert!(ruling.revocations.is_empty() || decision.action == Action::Revoke);
    if let Some(alert) = &ruling.alert {
        assert_eq!(alert.decision_id, decision.decision_id);
        assert_eq!(alert.user_risk, decision.user_risk);
        assert!(alert.kind != AlertKind::Opened || alert.update == 0);
        assert!(alert.kind != AlertKind::Updated || alert.update > 0);
    } else {
        assert_eq!(decision.user_risk.level, level_before, "every change of standing is an alert");
    }
    if decision.learned == Learned::Held {
        assert!(matches!(decision.action, Action::Challenge | Action::StepUp));
    }
}

fn check_parts(profile: &Profile, parts: &Parts) {
    let core = profile.core();
    for (part, bytes) in &parts.0 {
        assert!(bytes.len() <= bytes_max(*part), "{part} has {} bytes", bytes.len());
    }
    let Some(bytes) = parts.0.get(&Part::Core) else {
        assert!(parts.0.is_empty(), "parts without a core: {:?}", parts.0.keys());
        return;
    };
    assert_eq!(Core::decode(bytes).as_ref(), Ok(core));
    let mut stored = parts.0.keys().copied().filter(|part| *part != Part::Core);
    assert!(core.parts().iter().eq(stored.by_ref()), "core names the parts that are stored");

    let chunks = core.journal().oldest_first().map(Part::Journal);
    let chunks: Vec<_> = chunks.map(|part| Chunk::decode(&parts.0[&part]).unwrap()).collect();
    let checkpoint = parts.0.get(&Part::Checkpoint).map(|bytes| Checkpoint::decode(bytes).unwrap());
    assert_eq!(&fold(checkpoint.as_ref(), &chunks), core.baseline(), "the baseline is the fold of its steps");
}

/// Runs `seen` through one profile in memory and one that is stored and loaded around every step.
fn run(seen: &[Observation<'_>], policy: &Policy) -> Parts {
    let setting = Setting { policy, shadow: None, basis: basis(policy), lifetime: &LIFETIME };
    let (mut memory, mut stored) = (Profile::absent(), Parts::default());
    let mut parts = Parts::default();
    for (offset, seen) in (0..).zip(seen) {
        let level_before = memory.core().standing().level;
        let stepped = step(&mut memory, seen, position(offset), &setting);
        parts.store(&mut memory);

        let mut loaded = stored.load(seen).unwrap();
        let again = step(&mut loaded, seen, position(offset), &setting);
        stored.store(&mut loaded);
        assert_eq!(said(&stepped), said(&again), "a stored profile decides as one in memory");
        assert_eq!(parts, stored, "and becomes the same");

        check_parts(&memory, &parts);
        match stepped {
            Stepped::Duplicate => assert!(seen.event.has_own_id),
            Stepped::Missing(part) => panic!("`{part}` is missing in memory"),
            Stepped::Decided(ruling) => {
                // A profile that expired or never began had no standing.
                let began = memory.exists() && ruling.decision.user_risk.previous == level_before;
                check_ruling(&ruling, if began { level_before } else { Level::Low });
            }
        }
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_keeps_the_laws(acts in acts(), policy in prop_oneof![Just("default"), Just("seed")]) {
        run(&observations(&acts), &Policy::shipped(policy).unwrap());
    }

    #[test]
    fn a_long_stream_folds_its_journal(acts in steady_acts()) {
        run(&observations(&acts), &Policy::shipped("default").unwrap());
    }

    #[test]
    fn repeats_change_nothing(acts in acts()) {
        let policy = Policy::shipped("default").unwrap();
        let acts: Vec<_> = acts.into_iter().map(|act| Act { repeats: false, own_id: true, ..act }).collect();
        let once = observations(&acts);
        let twice: Vec<_> = once.iter().flat_map(|seen| [seen.clone(), seen.clone()]).collect();
        // A user of whom nothing is stored has no memory of events either.
        prop_assert_eq!(run(&once, &policy), run(&twice, &policy));
    }

    #[test]
    fn hostile_bytes_are_refused_or_come_back(bytes in vec(any::<u8>(), 0..400)) {
        check_bytes(&bytes);
    }

    #[test]
    fn changed_bytes_are_refused_or_come_back(
        acts in acts(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in option::of(any::<prop::sample::Index>()),
    ) {
        let parts = run(&observations(&acts), &Policy::shipped("default").unwrap());
        for bytes in parts.0.values() {
            let mut bytes = bytes.clone();
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if let Some(cut) = &cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            check_bytes(&bytes);
        }
    }
}

/// Whatever reads as a part is written as the same bytes.
fn check_bytes(bytes: &[u8]) {
    let mut written = Vec::new();
    if let Ok(core) = Core::decode(bytes) {
        core.encode(&mut written);
        assert_eq!(written, bytes, "core");
    }
    if let Ok(apps) = Apps::decode(bytes) {
        written.clear();
        apps.encode(&mut written);
        assert_eq!(written, bytes, "apps");
    }
    if let Ok(tokens) = Tokens::decode(bytes) {
        written.clear();
        tokens.encode(&mut written);
        assert_eq!(written, bytes, "tokens");
    }
    if let Ok(workload) = Workload::decode(bytes) {
        written.clear();
        workload.encode(&mut written);
        assert_eq!(written, bytes, "workload");
    }
    if let Ok(chunk) = Chunk::decode(bytes) {
        written.clear();
        chunk.encode(&mut written);
        assert_eq!(written, bytes, "journal");
    }
    if let Ok(checkpoint) = Checkpoint::decode(bytes) {
        written.clear();
        checkpoint.encode(&mut written);
        assert_eq!(written, bytes, "checkpoint");
    }
}

/// The laws above say nothing about what the streams never reach.
#[test]
fn the_streams_reach_everything() {
    let policy = Policy::shipped("default").unwrap();
    let setting = Setting { policy: &policy, shadow: None, basis: basis(&policy), lifetime: &LIFETIME };
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let acts = prop_oneof![acts(), steady_acts()].new_tree(&mut runner).unwrap().current();
        let mut profile = Profile::absent();
        for seen in &observations(&acts) {
            let was_held = profile.core().held().len();
            match step(&mut profile, seen, position(0), &setting) {
                Stepped::Duplicate => drop(reached.insert("duplicate".to_owned())),
                Stepped::Missing(part) => panic!("`{part}` is missing in memory"),
                Stepped::Decided(ruling) => {
                    reached.insert(format!("learned {}", ruling.decision.learned));
                    reached.insert(format!("action {}", ruling.decision.action));
                    reached.insert(format!("history {}", ruling.decision.history));
                    reached.extend(ruling.alert.map(|alert| format!("alert {}", alert.kind)));
                    reached.extend(ruling.revocations.iter().map(|one| format!("revocation {}", one.scope)));
                }
            }
            for part in [Part::Checkpoint, Part::Apps, Part::Tokens, Part::Workload] {
                if profile.core().parts().has(part) {
                    reached.insert(format!("part {part}"));
                }
            }
            if profile.core().held().len() + 1 < was_held {
                reached.insert("several released".to_owned());
            }
        }
    }
    let expected = "\
        action allow, action challenge, action revoke, action step_up, alert closed, alert opened, \
        alert risk_level, alert updated, duplicate, history mature, history new, history none, \
        learned held, learned late, learned no, learned now, part apps, part checkpoint, part tokens, \
        part workload, revocation session, revocation token_family, revocation user, several released";
    assert_eq!(reached.into_iter().collect::<Vec<_>>().join(", "), expected);
}

/// A profile that says it has a part which the store does not have is not decided on.
#[test]
fn a_lost_part_is_an_error() {
    let policy = Policy::shipped("default").unwrap();
    let act = Act {
        gap_s: 60,
        kind: 0,
        pick: 0,
        session: Some(1),
        device: Some(1),
        place: Some(1),
        class: None,
        factors: 1,
        own_id: true,
        repeats: false,
        interactive: true,
    };
    let seen = observations(&vec![act; 3]);
    let mut parts = run(&seen[..2], &policy);
    parts.0.remove(&Part::Journal(0)).unwrap();
    let lost = parts.load(&seen[2]).unwrap_err();
    assert_eq!(
        lost.to_string(),
        "profile part `journal/0` is missing though `core` names it; restore the store from the changelog"
    );
    let mut unloaded = Profile::from_core(&parts.0[&Part::Core]).unwrap();
    let setting = Setting { policy: &policy, shadow: None, basis: basis(&policy), lifetime: &LIFETIME };
    let stepped = step(&mut unloaded, &seen[2], position(2), &setting);
    assert_eq!(stepped, Stepped::Missing(Part::Journal(0)));
}
