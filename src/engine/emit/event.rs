//! Events that we make ourselves: the simulator's, and later those of `ward serve`.
//!
//! What is absent is left out of the JSON; in Avro it is null.

use serde::ser::{Serialize, SerializeSeq as _, SerializeStruct, Serializer};

use super::shape::Shape;
use crate::model::event::{
    About, Behavior, Body, Event, KeyPress, MousePoint, NetworkHint, PlaceHint, TouchPoint,
};
use crate::model::{Factors, Privilege, SubjectKind};

/// A word of a closed set, for a schema's enum of this name, with its number there.
struct Symbol(&'static str, u8, &'static str);

impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit_variant(self.0, self.1.into(), self.2)
    }
}

macro_rules! symbol {
    ($set:literal, $word:expr) => {
        Symbol($set, $word.code(), $word.name())
    };
}

/// A word of an enum that holds those of two of our sets, so that the number is another there.
macro_rules! shared {
    ($set:literal, $symbols:ident, $word:expr) => {{
        let word = $word.name();
        let number = $symbols.iter().position(|symbol| *symbol == word);
        Symbol($set, number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX), word)
    }};
}

/// Always as text: serde has a form of its own for binary formats.
pub(super) struct Address(pub(super) std::net::IpAddr);

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Presented(Factors);

impl Serialize for Presented {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.bits().count_ones() as usize))?;
        for factor in self.0.iter() {
            list.serialize_element(&symbol!("Factor", factor))?;
        }
        list.end()
    }
}

/// An event as a value to be written by its schema.
pub fn event_record<'e>(event: &'e Event<'_>) -> impl Serialize + 'e {
    Shape::<_, false>(event)
}

impl<const JSON: bool> Serialize for Shape<'_, Event<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let mut out = Fields::<_, JSON>(serializer.serialize_struct("Event", FIELDS)?);
        out.put("event_id", &event.has_own_id.then_some(&event.id))?;
        out.put("tenant", &Some(&event.tenant))?;
        out.0.serialize_field("user_id", &event.user)?;
        out.0.serialize_field("type", &symbol!("EventType", event.kind()))?;
        out.0.serialize_field("occurred_at", &Shape::<_, JSON>(&event.occurred_at))?;
        out.put("source", &event.source)?;
        out.put("source_user_id", &event.source_user_id)?;
        out.put("source_session_id", &event.source_session_id)?;
        out.put(
            "subject_kind",
            &unless(event.subject_kind, SubjectKind::Person).map(|it| symbol!("SubjectKind", it)),
        )?;
        out.list("groups", &event.groups)?;
        out.put("actor_id", &event.actor_id)?;
        out.put("app", &event.app)?;
        out.put("resource", &event.resource)?;
        out.put("privilege", &unless(event.privilege, Privilege::None).map(|it| symbol!("Privilege", it)))?;
        out.put("session_id", &event.session_id)?;
        out.put("ip_address", &event.ip_address.map(Address))?;
        out.list("ip_chain", &event.ip_chain.iter().copied().map(Address).collect::<Vec<_>>())?;
        out.put("user_agent", &event.user_agent)?;
        out.put("device_fingerprint", &event.device_fingerprint)?;
        out.put("device_managed", &event.device_managed)?;
        out.put("tls_fingerprint", &event.tls_fingerprint)?;
        out.put("rtt_ms", &event.rtt_ms)?;
        out.put("place_hint", &event.place_hint.as_ref().map(Shape::<_, JSON>))?;
        out.put("network_hint", &event.network_hint.as_ref().map(Shape::<_, JSON>))?;
        out.put("interactive", &unless(event.interactive, true))?;
        out.put("evaluation_id", &event.evaluation_id)?;
        body(&event.body, &mut out)?;
        out.put("backfill", &unless(event.backfill, false))?;
        out.0.end()
    }
}

