//! From TOML to a policy: layers of files over each other, every mistake at once.

mod conditions;
mod entries;
mod terms;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Combine, Exception, Policy, Rule, SignalSetting};
use crate::engine::across::NOTABLE_FROM;
use crate::engine::document::{self, Mistake, Table, Value, quoted};
use crate::model::id::sha256;
use crate::model::signal::Signal;
use crate::model::{Factors, Mode};
pub(super) use conditions::EVIDENCE_KEYS;
use entries::{id, merge};
pub(super) use terms::REQUIRABLE;
use terms::{Terms, read_factors, read_levels, read_setting};

/// A policy that another extends: how messages name it, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended {
    pub file: String,
    pub text: String,
}

/// Parses the policy `text` of `file`; `extended` gives what it extends, by name, or says why not.
pub fn parse(
    file: &str,
    text: &str,
    extended: &mut dyn FnMut(&str) -> Result<Extended, String>,
) -> Result<Policy, Vec<Mistake>> {
    let mut reading = Reading { extended, draft: Draft::default(), texts: Vec::new(), mistakes: Vec::new() };
    reading.layer(file, text, &mut vec![stem(file).to_owned()]);

    let Reading { draft, texts, mut mistakes, .. } = reading;
    let policy = draft.finish(file, texts, &mut mistakes);
    match policy {
        Some(policy) if mistakes.is_empty() => Ok(policy),
        _ => Err(mistakes),
    }
}

struct Reading<'x> {
    extended: &'x mut dyn FnMut(&str) -> Result<Extended, String>,
    draft: Draft,
    texts: Vec<String>,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    /// Reads what `text` extends, then `text` over it. `names` leads here.
    fn layer(&mut self, file: &str, text: &str, names: &mut Vec<String>) {
        let base = document::read(file, text, &mut Vec::new(), |mut root| {
            root.take("extends").and_then(|name| extends(&name)).map(str::to_owned)
        });
        let base = base.map(|name| self.base(&name, names));
        let draft = &mut self.draft;
        document::read(file, text, &mut self.mistakes, |root| draft.read(root, base));
        self.texts.push(text.to_owned());
    }

    fn base(&mut self, name: &str, names: &mut Vec<String>) -> Result<(), String> {
        names.push(name.to_owned());
        let path = names.join(", ");
        // A file may be named as the shipped policy that it extends, but cannot find that one then.
        if names.iter().filter(|other| *other == name).count() > 1 {
            let advice = "name the file differently, or extend another";
            return Err(format!("{} extends itself ({path}); {advice}", quoted(name)));
        }
        if names.len() > EXTENDS_DEPTH_MAX {
            return Err(format!(
                "more than {EXTENDS_DEPTH_MAX} policies extend each other ({path}); merge some"
            ));
        }
        let base = (self.extended)(name)?;
        self.layer(&base.file, &base.text, names);
        Ok(())
    }
}

/// The name in `extends`: the name of a file beside this one, never a path.
fn extends<'d>(value: &Value<'d>) -> Option<&'d str> {
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    let name = value.text()?;
    if name.is_empty() || name.starts_with('.') || name.ends_with(".toml") || !name.chars().all(plain) {
        return value.expected("the name of a policy beside this file, without folder and ending");
    }
    Some(name)
}

/// A policy that layers of files fill. Every layer states only what differs.
struct Draft {
    mode: Mode,
    combine: Combine,
    levels: Levels,
    factors: [Option<Factors>; 3],
    unanswered: Option<Duration>,
    soften: bool,
    failed_burst_threshold: u16,
    failed_burst_half_life: Duration,
    challenge_fatigue_threshold: u16,
    challenge_fatigue_within: Duration,
    password_spray_threshold: u16,
    credential_stuffing_threshold: u16,
    shared_device_threshold: u16,
    dormant_after: Duration,
    token_reuse_grace: Duration,
    credential_change_within: Duration,
    rare_access_threshold: u16,
    service_identity_times: u16,
    signals: [Option<Setting>; Signal::COUNT],
    groups: Vec<(String, Vec<Signal>)>,
    rules: Vec<Rule>,
    exceptions: Vec<Exception>,
    tenants: BTreeMap<String, Terms>,
}

