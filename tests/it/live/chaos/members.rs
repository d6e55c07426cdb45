//! Members of the group: one that comes back under its name moves nothing, one that stays away is
//! replaced. How long each takes is printed, not held: it is the machine's.

use std::time::{Duration, Instant};

use super::report::say;
use crate::live::broker::Broker;
use crate::live::foreign;
use crate::live::run::events;
use crate::live::ward::World;

#[track_caller]
fn check(assignment: &str) {
    let world = World::new(Broker::shared(), 4, &format!("assignment = '{assignment}'"));
    let mut one = world.run("one", &["--workers", "1"]);
    one.is_ready("0,1,2,3");
    let mut two = world.run("two", &["--workers", "1"]);
    two.says(" ready ");
    world.produce(&events(16, 2, "a"));
    world.decisions_are_the_fold();
    let (before, held) = (assigned(&one.log()), held(&two.log()));

    for signal in ["KILL", "TERM"] {
        two.end(signal);
        let began = Instant::now();
        two = world.run("two", &["--workers", "1"]);
        two.is_ready(&held);
        say(&format!("{assignment}: after SIG{signal}, back in {:.1} s", began.elapsed().as_secs_f64()));
        assert_eq!(assigned(&one.log()), before, "what the other held has moved:\n{}", one.log());
        world.produce(&events(16, 2, signal));
        world.decisions_are_the_fold();
    }

    let count = foreign::read_all(&world.broker, &world.topic("decisions")).len();
    two.end("KILL");
    let began = Instant::now();
    world.produce(&events(16, 2, "b"));
    foreign::read(&world.broker, &world.topic("decisions"), count + 32);
    say(&format!("{assignment}: away for good, replaced in {:.1} s", began.elapsed().as_secs_f64()));
    world.decisions_are_the_fold();
    assert_eq!(one.end("TERM").0.code(), Some(0));
}

#[test]
#[ignore = "needs a broker: make test"]
fn one_that_comes_back_moves_nothing_eagerly() {
    check("range");
}

#[test]
#[ignore = "needs a broker: make test"]
fn one_that_comes_back_moves_nothing_cooperatively() {
    check("cooperative-sticky");
}

/// Asked to give up partitions, it dies before it has, and comes back at once: the group lets it have what
/// it should have kept, and nobody asks for the round in which the rest is given out.
#[test]
#[ignore = "needs a broker: make test"]
fn partitions_that_nobody_holds_are_given_out() {
    let world = World::new(Broker::shared(), 4, "assignment = 'cooperative-sticky'");
    let halts = world.home.path().join("halts");
    let workers = ["--workers", "1"];
    let mut one = world.run("one", &[workers.as_slice(), &["--halts", halts.to_str().unwrap()]].concat());
    one.is_ready("0,1,2,3");
    world.produce(&events(16, 2, "a"));
    world.decisions_are_the_fold();
    std::fs::write(&halts, "before-release").unwrap();
    let two = world.run("two", &workers);
    one.says("stopping here, as a test asked");
    one.end("KILL");
    let one = world.run("one", &workers);
    world.produce(&events(16, 2, "b"));
    world.decisions_are_the_fold();
    assert_eq!(one.end("TERM").0.code(), Some(0));
    assert_eq!(two.end("TERM").0.code(), Some(0));
}

/// Whoever is displaced by somebody of its name comes back once, for it may have been a late self; the
/// second time it is somebody else, and one of the two ends and says so.
#[test]
#[ignore = "needs a broker: make test"]
fn of_two_processes_of_one_name_one_goes_on() {
    let world = World::new(Broker::shared(), 2, "");
    let workers = ["--workers", "1"];
    let mut one = world.run("one", &workers);
    one.is_ready("0,1");
    let renamed = "ward=$0; shift 3; exec \"$ward\" run --instance one \"$@\"";
    let mut two = world.run_inside(
        &["sh", "-c", renamed],
        "two",
        &[&["--geo", "builtin"], workers.as_slice()].concat(),
    );
    let deadline = Instant::now() + PATIENCE;
    let (status, log, left) = loop {
        if let Some(status) = one.ended() {
            break (status, one.log(), two);
        }
        if let Some(status) = two.ended() {
            break (status, two.log(), one);
        }
        assert!(Instant::now() < deadline, "both go on:\n{}\n{}", one.log(), two.log());
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(2), "{log}");
    assert!(log.contains("give each its own --instance"), "{log}");
    assert!(log.contains("begins anew"), "not at the first time:\n{log}");
    world.produce(&events(7, 3, "a"));
    world.decisions_are_the_fold();
    assert_eq!(left.end("TERM").0.code(), Some(0));
}

/// How often the log tells of partitions that came.
fn assigned(log: &str) -> usize {
    log.matches("partitions assigned").count()
}

/// The partitions that it was ready with last.
#[track_caller]
fn held(log: &str) -> String {
    let ready = log.lines().rfind(|line| line.contains(" ready ")).expect("it was ready");
    let (_, rest) = ready.split_once("partitions=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Some sessions, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
