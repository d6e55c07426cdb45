//! A planned event as the identity system publishes it.

use std::borrow::Cow;

use super::campaign::app_name;
use super::day::{Act, DAY_MICROS, Planned};
use super::dice::{Dice, Purpose};
use super::person::Person;
use super::rhythm;
use super::world::spread;
use crate::model::event::{Body, Event};
use crate::model::time::Timestamp;
use crate::model::{Outcome, Privilege, SessionChange, SubjectKind};

/// The `count`th event of `person`, in words.
pub(super) fn event(person: &Person, planned: &Planned, seed: u64, count: u32) -> Event<'static> {
    let name = u64::from(person.number) << 32 | u64::from(count);
    let service = person.is_service();
    let day = i32::try_from(planned.at.div_euclid(DAY_MICROS)).unwrap_or(0);
    let session = (planned.session != 0).then(|| format!("s-{:016x}", planned.session));
    let (app, privilege) = match planned.act {
        Act::Login { app, .. } => (Some(app), Privilege::None),
        Act::Access { app, privilege } => (Some(app), privilege),
        _ => (None, Privilege::None),
    };
    let collected = matches!(planned.act, Act::Behavior { .. });
    Event {
        // One to one in (user, count), so unique in a run; the seed tells runs apart.
        id: Cow::Owned(format!("{:08x}{:016x}", spread(seed) >> 32, spread(name))),
        has_own_id: true,
        tenant: Cow::Borrowed(person.tenant),
        user: Cow::Owned(person.user.clone()),
        occurred_at: Timestamp::from_micros(planned.at).unwrap_or_default(),
        source: Some(Cow::Borrowed(match (collected, person.tenant) {
            (true, _) => "collector",
            (false, "acme") => "okta",
            (false, _) => "keycloak",
        })),
        source_user_id: None,
        source_session_id: None,
        subject_kind: if service { SubjectKind::Service } else { SubjectKind::Person },
        groups: Vec::new(),
        actor_id: None,
        app: app.map(|app| Cow::Borrowed(app_name(app))),
        resource: None,
        privilege,
        session_id: session.map(Cow::Owned),
        ip_address: Some(planned.ip),
        ip_chain: Vec::new(),
        user_agent: Some(Cow::Owned(planned.device.agent.text(day))),
        device_fingerprint: Some(Cow::Owned(planned.device.name())),
        device_managed: None,
        tls_fingerprint: None,
        rtt_ms: None,
        place_hint: None,
        network_hint: None,
        interactive: !service && !matches!(planned.act, Act::Session(SessionChange::Refresh)),
        evaluation_id: None,
        backfill: false,
        body: body(person, planned, seed, count),
    }
}

fn body(person: &Person, planned: &Planned, seed: u64, count: u32) -> Body<'static> {
    match planned.act {
        Act::Login { outcome, reason, factors, .. } => {
            Body::Login { outcome, failure_reason: reason, factors }
        }
        Act::Challenge { number, factor, outcome } => Body::Challenge {
            challenge_id: Some(Cow::Owned(format!("c-{number:08x}"))),
            factor: Some(factor),
            outcome,
        },
        Act::Session(change) => Body::Session { change, token_id: None, previous_token_id: None },
        Act::Credential { factor, change } => Body::Credential { factor: Some(factor), change },
        Act::Access { .. } => Body::Access { outcome: Outcome::Success },
        Act::Behavior { hand, gesture } => {
            let mut dice = Dice::new(seed, person.number, Purpose::Behavior, u64::from(count));
            Body::Behavior(rhythm::batch(hand, person.salt, gesture, &mut dice))
        }
    }
}
