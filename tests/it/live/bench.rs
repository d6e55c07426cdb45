//! `ward bench` on a real broker: what it says adds up, and it leaves nothing behind.

#![expect(clippy::disallowed_methods, reason = "a test waits for a process, with a deadline")]

use std::time::{Duration, Instant};

use serde_json::Value;

use super::broker::{Broker, said};
use super::foreign;
use super::ward::World;

/// The numbers themselves are the machine's; what must hold between them is ours.
#[test]
#[ignore = "needs a broker: make test"]
fn pipeline_and_pass_are_measured_over_the_same_bytes() {
    let world = World::bare(Broker::shared(), "");
    let arguments = "bench pass --events 3000 --warm 1000 --users 300 --partitions 3 --workers 1 --seconds 2 --rate 100 --json";
    let mut arguments: Vec<_> = arguments.split(' ').collect();
    let bootstrap = world.broker.bootstrap().to_owned();
    arguments.extend(["--bootstrap", &bootstrap]);
    let pass: Value = serde_json::from_str(&said(Ok(world.ward(&arguments)))).unwrap();
    let pipeline = &pass["against"]["pipeline"];
    for report in [&pass, pipeline] {
        assert_eq!(report["events"], 3000, "all that is measured, and nothing of what warms");
        assert!(report["transactions"].as_u64().unwrap() > 0, "{report}");
        for number in ["events_per_second", "events_per_cpu_second", "bytes_out_per_event"] {
            assert!(report[number].as_f64().unwrap() > 0.0, "{number} of {report}");
        }
        for times in ["commit_ms", "latency_ms"] {
            let at = |quantile: &str| report[times][quantile].as_f64().unwrap();
            assert!(at("p50") >= 0.0 && at("p99") >= at("p50"), "{times} of {report}");
        }
        assert!(report["latency_ms"]["p50"].as_f64().unwrap() > 0.0);
        let cpu = &report["cpu_us_per_event"];
        for parts in [&report["stages"], &cpu["threads"]] {
            let sum: f64 = parts.as_object().unwrap().values().map(|us| us.as_f64().unwrap()).sum();
            assert!((sum - cpu["total"].as_f64().unwrap()).abs() < 0.01, "{parts} of {cpu}");
        }
        assert!(cpu["broker"].as_f64().unwrap() > 0.0, "the test's broker runs on this machine");
    }
    assert_eq!(pass["bytes_out"], pipeline["bytes_out"]);
    let takes = |report: &Value, stage: &str| report["stages"][stage].as_f64().unwrap() > 0.0;
    for stage in ["fetch", "produce", "commit", "client"] {
        assert!(takes(&pass, stage) && takes(pipeline, stage), "{stage} of {pass}");
    }
    for stage in ["decode", "enrich", "load", "step", "emit", "chain", "encode", "settle"] {
        assert!(takes(pipeline, stage), "{stage} of {pipeline}");
        assert!(stage == "settle" || !takes(&pass, stage), "{stage} of {pass}");
    }
    assert!(pass["against"]["ratio"]["events_per_cpu_second"].as_f64().unwrap() > 0.0);
}

/// With an empty store, after a stop, after a kill: every partition is served again, and by its own way.
#[test]
#[ignore = "needs a broker: make test"]
fn starts_are_measured_until_every_partition_is_served() {
    let world = World::bare(Broker::shared(), "");
    let arguments = "bench restore --users 300 --people 4 --partitions 3 --workers 1 --json";
    let mut arguments: Vec<_> = arguments.split(' ').collect();
    let bootstrap = world.broker.bootstrap().to_owned();
    arguments.extend(["--bootstrap", &bootstrap]);
    let report: Value = serde_json::from_str(&said(Ok(world.ward(&arguments)))).unwrap();
    let number = |name: &str| report[name].as_u64().unwrap();
    // After a year everybody has a core and something that can be taken back.
    assert!(number("parts") >= 600 && number("live_bytes") > 600 * 300, "{report}");
    assert!(number("disk_bytes") > number("live_bytes") / 2, "{report}");
    for (start, ways) in [
        ("restore", &["no_store"][..]),
        ("after_stop", &["continue"]),
        // What the last checkpoint did not have is read again.
        ("after_kill", &["continue", "replay"]),
    ] {
        let start = &report[start];
        let taken = start["ways"].as_object().unwrap();
        assert!(taken.keys().all(|way| ways.contains(&way.as_str())), "{start}");
        assert_eq!(taken.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), 3, "{start}");
        assert!(start["serving_seconds"].as_f64() >= start["first_seconds"].as_f64(), "{start}");
        assert!(start["resident_bytes"].as_u64().unwrap() > 0, "{start}");
    }
    assert!(report["restore"]["changes"].as_u64().unwrap() >= number("parts"), "{report}");
}

