//! What the engine decides, and what follows from it. Owned by nobody longer than one step: a
//! decision borrows its texts from the event and the policy and is encoded at once.

use std::borrow::Cow;
use std::net::IpAddr;

use super::across::Sightings;
use super::evidence::Evidence;
use super::id::{Digest, Id128, Position};
use super::observation::Facts;
use super::signal::{Centibans, Severity, Signal};
use super::time::Timestamp;
use super::words::{
    Action, AlertKind, EventType, Factors, History, Learned, Level, Mode, RevocationScope, RevokedBy,
};

/// One decision. The JSON and Avro forms (`engine/emit`, `schemas/decision.avsc`) have these names.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<'a> {
    pub decision_id: Id128,
    pub event_id: Cow<'a, str>,
    pub tenant: Cow<'a, str>,
    pub user_id: Cow<'a, str>,
    pub session_id: Option<Cow<'a, str>>,
    pub occurred_at: Timestamp,
    pub kind: EventType,
    /// 0..=100.
    pub risk_score: u8,
    pub risk_level: Level,
    pub required: Factors,
    pub missing: Factors,
    pub action: Action,
    /// What `report_only` mode would have done.
    pub would: Option<Action>,
    pub mode: Mode,
    /// 0..=1000: points of the signals that could speak, of those that apply.
    pub confidence_permille: u16,
    pub history: History,
    pub learned: Learned,
    pub unknown: Vec<Signal>,
    /// Strongest first; their points add up to the score (before it is capped at 100).
    pub reasons: Vec<Reason<'a>>,
    pub rules: Vec<RuleHit<'a>>,
    pub exceptions: Vec<&'a str>,
    pub shadow: Vec<Shadow<'a>>,
    pub user_risk: UserRisk,
    pub behavior: Option<BehaviorVerdict>,
    pub evaluation_id: Option<Cow<'a, str>>,
    pub facts: Facts,
    pub basis: Basis<'a>,
    pub position: Position<'a>,
}

/// One reason of the score. Its text is rendered from the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    pub signal: Signal,
    pub group: &'a str,
    /// What this reason adds to the score: a group's strongest has the points, the others 0.
    pub points: u8,
    pub severity: Severity,
    pub centibans: Centibans,
    pub evidence: Evidence,
    pub report_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleHit<'a> {
    pub id: &'a str,
    pub action: Action,
    pub report_only: bool,
}

/// The verdict of another way to add up, or of another policy, beside the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shadow<'a> {
    /// The name of the policy, or of the way to add up.
    pub by: &'a str,
    pub risk_score: u8,
    pub risk_level: Level,
    /// What it would have done, were it in force.
    pub action: Action,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRisk {
    pub level: Level,
    pub previous: Level,
}

/// The seed's `analyze_user_behavior`: its own sum, part of no `risk_score`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BehaviorVerdict {
    /// 0, 10, 15 or 25.
    pub risk_score: u8,
    pub anomaly_detected: bool,
    /// `challenge` or `allow`.
    pub recommended_action: Action,
}

/// What a decision rests on beside the event and the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Basis<'a> {
    /// Digest of the policy's text, what it extends included.
    pub policy: Digest,
    pub engine: &'a str,
    /// Digest over the digests of every table file in use.
    pub tables: Digest,
    pub model: Option<Digest>,
}

/// One state of a user's open case.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert<'a> {
    pub alert_id: Id128,
    pub kind: AlertKind,
    /// 0 for the record that opens the case.
    pub update: u32,
    pub tenant: Cow<'a, str>,
    pub user_id: Cow<'a, str>,
    pub session_id: Option<Cow<'a, str>>,
    pub opened_at: Timestamp,
    pub occurred_at: Timestamp,
    pub decision_id: Id128,
    pub event_id: Cow<'a, str>,
    pub risk_score: u8,
    pub risk_level: Level,
    pub action: Action,
    pub user_risk: UserRisk,
    /// What happened besides, e.g. `used_after_revocation`.
    pub cause: Option<&'static str>,
    pub reasons: Vec<Reason<'a>>,
    /// Of the event, as are the three below: whoever reads an alert asks from where it came.
    pub event_type: EventType,
    pub source: Option<Cow<'a, str>>,
    pub ip_address: Option<IpAddr>,
    pub facts: Facts,
}

/// A command to end a session, or all of a user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation<'a> {
    pub revocation_id: Id128,
    pub scope: RevocationScope,
    pub tenant: Cow<'a, str>,
    pub user_id: Cow<'a, str>,
    pub session_id: Option<Cow<'a, str>>,
    pub source: Option<Cow<'a, str>>,
    pub source_user_id: Option<Cow<'a, str>>,
    pub source_session_id: Option<Cow<'a, str>>,
    /// Sessions and tokens issued before this are void.
    pub not_before: Timestamp,
    /// The rule or signal that asked for it.
    pub reason: Cow<'a, str>,
    /// `None` where a person asked for it, past the engine.
    pub decision_id: Option<Id128>,
    pub by: RevokedBy,
    pub issued_at: Timestamp,
}

/// Everything that one accepted event gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruling<'a> {
    pub decision: Decision<'a>,
    pub alert: Option<Alert<'a>>,
    pub revocations: Vec<Revocation<'a>>,
    /// What it shows to the lanes that look across users.
    pub sightings: Sightings,
}
