//! Confirmed attacks: what people said afterwards, or labels; and which policy would have seen them.
//!
//! A feedback `compromised` confirms the event, the session, or all since a time that it is about. A
//! case was seen when any successful login, access or session of it was answered with more than
//! `allow`. What a feedback is about came before it, so what was asked of whom is kept.

use std::collections::BTreeMap;

use crate::model::event::{About, Body};
use crate::model::id::hash64;
use crate::model::observation::Observation;
use crate::model::{Action, Verdict};

/// Attack names by event id.
pub type Labels = BTreeMap<String, String>;

/// What either policy answered to a success.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub first: Action,
    pub second: Action,
}

/// Attacks that are known to be ones.
#[derive(Debug, Default, serde::Serialize)]
pub struct Cases {
    /// Where they are known from: `feedback`, or `labels`.
    pub by: &'static str,
    pub confirmed: u64,
    /// Seen under the first policy, under the second.
    pub seen_before: u64,
    pub seen_after: u64,
    /// Seen under the first policy only, under the second only.
    pub missed_more: u64,
    pub caught_more: u64,
    #[serde(skip)]
    labels: Option<Labels>,
    #[serde(skip)]
    labelled: BTreeMap<(u64, String), Caught>,
    /// Successes by user, time and event.
    #[serde(skip)]
    successes: BTreeMap<(u64, i64, u64), (Option<u64>, Caught)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Caught {
    first: bool,
    second: bool,
}

impl Cases {
    /// Attacks that feedback confirms; with labels, those instead.
    #[must_use]
    pub fn new(labels: Option<Labels>) -> Self {
        let by = if labels.is_some() { "labels" } else { "feedback" };
        Self { by, labels, ..Self::default() }
    }

    /// Notes an event, and what was answered if it was a success.
    pub(super) fn note(&mut self, seen: &Observation<'_>, asked: Option<Asked>) {
        let event = &seen.event;
        let user = hash64("user", &[event.tenant.as_bytes(), event.user.as_bytes()]);
        let caught = asked
            .map(|asked| Caught { first: asked.first > Action::Allow, second: asked.second > Action::Allow });
        if let Some(labels) = &self.labels {
            if let (Some(caught), Some(attack)) = (caught, labels.get(event.id.as_ref())) {
                let case = self.labelled.entry((user, attack.clone())).or_insert_with(|| {
                    self.confirmed += 1;
                    Caught::default()
                });
                let before = *case;
                *case = case.or(caught);
                let after = *case;
                self.count(before, after);
            }
            return;
        }
        if let Some(caught) = caught {
            let key = (user, event.occurred_at.micros(), event_key(&event.id));
            self.successes.insert(key, (seen.keys.session, caught));
        }
        if let Body::Feedback { verdict: Verdict::Compromised, about, .. } = &event.body {
            self.confirm(user, &event.tenant, about);
        }
    }

    fn confirm(&mut self, user: u64, tenant: &str, about: &About<'_>) {
        let event = about.event_id.as_deref().map(event_key);
        let session = about.session_id.as_deref().map(|id| crate::engine::enrich::session_key(tenant, id));
        let since = about.since.map(|since| since.micros());
        let mut case = Caught::default();
        for ((_, at, id), (of, caught)) in
            self.successes.range((user, i64::MIN, 0)..=(user, i64::MAX, u64::MAX))
        {
            let is_meant = event == Some(*id)
                || session.is_some() && session == *of
                || since.is_some_and(|since| *at >= since);
            if is_meant {
                case = case.or(*caught);
            }
        }
        self.confirmed += 1;
        self.count(Caught::default(), case);
    }

    /// A case was `before`, and is `after`.
    fn count(&mut self, before: Caught, after: Caught) {
        let numbers =
            |it: Caught| [it.first, it.second, it.first && !it.second, it.second && !it.first].map(u64::from);
        let counts =
            [&mut self.seen_before, &mut self.seen_after, &mut self.missed_more, &mut self.caught_more];
        for ((count, now), then) in counts.into_iter().zip(numbers(after)).zip(numbers(before)) {
            *count = count.saturating_add(now).saturating_sub(then);
        }
    }
}

impl Caught {
    const fn or(self, other: Self) -> Self {
        Self { first: self.first || other.first, second: self.second || other.second }
    }
}

/// A feedback names no source beside the id, so that has to do.
fn event_key(id: &str) -> u64 {
    hash64("event", &[id.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::decode::{Format, Limits, decode};
    use crate::engine::enrich::with_facts;
    use crate::model::observation::Facts;

    const HOUR: &str = r#""tenant":"acme","occurred_at":"2026-01-05T09:"#;

    /// Plays logins `id session first>second` and feedbacks, and says what came of it:
    /// confirmed, seen before and after, missed and caught more.
    #[track_caller]
    fn check(labels: Option<&[(&str, &str)]>, log: &[&str], expected: [u64; 5]) {
        let labels =
            labels.map(|labels| labels.iter().map(|(id, name)| ((*id).into(), (*name).into())).collect());
        let mut cases = Cases::new(labels);
        for (minute, line) in log.iter().enumerate() {
            let (body, asked) = match line.split(' ').collect::<Vec<_>>().as_slice() {
                [id, session, answers] => {
                    let (first, second) = answers.split_once('>').unwrap();
                    let action = |word: &str| Action::parse(word).unwrap();
                    let body = format!(
                        r#""event_id":"{id}","session_id":"{session}","type":"login","outcome":"success""#
                    );
                    (body, Some(Asked { first: action(first), second: action(second) }))
                }
                _ => (
                    format!(
                        r#""event_id":"f{minute}","type":"feedback","verdict":"compromised","by":"user","about":{line}"#
                    ),
                    None,
                ),
            };
            let text = format!(r#"{{{HOUR}{minute:02}:00Z","user_id":"ada",{body}}}"#);
            let event = decode(text.as_bytes(), Format::Json, "", None, &Limits::default()).unwrap().event;
            cases.note(&with_facts(event, Facts::default()), asked);
        }
        let found =
            [cases.confirmed, cases.seen_before, cases.seen_after, cases.missed_more, cases.caught_more];
        assert_eq!(found, expected);
    }

    #[test]
    fn feedback_confirms_an_event_a_session_or_all_since() {
        let log = ["e1 s1 step_up>allow", "e2 s1 allow>challenge", "e3 s2 allow>allow"];
        let with = |about: &'static str| [log.as_slice(), &[about]].concat();
        check(None, &log, [0, 0, 0, 0, 0]);
        check(None, &with(r#"{"event_id":"e1"}"#), [1, 1, 0, 1, 0]);
        check(None, &with(r#"{"event_id":"e2"}"#), [1, 0, 1, 0, 1]);
        check(None, &with(r#"{"event_id":"e3"}"#), [1, 0, 0, 0, 0]);
        check(None, &with(r#"{"event_id":"gone"}"#), [1, 0, 0, 0, 0]);
        check(None, &with(r#"{"session_id":"s1"}"#), [1, 1, 1, 0, 0]);
        check(None, &with(r#"{"since":"2026-01-05T09:01:00Z"}"#), [1, 0, 1, 0, 1]);
    }

    #[test]
    fn labels_make_one_case_of_a_users_attack() {
        let labels = [("e1", "theft"), ("e2", "theft"), ("e3", "spray")];
        let log = ["e1 s1 step_up>allow", "e2 s1 allow>allow", "e3 s2 allow>challenge", "e4 s2 deny>allow"];
        check(Some(&labels), &log, [2, 1, 1, 1, 1]);
        check(Some(&[]), &log, [0, 0, 0, 0, 0]);
    }
}