/// Lower bounds of the sum, as far as they are stated.
#[derive(Clone, Copy, Default)]
struct Levels {
    medium: Option<u16>,
    high: Option<u16>,
}

/// What is stated of a signal.
#[derive(Clone, Copy, Default)]
struct Setting {
    points: Option<u8>,
    report_only: Option<bool>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            combine: Combine::Points,
            levels: Levels::default(),
            factors: [None; 3],
            unanswered: Some(Duration::from_hours(7 * 24)),
            soften: true,
            failed_burst_threshold: 5,
            failed_burst_half_life: Duration::from_mins(30),
            challenge_fatigue_threshold: 5,
            challenge_fatigue_within: Duration::from_mins(30),
            password_spray_threshold: 20,
            credential_stuffing_threshold: 20,
            shared_device_threshold: 10,
            dormant_after: Duration::from_hours(180 * 24),
            token_reuse_grace: Duration::from_mins(1),
            credential_change_within: Duration::from_hours(24),
            rare_access_threshold: 20,
            service_identity_times: 3,
            signals: [None; Signal::COUNT],
            groups: Vec::new(),
            rules: Vec::new(),
            exceptions: Vec::new(),
            tenants: BTreeMap::new(),
        }
    }
}

impl Draft {
    fn read(&mut self, mut root: Table<'_>, base: Option<Result<(), String>>) {
        if let Some(version) = root.need("version", "`version = 1`") {
            version.whole(1, 1);
        }
        if let Some(value) = root.take("extends") {
            match base {
                Some(Ok(())) => {}
                Some(Err(why)) => value.mistake(format!("`extends`: {why}")),
                // Noted when the name was looked at, in a pass whose mistakes are dropped.
                None => {
                    extends(&value);
                }
            }
        }
        set(&mut self.mode, root.take("mode").and_then(|value| value.word(Mode::ALL, Mode::name)));
        set(&mut self.combine, root.take("combine").and_then(|value| combine(&value)));
        set(&mut self.soften, root.take("soften").and_then(|value| value.flag()));
        if let Some(levels) = root.table("levels") {
            read_levels(levels, &mut self.levels, Levels::default());
        }
        if let Some(factors) = root.table("factors") {
            read_factors(factors, &mut self.factors);
        }
        if let Some(mut learning) = root.table("learning") {
            let unanswered = learning.take("unanswered");
            set(&mut self.unanswered, unanswered.and_then(|value| unanswered_after(&value)));
            learning.finish();
        }
        if let Some(groups) = root.take("group") {
            self.read_groups(&groups);
        }
        if let Some(signals) = root.table("signals") {
            for (name, value) in signals.entries() {
                match (name.word(Signal::ALL, Signal::name), value.table()) {
                    (Some(signal), Some(table)) => self.read_signal(signal, table, &name),
                    // What is wrong under a misspelt name is wrong under the right one, too.
                    (None, Some(mut table)) => read_setting(&mut table, &mut Setting::default()),
                    (_, None) => {}
                }
            }
        }
        if let Some(rules) = root.take("rule") {
            merge(&mut self.rules, &[], &rules);
        }
        if let Some(exceptions) = root.take("exception") {
            merge(&mut self.exceptions, &[], &exceptions);
        }
        if let Some(tenants) = root.table("tenant") {
            self.read_tenants(tenants);
        }
        root.finish();
    }

