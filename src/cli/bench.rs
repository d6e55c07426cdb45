//! `ward bench`: the pipeline on a real broker, measured, and the ceiling of the same run.
//!
//! `pipeline` is `ward run` itself, as a process of its own, over topics that nobody else has. `pass`
//! then reads the same input again and writes the very bytes that the pipeline wrote, in transactions
//! that it closes by the same rules: what the broker, the client and the transactions cost when nothing
//! is decided. `restore` is about starts: with an empty store, after a stop, after a kill.

mod cpu;
mod ground;
mod latency;
mod load;
mod pass;
mod pipeline;
mod process;
mod recorded;
mod report;
mod restore;
mod stages;

use std::path::PathBuf;
use std::time::Duration;

use super::flags::Source;
use super::interrupt::Interrupt;
use super::{Failure, print};
use ground::{Ground, Wanted};
use report::{Against, Report};

/// Measure the pipeline on a broker, or the ceiling that the broker sets. Makes its own topics, and
/// removes them.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Run the real pipeline over simulated events and say what an event costs.
    Pipeline(Options),
    /// Run the pipeline, then only read the same input and, in the same transactions, write the very bytes
    /// that the pipeline wrote: the ceiling of the same run.
    Pass(Options),
    /// Restore the profiles of many users from the changelog, and start again after a stop and after a
    /// kill: how long until every partition is served.
    Restore(restore::Options),
}

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    source: Source,
    /// Events that are measured.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1_000..=50_000_000))]
    events: u32,
    /// Events before them, which warm caches and profiles; 0: the start is measured too (default: half as
    /// many).
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=50_000_000))]
    warm: Option<u32>,
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    /// Workers of the pipeline, each a thread (default: one a core).
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: Option<u16>,
    /// Partitions of the input.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(i32).range(1..=1_000))]
    partitions: i32,
    /// How long a transaction stays open, such as `20ms`; at least 5ms (default: as configured).
    #[arg(long, value_name = "D")]
    commit_interval: Option<String>,
    /// Events a second while latency is measured, after the throughput.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// For how many seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// One event in so many comes with a trace to be recorded (see `[tracing]`); 0: none.
    #[arg(long, value_name = "N", default_value_t = 0)]
    traced: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// City database; without one the built-in synthetic table.
    #[arg(long, value_name = "MMDB")]
    geo: Vec<PathBuf>,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

impl Options {
    fn warm(&self) -> u32 {
        self.warm.unwrap_or(self.events / 2)
    }

    fn rated(&self) -> u32 {
        self.rate.saturating_mul(self.seconds)
    }
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let (options, passes) = match args {
        Args::Pipeline(options) => (options, false),
        Args::Pass(options) => (options, true),
        Args::Restore(options) => return restore::run(&options, &Interrupt::listen_for(CLEARED_WITHIN)),
    };
    let interrupt = Interrupt::listen_for(CLEARED_WITHIN);
    let ground = Ground::prepare(&Wanted {
        source: &options.source,
        commit_interval: options.commit_interval.as_deref(),
        workers: options.workers,
        partitions: options.partitions,
    })?;
    let mut load = load::Load::new(&options, &ground)?;
    let progress = Progress::new();
    progress.says("loading events");
    load.bulk(&ground, &interrupt)?;
    progress.says("ward run");
    let pipeline = pipeline::run(&options, &ground, &mut load, &interrupt)?;
    let report = if passes {
        progress.says("reading back what it wrote");
        let recorded = recorded::Recorded::read(&ground)?;
        progress.says("only reading and writing");
        let pass = pass::run(&options, &ground, &load, recorded, &interrupt)?;
        Report { against: Some(Against::of(&pass, &pipeline)), ..pass }
    } else {
        pipeline
    };
    drop(progress);
    ground.remove()?;
    print(&if options.json { report.as_json() } else { report.as_table() });
    Ok(())
}

/// Removing topics takes seconds, and a group is missed by its broker only after its session.
const CLEARED_WITHIN: Duration = Duration::from_secs(60);

/// What is going on, on a terminal.
struct Progress(indicatif::ProgressBar);

impl Progress {
    fn new() -> Self {
        let bar = indicatif::ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    fn says(&self, what: &'static str) {
        self.0.set_message(what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
