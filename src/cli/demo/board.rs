//! What the demo has seen so far: the last decisions, the case that a viewer should look at, counts
//! and rates. Fed with the records that were committed, as any reader of the topics would see them.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;

use super::latency::Latencies;

/// A record of the output, as the demo read it back.
#[derive(Debug)]
pub(super) enum Told {
    /// `took`: from the append of the event to here; `None` when nobody waited for it.
    Decision {
        json: String,
        took: Option<Duration>,
    },
    Alert,
    Revocation {
        json: String,
    },
    Rejected {
        json: String,
    },
    /// What the script does next, in words.
    Scene(String),
    /// The time of the events, and whether the history is over.
    Clock {
        events_at: String,
        live: bool,
    },
}

/// A decision, as far as the view shows it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Row {
    pub(super) user_id: String,
    pub(super) occurred_at: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) risk_score: u8,
    pub(super) action: String,
    #[serde(default)]
    pub(super) reasons: Vec<Because>,
    pub(super) facts: Seen,
    #[serde(default)]
    pub(super) missing_auth_factors: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Because {
    pub(super) signal: String,
    pub(super) points: u8,
    pub(super) text: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Seen {
    pub(super) country: Option<String>,
    pub(super) browser: Option<String>,
    pub(super) os: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Ended {
    pub(super) user_id: String,
    pub(super) session_id: Option<String>,
    pub(super) scope: String,
    pub(super) reason: String,
    pub(super) issued_at: String,
}

impl Ended {
    pub(super) fn what(&self) -> String {
        match (&self.session_id, self.scope.as_str()) {
            (Some(session), "session") => format!("session {session}"),
            _ => "every session".into(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Board {
    /// Newest last.
    pub(super) rows: VecDeque<Row>,
    /// The decision that is shown with its reasons.
    pub(super) case: Option<Row>,
    case_since: Duration,
    /// Newest last.
    pub(super) ended: VecDeque<Ended>,
    pub(super) scene: Option<String>,
    pub(super) events_at: String,
    pub(super) live: bool,
    pub(super) decisions: u64,
    pub(super) alerts: u64,
    pub(super) revocations: u64,
    pub(super) rejected: u64,
    /// By [`ACTIONS`].
    pub(super) actions: [u64; ACTIONS.len()],
    pub(super) latencies: Latencies,
    recent: VecDeque<Duration>,
}

impl Board {
    /// Takes note of it, and gives it back.
    pub(super) fn hear(&mut self, told: Told, now: Duration) -> Told {
        match &told {
            Told::Decision { json, took } => self.decided(json, *took, now),
            Told::Alert => self.alerts += 1,
            Told::Rejected { .. } => self.rejected += 1,
            Told::Revocation { json } => {
                self.revocations += 1;
                if let Ok(ended) = serde_json::from_str(json) {
                    push(&mut self.ended, ended, ENDED_KEPT);
                }
            }
            Told::Scene(words) => self.scene = Some(words.clone()),
            Told::Clock { events_at, live } => {
                self.events_at.clone_from(events_at);
                self.live = *live;
            }
        }
        told
    }

    fn decided(&mut self, json: &str, took: Option<Duration>, now: Duration) {
        self.decisions += 1;
        if let Some(took) = took {
            self.latencies.add(took);
        }
        push(&mut self.recent, now, RATE_KEPT);
        let Ok(row) = serde_json::from_str::<Row>(json) else { return };
        if let Some(count) = strictness(&row).and_then(|at| self.actions.get_mut(at)) {
            *count += 1;
        }
        if self.live {
            if self.deserves(&row, now) {
                self.case = Some(row.clone());
                self.case_since = now;
            }
            push(&mut self.rows, row, ROWS_KEPT);
        }
    }

    /// A stricter decision takes the place at once; any other above `allow` when the viewer has had
    /// the time to read the last one.
    fn deserves(&self, row: &Row, now: Duration) -> bool {
        let strict = strictness(row).unwrap_or(0);
        let shown = self.case.as_ref().and_then(strictness).unwrap_or(0);
        strict > 0 && (strict > shown || now.saturating_sub(self.case_since) > READING)
    }

    /// Decisions a second, over the last of them.
    pub(super) fn rate(&self, now: Duration) -> f64 {
        let first = self.recent.front().copied().unwrap_or(now);
        // No more is remembered than this many, so a high rate is that of a short time.
        let span = now.saturating_sub(first).as_secs_f64().max(0.5);
        f64::from(u32::try_from(self.recent.len()).unwrap_or(u32::MAX)) / span
    }

    /// Forgets what is too old to count into the rate.
    pub(super) fn tick(&mut self, now: Duration) {
        while self.recent.front().is_some_and(|&at| now.saturating_sub(at) > RATE_OVER) {
            self.recent.pop_front();
        }
    }
}

/// Index into [`ACTIONS`].
pub(super) fn strictness(row: &Row) -> Option<usize> {
    ACTIONS.iter().position(|action| *action == row.action)
}

fn push<T>(list: &mut VecDeque<T>, item: T, kept: usize) {
    if list.len() == kept {
        list.pop_front();
    }
    list.push_back(item);
}

/// From the mildest.
pub(super) const ACTIONS: [&str; 5] = ["allow", "challenge", "step_up", "deny", "revoke"];

/// More than a tall terminal shows.
const ROWS_KEPT: usize = 100;
const ENDED_KEPT: usize = 20;
const RATE_KEPT: usize = 4096;
const RATE_OVER: Duration = Duration::from_secs(3);
const READING: Duration = Duration::from_secs(6);
