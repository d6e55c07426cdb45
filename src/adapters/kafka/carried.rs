//! What records carry in their headers: the mark of the unit that they are of, a trace.

use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message as _, OwnedHeaders};

use crate::model::trace::{TRACEPARENT, TRACESTATE};
use crate::ports::ledger::{Change, HEADER_CHAIN, HEADER_OFFSET, Mark};
use crate::ports::tracer::Trace;

pub(super) fn marked(mark: &Mark) -> OwnedHeaders {
    let (offset, chain) = (mark.offset.to_string(), mark.metadata());
    OwnedHeaders::new_with_capacity(2)
        .insert(Header { key: HEADER_OFFSET, value: Some(&offset) })
        .insert(Header { key: HEADER_CHAIN, value: Some(&chain) })
}

pub(super) fn traced(trace: &Trace) -> OwnedHeaders {
    let parent = trace.onward.text();
    let headers = OwnedHeaders::new_with_capacity(2)
        .insert(Header { key: TRACEPARENT, value: Some(parent.as_slice()) });
    match &trace.state {
        Some(state) => headers.insert(Header { key: TRACESTATE, value: Some(state.as_bytes()) }),
        None => headers,
    }
}

pub(super) fn change<'m>(message: &'m BorrowedMessage<'_>) -> Change<'m> {
    Change {
        key: message.key().unwrap_or_default(),
        value: message.payload(),
        mark: mark_in_headers(message),
        offset: message.offset(),
    }
}

pub(super) fn mark_in_headers(message: &BorrowedMessage<'_>) -> Option<Mark> {
    let headers = message.headers()?;
    let value = |name| {
        headers
            .iter()
            .find(|header| header.key == name)
            .and_then(|header| std::str::from_utf8(header.value?).ok())
    };
    Mark::parse(value(HEADER_OFFSET)?.parse().ok()?, value(HEADER_CHAIN)?)
}
