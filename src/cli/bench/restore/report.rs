//! What was measured, for people and for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(Debug, serde::Serialize)]
pub(super) struct Report {
    pub(super) bench: &'static str,
    pub(super) users: u32,
    pub(super) people: u32,
    pub(super) partitions: i32,
    pub(super) workers: u16,
    /// Of all profiles.
    pub(super) parts: u64,
    /// Keys and values of the parts.
    pub(super) live_bytes: u64,
    /// Of the store, after the stop.
    pub(super) disk_bytes: u64,
    pub(super) stop_seconds: f64,
    /// With an empty store.
    pub(super) restore: Start,
    pub(super) after_stop: Start,
    pub(super) after_kill: Start,
    pub(super) traffic: Option<Traffic>,
}

/// Users at work, most of them hardly ever.
#[derive(Debug, serde::Serialize)]
pub(super) struct Traffic {
    pub(super) events: i64,
    pub(super) events_per_second: f64,
    pub(super) events_per_cpu_second: f64,
    pub(super) resident_bytes_max: u64,
    /// Of the store, afterwards.
    pub(super) disk_bytes: u64,
}

/// From a process's first moment on.
#[derive(Debug, serde::Serialize)]
pub(super) struct Start {
    /// The first partition is served.
    pub(super) first_seconds: f64,
    /// All are.
    pub(super) serving_seconds: f64,
    /// Of the process up to then: what it would take on a machine that has nothing else to do.
    pub(super) cpu_seconds: f64,
    /// Partitions by how they were taken over.
    pub(super) ways: BTreeMap<String, u32>,
    /// Records of the changelog that were read.
    pub(super) changes: u64,
    pub(super) resident_bytes: u64,
    pub(super) resident_bytes_max: u64,
}

impl Report {
    pub(super) fn as_json(&self) -> String {
        // Numbers and texts have nothing that JSON cannot say.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn as_table(&self) -> String {
        let Self { users, people, partitions, workers, parts, live_bytes, disk_bytes, stop_seconds, .. } =
            self;
        let mut text = format!(
            "{users} users drawn from {people} simulated years, {partitions} partitions, {workers} workers\n\
             {parts} parts, {} live, {} on disk: {:.1} bytes for one\n\n",
            mib(*live_bytes),
            mib(*disk_bytes),
            over(*disk_bytes, *live_bytes),
        );
        let starts = [
            ("empty store", &self.restore),
            ("after a stop", &self.after_stop),
            ("after a kill", &self.after_kill),
        ];
        let mut row = |name: &str, value: &dyn Fn(&str, &Start) -> String| {
            // A text takes everything.
            let _written = write!(text, "{name:22}");
            for (of, start) in starts {
                let _written = write!(text, "{:>22}", value(of, start));
            }
            text.push('\n');
        };
        row("", &|of, _| of.to_owned());
        row("first decision, s", &|_, start| format!("{:.2}", start.first_seconds));
        row("all partitions, s", &|_, start| format!("{:.2}", start.serving_seconds));
        row("CPU seconds", &|_, start| format!("{:.2}", start.cpu_seconds));
        row("taken over by", &|_, start| {
            let ways: Vec<_> = start.ways.iter().map(|(way, count)| format!("{way} {count}")).collect();
            ways.join(", ")
        });
        row("changelog records", &|_, start| start.changes.to_string());
        row("resident", &|_, start| mib(start.resident_bytes));
        row("resident at most", &|_, start| mib(start.resident_bytes_max));
        let _written = write!(text, "\na stop took {stop_seconds:.2} s");
        if let Some(traffic) = &self.traffic {
            let Traffic { events, events_per_second, events_per_cpu_second, .. } = traffic;
            let _written = write!(
                text,
                "\n{events} events, most by few: {events_per_second:.0}/s, {events_per_cpu_second:.0} a CPU second, \
                 resident at most {}, {} on disk",
                mib(traffic.resident_bytes_max),
                mib(traffic.disk_bytes),
            );
        }
        text
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[expect(clippy::cast_precision_loss, reason = "bytes, as a ratio for people")]
fn over(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
