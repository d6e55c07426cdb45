//! `ward alerts --follow`: what was there, then what comes, each once, until it is interrupted.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use super::broker::{Broker, said};
use super::foreign;
use super::ward::{World, login};

/// A login, and its user who says that it was somebody else.
fn alarm(user: &str, id: &str, minute: i64) -> [Value; 2] {
    let mut feedback = login(user, &format!("{id}-said"), minute - 1);
    feedback["type"] = "feedback".into();
    feedback["verdict"] = "compromised".into();
    feedback["about"] = serde_json::json!({ "event_id": id });
    [login(user, id, minute), feedback]
}

/// What a process writes, line by line.
fn lines(child: &mut Child) -> Receiver<String> {
    let (send, lines) = channel();
    let from = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || from.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
    lines
}

/// The users of the next `count` lines.
#[track_caller]
fn users(lines: &Receiver<String>, count: usize) -> BTreeSet<String> {
    let line = |_| lines.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("no line comes: {error}"));
    let user =
        |line: String| serde_json::from_str::<Value>(&line).unwrap()["user_id"].as_str().map(str::to_owned);
    (0..count).map(line).map(|line| user(line).unwrap()).collect()
}

fn expected(users: &[&str]) -> BTreeSet<String> {
    users.iter().map(|user| (*user).to_owned()).collect()
}

#[track_caller]
fn interrupt(mut child: Child) -> (Option<i32>, String) {
    said(Command::new("kill").args(["-INT", &child.id().to_string()]).output());
    let code = child.wait().unwrap().code();
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    (code, text)
}

#[test]
#[ignore = "needs a broker: make test"]
fn alerts_are_followed_over_an_outage() {
    let mut world = World::new(Broker::own(&[]), 2, "");
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    world.produce(&[alarm("ada", "a", 9), alarm("bob", "b", 9)].concat());
    foreign::read(&world.broker, &world.topic("alerts"), 2);

    let mut follower = world.spawn(&["alerts", "--follow"]);
    let lines = lines(&mut follower);
    assert_eq!(users(&lines, 2), expected(&["ada", "bob"]));
    world.produce(&[alarm("cem", "c", 7), alarm("dot", "d", 7)].concat());
    assert_eq!(users(&lines, 2), expected(&["cem", "dot"]));

    assert_eq!(ward.end("TERM").0.code(), Some(0));
    world.broker.kill();
    world.broker.start();
    let mut ward = world.run("one", &["--workers", "1"]);
    ward.is_ready("0,1");
    world.produce(&alarm("eve", "e", 5));
    assert_eq!(users(&lines, 1), expected(&["eve"]));
    assert_eq!(ward.end("TERM").0.code(), Some(0));

    let (code, told) = interrupt(follower);
    assert_eq!(code, Some(130), "{told}");
    assert_eq!(lines.recv_timeout(PATIENCE).ok(), None, "each comes once");
    assert_eq!(told.matches("waiting for it").count(), 1, "an outage is told once: {told}");
}

const PATIENCE: Duration = Duration::from_secs(90);