/// The rest of the record: in JSON what the type has, in Avro every field.
fn body<S: SerializeStruct, const JSON: bool>(
    body: &Body<'_>,
    out: &mut Fields<S, JSON>,
) -> Result<(), S::Error> {
    let outcome = match body {
        Body::Login { outcome, .. } | Body::Access { outcome } => Some(shared!("Outcome", OUTCOMES, outcome)),
        Body::Challenge { outcome, .. } => Some(shared!("Outcome", OUTCOMES, outcome)),
        _ => None,
    };
    let (failure_reason, factors) = match body {
        Body::Login { failure_reason, factors, .. } => {
            (failure_reason.map(|it| symbol!("FailureReason", it)), *factors)
        }
        _ => (None, Factors::NONE),
    };
    let (challenge_id, factor) = match body {
        Body::Challenge { challenge_id, factor, .. } => (challenge_id.as_ref(), *factor),
        Body::Credential { factor, .. } => (None, *factor),
        _ => (None, None),
    };
    let (change, token_id, previous_token_id) = match body {
        Body::Session { change, token_id, previous_token_id } => {
            (Some(shared!("Change", CHANGES, change)), token_id.as_ref(), previous_token_id.as_ref())
        }
        Body::Credential { change, .. } => (Some(shared!("Change", CHANGES, change)), None, None),
        _ => (None, None, None),
    };
    let nothing = Behavior::default();
    let behavior = if let Body::Behavior(behavior) = body { behavior } else { &nothing };
    let (verdict, about, by, assurance) = match body {
        Body::Feedback { verdict, about, by, assurance } => (
            Some(symbol!("Verdict", verdict)),
            (*about != About::default()).then_some(about),
            Some(symbol!("FeedbackBy", by)),
            assurance.map(|it| symbol!("Assurance", it)),
        ),
        _ => (None, None, None, None),
    };
    out.put("outcome", &outcome)?;
    out.put("failure_reason", &failure_reason)?;
    if !JSON || !factors.is_empty() {
        out.0.serialize_field("factors", &Presented(factors))?;
    }
    out.put("challenge_id", &challenge_id)?;
    out.put("factor", &factor.map(|it| symbol!("Factor", it)))?;
    out.put("change", &change)?;
    out.put("token_id", &token_id)?;
    out.put("previous_token_id", &previous_token_id)?;
    out.put("context", &behavior.context)?;
    out.list("keyboard_events", &shapes::<_, JSON>(&behavior.keyboard))?;
    out.list("mouse_events", &shapes::<_, JSON>(&behavior.mouse))?;
    out.list("touch_events", &shapes::<_, JSON>(&behavior.touch))?;
    out.put("verdict", &verdict)?;
    out.put("about", &about.map(Shape::<_, JSON>))?;
    out.put("by", &by)?;
    out.put("assurance", &assurance)
}

struct Fields<S, const JSON: bool>(S);

impl<S: SerializeStruct, const JSON: bool> Fields<S, JSON> {
    fn put<T: Serialize>(&mut self, name: &'static str, value: &Option<T>) -> Result<(), S::Error> {
        if JSON && value.is_none() { Ok(()) } else { self.0.serialize_field(name, value) }
    }

    fn list<T: Serialize>(&mut self, name: &'static str, values: &[T]) -> Result<(), S::Error> {
        if JSON && values.is_empty() { Ok(()) } else { self.0.serialize_field(name, values) }
    }
}

fn unless<T: PartialEq + Copy>(value: T, usual: T) -> Option<T> {
    (value != usual).then_some(value)
}

fn shapes<T, const JSON: bool>(values: &[T]) -> Vec<Shape<'_, T, JSON>> {
    values.iter().map(Shape).collect()
}

impl<const JSON: bool> Serialize for Shape<'_, PlaceHint<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hint = self.0;
        let mut out = Fields::<_, JSON>(serializer.serialize_struct("PlaceHint", 6)?);
        out.put("country", &hint.country)?;
        out.put("region", &hint.region)?;
        out.put("city", &hint.city)?;
        out.put("latitude", &hint.latitude)?;
        out.put("longitude", &hint.longitude)?;
        out.put("radius_km", &hint.radius_km)?;
        out.0.end()
    }
}

impl<const JSON: bool> Serialize for Shape<'_, NetworkHint, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = Fields::<_, JSON>(serializer.serialize_struct("NetworkHint", 2)?);
        out.put("asn", &self.0.asn)?;
        out.put("class", &self.0.class.map(|it| symbol!("NetworkClass", it)))?;
        out.0.end()
    }
}

impl<const JSON: bool> Serialize for Shape<'_, About<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = Fields::<_, JSON>(serializer.serialize_struct("About", 3)?);
        out.put("event_id", &self.0.event_id)?;
        out.put("session_id", &self.0.session_id)?;
        out.put("since", &self.0.since.as_ref().map(Shape::<_, JSON>))?;
        out.0.end()
    }
}

impl<const JSON: bool> Serialize for Shape<'_, KeyPress<'_>, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("KeyPress", 3)?;
        out.serialize_field("key", &self.0.key)?;
        out.serialize_field("down_ms", &self.0.down_ms)?;
        out.serialize_field("up_ms", &self.0.up_ms)?;
        out.end()
    }
}

impl<const JSON: bool> Serialize for Shape<'_, MousePoint, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = Fields::<_, JSON>(serializer.serialize_struct("MousePoint", 5)?);
        out.0.serialize_field("t_ms", &self.0.t_ms)?;
        out.0.serialize_field("x", &self.0.x)?;
        out.0.serialize_field("y", &self.0.y)?;
        out.0.serialize_field("kind", &symbol!("MouseKind", self.0.kind))?;
        out.put("button", &self.0.button)?;
        out.0.end()
    }
}

