//! How each topic of a run is written, and who looks up what others write with: what the registry has
//! to say before the first record.

#![expect(clippy::disallowed_methods, reason = "the edge waits for a registry")]

use std::time::{Duration, Instant};

use super::schemas::{alert_rendering, event_rendering, rendering};
use crate::adapters::registry::{Client, Trouble};
use crate::cli::Failure;
use crate::config::Settings;
use crate::engine::decode::Format;
use crate::pipeline::lane::{AlertRendering, Rendering};
use crate::ports::schemas::WhenAway;
use crate::runtime::lookup::Lookup;
use crate::runtime::normaliser::Form;
use crate::runtime::stop::{ProcessClock, Stop};
use crate::telemetry::Happened;

/// Settled once: an id stays what it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Renderings {
    pub(super) decisions: Rendering,
    pub(super) alerts: AlertRendering,
    pub(super) revocations: Rendering,
    pub(super) rejected: Rendering,
    /// Of feedback in the input.
    pub(super) copies: Form,
}

/// Finds the ids, or registers them, and begins to look up others'. A registry that is away is waited
/// for, unless it is not to be; `None` when told to stop meanwhile.
pub(super) fn settle(
    settings: &Settings,
    client: Option<Client>,
    clock: ProcessClock,
    stop: &Stop,
) -> Result<Option<(Renderings, Lookup)>, Failure> {
    let mut away_since = None;
    let renderings = loop {
        let why = match renderings(settings, client.as_ref()) {
            Ok(found) => break found,
            Err(trouble @ (Trouble::Away { .. } | Trouble::Unsound { .. }))
                if settings.registry.when_away == WhenAway::Wait =>
            {
                trouble.to_string()
            }
            Err(trouble @ Trouble::Refused { .. }) => {
                return Err(Failure::input(format!(
                    "{trouble}; or have somebody who may do that run `ward schemas register`"
                )));
            }
            Err(trouble) => return Err(trouble.into()),
        };
        if away_since.is_none() {
            away_since = Some(Instant::now());
            Happened::RegistryAway { why: &why }.emit();
        }
        if stop.is_set() {
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    };
    if let Some(since) = away_since {
        Happened::RegistryBack { after: since.elapsed() }.emit();
    }
    let lookup = match client {
        None => Lookup::default(),
        Some(client) => {
            let started = Lookup::start(Box::new(client), settings.registry.when_away, clock, stop.clone());
            started.map_err(|error| Failure::Internal(format!("thread lookup: {error}")))?
        }
    };
    Ok(Some((renderings, lookup)))
}

fn renderings(settings: &Settings, client: Option<&Client>) -> Result<Renderings, Trouble> {
    let topics = &settings.topics;
    let of = |output: &crate::config::Output, schema| rendering(client, output.format, &output.name, schema);
    Ok(Renderings {
        decisions: of(&topics.decisions, "decision")?,
        alerts: alert_rendering(client, topics.alerts.format, &topics.alerts.name)?,
        revocations: of(&topics.revocations, "revocation")?,
        rejected: of(&topics.rejected, "rejected")?,
        copies: match topics.events.format {
            Format::AvroBare => Form::AvroBare,
            format => Form::Rendered(event_rendering(client, format, &topics.events.name)?),
        },
    })
}

const PAUSE: Duration = Duration::from_millis(500);
