//! Transactions that stay open where a lane writes, or where the offsets of its group lie.
//!
//! A hanging transaction of a producer id would be made visible by that id's next commit. The broker
//! ends one after its time-out; one that stays is a broker's fault, and ours to notice.

use rdkafka::consumer::Consumer as _;

use super::carried::mark_in_headers;
use super::ledger::topic_of;
use super::readers::{QUESTION_TIMEOUT, Readers, question, scan, watermarks};
use super::topics::Names;
use crate::ports::failure::Failure;
use crate::ports::ledger::{Hanging, Output};

/// The first open transaction in a lane's partitions of these outputs, if there is one.
pub(super) fn in_outputs(
    readers: &Readers,
    names: &Names,
    outputs: &[Output],
    partition: i32,
) -> Result<Option<Hanging>, Failure> {
    for output in outputs {
        let topic = topic_of(names, *output);
        let high = watermarks(&readers.uncommitted, topic, partition)?.end;
        // What was never written hangs on nothing.
        if high > 0 {
            let offset = watermarks(&readers.committed, topic, partition)?.end;
            if offset < high {
                return Ok(Some(Hanging { topic: topic.to_owned(), partition, offset, counted: None }));
            }
        }
    }
    Ok(None)
}

/// Whether an open transaction of a lane holds what its committed `offset` counts as done. The broker ends one
/// in each partition by itself, and has been seen to end it where offsets lie and to forget the others: ended
/// by hand, it takes away what nobody would decide again. Each unit that has told something has a mark in
/// the changelog, and the first that is not stable there is of that transaction.
pub(super) fn is_counted(
    readers: &Readers,
    names: &Names,
    partition: i32,
    offset: i64,
) -> Result<bool, Failure> {
    let open = watermarks(&readers.committed, &names.profiles, partition)?.end
        ..watermarks(&readers.uncommitted, &names.profiles, partition)?.end;
    let mut counted = false;
    scan(&readers.uncommitted, &names.profiles, partition, open, &mut |message| {
        counted = mark_in_headers(message).is_some_and(|mark| mark.offset <= offset);
        false
    })?;
    Ok(counted)
}

/// What [`in_outputs`] looks for, where the broker keeps the group's offsets. Where nobody may look, none is found.
pub(super) fn in_offsets(readers: &Readers, group: &str) -> Result<Option<Hanging>, Failure> {
    match looked_up(readers, group) {
        Err(Failure::Fatal(_)) => Ok(None),
        looked => looked,
    }
}

fn looked_up(readers: &Readers, group: &str) -> Result<Option<Hanging>, Failure> {
    let metadata = readers
        .uncommitted
        .fetch_metadata(Some(OFFSETS), QUESTION_TIMEOUT)
        .map_err(|error| question(&format!("partitions of `{OFFSETS}`"), &error))?;
    let found = metadata.topics().iter().find(|topic| topic.name() == OFFSETS);
    let count = found.and_then(|topic| i32::try_from(topic.partitions().len()).ok());
    let Some(partition) = count.and_then(|count| offsets_partition(group, count)) else { return Ok(None) };
    let high = watermarks(&readers.uncommitted, OFFSETS, partition)?.end;
    let offset = watermarks(&readers.committed, OFFSETS, partition)?.end;
    Ok((offset < high).then(|| Hanging { topic: OFFSETS.to_owned(), partition, offset, counted: None }))
}

/// Java's hash of the group's name, without its sign (of the least number nothing is left), over as many
/// partitions as there are.
fn offsets_partition(group: &str, count: i32) -> Option<i32> {
    let hash = group.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    hash.checked_abs().unwrap_or(0).checked_rem(count)
}

const OFFSETS: &str = "__consumer_offsets";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_lie_where_java_puts_them() {
        // "abc".hashCode() is 96354, the second's is below zero, and the third's the least number there is.
        assert_eq!(offsets_partition("abc", 50), Some(96354 % 50));
        assert_eq!(offsets_partition("ward-18811-w21", 50), Some(399_065_111 % 50));
        assert_eq!(offsets_partition("polygenelubricants", 50), Some(0));
        assert_eq!(offsets_partition("abc", 0), None);
    }
}
