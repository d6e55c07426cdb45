//! What a tenant has of its own, over a policy: mode, levels, factors, points, rules, exceptions.

use super::entries::{merge, put};
use super::{Draft, Levels, Setting, set, with_those_below};
use crate::engine::document::{Table, Value};
use crate::engine::policy::{Exception, Policy, Rule};
use crate::model::id::is_tenant;
use crate::model::signal::Signal;
use crate::model::{Factor, Factors, Mode};

/// The terms of one tenant. What they do not state is the policy's.
#[derive(Default)]
pub(super) struct Terms {
    mode: Option<Mode>,
    levels: Levels,
    factors: [Option<Factors>; 3],
    signals: [Setting; Signal::COUNT],
    rules: Vec<Rule>,
    exceptions: Vec<Exception>,
}

impl Terms {
    /// The policy that is the tenant's own, of `policy` and the factors that its levels add.
    pub(super) fn over(&self, policy: &Policy, factors: [Option<Factors>; 3]) -> Policy {
        let mut own = policy.clone();
        own.mode = self.mode.unwrap_or(own.mode);
        own.medium = self.levels.medium.unwrap_or(own.medium);
        own.high = self.levels.high.unwrap_or(own.high);
        let mut stated = factors.map(Option::unwrap_or_default);
        for (slot, own) in stated.iter_mut().zip(self.factors) {
            *slot = own.unwrap_or(*slot);
        }
        own.factors = with_those_below(stated);
        for (slot, stated) in own.signals.iter_mut().zip(&self.signals) {
            slot.points = stated.points.unwrap_or(slot.points);
            slot.report_only = stated.report_only.unwrap_or(slot.report_only);
        }
        self.rules.iter().for_each(|rule| put(&mut own.rules, rule.clone()));
        self.exceptions.iter().for_each(|exception| put(&mut own.exceptions, exception.clone()));
        own
    }
}

impl Draft {
    /// `[tenant.NAME]`, one table a tenant.
    pub(super) fn read_tenants(&mut self, tenants: Table<'_>) {
        for (name, value) in tenants.entries() {
            let known = name.text().filter(|name| is_tenant(name));
            if known.is_none() {
                name.expected::<()>(TENANT);
            }
            let Some(table) = value.table() else { continue };
            // What is wrong under a name that cannot be is wrong under the right one, too.
            let mut terms = known.and_then(|name| self.tenants.remove(name)).unwrap_or_default();
            self.read_terms(&mut terms, table);
            let Some(known) = known else { continue };
            self.tenants.insert(known.to_owned(), terms);
            if self.tenants.len() > TENANTS_MAX {
                name.mistake(format!("`tenant` has more than {TENANTS_MAX} tenants; put some into a group of rules with `when = {{ tenant = … }}`"));
                return;
            }
        }
    }

    fn read_terms(&self, terms: &mut Terms, mut table: Table<'_>) {
        if let Some(mode) = table.take("mode").and_then(|value| value.word(Mode::ALL, Mode::name)) {
            terms.mode = Some(mode);
        }
        if let Some(levels) = table.table("levels") {
            read_levels(levels, &mut terms.levels, self.levels);
        }
        if let Some(factors) = table.table("factors") {
            read_factors(factors, &mut terms.factors);
        }
        if let Some(signals) = table.table("signals") {
            for (name, value) in signals.entries() {
                let signal = name.word(Signal::ALL, Signal::name);
                let Some(mut setting) = value.table() else { continue };
                let mut unknown = Setting::default();
                let slot = signal.and_then(|signal| terms.signals.get_mut(signal.index()));
                read_setting(&mut setting, slot.unwrap_or(&mut unknown));
                setting.finish();
                if let Some(signal) = signal {
                    self.is_grouped(signal, &name);
                }
            }
        }
        if let Some(rules) = table.take("rule") {
            merge(&mut terms.rules, &self.rules, &rules);
        }
        if let Some(exceptions) = table.take("exception") {
            merge(&mut terms.exceptions, &self.exceptions, &exceptions);
        }
        table.finish();
    }
}

/// Reads lower bounds into `levels`; what neither they nor `base` state is not compared.
pub(super) fn read_levels(mut table: Table<'_>, levels: &mut Levels, base: Levels) {
    let mut bound = |key| table.take(key).and_then(|value| value.number(1, SUM_MAX));
    levels.medium = bound("medium").or(levels.medium);
    levels.high = bound("high").or(levels.high);
    if let (Some(medium), Some(high)) = (levels.medium.or(base.medium), levels.high.or(base.high))
        && medium >= high
    {
        table.mistake(format!(
            "`{path}.medium` is {medium} and `{path}.high` is {high}, expected medium to be lower; they are lower bounds of the sum",
            path = table.path(),
        ));
    }
    table.finish();
}

pub(super) fn read_factors(mut table: Table<'_>, factors: &mut [Option<Factors>; 3]) {
    for (slot, key) in factors.iter_mut().zip(["low", "medium", "high"]) {
        if let Some(value) = table.take(key) {
            let read = |factor: &Value<'_>| factor.word(&REQUIRABLE, Factor::name);
            *slot = Some(value.list().iter().filter_map(read).collect());
        }
    }
    table.finish();
}

pub(super) fn read_setting(table: &mut Table<'_>, setting: &mut Setting) {
    let points = table.take("points").and_then(|value| value.number(0, 100));
    set(&mut setting.points, points.map(Some));
    set(&mut setting.report_only, table.take("report_only").and_then(|value| value.flag()).map(Some));
}

/// What a policy can require: what [`Factors::satisfied`] leads to.
pub(in crate::engine::policy) const REQUIRABLE: [Factor; 4] =
    [Factor::Password, Factor::Totp, Factor::Biometric, Factor::HardwareKey];
/// All groups at 100 points stay below.
const SUM_MAX: u16 = 2_000;
/// Each is a whole policy in memory.
const TENANTS_MAX: usize = 1_000;
pub(super) const TENANT: &str = "a tenant's name: lower-case letters, digits, `.`, `_` and `-`, at most 63";
