//! What watches `ward run`: the listener for metrics and probes, the survey of the broker.

#![expect(clippy::disallowed_methods, reason = "the edge asks the wall clock")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::{info, warn};

use crate::adapters::kafka::topics::Names;
use crate::adapters::kafka::{Connection, Survey};
use crate::adapters::otlp::{self, About, Collector};
use crate::cli::Failure;
use crate::config::Settings;
use crate::model::time::Timestamp;
use crate::runtime::canary::{self, Song};
use crate::runtime::footing::Current;
use crate::runtime::probes::{self, Probes};
use crate::runtime::status::{EVENTS, Ends, Status, TableFile};
use crate::runtime::stop::ProcessClock;
use crate::runtime::survey;
use crate::runtime::worker::Shared;
use crate::simulate::canary::{Aviary, Expected};
use crate::telemetry::{Exporter, Spans};

/// Listens, if the settings say where: before the broker is there, so that waiting for it can be seen.
///
/// # Errors
/// When the address cannot be listened at.
pub(super) fn begin(settings: &Settings, status: &Status) -> Result<(), Failure> {
    let Some(listen) = settings.metrics.listen else { return Ok(()) };
    let Some(exporter) = Exporter::install() else {
        return Err(Failure::Internal("metrics are counted already".into()));
    };
    status.tables(table_files(settings));
    let probes = Probes { exporter, status: status.clone(), wall };
    let address = probes::listen(listen, probes).map_err(|error| {
        Failure::input(format!(
            "cannot listen at `{listen}` ({error}); give --metrics-listen, or [metrics] listen, a free address of this machine"
        ))
    })?;
    if !address.ip().is_loopback() {
        warn!(%address, "metrics can be read from other machines, without a password");
    }
    info!(%address, "metrics");
    Ok(())
}

/// Begins to send spans, if there is a collector for them.
///
/// # Errors
/// When no thread can be had.
pub(super) fn spans(
    settings: &Settings,
    collector: Option<Collector>,
    group: &str,
    instance: &str,
    clock: ProcessClock,
) -> Result<(Option<Spans>, Option<otlp::Exporter>), Failure> {
    let Some(collector) = collector else { return Ok((None, None)) };
    let about = About {
        service: settings.tracing.service.clone(),
        instance: instance.into(),
        group: group.into(),
        topic: settings.topics.events.name.clone(),
    };
    let clock = Arc::new(clock);
    let limit = settings.tracing.records_a_second;
    let (spans, from) = Spans::new(group.into(), Arc::clone(&clock) as _, limit);
    let exporter = otlp::Exporter::start(collector, about, clock, from)
        .map_err(|error| Failure::Internal(format!("thread spans: {error}")))?;
    Ok((Some(spans), Some(exporter)))
}

/// Starts to ask the broker where partitions end. The thread ends with the process.
///
/// # Errors
/// When the clients or the thread cannot be made.
pub(super) fn survey(connection: &Connection, names: &Names, shared: &Shared) -> Result<(), Failure> {
    let clients = Survey::new(connection).map_err(|failure| Failure::Internal(failure.to_string()))?;
    let (events, decisions) = (names.events.clone(), names.decisions.clone());
    let (status, stop, footing) = (shared.status.clone(), shared.stop.clone(), shared.footing.clone());
    let bootstrap = connection.bootstrap().to_owned();
    let run = move || {
        survey::run(&status, &stop, &bootstrap, &mut |topic, partition| {
            status.broken_lookups(footing.get().tables.broken());
            let name = if topic == EVENTS { &events } else { &decisions };
            clients.ends(name, partition).map(|(stable, high)| Ends { stable, high })
        });
    };
    let started = std::thread::Builder::new().name("survey".into()).spawn(run);
    started.map(drop).map_err(|error| Failure::Internal(format!("thread survey: {error}")))
}

/// Starts to show every detector, on a schedule, what must make it speak.
///
/// # Errors
/// When the thread cannot be made.
pub(super) fn canaries(settings: &Settings, shared: &Shared) -> Result<(), Failure> {
    let Some(interval) = settings.canary.interval else { return Ok(()) };
    let tables = &settings.tables;
    let expected = Expected { places: !tables.geo.is_empty(), networks: !tables.networks.is_empty() };
    let (status, stop) = (shared.status.clone(), shared.stop.clone());
    let mut sing = singer(shared.footing.clone(), expected);
    let run = move || canary::run(&status, &stop, interval, &mut || sing(wall()));
    let started = std::thread::Builder::new().name("canary".into()).spawn(run);
    started.map(drop).map_err(|error| Failure::Internal(format!("thread canary: {error}")))
}

/// Sings by what is in force at that moment: a table that breaks when it is read again must be noticed.
fn singer(footing: Current, expected: Expected) -> impl FnMut(Timestamp) -> Song {
    let mut built = None;
    move |now| {
        let footing = footing.get();
        let digest = footing.tables.digest();
        // A full database takes a while to look through.
        if built.as_ref().is_none_or(|(of, _)| *of != digest) {
            built = Some((digest, Aviary::build(&*footing.tables, expected)));
        }
        built
            .as_ref()
            .map_or_else(Vec::new, |(_, aviary)| aviary.sing(now, &*footing.tables, &footing.policy))
    }
}

pub(super) fn table_files(settings: &Settings) -> Vec<TableFile> {
    let tables = &settings.tables;
    let of = |table, paths: &[PathBuf]| -> Vec<TableFile> {
        paths.iter().filter_map(|path| table_file(table, path)).collect()
    };
    [of("geo", &tables.geo), of("asn", &tables.asn), of("networks", &tables.networks)].concat()
}

/// `None` for a table that is no file.
fn table_file(table: &'static str, path: &Path) -> Option<TableFile> {
    let changed = std::fs::metadata(path).ok()?.modified().ok()?;
    let changed_at = timestamp(changed)?;
    Some(TableFile { table, file: path.file_name()?.to_string_lossy().into_owned(), changed_at })
}

fn wall() -> Timestamp {
    timestamp(SystemTime::now()).unwrap_or(Timestamp::EPOCH)
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    let passed = time.duration_since(UNIX_EPOCH).ok()?;
    Timestamp::from_micros(i64::try_from(passed.as_micros()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::enrich::builtin::Builtin;
    use crate::engine::policy::Policy;
    use crate::model::signal::Signal;
    use crate::ports::tables::{Atlas, NoTables};
    use crate::runtime::footing::Footing;

    fn footing(tables: Arc<dyn Atlas>) -> Footing {
        Footing { policy: Arc::new(Policy::shipped("default").unwrap()), shadow: None, tables }
    }

    #[test]
    fn canaries_sing_by_the_tables_that_were_read_last() {
        let now = Timestamp::parse("2026-03-04T15:00:00Z").unwrap();
        let current = Current::new(footing(Arc::new(Builtin::new())));
        let mut sing = singer(current.clone(), Expected { places: true, networks: false });
        let is_silent = |song: Song| {
            song.into_iter().any(|(signal, said)| signal == Signal::UnusualLocation && said.is_err())
        };
        assert!(!is_silent(sing(now)));
        current.replace(footing(Arc::new(NoTables)));
        assert!(is_silent(sing(now)), "the tables in force know no place");
        current.replace(footing(Arc::new(Builtin::new())));
        assert!(!is_silent(sing(now)));
    }
}
