//! The checks of an event, once, at the edge. Behind this, every length, count and range holds.

use std::borrow::Cow;

use super::slot::TypeWord;
use super::wire::{AboutWire, Meter, NetworkWire, PlaceWire, Text, Wire};
use super::{Decoded, Limits, Rejected, limit, shown, start_of};
use crate::model::event::{About, Behavior, Body, Event, NetworkHint, PlaceHint};
use crate::model::id::{DEFAULT_TENANT, USER_BYTES_MAX, is_tenant};
use crate::model::time::Timestamp;
use crate::model::{
    ChallengeOutcome, CredentialChange, EventType, FeedbackBy, Outcome, Privilege, Reject, SessionChange,
    SubjectKind, Verdict,
};

pub(super) fn check<'a>(
    mut wire: Wire<'a>,
    meter: Meter,
    fallback_id: Cow<'a, str>,
    recorded_at: Option<Timestamp>,
    limits: &Limits,
) -> Result<Decoded<'a>, Rejected> {
    if let Some(fault) = meter.fault {
        return Err(fault);
    }
    let user = user(wire.user_id.take(), limits)?;
    let tenant = tenant(wire.tenant.take())?;
    let kind = match std::mem::take(&mut wire.kind) {
        TypeWord::Known(kind) => kind,
        TypeWord::Absent => return Err(missing("type")),
        TypeWord::Unknown(word) => return Err(unknown_type(&word)),
    };
    let occurred_at = wire.occurred_at.ok_or_else(|| missing("occurred_at"))?;
    let source = name(wire.source.take(), "source")?;
    let backfill = wire.backfill.unwrap_or(false);
    if backfill {
        backfiller(source.as_deref(), limits)?;
    }
    if let Some(recorded_at) = recorded_at {
        age(occurred_at, recorded_at, backfill, limits)?;
    }
    let body = body(kind, &mut wire)?;
    let event_id = handle(wire.event_id, "event_id")?;
    let event = Event {
        has_own_id: event_id.is_some(),
        id: event_id.unwrap_or(fallback_id),
        tenant,
        user,
        occurred_at,
        source,
        source_user_id: handle(wire.source_user_id, "source_user_id")?,
        source_session_id: handle(wire.source_session_id, "source_session_id")?,
        subject_kind: wire.subject_kind.unwrap_or(SubjectKind::Person),
        groups: names(wire.groups, "groups")?,
        actor_id: handle(wire.actor_id, "actor_id")?,
        app: name(wire.app, "app")?,
        resource: free(wire.resource),
        privilege: wire.privilege.unwrap_or(Privilege::None),
        session_id: handle(wire.session_id, "session_id")?,
        ip_address: wire.ip_address,
        ip_chain: wire.ip_chain,
        user_agent: free(wire.user_agent),
        device_fingerprint: free(wire.device_fingerprint),
        device_managed: wire.device_managed,
        tls_fingerprint: free(wire.tls_fingerprint),
        rtt_ms: ranged(wire.rtt_ms, "rtt_ms", 0.0, limit::RTT_MS_MAX)?.map(crate::engine::number::whole),
        place_hint: wire.place_hint.map(place).transpose()?,
        network_hint: wire.network_hint.map(|hint| network(&hint)).transpose()?,
        interactive: wire.interactive.unwrap_or(true),
        evaluation_id: handle(wire.evaluation_id, "evaluation_id")?,
        backfill,
        body,
    };
    Ok(Decoded { event, unknown_fields: meter.unknown_fields })
}

