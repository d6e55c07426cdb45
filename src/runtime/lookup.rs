//! Lookup: asks the registry for the schemas that records name, on a thread of its own, so that no
//! lane and no transaction ever waits for it.
//!
//! ```text
//!  worker ─ a record with an id that nobody knows ─▶ holds the partition, wants the id
//!                                                          │
//!  lookup ─ asks, in bounded time ─▶ a table of writers ◀──┘  worker starts it again at the record
//! ```
//!
//! *Failure*: while no sound answer comes, the id is asked for again as long as a partition waits for
//! it, or its records are rejected for a while, as configured. What the registry says plainly (no such
//! id, no event's schema) rejects them either way: a stray byte must not stop a partition.

#![expect(clippy::disallowed_methods, reason = "the pause between two questions")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::stop::{ProcessClock, Stop};
use crate::engine::decode::{Format, Writer, Writers, split_confluent};
use crate::ports::clock::{Clock as _, Tick};
use crate::ports::schemas::{Schemas, Unresolved, WhenAway};
use crate::ports::source::Record;
use crate::telemetry::Happened;

/// What workers see of it. Without a registry it knows no id, and wants none.
#[derive(Clone, Debug, Default)]
pub struct Lookup {
    inside: Option<Arc<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    table: Mutex<Table>,
    wanted: Condvar,
}

#[derive(Debug, Default)]
struct Table {
    writers: Arc<Writers>,
    /// In the order in which they came, with the bytes of each.
    kept: VecDeque<(u32, usize)>,
    /// When a refusal is to be asked for again.
    until: BTreeMap<u32, Tick>,
    wanted: BTreeSet<u32>,
}

impl Lookup {
    /// Begins to look up what is wanted, until `stop`.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(
        schemas: Box<dyn Schemas>,
        when_away: WhenAway,
        clock: ProcessClock,
        stop: Stop,
    ) -> std::io::Result<Self> {
        let inside = Arc::new(Inside::default());
        let asker = Asker { inside: Arc::clone(&inside), schemas, when_away, clock, away_since: None };
        std::thread::Builder::new().name("lookup".into()).spawn(move || asker.run(&stop))?;
        Ok(Self { inside: Some(inside) })
    }

    /// What is known now.
    #[must_use]
    pub fn writers(&self) -> Arc<Writers> {
        self.inside.as_ref().map(|inside| Arc::clone(&inside.lock().writers)).unwrap_or_default()
    }

    /// Asks for an id, without waiting. Whoever still waits says so again now and then.
    pub fn want(&self, id: u32) {
        if let Some(inside) = &self.inside
            && inside.lock().wanted.insert(id)
        {
            inside.wanted.notify_one();
        }
    }

    /// The id that a record must wait for.
    #[must_use]
    pub fn missing(&self, record: &Record<'_>, format: Format, writers: &Writers) -> Option<u32> {
        if format != Format::Confluent || self.inside.is_none() {
            return None;
        }
        let (id, _) = split_confluent(record.value?)?;
        writers.get(id).is_none().then_some(id)
    }
}

impl Inside {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn insert(&mut self, id: u32, writer: Writer, bytes: usize, until: Option<Tick>) {
        let mut writers = Writers::clone(&self.writers);
        self.kept.retain(|(other, _)| *other != id);
        self.kept.push_back((id, bytes));
        writers.insert(id, writer);
        match until {
            Some(until) => drop(self.until.insert(id, until)),
            None => drop(self.until.remove(&id)),
        }
        while self.kept.len() > WRITERS_MAX || self.bytes() > BYTES_MAX && self.kept.len() > 1 {
            let Some((oldest, _)) = self.kept.pop_front() else { break };
            writers.remove(oldest);
            self.until.remove(&oldest);
        }
        self.writers = Arc::new(writers);
    }

    fn bytes(&self) -> usize {
        self.kept.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Forgets refusals that are old.
    fn expire(&mut self, now: Tick) {
        let old: Vec<u32> =
            self.until.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
        if old.is_empty() {
            return;
        }
        let mut writers = Writers::clone(&self.writers);
        for id in old {
            writers.remove(id);
            self.until.remove(&id);
            self.kept.retain(|(other, _)| *other != id);
        }
        self.writers = Arc::new(writers);
    }
}

struct Asker {
    inside: Arc<Inside>,
    schemas: Box<dyn Schemas>,
    when_away: WhenAway,
    clock: ProcessClock,
    away_since: Option<Tick>,
}

impl Asker {
    fn run(mut self, stop: &Stop) {
        while !stop.is_set() {
            let wanted = self.next();
            let mut is_away = false;
            for id in wanted {
                if stop.is_set() {
                    return;
                }
                is_away |= !self.ask(id);
            }
            if is_away && self.when_away == WhenAway::Wait {
                // Whoever still waits has said so again by then.
                std::thread::sleep(AGAIN_AFTER);
            }
        }
    }

