//! What identity systems publish: one event of one user, borrowed from the record that carries it.

use std::borrow::Cow;
use std::net::IpAddr;

use super::time::Timestamp;
use super::words::{
    Assurance, ChallengeOutcome, CredentialChange, EventType, Factor, Factors, FailureReason, FeedbackBy,
    MouseKind, NetworkClass, Outcome, Privilege, SessionChange, SubjectKind, TouchPhase, Verdict,
};

/// One event, checked: every length, count and range is within the limits of `engine/decode`.
/// Absent and empty are the same thing, and are `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Event<'a> {
    /// The producer's id, else the record's position (a repeat of it cannot be seen then).
    pub id: Cow<'a, str>,
    /// Whether `id` is the producer's.
    pub has_own_id: bool,
    pub tenant: Cow<'a, str>,
    pub user: Cow<'a, str>,
    pub occurred_at: Timestamp,
    pub source: Option<Cow<'a, str>>,
    /// The vendor's own ids, carried into revocations: without them nobody can revoke.
    pub source_user_id: Option<Cow<'a, str>>,
    pub source_session_id: Option<Cow<'a, str>>,
    pub subject_kind: SubjectKind,
    pub groups: Vec<Cow<'a, str>>,
    pub actor_id: Option<Cow<'a, str>>,
    pub app: Option<Cow<'a, str>>,
    pub resource: Option<Cow<'a, str>>,
    pub privilege: Privilege,
    /// A handle, never a bearer secret.
    pub session_id: Option<Cow<'a, str>>,
    pub ip_address: Option<IpAddr>,
    pub ip_chain: Vec<IpAddr>,
    pub user_agent: Option<Cow<'a, str>>,
    pub device_fingerprint: Option<Cow<'a, str>>,
    pub device_managed: Option<bool>,
    pub tls_fingerprint: Option<Cow<'a, str>>,
    pub rtt_ms: Option<u32>,
    pub place_hint: Option<PlaceHint<'a>>,
    pub network_hint: Option<NetworkHint>,
    pub interactive: bool,
    pub evaluation_id: Option<Cow<'a, str>>,
    /// Of a log of before: it teaches, and nothing is asked or ended because of it.
    pub backfill: bool,
    pub body: Body<'a>,
}

/// What a type of event says beyond the common fields.
#[derive(Clone, Debug, PartialEq)]
pub enum Body<'a> {
    Login { outcome: Outcome, failure_reason: Option<FailureReason>, factors: Factors },
    Challenge { challenge_id: Option<Cow<'a, str>>, factor: Option<Factor>, outcome: ChallengeOutcome },
    Session { change: SessionChange, token_id: Option<Cow<'a, str>>, previous_token_id: Option<Cow<'a, str>> },
    Credential { factor: Option<Factor>, change: CredentialChange },
    Access { outcome: Outcome },
    Behavior(Behavior<'a>),
    Feedback { verdict: Verdict, about: About<'a>, by: FeedbackBy, assurance: Option<Assurance> },
}

impl Event<'_> {
    /// A program, not a person: what a source says it is, or whoever is named by a SPIFFE id.
    #[must_use]
    pub fn is_workload(&self) -> bool {
        matches!(self.subject_kind, SubjectKind::Service | SubjectKind::Agent)
            || self.user.starts_with("spiffe://")
    }

    /// The user is to be forgotten.
    #[must_use]
    pub const fn is_erasure(&self) -> bool {
        matches!(self.body, Body::Feedback { verdict: Verdict::Erase, .. })
    }

    #[must_use]
    pub const fn kind(&self) -> EventType {
        match &self.body {
            Body::Login { .. } => EventType::Login,
            Body::Challenge { .. } => EventType::Challenge,
            Body::Session { .. } => EventType::Session,
            Body::Credential { .. } => EventType::Credential,
            Body::Access { .. } => EventType::Access,
            Body::Behavior(_) => EventType::Behavior,
            Body::Feedback { .. } => EventType::Feedback,
        }
    }
}

/// What a feedback speaks about. At least one is stated; of an erasure, which is about the user, none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About<'a> {
    pub event_id: Option<Cow<'a, str>>,
    pub session_id: Option<Cow<'a, str>>,
    pub since: Option<Timestamp>,
}

/// One batch of input dynamics. Text is never sent: a key is an opaque label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behavior<'a> {
    pub context: Option<Cow<'a, str>>,
    pub keyboard: Vec<KeyPress<'a>>,
    pub mouse: Vec<MousePoint>,
    pub touch: Vec<TouchPoint>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct KeyPress<'a> {
    pub key: Cow<'a, str>,
    pub down_ms: f64,
    pub up_ms: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MousePoint {
    pub t_ms: f64,
    pub x: f64,
    pub y: f64,
    pub kind: MouseKind,
    pub button: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TouchPoint {
    pub t_ms: f64,
    pub x: f64,
    pub y: f64,
    pub pressure: Option<f64>,
    pub size: Option<f64>,
    pub phase: TouchPhase,
}

/// A place as the vendor states it, used where our tables are silent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlaceHint<'a> {
    pub country: Option<Cow<'a, str>>,
    pub region: Option<Cow<'a, str>>,
    pub city: Option<Cow<'a, str>>,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub radius_km: Option<f64>,
}

/// A network as the vendor states it, used where our tables are silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkHint {
    pub asn: Option<u32>,
    pub class: Option<NetworkClass>,
}
