//! Who holds which partition, as the group's coordinator says; and a way to have them given out anew.
//!
//! Under `cooperative-sticky` a member that is to give up partitions does so and asks for another round,
//! in which somebody gets them. One that dies in between and comes back under its name is let in without
//! a round, with what it should have kept: what it never gave up is nobody's, and nobody asks. Any change
//! of the group brings a round, so a guest comes, who is no member of ours, and goes.
//!
//! *Failure*: every question has a time limit; whoever asks tries again.
#![expect(clippy::disallowed_methods, reason = "time limits at the edge to the broker")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;

use super::connection::Connection;
use super::events::{Events, reader, take_token};
use crate::ports::failure::Failure;

/// The roll of one group that reads one topic.
pub struct Roll {
    connection: Connection,
    group: String,
    topic: String,
    asker: BaseConsumer<Events>,
}

/// What the roll says while nothing changes in the group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The members, as their clients call themselves.
    pub members: BTreeSet<String>,
    /// Partitions that none of them holds.
    pub unheld: Vec<i32>,
}

impl std::fmt::Debug for Roll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roll").field("group", &self.group).finish_non_exhaustive()
    }
}

impl Roll {
    /// # Errors
    /// When the client cannot be made.
    pub fn open(connection: &Connection, group: &str, topic: &str) -> Result<Self, Failure> {
        let asker = reader(&connection.reader(), connection)
            .map_err(|error| Failure::Fatal(format!("a Kafka reader could not be made: {error}")))?;
        let connection = connection.clone();
        Ok(Self { connection, group: group.to_owned(), topic: topic.to_owned(), asker })
    }

    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Who holds what; `None` while the group is changing, or empty.
    ///
    /// # Errors
    /// When the broker does not answer in time.
    pub fn held(&self) -> Result<Option<Held>, Failure> {
        take_token(&self.asker, &self.connection);
        let told = |error: KafkaError| Failure::Unreachable(format!("group `{}`: {error}", self.group));
        let metadata = self.asker.fetch_metadata(Some(&self.topic), TIMEOUT).map_err(told)?;
        let groups = self.asker.fetch_group_list(Some(&self.group), TIMEOUT).map_err(told)?;
        let Some(group) = groups.groups().iter().find(|group| group.name() == self.group) else {
            return Ok(None);
        };
        if group.state() != STABLE || group.members().is_empty() {
            return Ok(None);
        }
        let mut unheld: BTreeSet<i32> = metadata
            .topics()
            .iter()
            .filter(|topic| topic.name() == self.topic)
            .flat_map(|topic| topic.partitions().iter().map(|partition| partition.id()))
            .collect();
        for member in group.members() {
            // What cannot be read may be anything: better nothing is done.
            let Some(partitions) = assigned(member.assignment().unwrap_or_default(), &self.topic) else {
                return Ok(None);
            };
            unheld.retain(|partition| !partitions.contains(partition));
        }
        let members = group.members().iter().map(|member| member.client_id().to_owned()).collect();
        Ok(Some(Held { members, unheld: unheld.into_iter().collect() }))
    }

    /// Joins the group as a guest and leaves it again, for at most as long as a session.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn stir(&self) -> Result<(), Failure> {
        let failed = |error: KafkaError| Failure::Unreachable(format!("group `{}`: {error}", self.group));
        let mut config = self.connection.reader();
        config.set("group.id", &self.group).set("client.id", GUEST);
        let guest = reader(&config, &self.connection).map_err(failed)?;
        guest.subscribe(&[&self.topic]).map_err(failed)?;
        let until = Instant::now() + self.connection.session_timeout;
        while Instant::now() < until {
            // Whatever it is given it gives back at once, unread.
            drop(guest.poll(POLL));
            if guest.assignment().is_ok_and(|given| given.count() > 0) {
                break;
            }
        }
        Ok(())
    }
}

/// The partitions of `topic` in an assignment, as the consumer's protocol writes it: a version, then
/// topics with their partitions.
fn assigned(bytes: &[u8], topic: &str) -> Option<Vec<i32>> {
    let mut found = Vec::new();
    if bytes.is_empty() {
        return Some(found);
    }
    let mut rest = bytes;
    take::<2>(&mut rest)?;
    for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
        let length = usize::try_from(i16::from_be_bytes(take(&mut rest)?)).ok()?;
        let (name, after) = rest.split_at_checked(length)?;
        rest = after;
        for _ in 0..i32::from_be_bytes(take(&mut rest)?) {
            let partition = i32::from_be_bytes(take(&mut rest)?);
            if name == topic.as_bytes() {
                found.push(partition);
            }
        }
    }
    Some(found)
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*head)
}

/// The coordinator's own word.
const STABLE: &str = "Stable";
const GUEST: &str = "ward-guest";
const TIMEOUT: Duration = Duration::from_secs(3);
const POLL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    /// Version 1, topic `t` with 3 and 1, topic `u` with 7, no user data.
    const TWO_TOPICS: &[u8] = &[
        0, 1, 0, 0, 0, 2, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 1, b'u', 0, 0, 0, 1, 0, 0, 0, 7,
        0, 0, 0, 0,
    ];

    #[test]
    fn an_assignment_is_read_and_damage_is_seen() {
        assert_eq!(assigned(TWO_TOPICS, "t"), Some(vec![3, 1]));
        assert_eq!(assigned(TWO_TOPICS, "u"), Some(vec![7]));
        assert_eq!(assigned(TWO_TOPICS, "v"), Some(vec![]));
        assert_eq!(assigned(&[], "t"), Some(vec![]), "a member that was given nothing yet");
        for length in 1..TWO_TOPICS.len() - 4 {
            assert_eq!(assigned(&TWO_TOPICS[..length], "t"), None, "cut after {length}");
        }
        assert_eq!(assigned(&[0, 1, 0x7f, 0xff, 0xff, 0xff], "t"), None);
        assert_eq!(assigned(&[0, 1, 0, 0, 0, 1, 0xff, 0xff], "t"), None, "a name of a negative length");
    }
}
