//! The profile before a decision, of the user's events and the facts of their decisions.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use super::super::events::{Ended, Input, Take, TopicEvents};
use super::super::interrupt::Interrupt;
use super::super::whom::Whom;
use super::super::{Failure, hash_seed};
use super::find::{From, TOPIC, Target, partitions};
use crate::adapters::kafka::KafkaLog;
use crate::app;
use crate::config::Settings;
use crate::engine::decode::{Decoded, Rejected};
use crate::engine::emit::{Recorded, Stored};
use crate::engine::policy::Policy;
use crate::engine::step::Lifetime;
use crate::pipeline::explain::{Rebuild, Rebuilt};
use crate::pipeline::intake::partition_of;

/// Folds the events of `target`'s user up to its own.
pub(super) fn rebuild(
    events: &str,
    from: &From,
    target: &Target,
    policies: &[Policy],
    settings: &Settings,
    interrupt: &Interrupt,
) -> Result<Rebuilt, Failure> {
    let decision = target.read()?;
    let whom = Whom::of(&decision.tenant, &decision.user_id);
    let topic = events.strip_prefix(TOPIC);
    let past = Past::collect(from, target, &whom, settings, interrupt)?;
    let lifetime = Lifetime::of(settings.remembering.clone());
    let mut rebuilding = Rebuilding {
        whom: &whom,
        past,
        target,
        decision: &decision,
        rebuild: Some(Rebuild::new(policies, &lifetime, hash_seed())),
        rebuilt: None,
        offset: 0,
        lines: 0,
        interrupt,
    };
    match topic {
        Some(topic) => rebuilding.of_topic(topic, settings)?,
        None => {
            let input = Input::open(Path::new(events)).map_err(Failure::input)?;
            match input.read(None, &settings.identity, &mut rebuilding) {
                Ok(()) | Err(Ended::Unread) => {}
                Err(Ended::Failed(failure)) => return Err(failure),
            }
        }
    }
    rebuilding.rebuilt.ok_or_else(|| {
        Failure::input(format!(
            "{events}: the event `{}` of `{whom}` is not there; name the events that {from} was made of",
            decision.event_id
        ))
    })
}

/// The user's decisions up to the target, by the ids of their events. An id may come more than once,
/// under two sources; then it matters where the event lies.
struct Past(BTreeMap<String, VecDeque<Recorded>>);

impl Past {
    fn collect(
        from: &From,
        target: &Target,
        whom: &Whom,
        settings: &Settings,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let mut past = Self(BTreeMap::new());
        let mut count = 0_usize;
        from.walk(Some(whom), settings, interrupt, &mut |recorded, bytes, form, place| {
            let decision = form.stored(bytes).map_err(|what| Failure::input(format!("{} is no decision: {what}", place())))?;
            if !whom.is(&decision.tenant, &decision.user_id) {
                return Ok(true);
            }
            count += 1;
            if count > DECISIONS_MAX {
                return Err(Failure::input(format!(
                    "{from}: more than {DECISIONS_MAX} decisions of `{whom}` come before it; explain it without --events"
                )));
            }
            past.0.entry(decision.event_id.into_owned()).or_default().push_back(recorded.clone());
            Ok(*recorded != target.recorded)
        })?;
        Ok(past)
    }

    /// What was decided of this event: of several with its id the one that stands where it stands, else
    /// the first that is left.
    fn take(&mut self, partition: i32, offset: i64, id: &str) -> Option<Recorded> {
        let all = self.0.get_mut(id)?;
        let here = |recorded: &Recorded| (recorded.partition, recorded.offset) == (partition, offset);
        let at = all.iter().position(here).unwrap_or(0);
        all.remove(at)
    }
}

struct Rebuilding<'r> {
    whom: &'r Whom,
    past: Past,
    target: &'r Target,
    decision: &'r Stored<'r>,
    rebuild: Option<Rebuild<'r>>,
    rebuilt: Option<Rebuilt>,
    /// Of the next record.
    offset: i64,
    lines: u64,
    interrupt: &'r Interrupt,
}

impl Rebuilding<'_> {
    /// Takes an event; `false` when it was the last.
    fn event(&mut self, partition: i32, offset: i64, decoded: Decoded<'_>) -> Result<bool, Failure> {
        let event = &decoded.event;
        if !self.whom.is(&event.tenant, &event.user) {
            return Ok(true);
        }
        // A repeat, or one whose decision is gone: what it taught is not known.
        let Some(recorded) = self.past.take(partition, offset, &event.id) else { return Ok(true) };
        let stopped = |stopped: crate::pipeline::replay::Stopped| Failure::input(stopped.to_string());
        if recorded != self.target.recorded {
            if let Some(rebuild) = &mut self.rebuild {
                rebuild.fold(decoded, &recorded).map_err(stopped)?;
            }
            return Ok(true);
        }
        if let Some(rebuild) = self.rebuild.take() {
            self.rebuilt = Some(rebuild.end(decoded, &recorded, self.decision).map_err(stopped)?);
        }
        Ok(false)
    }

    fn of_topic(&mut self, topic: &str, settings: &Settings) -> Result<(), Failure> {
        let connection = app::connection(settings).map_err(Failure::Input)?;
        let partitions = partitions(&connection, topic, "events, e.g. topic:identity.events")?;
        let partition = partition_of(self.whom.key().as_bytes(), partitions);
        let mut log = KafkaLog::open(&connection, topic, partition)?;
        let events = TopicEvents::new(settings, topic)?;
        while let Some(goes_on) = log.next(|record| {
            if record.key != Some(self.whom.key().as_bytes()) {
                return Ok(true);
            }
            let goes_on = events.decode(record, |decoded| match decoded {
                Ok(decoded) => self.event(partition, record.offset, decoded),
                Err(_rejected) => Ok(true),
            });
            goes_on.flatten()
        })? {
            if !goes_on? {
                break;
            }
            if self.interrupt.is_set() {
                return Err(Failure::Interrupted);
            }
        }
        Ok(())
    }
}

impl Take for Rebuilding<'_> {
    fn lines(&mut self) -> &mut u64 {
        &mut self.lines
    }

    fn take(&mut self, _line: u64, decoded: Result<Decoded<'_>, Rejected>) -> Result<(), Ended> {
        let offset = self.offset;
        self.offset += 1;
        let Ok(decoded) = decoded else { return Ok(()) };
        match self.event(0, offset, decoded) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Ended::Unread),
            Err(failure) => Err(Ended::Failed(failure)),
        }
    }

    fn before_waiting(&mut self, _consumed: u64) -> Result<(), Ended> {
        if self.interrupt.is_set() { Err(Ended::Failed(Failure::Interrupted)) } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Ended> {
        Ok(())
    }
}

/// Some hundred bytes each; a person has a few thousand a year.
const DECISIONS_MAX: usize = 1_000_000;