impl<const JSON: bool> Serialize for Shape<'_, TouchPoint, JSON> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = Fields::<_, JSON>(serializer.serialize_struct("TouchPoint", 6)?);
        out.0.serialize_field("t_ms", &self.0.t_ms)?;
        out.0.serialize_field("x", &self.0.x)?;
        out.0.serialize_field("y", &self.0.y)?;
        out.put("pressure", &self.0.pressure)?;
        out.put("size", &self.0.size)?;
        out.0.serialize_field("phase", &symbol!("TouchPhase", self.0.phase))?;
        out.0.end()
    }
}

/// As `event.avsc` has them.
const OUTCOMES: [&str; 9] =
    ["success", "failure", "blocked", "approved", "denied", "failed", "expired", "reported", "other"];
const CHANGES: [&str; 9] =
    ["start", "refresh", "context", "end", "create", "update", "reset", "revoke", "other"];

/// An upper bound: JSON leaves out what is absent.
const FIELDS: usize = 43;

#[cfg(test)]
mod tests {
    use super::super::{event_avro, event_json};
    use super::event_record;
    use crate::engine::decode::{Format, Limits, Records, decode};

    /// What is written is read again as the same event, in both forms.
    #[track_caller]
    fn check(json: &str) {
        let limits = Limits::default();
        let read = |bytes: &[u8], format| {
            let decoded = decode(bytes, format, "none", None, &limits).map_err(|no| no.detail);
            format!("{:?}", decoded.unwrap().event)
        };
        let event = decode(json.as_bytes(), Format::Json, "none", None, &limits).unwrap().event;
        let (mut text, mut datum) = (Vec::new(), Vec::new());
        event_json(&event, &mut text);
        event_avro(&event, &mut datum);
        assert_eq!(read(&text, Format::Json), format!("{event:?}"));
        assert_eq!(read(&datum, Format::Avro), format!("{event:?}"));

        let schema = apache_avro::Schema::parse_str(include_str!("../../../schemas/event.avsc")).unwrap();
        let mut container = apache_avro::Writer::new(&schema, Vec::new()).unwrap();
        container.append_ser(event_record(&event)).unwrap();
        let container = container.into_inner().unwrap();
        let mut records = Records::open(&container[..]).unwrap();
        let again = records.next("none", &limits).unwrap().unwrap().map_err(|no| no.detail);
        assert_eq!(format!("{:?}", again.unwrap().event), format!("{event:?}"));
    }

    #[test]
    fn reads_what_it_writes() {
        check(
            r#"{"event_id":"7c","tenant":"acme","user_id":"ada","type":"login","occurred_at":"2026-01-05T09:00:00.25Z",
            "source":"okta","source_user_id":"00u","source_session_id":"102","subject_kind":"agent","groups":["a","b"],
            "actor_id":"eve","app":"payroll","resource":"r","privilege":"admin","session_id":"s-9","ip_address":"2a10:3::1",
            "ip_chain":["81.2.69.142"],"user_agent":"Mozilla/5.0","device_fingerprint":"d","device_managed":true,
            "tls_fingerprint":"t","rtt_ms":31,"place_hint":{"country":"AU","city":"Sydney","latitude":-33.9,"longitude":151.2},
            "network_hint":{"asn":1221,"class":"carrier"},"interactive":false,"evaluation_id":"e",
            "outcome":"failure","failure_reason":"locked","factors":["password","totp"]}"#,
        );
        let rest = r#""user_id":"ada","occurred_at":"2026-01-05T09:00:00Z""#;
        check(&format!(
            r#"{{{rest},"type":"challenge","challenge_id":"c","factor":"push","outcome":"denied"}}"#
        ));
        check(&format!(
            r#"{{{rest},"type":"session","session_id":"s","change":"refresh","token_id":"b","previous_token_id":"a"}}"#
        ));
        check(&format!(r#"{{{rest},"type":"credential","factor":"totp","change":"reset"}}"#));
        check(&format!(r#"{{{rest},"type":"access","app":"mail","outcome":"blocked"}}"#));
        check(&format!(
            r#"{{{rest},"type":"behavior","context":"password","keyboard_events":[{{"key":"k1","down_ms":0.0,"up_ms":92.4}}],
            "mouse_events":[{{"t_ms":0.0,"x":10,"y":20,"kind":"move","button":null}},{{"t_ms":3,"x":1,"y":2,"kind":"down","button":0}}],
            "touch_events":[{{"t_ms":0.0,"x":10,"y":20,"pressure":0.4,"size":0.1,"phase":"start"}}]}}"#
        ));
        check(&format!(
            r#"{{{rest},"type":"feedback","verdict":"compromised","about":{{"event_id":"7c","since":"2026-01-04T00:00:00Z"}},
            "by":"user","assurance":"aal2"}}"#
        ));
    }
}
