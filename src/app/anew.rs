//! Threads that begin anew: one that was fenced, or whose client is worn out, comes back as itself.
#![expect(clippy::disallowed_methods, reason = "the edge paces itself, and measures between two ends")]

use std::time::{Duration, Instant};

use tracing::warn;

use crate::runtime::stop::Stop;
use crate::runtime::worker::Ended;

/// Runs until it is told to stop, or cannot go on.
pub(super) fn again(
    stop: &Stop,
    what: &str,
    mut run: impl FnMut() -> Result<(), Ended>,
) -> Result<(), Ended> {
    let mut displaced = Displaced::default();
    loop {
        let ended = match run() {
            Err(Ended::Displaced(why)) if displaced.is_by_another(Instant::now()) => Err(Ended::Refused(why)),
            ended => ended,
        };
        match ended {
            Err(Ended::Again(why) | Ended::Displaced(why)) if !stop.is_set() => {
                warn!(what, why, "begins anew");
                std::thread::sleep(AGAIN_PAUSE);
            }
            // Told to stop, and not in order: what was open is decided again by the next owner.
            Err(Ended::Again(_) | Ended::Displaced(_)) => return Ok(()),
            other => return other,
        }
    }
}

/// Who it is that joins under our name. A member that was cut off for longer than its session may have
/// done so itself: what it asked then arrives late, and displaces what it has become since. That happens
/// once, and twice where brokers are slow to answer; somebody else, displaced by our coming back, comes
/// back each time.
#[derive(Debug, Default)]
struct Displaced {
    /// The last one and the one before.
    last: [Option<Instant>; 2],
}

impl Displaced {
    fn is_by_another(&mut self, now: Instant) -> bool {
        let [last, before] = self.last;
        self.last = [Some(now), last];
        before.is_some_and(|before| now.duration_since(before) < DISPLACED_WITHIN)
    }
}

const AGAIN_PAUSE: Duration = Duration::from_secs(1);
/// Two processes of one name displace each other every few seconds.
const DISPLACED_WITHIN: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_self_displaces_twice_and_another_again() {
        let at = Instant::now();
        let mut displaced = Displaced::default();
        let mut check = |second, expected| {
            assert_eq!(displaced.is_by_another(at + Duration::from_secs(second)), expected, "{second}");
        };
        check(0, false);
        check(5, false);
        check(300, false);
        check(305, false);
        check(310, true);
    }

    #[track_caller]
    fn check(ends: &[Ended], expected: &Result<(), Ended>, stops: bool) {
        let stop = Stop::default();
        let mut ends = ends.iter();
        let outcome = again(&stop, "test", || {
            let ended = ends.next().cloned();
            if stops && ends.len() == 0 {
                stop.set();
            }
            ended.map_or(Ok(()), Err)
        });
        assert_eq!(&outcome, expected);
        assert_eq!(ends.len(), 0, "it ended too soon");
    }

    #[test]
    fn what_passes_begins_anew_and_a_double_ends_it() {
        let (late, worn) = (Ended::Displaced("fenced".into()), Ended::Again("worn out".into()));
        check(&[worn.clone(), late.clone()], &Ok(()), false);
        check(&[late.clone(), late.clone()], &Ok(()), false);
        check(&[late.clone(), late.clone(), late.clone()], &Err(Ended::Refused("fenced".into())), false);
        check(&[late], &Ok(()), true);
        check(&[worn], &Ok(()), true);
        check(&[Ended::Broken("bug".into())], &Err(Ended::Broken("bug".into())), false);
    }
}
