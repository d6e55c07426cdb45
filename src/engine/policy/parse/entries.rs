//! Rules and exceptions, entry by entry. One with the id of an earlier entry changes that one.

use std::collections::BTreeSet;

use super::conditions::{self, Asks};
use crate::engine::document::{Table, Value, quoted};
use crate::engine::policy::{Exception, Rule};
use crate::model::signal::Signal;
use crate::model::{Action, RevocationScope};

/// What stands in a list under an id.
pub(super) trait Entry: Clone {
    /// Reads an entry; `earlier` finds one of an earlier layer by its id.
    fn read(
        table: Table<'_>,
        ids: &mut BTreeSet<String>,
        earlier: &dyn Fn(&str) -> Option<Self>,
    ) -> Option<Self>;

    fn id(&self) -> &str;
}

/// Reads the entries of `list` into `all`: one with the id of an entry there takes its place. What an
/// entry does not state it takes from there, or from `base`.
pub(super) fn merge<T: Entry>(all: &mut Vec<T>, base: &[T], list: &Value<'_>) {
    let mut ids = BTreeSet::new();
    for table in list.list().iter().filter_map(Value::table) {
        let earlier = |id: &str| all.iter().chain(base).find(|one| one.id() == id).cloned();
        let Some(new) = T::read(table, &mut ids, &earlier) else { continue };
        put(all, new);
    }
    if all.len() > ENTRIES_MAX {
        list.mistake(format!("`{}` has {} entries, expected at most {ENTRIES_MAX}", list.path(), all.len()));
    }
}

/// Adds an entry; one with its id makes way.
pub(super) fn put<T: Entry>(all: &mut Vec<T>, new: T) {
    match all.iter_mut().find(|old| old.id() == new.id()) {
        Some(old) => *old = new,
        None => all.push(new),
    }
}

impl Entry for Rule {
    fn read(
        mut table: Table<'_>,
        ids: &mut BTreeSet<String>,
        earlier: &dyn Fn(&str) -> Option<Self>,
    ) -> Option<Self> {
        let id = table.need("id", "a name of its own").and_then(|value| id(&value, ids));
        // One that states all of it stands alone, and is in force unless it says otherwise.
        let is_whole = table.has("when") && table.has("then");
        let earlier = id.as_deref().filter(|_| !is_whole).and_then(earlier);
        let when = needed(
            &mut table,
            "when",
            "the conditions, or the id of a rule that this one changes",
            earlier.is_some(),
        );
        let when = when.map(|value| conditions::when(&value, Asks::Outcome));
        let then = needed(&mut table, "then", "an action, an alert, or both", earlier.is_some());
        let then = then.map(|value| value.table());
        let report_only = table.take("report_only").map(|value| value.flag());
        table.finish();

        let then = then.map(|table| table.and_then(read_then));
        // Stated values that are no good end here; what is not stated was there before.
        let (when, then, report_only) = (stated(when)?, stated(then)?, stated(report_only)?);
        let mut rule = match earlier {
            Some(rule) => rule,
            None => Self {
                id: id?,
                when: when.clone()?,
                action: then?.0,
                scope: RevocationScope::Session,
                alert: false,
                report_only: false,
            },
        };
        rule.when = when.unwrap_or(rule.when);
        (rule.action, rule.scope, rule.alert) = then.unwrap_or((rule.action, rule.scope, rule.alert));
        rule.report_only = report_only.unwrap_or(rule.report_only);
        Some(rule)
    }

    fn id(&self) -> &str {
        &self.id
    }
}

/// Action, scope and alert. `None` after a mistake.
fn read_then(mut then: Table<'_>) -> Option<(Option<Action>, RevocationScope, bool)> {
    let action = then.take("action").map(|value| {
        let action = value.word(Action::ALL, Action::name)?;
        if action == Action::Allow {
            let advice = "the strictest rule wins; to silence a signal write an [[exception]]";
            value.mistake(format!("`{}` is `allow`, which changes nothing: {advice}", value.path()));
            return None;
        }
        Some(action)
    });
    let scope =
        then.take("scope").map(|value| (value.word(RevocationScope::ALL, RevocationScope::name), value));
    let alert = then.take("alert").map_or(Some(false), |value| value.flag());
    if action.is_none() && alert == Some(false) {
        then.mistake("`then` does nothing, expected an `action`, or `alert = true`".to_owned());
    }
    if let (Some((_, value)), None | Some(Some(_))) = (&scope, action)
        && action.flatten() != Some(Action::Revoke)
    {
        value.mistake(format!(
            "`{}` says what to revoke; it goes with `action = \"revoke\"` only",
            value.path()
        ));
    }
    then.finish();
    let action = match action {
        None => None,
        Some(action) => Some(action?),
    };
    let scope = match scope {
        None => RevocationScope::Session,
        Some((scope, _)) => scope?,
    };
    Some((action, scope, alert?))
}

impl Entry for Exception {
    fn read(
        mut table: Table<'_>,
        ids: &mut BTreeSet<String>,
        earlier: &dyn Fn(&str) -> Option<Self>,
    ) -> Option<Self> {
        let id = table.need("id", "a name of its own").and_then(|value| id(&value, ids));
        let earlier = id.as_deref().and_then(earlier);
        let known = earlier.is_some();
        let when = needed(
            &mut table,
            "when",
            "the conditions, or the id of an exception that this one changes",
            known,
        );
        let when = when.map(|value| conditions::when(&value, Asks::Event));
        let silence = needed(&mut table, "silence", "the signals to silence", known);
        let silence = silence.map(|value| {
            let signals = value.some(|signal| signal.word(Signal::ALL, Signal::name));
            (!signals.is_empty()).then_some(signals)
        });
        let owner = needed(&mut table, "owner", "who answers for it", known).map(|value| value.name());
        let expires = needed(&mut table, "expires", "the day from which it no longer holds", known);
        let expires = expires.map(|value| value.moment());
        table.finish();

        let (when, silence) = (stated(when)?, stated(silence)?);
        let (owner, expires) = (stated(owner)?, stated(expires)?);
        Some(match earlier {
            Some(earlier) => Self {
                id: earlier.id,
                when: when.unwrap_or(earlier.when),
                silence: silence.unwrap_or(earlier.silence),
                owner: owner.map_or(earlier.owner, str::to_owned),
                expires: expires.unwrap_or(earlier.expires),
            },
            None => {
                Self { id: id?, when: when?, silence: silence?, owner: owner?.to_owned(), expires: expires? }
            }
        })
    }

    fn id(&self) -> &str {
        &self.id
    }
}

/// `None` for a value that was a mistake, `Some(None)` for one that is not stated.
fn stated<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}

/// The value of `key`: a mistake when there is none and nothing is `known` to take it from.
fn needed<'d>(table: &mut Table<'d>, key: &'static str, what: &str, known: bool) -> Option<Value<'d>> {
    if known { table.take(key) } else { table.need(key, what) }
}

/// A name that stands once in its file.
pub(super) fn id(value: &Value<'_>, ids: &mut BTreeSet<String>) -> Option<String> {
    let name = value.name()?;
    if name.len() > ID_BYTES_MAX {
        return value.expected(&format!("at most {ID_BYTES_MAX} bytes"));
    }
    if !ids.insert(name.to_owned()) {
        value.mistake(format!(
            "{} stands twice as `{}`, expected once; rename one",
            quoted(name),
            value.path()
        ));
        return None;
    }
    Some(name.to_owned())
}

/// Rules are tried one by one on every event.
const ENTRIES_MAX: usize = 1_000;
const ID_BYTES_MAX: usize = 128;