    fn read_groups(&mut self, groups: &Value<'_>) {
        let (mut names, mut signals) = (BTreeSet::new(), BTreeSet::new());
        for mut group in groups.list().iter().filter_map(Value::table) {
            let name = group.need("name", "the group's name").and_then(|value| id(&value, &mut names));
            let listed = group.need("signals", "the signals of the group").map(|list| {
                list.some(|value| {
                    let signal = value.word(Signal::ALL, Signal::name)?;
                    if !signals.insert(signal) {
                        value.mistake(format!(
                            "`{signal}` is in two groups, expected one; one cause counts once"
                        ));
                        return None;
                    }
                    Some(signal)
                })
            });
            group.finish();
            if let (Some(name), Some(listed)) = (name, listed) {
                // What a base says of this group, and of these signals, no longer holds.
                self.groups.retain(|(other, _)| *other != name);
                for (_, others) in &mut self.groups {
                    others.retain(|signal| !listed.contains(signal));
                }
                self.groups.push((name, listed));
            }
        }
    }

    fn read_signal(&mut self, signal: Signal, mut table: Table<'_>, name: &Value<'_>) {
        let slot = self.signals.get_mut(signal.index());
        let mut setting = slot.as_ref().and_then(|slot| **slot).unwrap_or_default();
        read_setting(&mut table, &mut setting);
        if let Some(slot) = slot {
            *slot = Some(setting);
        }

        let mut count = |key| table.take(key).and_then(|value| value.number(1, u16::MAX));
        match signal {
            Signal::FailedBurst => set(&mut self.failed_burst_threshold, count("threshold")),
            Signal::ChallengeFatigue => set(&mut self.challenge_fatigue_threshold, count("threshold")),
            Signal::RareAccess => set(&mut self.rare_access_threshold, count("threshold")),
            Signal::ServiceIdentity => set(&mut self.service_identity_times, count("times")),
            _ => {}
        }
        // Fewer are never told: see `NOTABLE_FROM`.
        let mut users = || table.take("threshold").and_then(|value| value.number(USERS_MIN, u16::MAX));
        match signal {
            Signal::PasswordSpray => set(&mut self.password_spray_threshold, users()),
            Signal::CredentialStuffing => set(&mut self.credential_stuffing_threshold, users()),
            Signal::SharedDevice => set(&mut self.shared_device_threshold, users()),
            _ => {}
        }
        let mut time = |key| table.take(key).and_then(|value| value.duration_from(TIME_MIN));
        match signal {
            Signal::FailedBurst => set(&mut self.failed_burst_half_life, time("half_life")),
            Signal::ChallengeFatigue => set(&mut self.challenge_fatigue_within, time("within")),
            Signal::DormantAccount => set(&mut self.dormant_after, time("after")),
            Signal::TokenReuse => set(&mut self.token_reuse_grace, time("grace")),
            Signal::CredentialChange => set(&mut self.credential_change_within, time("within")),
            _ => {}
        }
        table.finish();
        self.is_grouped(signal, name);
    }

    /// Notes a signal that is in no group.
    fn is_grouped(&self, signal: Signal, name: &Value<'_>) {
        if !self.groups.iter().any(|(_, signals)| signals.contains(&signal)) {
            name.mistake(format!(
                "`{signal}` is in no group, expected one; add it to the signals of a [[group]]"
            ));
        }
    }

