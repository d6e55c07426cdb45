//! What was measured, for people and for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::latency::Quantiles;
use crate::ports::stages::Stage;

/// One run of the pipeline, or of the pass. Rates are of the measured events; bytes of all.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Report {
    pub(super) bench: &'static str,
    pub(super) events: i64,
    pub(super) warm_events: u32,
    pub(super) users: u32,
    pub(super) partitions: i32,
    pub(super) workers: u16,
    pub(super) commit_interval_ms: u64,
    pub(super) events_per_second: f64,
    /// CPU of the measured process only, client library included.
    pub(super) events_per_cpu_second: f64,
    pub(super) cpu_us_per_event: CpuCost,
    /// The same by stage of the way.
    pub(super) stages: BTreeMap<&'static str, f64>,
    /// Keys and values, before compression.
    pub(super) bytes_out_per_event: f64,
    pub(super) bytes_out: BTreeMap<&'static str, f64>,
    pub(super) transactions: usize,
    pub(super) commit_ms: Quantiles,
    pub(super) latency_ms: Quantiles,
    pub(super) rate: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) against: Option<Against>,
}

/// Microseconds of CPU that an event costs.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct CpuCost {
    pub(super) total: f64,
    pub(super) threads: BTreeMap<&'static str, f64>,
    /// Of the broker's process, where it runs on this machine and may be seen.
    pub(super) broker: Option<f64>,
}

/// The pipeline of the same run, and its share of the ceiling.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Against {
    pipeline: Box<Report>,
    /// Pipeline over pass.
    ratio: Ratio,
}

#[derive(Clone, Copy, Debug, serde::Serialize)]
struct Ratio {
    events_per_second: f64,
    events_per_cpu_second: f64,
    latency_p50: f64,
    latency_p99: f64,
}

impl Against {
    pub(super) fn of(pass: &Report, pipeline: &Report) -> Self {
        let ratio = Ratio {
            events_per_second: over(pipeline.events_per_second, pass.events_per_second),
            events_per_cpu_second: over(pipeline.events_per_cpu_second, pass.events_per_cpu_second),
            latency_p50: over(pipeline.latency_ms.p50, pass.latency_ms.p50),
            latency_p99: over(pipeline.latency_ms.p99, pass.latency_ms.p99),
        };
        Self { pipeline: Box::new(pipeline.clone()), ratio }
    }
}

impl Report {
    pub(super) fn as_json(&self) -> String {
        // Numbers and texts have nothing that JSON cannot say.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn as_table(&self) -> String {
        let mut text = String::new();
        let other = self.against.as_ref().map(|against| &*against.pipeline);
        let reports: Vec<&Self> = other.into_iter().chain([self]).collect();
        let Self { users, partitions, workers, commit_interval_ms, warm_events, .. } = self;
        line(
            &mut text,
            format_args!(
                "{users} users, {partitions} partitions, {workers} workers, commits every {commit_interval_ms} ms, {warm_events} \
                 events to warm up\n"
            ),
        );
        let mut row = |name: &str, value: &dyn Fn(&Self) -> String| {
            let _written = write!(text, "{name:26}");
            for report in &reports {
                let _written = write!(text, "{:>14}", value(report));
            }
            text.push('\n');
        };
        row("", &|report| report.bench.to_owned());
        row("events", &|report| report.events.to_string());
        row("events/s", &|report| whole(report.events_per_second));
        row("events/CPU second", &|report| whole(report.events_per_cpu_second));
        row("CPU us/event", &|report| format!("{:.2}", report.cpu_us_per_event.total));
        for stage in Stage::ALL.map(Stage::name).into_iter().chain(["client", "feedback", "other"]) {
            row(&format!("  {stage}"), &|report| {
                format!("{:.2}", report.stages.get(stage).copied().unwrap_or(0.0))
            });
        }
        row("broker's CPU us/event", &|report| {
            report.cpu_us_per_event.broker.map_or_else(|| "-".into(), |broker| format!("{broker:.2}"))
        });
        row("bytes out/event", &|report| whole(report.bytes_out_per_event));
        for topic in self.bytes_out.keys() {
            row(&format!("  {topic}"), &|report| whole(report.bytes_out.get(topic).copied().unwrap_or(0.0)));
        }
        row("transactions", &|report| report.transactions.to_string());
        row("commit p50, p99 ms", &|report| pair(report.commit_ms));
        row(&format!("latency at {}/s, ms", self.rate), &|report| pair(report.latency_ms));
        if let Some(Against { ratio, .. }) = &self.against {
            line(
                &mut text,
                format_args!(
                    "\npipeline over pass: events/s {:.2}, events/CPU second {:.2}, latency p50 {:.2}, p99 {:.2}\n",
                    ratio.events_per_second,
                    ratio.events_per_cpu_second,
                    ratio.latency_p50,
                    ratio.latency_p99
                ),
            );
        }
        text.trim_end().to_owned()
    }
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // A text takes everything.
    let _written = text.write_fmt(arguments);
}

fn whole(number: f64) -> String {
    format!("{number:.0}")
}

fn pair(Quantiles { p50, p99 }: Quantiles) -> String {
    format!("{p50:.1}, {p99:.1}")
}

/// To three digits; of nothing, nothing.
pub(super) fn over(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole * 1000.0).round() / 1000.0 } else { 0.0 }
}
