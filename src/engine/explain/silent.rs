//! What did not speak, and why: quiet, unable to look, or not meant for such an event.

use serde::Serialize;

use crate::engine::emit::{Stored, sentence};
use crate::engine::policy::Policy;
use crate::engine::score::score;
use crate::engine::signals::{Measure, measure, spoken};
use crate::engine::step::Looked;
use crate::model::observation::Observation;
use crate::model::signal::{Finding, Signal, Why};

/// A signal without a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silent {
    pub signal: String,
    /// What it would have added.
    pub points: Option<u8>,
    pub state: State,
    /// In words of the contract, the likeliest first where a record does not tell.
    pub why: Vec<&'static str>,
    pub text: String,
    pub measure: Option<Measure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Looked, and nothing is unusual.
    Quiet,
    /// Applies, and could not look.
    Unknown,
    NotApplicable,
    /// Found something, and an exception silenced it.
    Silenced,
}

/// Of every signal that has a detector and gave no reason, as the detectors say.
pub(super) fn of_findings(looked: &Looked<'_>, seen: &Observation<'_>) -> Vec<Silent> {
    let policy = looked.policy;
    let scored = score(&looked.findings, seen, policy);
    let is_told = |signal: Signal| scored.reasons.iter().any(|reason| reason.signal == signal);
    let silent = |signal: Signal| {
        let (state, why, text) = match looked.findings.of(signal) {
            Finding::Found { .. } if is_told(signal) => return None,
            Finding::Found { evidence, .. } => (State::Silenced, Vec::new(), sentence(evidence).to_string()),
            Finding::Quiet => (State::Quiet, Vec::new(), quiet(signal).to_owned()),
            Finding::Unknown(why) => (State::Unknown, vec![why.name()], unable(signal, *why, Some(policy))),
            Finding::NotApplicable => (State::NotApplicable, Vec::new(), String::new()),
        };
        let has_looked = matches!(state, State::Quiet | State::Silenced);
        let measured = has_looked.then(|| measure(signal, seen, &looked.profile, policy));
        let points = Some(policy.setting(signal).counted());
        Some(Silent { signal: signal.name().into(), points, state, why, text, measure: measured.flatten() })
    };
    Signal::ALL
        .iter()
        .filter(|signal| spoken().any(|one| one == **signal))
        .filter_map(|it| silent(*it))
        .collect()
}

/// Of the signals that a decision says could not speak; why is what its other fields leave open.
pub(super) fn of_record(decision: &Stored<'_>, policy: Option<&Policy>) -> Vec<Silent> {
    let silent = |name: &str| {
        let signal = Signal::parse(name);
        let why = signal.map(|signal| likely(signal, decision)).unwrap_or_default();
        let text: Vec<String> = why.iter().filter_map(|why| Some(unable(signal?, *why, policy))).collect();
        Silent {
            signal: name.to_owned(),
            points: signal.zip(policy).map(|(signal, policy)| policy.setting(signal).counted()),
            state: State::Unknown,
            why: why.iter().map(|why| why.name()).collect(),
            text: if text.is_empty() { "it could not look".into() } else { text.join("; or ") },
            measure: None,
        }
    };
    decision.unknown.iter().map(|name| silent(name)).collect()
}