    fn finish(self, file: &str, texts: Vec<String>, mistakes: &mut Vec<Mistake>) -> Option<Policy> {
        let is_sound = mistakes.is_empty();
        if is_sound {
            let [low, medium, high] = self.factors.map(|factors| factors.is_none());
            let missing = [
                (self.levels.medium.is_none(), "levels.medium"),
                (self.levels.high.is_none(), "levels.high"),
                (low, "factors.low"),
                (medium, "factors.medium"),
                (high, "factors.high"),
            ];
            mistakes.extend(missing.iter().filter(|(is_missing, _)| *is_missing).map(|(_, key)| {
                Mistake::of_file(file, format!("`{key}` is missing; state it, or extend a policy that does"))
            }));
        }
        let parts: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let (signals, groups) = settings(&self.signals, self.groups);
        let mut policy = Policy {
            name: stem(file).to_owned(),
            digest: sha256(&parts),
            texts,
            mode: self.mode,
            combine: self.combine,
            medium: self.levels.medium?,
            high: self.levels.high?,
            factors: with_those_below(self.factors.map(Option::unwrap_or_default)),
            unanswered: self.unanswered,
            soften: self.soften,
            failed_burst_threshold: self.failed_burst_threshold,
            failed_burst_half_life: self.failed_burst_half_life,
            challenge_fatigue_threshold: self.challenge_fatigue_threshold,
            challenge_fatigue_within: self.challenge_fatigue_within,
            password_spray_threshold: self.password_spray_threshold,
            credential_stuffing_threshold: self.credential_stuffing_threshold,
            shared_device_threshold: self.shared_device_threshold,
            dormant_after: self.dormant_after,
            token_reuse_grace: self.token_reuse_grace,
            credential_change_within: self.credential_change_within,
            rare_access_threshold: self.rare_access_threshold,
            service_identity_times: self.service_identity_times,
            signals,
            groups,
            rules: self.rules,
            exceptions: self.exceptions,
            tenants: BTreeMap::new(),
        };
        let own = |terms: &Terms| terms.over(&policy, self.factors);
        let tenants: BTreeMap<String, Policy> =
            self.tenants.iter().map(|(name, terms)| (name.clone(), own(terms))).collect();
        // Said where it stands, unless it comes of two files.
        let crossed = tenants.iter().filter(|(_, own)| own.medium >= own.high);
        for (name, own) in crossed.filter(|_| is_sound) {
            mistakes.push(Mistake::of_file(
                file,
                format!(
                    "`tenant.{name}.levels`: medium is {} and high is {} over what this policy extends, expected medium to be lower",
                    own.medium, own.high
                ),
            ));
        }
        policy.tenants = tenants;
        Some(policy)
    }
}

/// What a level requires, those of the levels below included.
fn with_those_below(stated: [Factors; 3]) -> [Factors; 3] {
    let mut below = Factors::NONE;
    stated.map(|factors| {
        below = below.union(factors);
        below
    })
}

/// The table of signals and the names of the groups. A signal that no file names is report-only,
/// in a group of its own.
fn settings(
    stated: &[Option<Setting>; Signal::COUNT],
    mut groups: Vec<(String, Vec<Signal>)>,
) -> ([SignalSetting; Signal::COUNT], Vec<String>) {
    let mut signals = [SignalSetting { points: 0, report_only: true, group: 0 }; Signal::COUNT];
    for ((signal, slot), stated) in Signal::ALL.iter().zip(&mut signals).zip(stated) {
        let at = groups.iter().position(|(_, signals)| signals.contains(signal)).unwrap_or_else(|| {
            groups.push((signal.name().to_owned(), vec![*signal]));
            groups.len() - 1
        });
        slot.group = u8::try_from(at).unwrap_or(u8::MAX);
        if let Some(stated) = stated {
            slot.points = stated.points.unwrap_or_default();
            slot.report_only = stated.report_only.unwrap_or_default();
        }
    }
    (signals, groups.into_iter().map(|(name, _)| name).collect())
}

fn combine(value: &Value<'_>) -> Option<Combine> {
    let all = [Combine::Points, Combine::Evidence];
    let combine = value.word(&all, |one| match one {
        Combine::Points => "points",
        Combine::Evidence => "evidence",
    })?;
    if combine == Combine::Evidence {
        let text = "`combine` is `evidence`, which needs a population model that this version cannot build yet; write \"points\"";
        value.mistake(text.to_owned());
        return None;
    }
    Some(combine)
}

/// `"never"`, or a time.
fn unanswered_after(value: &Value<'_>) -> Option<Option<Duration>> {
    if value.is_text("never") { Some(None) } else { value.duration_from(TIME_MIN).map(Some) }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// A file's name without folders and ending.
fn stem(file: &str) -> &str {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name)
}

#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const USERS_MIN: u16 = NOTABLE_FROM as u16;
const EXTENDS_DEPTH_MAX: usize = 8;
const TIME_MIN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
