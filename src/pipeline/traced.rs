//! The trace that a record came with, from its headers to the unit.
//!
//! *When it does nothing*: without a tracer no header is looked for. A record whose trace is not sampled,
//! or which comes beyond what the tracer admits, is not recorded: what it leads to carries the trace on
//! as it came.

use std::borrow::Cow;

use super::lane::{Offered, Settings};
use crate::engine::decode::{Format, Header, is_structured};
use crate::model::trace::{TRACEPARENT, TRACESTATE, TraceParent, is_state, span_id};
use crate::ports::clock::Tick;
use crate::ports::source::Record;
use crate::ports::tracer::{Became, Recorded, Trace, Tracer};

/// A record that is being worked on, and its trace.
#[derive(Debug)]
pub(super) struct Begun<'t> {
    tracer: &'t dyn Tracer,
    received: Tick,
    parent: TraceParent,
    state: Option<Box<str>>,
    span: Option<[u8; 8]>,
}

impl<'t> Begun<'t> {
    pub(super) fn of(record: &Record<'_>, settings: &Settings, tracer: &'t dyn Tracer) -> Option<Self> {
        let (parent, state) = stated(record, settings.format)?;
        let topic = &settings.topic;
        let is_recorded = parent.is_sampled() && tracer.admits();
        let span =
            is_recorded.then(|| span_id(parent, tracer.reader(), topic, record.partition, record.offset));
        let received = if is_recorded { tracer.now() } else { Tick::default() };
        Some(Self { tracer, received, parent, state, span })
    }

    pub(super) fn ended(self, offset: i64, offered: &Offered) -> Trace {
        let Self { tracer, received, parent, state, span } = self;
        let became = became(offered).filter(|_| span.is_some());
        Trace {
            offset,
            onward: span.map_or(parent, |span| parent.from(span)),
            state,
            record: became.map(|became| Recorded {
                parent: parent.span,
                received,
                decided: tracer.now(),
                became,
            }),
        }
    }
}

const fn became(offered: &Offered) -> Option<Became> {
    match *offered {
        Offered::Decided { id, kind, action, level, score, .. } => {
            Some(Became::Decided { id, kind, action, level, score })
        }
        Offered::Duplicate => Some(Became::Duplicate),
        Offered::Rejected(reason) => Some(Became::Rejected(reason)),
        Offered::Old => None,
    }
}

/// The trace of a record that is only handed on.
#[must_use]
pub fn passing(record: &Record<'_>, format: Format) -> Option<Trace> {
    let (onward, state) = stated(record, format)?;
    Some(Trace { offset: record.offset, onward, state, record: None })
}

/// What the record's headers say, else what a CloudEvent says of itself.
fn stated(record: &Record<'_>, format: Format) -> Option<Stated> {
    in_headers(record.headers).or_else(|| {
        let is_structured = format == Format::CloudEvents || is_structured(record.headers);
        is_structured.then(|| in_envelope(record.value?)).flatten()
    })
}

type Stated = (TraceParent, Option<Box<str>>);

/// Kafka's own, else those of a CloudEvent in binary mode. Two of a kind contradict each other, and then
/// nobody is believed.
fn in_headers(headers: &[Header<'_>]) -> Option<Stated> {
    if headers.is_empty() {
        return None;
    }
    [(TRACEPARENT, TRACESTATE), (CE_TRACEPARENT, CE_TRACESTATE)].into_iter().find_map(|(parent, state)| {
        let mut named = headers.iter().filter(|(name, _)| *name == parent);
        let (_, text) = named.next()?;
        let parent = TraceParent::parse(text).filter(|_| named.next().is_none())?;
        Some((parent, state_in(headers, state)))
    })
}

/// The attributes of a structured CloudEvent.
fn in_envelope(value: &[u8]) -> Option<Stated> {
    #[derive(serde::Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        traceparent: Option<Cow<'a, str>>,
        #[serde(borrow)]
        tracestate: Option<Cow<'a, str>>,
    }
    let Envelope { traceparent, tracestate } = serde_json::from_slice(value).ok()?;
    let parent = TraceParent::parse(traceparent?.as_bytes())?;
    let state = tracestate.filter(|state| is_state(state.as_bytes()));
    Some((parent, state.map(|state| state.into_owned().into_boxed_str())))
}

/// A list may be spread over several headers.
fn state_in(headers: &[Header<'_>], name: &str) -> Option<Box<str>> {
    let mut whole = Vec::new();
    for (_, value) in headers.iter().filter(|(header, _)| *header == name) {
        if !whole.is_empty() {
            whole.push(b',');
        }
        whole.extend_from_slice(value);
    }
    is_state(&whole).then(|| String::from_utf8(whole).ok()).flatten().map(String::into_boxed_str)
}

const CE_TRACEPARENT: &str = "ce_traceparent";
const CE_TRACESTATE: &str = "ce_tracestate";

#[cfg(test)]
mod tests;
