//! Metrics as Prometheus reads them.
//!
//! *When it does nothing*: until [`Exporter::install`], what is counted goes nowhere and costs nothing.

use std::time::Duration;

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_util::MetricKindMask;

use super::table::{Kind, METRICS};

/// The process's metrics, ready to be shown.
#[derive(Clone, Debug)]
pub struct Exporter {
    handle: PrometheusHandle,
}

impl Exporter {
    /// Begins to count, for the whole process; `None` when somebody did before. Handles that were
    /// made earlier go on counting nowhere.
    #[must_use]
    pub fn install() -> Option<Self> {
        let mut builder = PrometheusBuilder::new()
            // Gauges are set when they are asked for: one that is not set then is of a partition or a
            // file that has gone.
            .idle_timeout(MetricKindMask::GAUGE, Some(GAUGE_STALE));
        for metric in METRICS {
            if let Kind::Histogram(bounds) = metric.kind {
                builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.into()), bounds).ok()?;
            }
        }
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok()?;
        for metric in METRICS {
            match metric.kind {
                Kind::Counter => describe_counter!(metric.name, Unit::Count, metric.help),
                Kind::Gauge => describe_gauge!(metric.name, metric.help),
                Kind::Histogram(_) => describe_histogram!(metric.name, Unit::Seconds, metric.help),
            }
        }
        Some(Self { handle })
    }

    /// Everything, in Prometheus's text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Sorts what histograms have gathered into their buckets. Without it they grow for as long as
    /// nobody asks: to be called every [`UPKEEP_EVERY`].
    pub fn tidy(&self) {
        self.handle.run_upkeep();
    }
}

/// How often [`Exporter::tidy`] is due: a histogram keeps 24 bytes a value until then.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// Between setting the gauges and showing them lie microseconds.
const GAUGE_STALE: Duration = Duration::from_millis(500);
