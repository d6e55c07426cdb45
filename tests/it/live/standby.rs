//! A process that dies and stays away is replaced from a warm copy: the tail of the changelog is read, and not
//! all of it.
#![expect(clippy::disallowed_methods, reason = "a test waits for processes and brokers, with a deadline")]

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use super::broker::Broker;
use super::run::events;
use super::ward::{Ward, World};

const USERS: usize = 1_500;
const TAIL: usize = 30;

#[test]
#[ignore = "needs a broker: make test"]
fn a_take_over_reads_a_tail_where_a_copy_was_kept() {
    let world = World::new(Broker::shared(), 4, "");
    let mut one = keeping_copies(&world, "one");
    one.is_ready("0,1,2,3");
    let mut two = keeping_copies(&world, "two");
    two.says(" ready ");
    world.produce(&events(USERS, 2, "a"));
    world.decisions_are_the_fold();
    // Two partitions each are the other's. One round more than the one that may be under way.
    let decided = two.log().len();
    wait(&mut two, "copies", |log| log[decided..].matches("records=0 ").count() >= 2);
    assert_eq!(two.log().matches("copy filled").count(), 2, "{}", two.log());

    // All of what comes now is perhaps not copied yet.
    world.produce(&events(TAIL, 2, "b"));
    world.decisions_are_the_fold();
    assert_eq!(one.end("KILL").0.signal(), Some(9));
    let (before, killed) = (two.log().len(), Instant::now());
    two.is_ready("0,1,2,3");
    let took = killed.elapsed();
    world.produce(&events(TAIL, 2, "c"));
    world.decisions_are_the_fold();
    let log = two.log()[before..].to_owned();
    let taken = ways(&log);
    // An eager group gives out all of them anew: its own go on where they are.
    assert!(
        taken.len() >= 2 && taken.iter().all(|way| ["replay", "continue"].contains(&way.as_str())),
        "{log}"
    );
    let tail = sum(&log, "lane recovered", "changes");
    assert!(tail <= 4 * TAIL as u64 * 14, "{tail} records read:\n{log}");
    // The session of 6 s, and 5 s.
    assert!(took < Duration::from_secs(11), "{took:?}:\n{log}");

    // Who keeps none reads all of it.
    assert_eq!(two.end("KILL").0.signal(), Some(9));
    let mut three = world.run("three", &["--workers", "1"]);
    three.is_ready("0,1,2,3");
    world.produce(&events(TAIL, 2, "d"));
    world.decisions_are_the_fold();
    let log = three.log();
    assert_eq!(ways(&log), ["no_store"; 4], "{log}");
    let all = sum(&log, "lane recovered", "changes");
    assert!(all >= 2 * USERS as u64 && all > 4 * tail, "{all} records read, and {tail} from copies:\n{log}");
    assert_eq!(three.end("TERM").0.code(), Some(0));
}

/// What was copied is closed with the process, and gone on with by the next: nothing is filled twice.
#[test]
#[ignore = "needs a broker: make test"]
fn copies_outlive_a_stop() {
    let world = World::new(Broker::shared(), 2, "");
    let mut one = world.run("one", &["--workers", "1"]);
    one.is_ready("0,1");
    let mut two = keeping_copies(&world, "two");
    two.says(" ready ");
    world.produce(&events(200, 1, "a"));
    world.decisions_are_the_fold();
    wait(&mut two, "a copy", |log| log.contains("copy filled"));
    let (status, took, log) = two.end("TERM");
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}");

    one.is_ready("0,1");
    world.produce(&events(200, 1, "b"));
    world.decisions_are_the_fold();
    let mut two = keeping_copies(&world, "two");
    two.says(" ready ");
    world.produce(&events(200, 1, "c"));
    world.decisions_are_the_fold();
    wait(&mut two, "a copy that goes on", |log| log.contains("copy brought up"));
    assert!(!two.log().contains("copy filled"), "{}", two.log());
    assert_eq!(one.end("KILL").0.signal(), Some(9));
    two.is_ready("0,1");
    world.produce(&events(200, 1, "d"));
    world.decisions_are_the_fold();
    let log = two.log();
    assert!(ways(&log).iter().all(|way| ["replay", "continue"].contains(&way.as_str())), "{log}");
    assert_eq!(two.end("TERM").0.code(), Some(0));
}

#[track_caller]
fn keeping_copies(world: &World, instance: &str) -> Ward {
    let environment = ["env", "WARD__RUN__STANDBY=all", "WARD__LOG__FILTER=info,wardstream=debug"];
    world.run_inside(&environment, instance, &["--geo", "builtin", "--workers", "1"])
}

#[track_caller]
fn wait(ward: &mut Ward, what: &str, is_so: impl Fn(&str) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so(&ward.log()) {
        assert!(ward.ended().is_none() && Instant::now() < deadline, "no {what}:\n{}", ward.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How partitions were taken over, in order.
fn ways(log: &str) -> Vec<String> {
    let recovered = log.lines().filter(|line| line.contains("lane recovered"));
    recovered.map(|line| field(line, "way").trim_matches('"').to_owned()).collect()
}

/// A number, over the lines that say `what`.
fn sum(log: &str, what: &str, name: &str) -> u64 {
    log.lines().filter(|line| line.contains(what)).map(|line| field(line, name).parse::<u64>().unwrap()).sum()
}

#[track_caller]
fn field<'l>(line: &'l str, name: &str) -> &'l str {
    let at = line.find(&format!("{name}=")).unwrap_or_else(|| panic!("no {name} in {line}"));
    line[at + name.len() + 1..].split_whitespace().next().unwrap_or_default()
}
