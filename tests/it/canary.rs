//! Canaries and what comes from outside: neither sees the other.

use serde_json::json;
use wardstream::engine::REVISION;
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::enrich::builtin::Builtin;
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting};
use wardstream::model::decision::Basis;
use wardstream::model::signal::Signal;
use wardstream::model::time::Timestamp;
use wardstream::pipeline::file::{FileLane, Told};
use wardstream::ports::tables::{NoTables, Tables};
use wardstream::simulate::canary::{Aviary, Expected, TENANT};

/// What events from outside under the canaries' tenant bring with them: a place, where no table has any.
const HINTS: [&str; 2] = [
    r#"{"country":"GB","city":"London","latitude":51.5,"longitude":-0.12,"radius_km":20}"#,
    r#"{"country":"AU","city":"Sydney","latitude":-33.9,"longitude":151.2,"radius_km":20}"#,
];

/// Decides events that name the tenant, the source and the users of the canaries, as those do, and
/// returns which signals they led to.
fn intrude(policy: &Policy, tables: &dyn Tables) -> Vec<Signal> {
    let basis = Basis { policy: policy.digest, engine: REVISION, tables: tables.digest(), model: None };
    let setting = Setting { policy, shadow: None, basis, lifetime: &LIFETIME };
    let (mut lane, mut found) = (FileLane::new(1), Vec::new());
    let mut line = 0;
    for user in ["new_device", "unusual_location", "impossible_travel", "unusual_time"] {
        for day in 0..20 {
            line += 1;
            let strange = day == 19;
            let hint: serde_json::Value = serde_json::from_str(HINTS[usize::from(strange)]).unwrap();
            let event = json!({
                "event_id": day.to_string(), "tenant": TENANT, "source": TENANT, "user_id": user, "type": "login",
                "occurred_at": format!("2026-02-{:02}T09:00:00Z", day + 1), "outcome": "success",
                "factors": ["password", "totp"], "ip_address": "175.16.199.1", "place_hint": hint,
                "device_fingerprint": if strange { "other" } else { "home" },
            });
            let bytes = event.to_string();
            let decoded = decode(bytes.as_bytes(), Format::Json, "", None, &Limits::default());
            let mut watch = |ruling: &wardstream::model::decision::Ruling<'_>| {
                assert_eq!(ruling.decision.tenant, TENANT);
                found.extend(ruling.decision.reasons.iter().map(|reason| reason.signal));
            };
            let taken = lane.take(line, decoded, tables, &setting, &mut Vec::new(), &mut watch).unwrap();
            assert!(matches!(taken, Told::Decided { .. }), "{taken:?}: {bytes}");
        }
    }
    found
}

#[test]
fn an_event_from_outside_neither_disturbs_a_canary_nor_sings_for_one() {
    let policy = Policy::shipped("default").unwrap();
    let now = Timestamp::parse("2026-03-04T12:34:56Z").unwrap();
    let all = Expected { places: true, networks: true };
    // Sound tables: the same song before and after. Empty ones: what is silent stays silent, although
    // the detector speaks about those events.
    for (tables, silent) in
        [(&Builtin::new() as &dyn wardstream::ports::tables::Atlas, false), (&NoTables, true)]
    {
        let aviary = Aviary::build(tables, all);
        let before = aviary.sing(now, tables, &policy);
        let found = intrude(&policy, tables);
        assert!(found.contains(&Signal::NewDevice) && found.contains(&Signal::UnusualLocation), "{found:?}");
        let after = aviary.sing(now, tables, &policy);
        assert_eq!(before, after);
        let location = after.iter().find(|(signal, _)| *signal == Signal::UnusualLocation).unwrap();
        assert_eq!(location.1.is_err(), silent, "{location:?}");
    }
}
