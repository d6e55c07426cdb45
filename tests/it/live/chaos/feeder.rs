//! The input: simulated people, written to the broker without a pause, in JSON, keyed by user. Some
//! events come twice, and some are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use wardstream::engine::emit;
use wardstream::engine::enrich::builtin::Builtin;
use wardstream::model::event::Event;
use wardstream::model::time::Timestamp;
use wardstream::simulate::{Attack, Plan, Stream, World};

use crate::sim::script::Dice;

/// Writes until it is told to end.
#[derive(Debug)]
pub(super) struct Feeder {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Feeder {
    pub(super) fn start(bootstrap: &str, topic: &str, seed: u64, rate: u64) -> Self {
        let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
            .set("bootstrap.servers", bootstrap)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            // A broker that is away for a while loses nothing of ours: the client keeps it.
            .set("message.timeout.ms", "600000")
            .set("linger.ms", "5")
            .create()
            .unwrap();
        let ends = Arc::<AtomicBool>::default();
        let (topic, told) = (topic.to_owned(), Arc::clone(&ends));
        let thread = std::thread::spawn(move || write(&producer, &topic, seed, rate, &told));
        Self { ends, thread }
    }

    /// Ends, when all that was written has been taken by the broker. Gives how many records that was.
    #[track_caller]
    pub(super) fn end(self) -> usize {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().expect("the feeder ends in order")
    }
}

fn write(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    seed: u64,
    rate: u64,
    ends: &AtomicBool,
) -> usize {
    let mut dice = Dice(seed);
    let mut sent: Vec<(String, Vec<u8>)> = Vec::new();
    let mut count = 0;
    for made in people(seed) {
        if ends.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("{}/{}", made.tenant, made.user);
        let mut text = Vec::new();
        emit::event_json(&made, &mut text);
        let (key, text) = match dice.roll(100) {
            0 | 1 if !sent.is_empty() => {
                sent.swap_remove(usize::try_from(dice.roll(sent.len() as u64)).unwrap())
            }
            2 => (key, b"{\"no\": \"event".to_vec()),
            3 => (key, compromised(&made)),
            _ => {
                sent.push((key.clone(), text.clone()));
                if sent.len() > REMEMBERED {
                    sent.remove(0);
                }
                (key, text)
            }
        };
        let mut record = BaseRecord::to(topic).key(&key).payload(&text);
        while let Err((_, back)) = producer.send(record) {
            record = back;
            std::thread::sleep(Duration::from_millis(10));
        }
        count += 1;
        std::thread::sleep(Duration::from_micros(1_000_000 / rate));
    }
    producer.flush(Duration::from_secs(120)).expect("the broker takes what was written");
    count
}

/// The user says that this was somebody else: sessions end because of it.
fn compromised(event: &Event<'_>) -> Vec<u8> {
    let feedback = serde_json::json!({
        "tenant": event.tenant, "user_id": event.user, "type": "feedback", "occurred_at": event.occurred_at.to_string(),
        "verdict": "compromised", "about": {"event_id": event.id}, "by": "user", "source": "portal",
        "event_id": format!("about-{}", event.id),
    });
    feedback.to_string().into_bytes()
}

/// Events of a few weeks up to now, attacks among them.
fn people(seed: u64) -> impl Iterator<Item = Event<'static>> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let start = i64::try_from(now).unwrap() - i64::from(DAYS) * 24 * 3600;
    let plan = Plan {
        users: USERS,
        seed,
        attacks: Attack::ALL.to_vec(),
        start: Timestamp::from_seconds(start).unwrap(),
        days: DAYS,
    };
    Stream::new(&plan, World::of(&Builtin::new()).unwrap()).map(|made| made.event)
}

/// Few, so that each has a history that many faults fall into.
const USERS: u32 = 60;
const DAYS: u32 = 25;
/// How far back an event comes again: less than the engine remembers of each user.
const REMEMBERED: usize = 50;