fn likely(signal: Signal, decision: &Stored<'_>) -> Vec<Why> {
    let facts = &decision.facts;
    let class = facts.network_class.as_deref();
    let is = |classes: &[&str]| class.is_some_and(|class| classes.contains(&class));
    match signal {
        Signal::UnusualLocation
            if is(&["relay", "satellite"]) || facts.latitude.is_none() && facts.country.is_none() =>
        {
            vec![Why::NoPlace]
        }
        Signal::ImpossibleTravel
            if is(&["relay", "satellite", "vpn", "proxy", "tor", "hosting"]) || facts.latitude.is_none() =>
        {
            vec![Why::NoPlace]
        }
        Signal::ImpossibleTravel => vec![Why::NoFix],
        Signal::NewNetwork
            if facts.asn.is_none() && facts.country.is_none() && decision.history != "mature" =>
        {
            vec![Why::NoBaseline, Why::NoAddress, Why::NoNetwork]
        }
        Signal::NewNetwork if decision.history == "mature" => vec![Why::NoAddress],
        Signal::NewNetwork => vec![Why::NoBaseline, Why::NoAddress],
        Signal::AnonymousNetwork | Signal::PasswordSpray | Signal::CredentialStuffing => vec![Why::NoAddress],
        Signal::SharedDevice => vec![Why::NoDevice],
        Signal::NewDevice => vec![Why::NoDevice, Why::NoBaseline],
        Signal::SessionMismatch if decision.session_id.is_none() => vec![Why::NoSession],
        Signal::SessionMismatch => vec![Why::NoSession, Why::NoDevice],
        Signal::TokenReuse => vec![Why::NoSession],
        Signal::AnomalousBehavior => vec![Why::NoBehavior, Why::NoBaseline],
        Signal::RareAccess => vec![Why::NoBaseline, Why::NoApp],
        _ => vec![Why::NoBaseline],
    }
}

fn quiet(signal: Signal) -> &'static str {
    match signal {
        Signal::UnusualLocation => "a usual place, or a usual country where no more is known",
        Signal::ImpossibleTravel => "there was time enough to get there",
        Signal::NewNetwork => "a network that was learned before",
        Signal::AnonymousNetwork => "no Tor, VPN, proxy or hosting that any table knows",
        Signal::NewDevice => "a device that was learned before",
        Signal::SessionMismatch => "device, browser and OS are those that the session began with",
        Signal::TokenReuse => "no spent token, and the session is in one place",
        Signal::UnusualTime => "a usual hour",
        Signal::DormantAccount => "the user was here not long ago",
        Signal::AnomalousBehavior => "typing and pointing as usual",
        Signal::FailedBurst => "too few failures are left of those before",
        Signal::ChallengeFatigue => "few prompts refused before it",
        Signal::CredentialChange => "no risky login before it",
        Signal::RareAccess => "a usual app with a usual privilege",
        Signal::ServiceIdentity => "its networks, its rate and its hours are usual",
        Signal::Reported => "nobody says that it was not the user",
        Signal::PasswordSpray => "few other users failed from there",
        Signal::CredentialStuffing => "few names that do not exist were tried from there",
        Signal::SharedDevice => "few users are new to the device, or this one is not",
    }
}

fn unable(signal: Signal, why: Why, policy: Option<&Policy>) -> String {
    let text = match (why, signal) {
        (Why::NoBaseline, Signal::UnusualLocation) => "no place of the user is learned yet",
        (Why::NoBaseline, Signal::NewNetwork) => "fewer than 3 logins are learned",
        (Why::NoBaseline, Signal::NewDevice) => "no device of the user is learned yet",
        (Why::NoBaseline, Signal::UnusualTime) => "fewer than 10 logins on 5 days are learned",
        (Why::NoBaseline, Signal::AnomalousBehavior) => "fewer than 5 batches of behaviour are learned",
        (Why::NoBaseline, Signal::RareAccess) => {
            return match policy {
                Some(policy) => format!("fewer than {} accesses are learned", policy.rare_access_threshold),
                None => "too few accesses are learned".into(),
            };
        }
        (Why::NoBaseline, Signal::ServiceIdentity) => "fewer than 3 logins and 24 busy hours are learned",
        (Why::NoBaseline, _) => "nothing of the user is learned yet",
        (Why::NoPlace, _) => "the address says nothing of where the user is",
        (Why::NoFix, _) => "there is no trusted place yet to travel from",
        (Why::NoAddress, _) => "the event names no public address",
        (Why::NoNetwork, _) => "no table knows the network of the address",
        (Why::NoDevice, Signal::SessionMismatch) => {
            "the event shows neither a device nor a browser to compare"
        }
        (Why::NoDevice, _) => "the event names no device",
        (Why::NoSession, _) => "the event names no session whose start was seen",
        (Why::NoBehavior, _) => "no typing or pointing was seen in this session or just before",
        (Why::NoApp, _) => "the event names no app",
    };
    text.to_owned()
}
