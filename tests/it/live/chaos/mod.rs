//! Real faults: processes killed at named points, put to sleep and woken, stores damaged, disks filled,
//! connections cut, held and delayed, brokers killed; and what came out is the fold of what went in.
//!
//! `make chaos` runs some hundreds of them; `make test` ten, one of each family. Both are a plan from a
//! seed: `SEED=… FAULTS=… NODES=… make chaos` has the same faults in the same order. Where between two
//! records each falls is the machine's; so a run that fails keeps the logs of all processes and the
//! broker's own, batches and markers, of every partition where something is wrong.

mod evidence;
mod faults;
mod feeder;
mod field;
mod judge;
mod members;
mod plan;
mod proxy;
mod report;
mod yardstick;

use std::time::Duration;

use field::{Field, Shape};
use plan::{Step, plan};
use report::Report;

use super::broker::Broker;
use crate::sim::script::Dice;

#[test]
#[ignore = "needs a broker: make test"]
fn whatever_fails_the_output_is_the_fold() {
    let number = |name, or| std::env::var(name).map_or(or, |text| text.parse().expect("a number"));
    let faults = std::env::var("FAULTS").ok().map(|text| text.parse::<usize>().expect("a number"));
    let (seed, nodes, rate) = (number("SEED", 1), number("NODES", 1), number("RATE", 60));
    let short = faults.is_none();
    let steps = plan(seed, faults.unwrap_or(10), short);

    let name = if short { "short".to_owned() } else { format!("{nodes}-{seed}") };
    let mut report =
        Report::new(&name, &format!("seed {seed}, {nodes} broker node(s), {rate} events a second"));
    let mut dice = Dice(seed);
    for stretch in steps.chunks(STRETCH) {
        let shape = shape(&mut dice, rate, short);
        play(&shape, nodes, stretch, &mut report);
        // What was found so far, whatever becomes of the rest.
        report.write();
    }
    let file = report.write();
    report::say(&format!("\nthe report is {}", file.display()));
    let Report { total, mistakes, .. } = &report;
    assert!(mistakes.is_empty() && total.mistakes() == 0, "{total}\n{}", mistakes.join("\n"));
}

fn shape(dice: &mut Dice, rate: u64, short: bool) -> Shape {
    Shape {
        seed: dice.next(),
        partitions: 3 + i32::try_from(dice.roll(4)).unwrap(),
        assignment: dice.pick(&["range", "cooperative-sticky"]),
        workers: dice.pick(&["1", "2"]),
        running: if short { 2 } else { 1 + usize::try_from(dice.roll(3)).unwrap() },
        rate,
    }
}

/// One stretch: its faults, a quiet end, and the judgement.
fn play(shape: &Shape, nodes: u64, steps: &[Step], report: &mut Report) {
    let options = ["--nodes".to_owned(), nodes.to_string(), "--doors".to_owned(), "3".to_owned()];
    let broker = Broker::own(&options.iter().map(String::as_str).collect::<Vec<_>>());
    let mut field = Field::new(broker, nodes, shape);
    report.line(&format!(
        "{} partitions, {}, {} process(es) of {} worker(s)",
        shape.partitions, shape.assignment, shape.running, shape.workers
    ));
    let mut wrong = Vec::new();
    if let Err(why) = field.catch_up(PATIENCE) {
        wrong.push(why);
    }
    for step in steps {
        let done = field.suffer(*step);
        let took = step.waits.then(|| field.catch_up(PATIENCE));
        let took = match took.transpose() {
            Ok(took) => took,
            Err(why) => {
                wrong.push(format!("after {}: {why}", step.fault));
                None
            }
        };
        report.fault(&step.fault.to_string(), &done, took);
        std::mem::take(&mut field.surprises).iter().for_each(|surprise| report.surprised(surprise));
        if !wrong.is_empty() {
            break;
        }
    }

    field.calm();
    // A partition whose offsets were deleted gets one with its next record.
    std::thread::sleep(Duration::from_secs(2));
    let written = field.end_input();
    wrong.extend(field.catch_up(PATIENCE).err());
    for number in 0..field.places() {
        field.end(number, "TERM");
    }
    std::mem::take(&mut field.surprises).iter().for_each(|surprise| report.surprised(surprise));
    let hanging = field.hanging(HANGING_PATIENCE);
    if !hanging.is_empty() {
        wrong.push(format!("a transaction hangs in {}", hanging.join(", ")));
    }
    let judged = judge::judge(&field.world, field.policies());
    report.line(&format!("{written} records were written"));
    report.stretch(&judged.verdict, field.started);
    wrong.extend(judged.words.iter().cloned());
    if !wrong.is_empty() {
        let kept = evidence::keep(&field, &judged, shape.seed);
        wrong.push(format!("logs and dumps are in {}", kept.display()));
    }
    wrong.into_iter().for_each(|mistake| report.mistaken(mistake));
}

/// Faults to one set of topics: enough for one to fall upon what another left.
const STRETCH: usize = 20;
/// The longest of: a session, the broker's round of transactions that have timed out, a start.
const PATIENCE: Duration = Duration::from_secs(120);
const HANGING_PATIENCE: Duration = Duration::from_secs(60);
