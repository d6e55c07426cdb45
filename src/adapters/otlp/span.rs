//! A record's way through `ward` as spans, in the words of OpenTelemetry's conventions for messaging.
//!
//! ```text
//!  process identity.events   received ─────────────────────────────▶ committed
//!    decide                  received ─▶ decided
//!    commit                                  publishing ───────────▶ committed
//! ```
//!
//! Between deciding and committing a record waits for its transaction. No user, no address and no key is
//! in a span: who may see traces need not be who may see people. `ward.decision.id` leads there.

use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, SpanFlags, Status};

use crate::model::id::hash64;
use crate::ports::clock::Tick;
use crate::ports::tracer::{Became, Recorded};
use crate::telemetry::Processed;

/// What is the same for every span.
#[derive(Clone, Debug)]
pub struct About {
    /// `service.name`
    pub service: String,
    /// `service.instance.id`
    pub instance: String,
    pub group: String,
    pub topic: String,
}

/// All of `batch`, by what the wall said at the beginning of the process's own time.
pub(super) fn request(about: &About, batch: &[Processed], epoch: Duration) -> ResourceSpans {
    let resource = [
        text("service.name", &about.service),
        text("service.instance.id", &about.instance),
        text("service.version", env!("CARGO_PKG_VERSION")),
    ];
    let scope = InstrumentationScope {
        name: "wardstream".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    };
    let spans = batch.iter().flat_map(|processed| spans(about, processed, epoch)).collect();
    ResourceSpans {
        resource: Some(Resource { attributes: resource.into(), ..Resource::default() }),
        scope_spans: vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

fn spans(about: &About, processed: &Processed, epoch: Duration) -> [Span; 3] {
    let Processed { partition, trace, recorded, publishing, committed } = processed;
    let Recorded { parent, received, decided, became } = recorded;
    let span = |id: [u8; 8], parent: [u8; 8], name: String, from: Tick, to: Tick| Span {
        trace_id: trace.onward.trace.into(),
        span_id: id.into(),
        parent_span_id: parent.into(),
        trace_state: trace.state.as_deref().unwrap_or_default().to_owned(),
        name,
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: nanos(epoch, from),
        end_time_unix_nano: nanos(epoch, to.max(from)),
        flags: u32::from(trace.onward.flags) | SpanFlags::ContextHasIsRemoteMask as u32,
        ..Span::default()
    };
    let id = trace.onward.span;
    let mut whole = span(id, *parent, format!("process {}", about.topic), *received, *committed);
    whole.kind = SpanKind::Consumer.into();
    whole.flags |= SpanFlags::ContextIsRemoteMask as u32;
    whole.attributes = vec![
        text("messaging.system", "kafka"),
        text("messaging.operation.name", "process"),
        text("messaging.operation.type", "process"),
        text("messaging.destination.name", &about.topic),
        text("messaging.destination.partition.id", &partition.to_string()),
        text("messaging.consumer.group.name", &about.group),
        number("messaging.kafka.offset", trace.offset),
    ];
    tell(became, &mut whole);
    let decide = span(child(id, "decide"), id, "decide".into(), *received, *decided);
    let commit = span(child(id, "commit"), id, "commit".into(), *publishing, *committed);
    [whole, decide, commit]
}

fn tell(became: &Became, span: &mut Span) {
    let outcome = match became {
        Became::Decided { id, kind, action, level, score } => {
            span.attributes.extend([
                text("ward.decision.id", &id.to_string()),
                text("ward.event.type", kind.name()),
                text("ward.action", action.name()),
                text("ward.risk.level", level.name()),
                number("ward.risk.score", (*score).into()),
            ]);
            "decided"
        }
        Became::Duplicate => "duplicate",
        Became::Rejected(reason) => {
            span.attributes.push(text("error.type", reason.name()));
            span.status = Some(Status { code: StatusCode::Error.into(), message: reason.name().into() });
            "rejected"
        }
    };
    span.attributes.push(text("ward.outcome", outcome));
}

fn child(of: [u8; 8], name: &str) -> [u8; 8] {
    hash64("ward.span.child", &[&of, name.as_bytes()]).max(1).to_be_bytes()
}

fn nanos(epoch: Duration, at: Tick) -> u64 {
    u64::try_from(epoch.saturating_add(at.0).as_nanos()).unwrap_or(u64::MAX)
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
