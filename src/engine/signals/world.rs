//! Worlds from text, for the facts that detectors are tested by.
//!
//! A line is `2026-01-05 09:00 login london.fibre laptop chrome-mac s1`; a world is such lines, every
//! one learned; `-` leaves a word out.

use super::Detector;
use crate::engine::baseline::session::Session;
use crate::engine::baseline::{Fix, LearnStep, Profile};
use crate::engine::decode::{Format, Limits, decode};
use crate::engine::enrich::builtin::{Access, Builtin, cities, networks};
use crate::engine::enrich::enrich;
use crate::engine::policy::Policy;
use crate::model::observation::Observation;
use crate::model::signal::Finding;

/// Three weeks of nine o'clock in London, on one laptop, through one provider.
pub(super) const LONDON: &str = "
    2026-01-05 09:00 login london.fibre laptop chrome-mac s1
    2026-01-06 09:00 login london.fibre laptop chrome-mac s1
    2026-01-07 09:00 login london.fibre laptop chrome-mac s1
    2026-01-08 09:00 login london.fibre laptop chrome-mac s1
    2026-01-09 09:00 login london.fibre laptop chrome-mac s1
    2026-01-12 09:00 login london.fibre laptop chrome-mac s1
    2026-01-13 09:00 login london.fibre laptop chrome-mac s1
    2026-01-14 09:00 login london.fibre laptop chrome-mac s1
    2026-01-15 09:00 login london.fibre laptop chrome-mac s1
    2026-01-16 09:00 login london.fibre laptop chrome-mac s1
";

/// What `detector` says of the last line, the user having learned the world: `quiet`, `unknown …`,
/// `not applicable`, or the severity.
#[track_caller]
pub(super) fn check(detector: &dyn Detector, world: &str, line: &str, expected: &str) {
    let profile = profile(world);
    let policy = Policy::shipped("default").unwrap();
    let said = match detector.inspect(&seen(line), &profile, &policy) {
        Finding::NotApplicable => "not applicable".to_owned(),
        Finding::Quiet => "quiet".to_owned(),
        Finding::Unknown(why) => format!("unknown {why}"),
        Finding::Found { severity, .. } => severity.value().to_string(),
    };
    assert_eq!(said, expected, "{line}");
}

/// The user who learned every line, each as the login of its session.
pub(super) fn profile(world: &str) -> Profile {
    let mut profile = Profile::absent();
    for line in world.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let seen = seen(line);
        let step = LearnStep::of(&seen, true, 1, profile.core().home_offset_minutes());
        profile.learn(step);
        if let Some(key) = seen.keys.session {
            profile.core_mut().sessions.start(Session {
                key,
                started: step.at,
                last: step.at,
                device: step.device,
                client: step.client,
                fix: step.place.map(|coordinates| Fix { coordinates, at: step.at }),
                ..Session::default()
            });
        }
    }
    profile
}

pub(super) fn seen(line: &str) -> Observation<'static> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [date, time, kind, at, device, agent, session] = words[..] else { panic!("seven words: {line}") };
    let (kind, extra) = match kind {
        "login" | "access" => (kind, r#","outcome":"success""#),
        "failure" => ("login", r#","outcome":"failure""#),
        "refresh" => ("session", r#","change":"refresh""#),
        "approved" => ("challenge", r#","outcome":"approved""#),
        "background" => ("login", r#","outcome":"success","interactive":false"#),
        "service" => ("login", r#","outcome":"success","subject_kind":"service""#),
        "created" => ("credential", r#","change":"create""#),
        "reset" => ("credential", r#","change":"reset""#),
        "compromised" => ("feedback", r#","verdict":"compromised""#),
        other => panic!("no type `{other}`"),
    };
    let field = |name: &str, value: &str| match value {
        "-" => String::new(),
        value => format!(r#","{name}":"{value}""#),
    };
    let address = if at == "-" { "-".to_owned() } else { address(at) };
    let json = format!(
        r#"{{"user_id":"ada","type":"{kind}","occurred_at":"{date}T{time}:00Z"{extra}{}{}{}{},"about":{{"session_id":"x"}}}}"#,
        field("ip_address", &address),
        field("device_fingerprint", device),
        field("user_agent", user_agent(agent)),
        field("session_id", session),
    );
    let decoded = decode(json.leak().as_bytes(), Format::Json, "line", None, &Limits::default());
    enrich(decoded.unwrap_or_else(|rejected| panic!("{rejected:?}: {line}")).event, &Builtin::new())
}

/// `london.fibre`: the ninth address of that network; `10.0.0.1` is itself.
fn address(at: &str) -> String {
    let Some((name, access)) = at.split_once('.').filter(|(name, _)| name.parse::<u8>().is_err()) else {
        return at.to_owned();
    };
    let city = cities().iter().position(|city| city.name.eq_ignore_ascii_case(name)).unwrap();
    let of = |found: Access| match found {
        Access::Fibre => "fibre",
        Access::Cable => "cable",
        Access::Business => "business",
        Access::Classed(class) => class.name(),
    };
    let (_, network) = networks(city).into_iter().find(|(found, _)| of(*found) == access).unwrap();
    network.net.hosts().nth(8).unwrap().to_string()
}

fn user_agent(name: &str) -> &'static str {
    match name {
        "chrome-mac" => {
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
        }
        "firefox-linux" => "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
        "-" => "-",
        other => panic!("no user agent `{other}`"),
    }
}