fn body<'a>(kind: EventType, wire: &mut Wire<'a>) -> Result<Body<'a>, Rejected> {
    let outcome = wire.outcome.map_or(Outcome::Other, |word| word.outcome);
    Ok(match kind {
        EventType::Login => {
            Body::Login { outcome, failure_reason: wire.failure_reason, factors: wire.factors }
        }
        EventType::Challenge => Body::Challenge {
            challenge_id: handle(wire.challenge_id.take(), "challenge_id")?,
            factor: wire.factor,
            outcome: wire.outcome.map_or(ChallengeOutcome::Other, |word| word.answer),
        },
        EventType::Session => Body::Session {
            change: wire.change.map_or(SessionChange::Other, |word| word.session),
            token_id: handle(wire.token_id.take(), "token_id")?,
            previous_token_id: handle(wire.previous_token_id.take(), "previous_token_id")?,
        },
        EventType::Credential => Body::Credential {
            factor: wire.factor,
            change: wire.change.map_or(CredentialChange::Other, |word| word.credential),
        },
        EventType::Access => Body::Access { outcome },
        EventType::Behavior => Body::Behavior(Behavior {
            context: name(wire.context.take(), "context")?,
            keyboard: std::mem::take(&mut wire.keyboard),
            mouse: std::mem::take(&mut wire.mouse),
            touch: std::mem::take(&mut wire.touch),
        }),
        EventType::Feedback => {
            let verdict = wire.verdict.ok_or_else(|| missing("verdict"))?;
            Body::Feedback {
                verdict,
                about: about(wire.about.take().unwrap_or_default(), verdict)?,
                by: wire.by.unwrap_or(FeedbackBy::Other),
                assurance: wire.assurance,
            }
        }
    })
}

fn user<'a>(user: Text<'a>, limits: &Limits) -> Result<Cow<'a, str>, Rejected> {
    let user = user.ok_or_else(|| missing("user_id"))?;
    if user.len() > USER_BYTES_MAX {
        return Err(too_long("user_id", user.len(), USER_BYTES_MAX));
    }
    plain(&user, "user_id")?;
    let trimmed = user.trim();
    let nobody = |id: &String| {
        id.len() == trimmed.len() && id.eq_ignore_ascii_case(trimmed)
            || !trimmed.is_ascii() && *id == trimmed.to_lowercase()
    };
    if trimmed.is_empty() || limits.placeholders.iter().any(nobody) {
        let detail =
            format!("`user_id` is {}, which stands for nobody; send no event without a user", shown(&user));
        return Err(Rejected::new(Reject::PlaceholderUser, detail));
    }
    Ok(user)
}

fn tenant<'a>(tenant: Text<'a>) -> Result<Cow<'a, str>, Rejected> {
    match tenant {
        None => Ok(Cow::Borrowed(DEFAULT_TENANT)),
        Some(tenant) if is_tenant(&tenant) => Ok(tenant),
        Some(tenant) => {
            Err(bad("tenant", &format!("is {}, expected [a-z0-9][a-z0-9._-]{{0,62}}", shown(&tenant))))
        }
    }
}

/// Whoever marks an event so escapes every action: only sources that are named may.
fn backfiller(source: Option<&str>, limits: &Limits) -> Result<(), Rejected> {
    if source.is_some_and(|source| limits.backfill.iter().any(|named| named == source)) {
        return Ok(());
    }
    let source = source.map_or_else(|| "no source".to_owned(), shown);
    Err(bad("backfill", &format!("is true from {source}, which `[identity] backfill` does not name")))
}

fn age(
    occurred_at: Timestamp,
    recorded_at: Timestamp,
    backfill: bool,
    limits: &Limits,
) -> Result<(), Rejected> {
    if occurred_at.since(recorded_at).is_some_and(|ahead| ahead > limit::FUTURE_MAX) {
        let detail = format!(
            "`occurred_at` is {occurred_at}, more than 5 minutes after the record's own time {recorded_at}; check the sender's clock"
        );
        return Err(Rejected::new(Reject::Future, detail));
    }
    let too_old = |max| recorded_at.since(occurred_at).is_some_and(|behind| behind > max);
    if !backfill && limits.max_age.is_some_and(too_old) {
        let detail = format!(
            "`occurred_at` is {occurred_at}, too long before the record's own time {recorded_at}; a log of before comes in by `ward backfill`"
        );
        return Err(Rejected::new(Reject::Ancient, detail));
    }
    Ok(())
}

