//! A partition that had no leader for a moment, as where a node is restarted, on a broker that is librdkafka's
//! own: it is found again as soon as it has one.

use rdkafka::mocking::MockCluster;
use wardstream::adapters::kafka::{Follower, Settings};

#[test]
fn a_partition_is_found_again_that_had_no_leader() {
    let cluster = MockCluster::new(2).unwrap();
    cluster.create_topic(TOPIC, 1, 2).unwrap();
    cluster.partition_leader(TOPIC, 0, Some(1)).unwrap();
    let settings = Settings { bootstrap: cluster.bootstrap_servers(), ..Settings::default() };
    let connection = settings.open(&|_| None).unwrap();
    let follower = Follower::new(&connection, TOPIC, 1).unwrap();
    assert_eq!(follower.ends().unwrap(), [0]);

    // No leader; and the one that it had is not it.
    cluster.partition_leader(TOPIC, 0, None).unwrap();
    let refused = follower.ends().unwrap_err().to_string();
    assert!(refused.contains("Leader not available"), "{refused}");
    cluster.partition_leader(TOPIC, 0, Some(2)).unwrap();
    assert_eq!(follower.ends().unwrap(), [0]);
}

const TOPIC: &str = "topic";
