//! Partitions that nobody holds, found and given out: see [`Roll`].
#![expect(clippy::disallowed_methods, reason = "paces itself")]

use std::time::Duration;

use tracing::{debug, warn};

use crate::adapters::kafka::acls::{input_group, networks_group};
use crate::adapters::kafka::topics::Names;
use crate::adapters::kafka::{Assignment, Connection, Roll};
use crate::cli::Failure;
use crate::runtime::stop::Stop;

/// Starts to look, where partitions can be left over at all: an eager group gives out all of them in
/// each round. The thread ends with the process.
///
/// # Errors
/// When a client or the thread cannot be made.
pub(super) fn begin(
    connection: &Connection,
    names: &Names,
    instance: &str,
    stop: Stop,
) -> Result<(), Failure> {
    if connection.assignment() != Assignment::CooperativeSticky {
        return Ok(());
    }
    let group = connection.group();
    let inputs = std::iter::once(("feedback", &names.feedback));
    let inputs = inputs.chain(names.inputs.iter().map(|(name, topic)| (name.as_str(), topic)));
    let inputs = inputs.map(|(name, topic)| (input_group(group, name), topic));
    let own = [(group.to_owned(), &names.events), (networks_group(group), &names.sightings)];
    let groups = own.into_iter().chain(inputs);
    let mut watches = Vec::new();
    for (group, topic) in groups {
        let roll = Roll::open(connection, &group, topic);
        let roll = roll.map_err(|failure| Failure::Internal(failure.to_string()))?;
        watches.push((roll, Watch::default()));
    }
    let (own, every) = (format!("ward-{instance}-"), connection.session_timeout());
    let run = move || {
        while !stop.is_set() {
            for (roll, watch) in &mut watches {
                look(roll, watch, &own);
            }
            let mut waited = Duration::ZERO;
            while waited < every && !stop.is_set() {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
        }
    };
    let started = std::thread::Builder::new().name("unheld".into()).spawn(run);
    started.map(drop).map_err(|error| Failure::Internal(format!("thread unheld: {error}")))
}

fn look(roll: &Roll, watch: &mut Watch, own: &str) {
    let found = match roll.held() {
        Ok(Some(held)) => {
            watch.note(held.unheld, held.members.first().is_some_and(|first| first.starts_with(own)))
        }
        Ok(None) => watch.note(Vec::new(), false),
        Err(failure) => {
            debug!(%failure, "who holds what is not known");
            None
        }
    };
    let Some(partitions) = found else { return };
    warn!(group = roll.group(), ?partitions, "partitions that nobody holds; having them given out");
    if let Err(failure) = roll.stir() {
        warn!(group = roll.group(), %failure, "not given out; trying again");
    }
}

/// What was unheld when last looked at. A partition is on its way from one member to the other for the
/// length of a commit; what nobody holds twice in a row is left over.
#[derive(Debug, Default)]
struct Watch {
    before: Vec<i32>,
}

impl Watch {
    /// What is to be given out now, by this process: of all that see it, the first in the roll acts.
    fn note(&mut self, unheld: Vec<i32>, is_first: bool) -> Option<Vec<i32>> {
        let stays = !unheld.is_empty() && unheld == self.before;
        self.before = if stays { Vec::new() } else { unheld.clone() };
        (stays && is_first).then_some(unheld)
    }
}

const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_unheld_is_given_out_once_a_while_by_one() {
        let mut watch = Watch::default();
        let mut look = |unheld: &[i32], is_first| watch.note(unheld.to_vec(), is_first);
        assert_eq!(look(&[0, 1], true), None, "on its way, perhaps");
        assert_eq!(look(&[1], true), None, "indeed");
        assert_eq!(look(&[1], true), Some(vec![1]));
        assert_eq!(look(&[1], true), None, "a round takes a while");
        assert_eq!(look(&[1], true), Some(vec![1]));
        assert_eq!(look(&[], true), None);
        assert_eq!(look(&[2], false), None);
        assert_eq!(look(&[2], false), None, "somebody else is first");
    }
}
