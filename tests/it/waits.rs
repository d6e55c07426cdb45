//! Waits for less than a millisecond, as between two records of who sends thousands a second: no core
//! turns for them. The broker is librdkafka's own.

use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rustix::time::{ClockId, clock_gettime};
use wardstream::adapters::kafka::{KafkaSource, Publisher, Settings};
use wardstream::ports::source::Source as _;

#[test]
fn who_sends_at_a_rate_sleeps_between_two_records() {
    let cluster = MockCluster::new(1).unwrap();
    let settings = Settings { bootstrap: cluster.bootstrap_servers(), ..Settings::default() };
    let publisher = Publisher::new(&settings.open(&|_| None).unwrap()).unwrap();
    let busy = busy_percent(|wait| publisher.idle(wait));
    assert!(busy < MOST_PERCENT, "{busy} %");
}

#[test]
fn who_reads_sleeps_until_the_next_transaction_is_due() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, 1, 1).unwrap();
    let settings = Settings { bootstrap: cluster.bootstrap_servers(), ..Settings::default() };
    let connection = settings.open(&|_| None).unwrap();
    let mut source = KafkaSource::join(&connection, "group", "member", TOPIC).unwrap();
    let busy = busy_percent(|wait| source.poll(wait, &mut |_| true).unwrap());
    assert!(busy < MOST_PERCENT, "{busy} %");
}

/// The CPU time of this thread, of the time that it was told to wait.
fn busy_percent(mut once: impl FnMut(Duration)) -> u128 {
    let before = cpu_time();
    (0..WAITS).for_each(|_| once(WAIT));
    (cpu_time() - before).as_nanos() * 100 / (WAIT * WAITS).as_nanos()
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

const TOPIC: &str = "topic";
const WAIT: Duration = Duration::from_micros(900);
const WAITS: u32 = 300;
/// Who asks again and again takes nearly all of it; a machine that is busy only makes it less.
const MOST_PERCENT: u128 = 30;
