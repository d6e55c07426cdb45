//! A jump in what is asked of people: a rule that is too wide, and a table that moves everybody, are
//! told; a month of ordinary days is not.

use std::net::IpAddr;
use std::path::Path;

use serde_json::json;
use wardstream::engine::REVISION;
use wardstream::engine::decode::{Format, Limits, decode};
use wardstream::engine::enrich::builtin::Builtin;
use wardstream::engine::policy::Policy;
use wardstream::engine::step::{LIFETIME, Setting};
use wardstream::model::decision::Basis;
use wardstream::model::id::Digest;
use wardstream::model::time::Timestamp;
use wardstream::pipeline::drift::{Drift, Drifted};
use wardstream::pipeline::file::{FileLane, Told};
use wardstream::ports::tables::{Found, Tables};

const USERS: usize = 100;
/// Of ordinary days: 2,500 decisions.
const DAYS: usize = 25;
/// After the change: 1,500.
const DAYS_AFTER: usize = 15;

/// Everybody is in Sydney: a database of another layout, read as if it were the usual one.
#[derive(Debug)]
struct Moved(Builtin);

impl Tables for Moved {
    fn look_up(&self, _address: IpAddr, at: Timestamp) -> Found {
        self.0.look_up("5.220.1.9".parse().unwrap(), at)
    }

    fn digest(&self) -> Digest {
        Digest([7; 32])
    }
}

fn policy(text: &str) -> Policy {
    let text = format!("version = 1\nextends = 'default'\n{text}");
    let read = |path: &Path| match path.to_str() {
        Some("p.toml") => Ok(text.clone()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    };
    Policy::load("p.toml", &read).unwrap()
}

/// Logs everybody in once a day, the last days under `policy` and `tables`, and returns what was told
/// of it and how many days had passed.
fn told(policy: &Policy, tables: &dyn Tables) -> Vec<(usize, bool)> {
    let (before, places) = (self::policy(""), Builtin::new());
    let (mut lane, mut drift, mut told) = (FileLane::new(1), Drift::new(5), Vec::new());
    let mut line = 0;
    for day in 0..DAYS + DAYS_AFTER {
        let (policy, tables): (_, &dyn Tables) =
            if day < DAYS { (&before, &places) } else { (policy, tables) };
        let basis = Basis { policy: policy.digest, engine: REVISION, tables: tables.digest(), model: None };
        let setting = Setting { policy, shadow: None, basis, lifetime: &LIFETIME };
        for user in 0..USERS {
            line += 1;
            // One in a hundred comes with a new device from elsewhere: what a day brings.
            let strange = line % 100 == 7;
            let event = json!({
                "event_id": format!("{day}-{user}"), "user_id": format!("user{user}"), "type": "login",
                "occurred_at": format!("2026-{:02}-{:02}T09:{:02}:00Z", 1 + day / 28, 1 + day % 28, user % 60),
                "outcome": "success", "factors": ["password"],
                "ip_address": if strange { "5.240.1.9" } else { "5.140.1.9" },
                "device_fingerprint": if strange { format!("new-{day}") } else { format!("d-{user}") },
            });
            let bytes = event.to_string();
            let decoded = decode(bytes.as_bytes(), Format::Json, "", None, &Limits::default());
            let taken = lane.take(line, decoded, tables, &setting, &mut Vec::new(), &mut |_| ()).unwrap();
            let Told::Decided { action, .. } = taken else { panic!("{taken:?}: {bytes}") };
            let drifted = drift.note(action);
            told.extend(drifted.map(|drifted| (day, matches!(drifted, Drifted::Jumped { .. }))));
        }
    }
    told
}

#[test]
fn ordinary_days_are_silent() {
    assert_eq!(told(&policy(""), &Builtin::new()), []);
    assert_eq!(told(&policy("[levels]\nhigh = 45"), &Builtin::new()), [], "a policy that changes little");
}

#[test]
fn a_rule_that_is_too_wide_is_told_the_same_day() {
    let wide = policy(
        "[[rule]]\nid = 'wide'\nwhen = { not = { app = ['payroll'] } }\nthen = { action = 'step_up' }",
    );
    assert_eq!(told(&wide, &Builtin::new()).first(), Some(&(DAYS, true)));
}

#[test]
fn a_table_that_moves_everybody_is_told_the_same_day() {
    let strict = policy("[levels]\nhigh = 30");
    assert_eq!(told(&strict, &Moved(Builtin::new())).first(), Some(&(DAYS, true)));
    assert_eq!(told(&strict, &Builtin::new()), [], "the policy alone asks no more of anybody");
}
