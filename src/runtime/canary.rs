//! Runs the canaries on a schedule, and tells an operator which detectors are silent.

#![expect(clippy::disallowed_methods, reason = "paces itself")]

use std::collections::BTreeMap;
use std::time::Duration;

use super::status::{Concern, Status};
use super::stop::Stop;
use crate::model::signal::Signal;
use crate::telemetry::Happened;

/// What every canary said in one run.
pub type Song = Vec<(Signal, Result<(), String>)>;

/// Sings every `interval` until it is told to stop.
pub fn run(status: &Status, stop: &Stop, interval: Duration, sing: &mut dyn FnMut() -> Song) {
    let mut silent = BTreeMap::new();
    while !stop.is_set() {
        hear(status, &mut silent, sing());
        let mut waited = Duration::ZERO;
        while waited < interval && !stop.is_set() {
            std::thread::sleep(PAUSE);
            waited += PAUSE;
        }
    }
}

/// Notes one run. A detector that has fallen silent, or is silent for another reason, is said once;
/// so is one that is back.
fn hear(status: &Status, silent: &mut BTreeMap<Signal, String>, song: Song) {
    let mut spoke = BTreeMap::new();
    for (signal, said) in song {
        spoke.insert(signal, said.is_ok());
        match said {
            Err(why) => {
                if silent.get(&signal) != Some(&why) {
                    Happened::CanarySilent { signal: signal.name(), why: &why }.emit();
                }
                silent.insert(signal, why);
            }
            Ok(()) => {
                if silent.remove(&signal).is_some() {
                    Happened::CanaryBack { signal: signal.name() }.emit();
                }
            }
        }
    }
    Happened::CanariesRan { canaries: spoke.len(), silent: silent.len() }.emit();
    status.canaries(spoke);
    let names: Vec<_> = silent.keys().map(|signal| signal.name()).collect();
    let why = silent.values().next().map(|why| format!("silent: {}; {why}", names.join(", ")));
    status.concern(Concern::Canary, why);
}

const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_a_concern_until_it_ends() {
        let (status, mut silent) = (Status::default(), BTreeMap::new());
        let song = |new_device: Result<(), &str>| -> Song {
            vec![(Signal::UnusualTime, Ok(())), (Signal::NewDevice, new_device.map_err(str::to_owned))]
        };
        let concern = || status.readiness().degraded.get("canary").cloned();
        hear(&status, &mut silent, song(Ok(())));
        assert_eq!(concern(), None);
        hear(&status, &mut silent, song(Err("nothing found")));
        assert_eq!(concern().as_deref(), Some("silent: new_device; nothing found"));
        hear(&status, &mut silent, song(Ok(())));
        assert_eq!((concern(), silent.len()), (None, 0));
    }
}