    /// What is wanted, waiting a moment for it.
    fn next(&self) -> BTreeSet<u32> {
        let mut table = self.inside.lock();
        if table.wanted.is_empty() {
            let waited = self.inside.wanted.wait_timeout(table, LOOK_EVERY);
            (table, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        table.expire(self.clock.now());
        std::mem::take(&mut table.wanted)
    }

    /// `false` when the registry gave no sound answer.
    fn ask(&mut self, id: u32) -> bool {
        if self.inside.lock().writers.get(id).is_some() {
            return true;
        }
        let answer = self.schemas.schema(id).and_then(|json| {
            let writer = Writer::of(&json)
                .map_err(|why| Unresolved::Away(format!("of schema {id} it gives what is none: {why}")))?;
            Ok((writer, json.len()))
        });
        let now = self.clock.now();
        match answer {
            Ok((writer, bytes)) => {
                let until = matches!(writer, Writer::Refuses(_)).then(|| now.plus(REFUSED_FOR));
                self.inside.lock().insert(id, writer, bytes, until);
            }
            Err(Unresolved::Unknown(why)) => {
                let bytes = why.len();
                self.inside.lock().insert(id, Writer::Refuses(why), bytes, Some(now.plus(REFUSED_FOR)));
            }
            Err(Unresolved::Away(why)) => {
                if self.away_since.is_none() {
                    self.away_since = Some(now);
                    Happened::RegistryAway { why: &why }.emit();
                }
                if self.when_away == WhenAway::Reject {
                    let bytes = why.len();
                    self.inside.lock().insert(id, Writer::Refuses(why), bytes, Some(now.plus(AWAY_FOR)));
                }
                return false;
            }
        }
        if let Some(since) = self.away_since.take() {
            Happened::RegistryBack { after: now.since(since) }.emit();
        }
        true
    }
}

/// How often the thread looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two rounds of questions to a registry that is away.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long records are rejected before a registry that was away is asked again.
const AWAY_FOR: Duration = Duration::from_secs(5);
/// How long what the registry said of an id is believed, when it was no schema of ours: somebody may
/// register it meanwhile.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// Producers have a handful; this many are kept before the oldest is asked for again.
const WRITERS_MAX: usize = 256;
const BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::engine::schema::current;

    /// Answers what the test gives it, and tells what it was asked.
    #[derive(Debug)]
    struct Told {
        asked: Sender<u32>,
        answers: Receiver<Result<String, Unresolved>>,
    }

    impl Schemas for Told {
        fn schema(&self, id: u32) -> Result<String, Unresolved> {
            self.asked.send(id).ok();
            self.answers.recv().unwrap_or_else(|_| Err(Unresolved::Away("the test is over".into())))
        }
    }

    struct World {
        lookup: Lookup,
        asked: Receiver<u32>,
        answers: Sender<Result<String, Unresolved>>,
        stop: Stop,
    }

    fn world(when_away: WhenAway) -> World {
        let ((asked, questions), (answers, given)) = (channel(), channel());
        let stop = Stop::default();
        let told = Box::new(Told { asked, answers: given });
        let lookup = Lookup::start(told, when_away, ProcessClock::default(), stop.clone()).unwrap();
        World { lookup, asked: questions, answers, stop }
    }

    impl World {
        /// What is known of an id, after this answer.
        fn answer(&self, id: u32, answer: Result<&str, Unresolved>) -> &'static str {
            self.lookup.want(id);
            assert_eq!(self.asked.recv_timeout(Duration::from_secs(10)), Ok(id));
            self.answers.send(answer.map(str::to_owned)).unwrap();
            // The next question comes after the answer was taken.
            self.lookup.want(id + 1000);
            assert_eq!(self.asked.recv_timeout(Duration::from_secs(10)), Ok(id + 1000));
            self.answers.send(Ok(current("event").into())).unwrap();
            match self.lookup.writers().get(id) {
                Some(Writer::Reads(_)) => "reads",
                Some(Writer::Refuses(_)) => "refuses",
                None => "waits",
            }
        }
    }

    impl Drop for World {
        fn drop(&mut self) {
            self.stop.set();
        }
    }

    #[track_caller]
    fn check(answer: Result<&str, Unresolved>, waiting: &str, rejecting: &str) {
        let waits = world(WhenAway::Wait).answer(1, answer.clone());
        let rejects = world(WhenAway::Reject).answer(1, answer);
        assert_eq!((waits, rejects), (waiting, rejecting));
    }

    #[test]
    fn what_becomes_of_an_id() {
        check(Ok(current("event")), "reads", "reads");
        check(Ok(r#"{"type":"record","name":"Other","fields":[]}"#), "refuses", "refuses");
        check(Ok(r#"{"type":"rec"#), "waits", "refuses");
        check(Err(Unresolved::Unknown("no such id".into())), "refuses", "refuses");
        check(Err(Unresolved::Away("no answer".into())), "waits", "refuses");
    }

    #[test]
    fn an_answer_is_asked_for_once_and_the_table_has_an_end() {
        let mut table = Table::default();
        for id in 0..1_000 {
            table.insert(id, Writer::Refuses(String::new()), 100_000, Some(Tick::default()));
        }
        assert!(table.kept.len() <= WRITERS_MAX && table.bytes() <= BYTES_MAX);
        assert!(table.writers.get(0).is_none() && table.writers.get(999).is_some());
        assert_eq!(table.until.len(), table.kept.len());
        table.expire(Tick::default());
        assert!(table.writers.get(999).is_none() && table.kept.is_empty() && table.until.is_empty());

        let world = world(WhenAway::Wait);
        assert_eq!(world.answer(1, Ok(current("event"))), "reads");
        world.lookup.want(1);
        assert!(world.asked.recv_timeout(Duration::from_millis(300)).is_err(), "it is known");
    }

    #[test]
    fn without_a_registry_nothing_is_missing() {
        let value = [0, 0, 0, 0, 7, 1];
        let record = Record {
            partition: 0,
            offset: 0,
            recorded_at: None,
            key: None,
            value: Some(&value),
            headers: &[],
        };
        let none = Lookup::default();
        assert_eq!(none.missing(&record, Format::Confluent, &none.writers()), None);
        let world = world(WhenAway::Wait);
        assert_eq!(world.lookup.missing(&record, Format::Confluent, &world.lookup.writers()), Some(7));
        assert_eq!(world.lookup.missing(&record, Format::Avro, &world.lookup.writers()), None);
    }
}
