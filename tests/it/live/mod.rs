//! Against a real Apache Kafka, read and written by somebody else's clients.
//!
//! Every test here is `#[ignore = "needs a broker: make test"]`, so that plain `cargo test` needs
//! nothing but Rust and says what it left out. `make test` starts the broker, sets the environment
//! and runs them; without that environment they fail and say so, they never pass in silence.

mod across;
mod adapter;
mod backfill;
mod bench;
mod broker;
mod chaos;
mod deploy;
mod erase;
mod explain;
mod follow;
mod foreign;
mod inputs;
mod leftover;
mod observe;
mod pages;
mod permissions;
mod registry;
mod reload;
mod replay;
mod run;
mod secure;
mod standby;
mod tracing;
mod ward;

use broker::Broker;

#[test]
#[ignore = "needs a broker: make test"]
fn foreign_clients_read_what_they_wrote() {
    let broker = Broker::shared();
    let topic = broker.topic("foreign", 2);
    let record = serde_json::json!({"key": "k", "base64": "w/8A", "partition": 1, "headers": {"a": "b"}});
    foreign::produce(&broker, &topic, &[r#"{"tenant":"acme","user_id":"ada"}"#]);
    foreign::produce_raw(&broker, &topic, &[record]);

    let found = foreign::read(&broker, &topic, 2);

    let of = |key: &str| found.iter().find(|record| record["key"] == key).expect("the record is there");
    assert_eq!(of("acme/ada")["value"]["user_id"], "ada");
    assert_eq!(of("k")["base64"], "w/8A");
    assert_eq!(of("k")["partition"], 1);
    assert_eq!(of("k")["headers"]["a"], "b");
    assert_eq!(foreign::read_all(&broker, &topic).len(), 2);
}

/// A broker of a test's own keeps its port and its records when it is killed and started again.
#[test]
#[ignore = "needs a broker: make test"]
fn an_own_broker_survives_a_kill() {
    let mut broker = Broker::own(&["--tls-scram"]);
    let topic = broker.topic("kept", 1);
    foreign::produce(&broker, &topic, &[r#"{"user_id":"ada"}"#]);
    let before = broker.bootstrap().to_owned();

    broker.kill();
    broker.start();

    assert_eq!(broker.bootstrap(), before);
    assert_eq!(foreign::read(&broker, &topic, 1)[0]["key"], "default/ada");
}