fn place(hint: PlaceWire<'_>) -> Result<PlaceHint<'_>, Rejected> {
    Ok(PlaceHint {
        country: name(hint.country, "place_hint.country")?,
        region: name(hint.region, "place_hint.region")?,
        city: name(hint.city, "place_hint.city")?,
        latitude: ranged(hint.latitude, "place_hint.latitude", -90.0, 90.0)?,
        longitude: ranged(hint.longitude, "place_hint.longitude", -180.0, 180.0)?,
        radius_km: ranged(hint.radius_km, "place_hint.radius_km", 0.0, limit::RADIUS_KM_MAX)?,
    })
}

fn network(hint: &NetworkWire<'_>) -> Result<NetworkHint, Rejected> {
    let asn = ranged(hint.asn, "network_hint.asn", 0.0, f64::from(u32::MAX))?;
    Ok(NetworkHint { asn: asn.map(crate::engine::number::whole), class: hint.class })
}

fn about(about: AboutWire<'_>, verdict: Verdict) -> Result<About<'_>, Rejected> {
    let about = About {
        event_id: handle(about.event_id, "about.event_id")?,
        session_id: handle(about.session_id, "about.session_id")?,
        since: about.since,
    };
    if verdict == Verdict::Erase {
        // Whoever writes one thinks that less is erased than is.
        let whole = about == About::default();
        return if whole {
            Ok(about)
        } else {
            Err(bad("about", "is stated; an erasure is of the whole user"))
        };
    }
    if about == About::default() {
        let detail = "`about` is missing; a feedback states an event_id, a session_id or since";
        return Err(Rejected::new(Reject::MissingField, detail));
    }
    Ok(about)
}

/// An id of an identity system: refused when too long, since a cut one would be another one.
fn handle<'a>(text: Text<'a>, field: &str) -> Result<Text<'a>, Rejected> {
    bounded(text, field, limit::ID_BYTES_MAX)
}

fn name<'a>(text: Text<'a>, field: &str) -> Result<Text<'a>, Rejected> {
    bounded(text, field, limit::NAME_BYTES_MAX)
}

fn names<'a>(texts: Vec<Cow<'a, str>>, field: &str) -> Result<Vec<Cow<'a, str>>, Rejected> {
    for text in &texts {
        if text.len() > limit::NAME_BYTES_MAX {
            return Err(too_long(field, text.len(), limit::NAME_BYTES_MAX));
        }
        plain(text, field)?;
    }
    Ok(texts)
}

fn bounded<'a>(text: Text<'a>, field: &str, bytes: usize) -> Result<Text<'a>, Rejected> {
    if let Some(text) = &text {
        if text.len() > bytes {
            return Err(too_long(field, text.len(), bytes));
        }
        plain(text, field)?;
    }
    Ok(text)
}

/// What whoever logs in chooses: cut, never refused.
fn free(text: Text<'_>) -> Text<'_> {
    text.map(|text| match text {
        Cow::Borrowed(text) => Cow::Borrowed(start_of(text, limit::FREE_BYTES_MAX)),
        Cow::Owned(mut text) => {
            text.truncate(text.floor_char_boundary(limit::FREE_BYTES_MAX));
            Cow::Owned(text)
        }
    })
}

fn ranged(number: Option<f64>, field: &str, min: f64, max: f64) -> Result<Option<f64>, Rejected> {
    match number {
        Some(number) if !(min..=max).contains(&number) => {
            Err(bad(field, &format!("is `{number}`, expected {min} to {max}")))
        }
        number => Ok(number),
    }
}

/// No control characters: keys end at a NUL, and logs at a line feed.
fn plain(text: &str, field: &str) -> Result<(), Rejected> {
    // Nearly all are of these alone; without a way out in the middle many bytes are looked at together.
    if text.bytes().fold(true, |all, byte| all & matches!(byte, 0x20..0x7F)) {
        return Ok(());
    }
    if text.chars().any(char::is_control) {
        return Err(bad(field, &format!("is {}, expected no control characters", shown(text))));
    }
    Ok(())
}

#[cold]
fn missing(field: &str) -> Rejected {
    Rejected::new(Reject::MissingField, format!("`{field}` is missing; absent, null and empty are the same"))
}

#[cold]
fn bad(field: &str, what: &str) -> Rejected {
    Rejected::new(Reject::BadValue, format!("`{field}` {what}"))
}

#[cold]
fn too_long(field: &str, found: usize, most: usize) -> Rejected {
    let hint = if field.ends_with("session_id") { "; send a handle, never a bearer secret" } else { "" };
    bad(field, &format!("is {found} bytes long, at most {most} are taken{hint}"))
}

#[cold]
fn unknown_type(word: &str) -> Rejected {
    let known: Vec<_> = EventType::ALL.iter().map(|kind| kind.name()).collect();
    Rejected::new(Reject::UnknownType, format!("`type` is {word}, expected one of {}", known.join(", ")))
}