/// A broker that allows no long transactions is measured as well.
#[test]
#[ignore = "needs a broker: make test"]
fn what_is_withheld_is_withheld_for_less_where_the_broker_says_so() {
    let world = World::bare(Broker::own(&["--set", "transaction.max.timeout.ms=60000"]), "");
    let bootstrap = world.broker.bootstrap().to_owned();
    let arguments = "bench pipeline --events 1000 --users 100 --partitions 2 --seconds 1 --json --bootstrap";
    let arguments: Vec<_> = arguments.split(' ').chain([bootstrap.as_str()]).collect();
    let report: Value = serde_json::from_str(&said(Ok(world.ward(&arguments)))).unwrap();
    assert_eq!(report["events"], 1000, "{report}");
}

/// However it ends, its topics go with it.
#[test]
#[ignore = "needs a broker: make test"]
fn interrupted_it_clears_away() {
    let world = World::bare(Broker::shared(), "");
    let bootstrap = world.broker.bootstrap().to_owned();
    let mut bench = std::process::Command::new(env!("CARGO_BIN_EXE_ward"))
        .args([
            "bench",
            "pipeline",
            "--events",
            "1000",
            "--seconds",
            "600",
            "--rate",
            "10",
            "--bootstrap",
            &bootstrap,
        ])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mine = format!("ward-bench-{}-", bench.id());
    let deadline = Instant::now() + Duration::from_secs(60);
    let decisions = loop {
        assert!(Instant::now() < deadline, "no decision");
        let topics = world.broker.topics();
        // In whatever order the broker names them: the pass has decisions, too.
        let found = topics.into_iter().find(|topic| {
            topic.starts_with(&mine) && topic.ends_with(".decisions") && !topic.contains("-pass.")
        });
        if let Some(topic) = found {
            break topic;
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    foreign::read(&world.broker, &decisions, 1000);
    said(std::process::Command::new("kill").args(["-TERM", &bench.id().to_string()]).output());
    assert_eq!(bench.wait().unwrap().code(), Some(130));
    let left: Vec<_> = world.broker.topics().into_iter().filter(|topic| topic.starts_with(&mine)).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
#[ignore = "needs a broker: make test"]
fn a_pipeline_that_cannot_run_says_why() {
    let world = World::bare(Broker::shared(), "");
    let bootstrap = world.broker.bootstrap().to_owned();
    let geo = ["bench", "pipeline", "--events", "1000", "--geo", "no-such.mmdb", "--bootstrap", &bootstrap];
    let output = world.ward(&geo);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such.mmdb"), "{output:?}");
    let interval = ["bench", "pipeline", "--commit-interval", "1ms", "--bootstrap", &bootstrap];
    let output = world.ward(&interval);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("at least 5ms"), "{output:?}");
}

/// It writes to topics of its own, in a form that needs no registry.
#[test]
#[ignore = "needs a broker: make test"]
fn an_input_that_it_does_not_write_is_refused() {
    let world = World::bare(Broker::shared(), "");
    let output = world.ward_with(&["bench", "pass"], "WARD__TOPICS__EVENTS__FORMAT", "avro_bare");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("[topics.events] format is `avro_bare`"), "{said}");
    assert!(said.contains("WARD__TOPICS__EVENTS__FORMAT=avro"), "{said}");
}
