//! Policy: points, groups, levels, factors, rules and exceptions, parsed once from TOML.
//!
//! A [`Policy`] is complete: what its file extends is merged in, and every check was made when it
//! was read. Reading does no I/O: the caller hands in texts, or a function that reads one.

mod file;
mod parse;
pub mod reference;
mod when;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::id::Digest;
use crate::model::signal::Signal;
use crate::model::time::Timestamp;
use crate::model::{Action, Factors, Level, Mode, RevocationScope};

pub use file::shipped;
pub use parse::{Extended, parse};
pub use when::{Condition, Occasion, Outcome, When};

/// A policy, complete: what it extends is already merged in.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub name: String,
    /// Over [`Policy::texts`].
    pub digest: Digest,
    /// The files it was read from, what is extended first.
    pub texts: Vec<String>,
    pub mode: Mode,
    pub combine: Combine,
    /// Lower bounds of the sum.
    pub medium: u16,
    pub high: u16,
    /// Required factors at each level, those of the levels below included, by [`Level::code`].
    pub factors: [Factors; 3],
    /// After how much event time an unanswered observation may be learned; `None` for never.
    pub unanswered: Option<Duration>,
    /// Whether `new_device` is softened when browser, OS and network are all usual.
    pub soften: bool,
    /// Failures, decayed by half each `failed_burst_half_life`, from which `failed_burst` fires.
    pub failed_burst_threshold: u16,
    pub failed_burst_half_life: Duration,
    /// Prompts refused or ignored within `challenge_fatigue_within` from which `challenge_fatigue` fires.
    pub challenge_fatigue_threshold: u16,
    pub challenge_fatigue_within: Duration,
    /// Users who failed at an origin from which `password_spray` and `credential_stuffing` fire.
    pub password_spray_threshold: u16,
    pub credential_stuffing_threshold: u16,
    /// Users new to a device within a day from which `shared_device` fires.
    pub shared_device_threshold: u16,
    /// The silence from which `dormant_account` fires.
    pub dormant_after: Duration,
    /// How long after its rotation a token may come again from the same device: a retry.
    pub token_reuse_grace: Duration,
    /// How long after a risky login `credential_change` fires.
    pub credential_change_within: Duration,
    /// Learned accesses from which `rare_access` speaks.
    pub rare_access_threshold: u16,
    /// How many times its busiest learned hour a workload may do before `service_identity` fires.
    pub service_identity_times: u16,
    /// By [`Signal::index`].
    pub signals: [SignalSetting; Signal::COUNT],
    pub groups: Vec<String>,
    pub rules: Vec<Rule>,
    pub exceptions: Vec<Exception>,
    /// Of the tenants that have terms of their own, the policy with those in it.
    pub tenants: BTreeMap<String, Self>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    Points,
    Evidence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalSetting {
    pub points: u8,
    /// Shown as a reason, with 0 points.
    pub report_only: bool,
    /// Into [`Policy::groups`].
    pub group: u8,
}

impl SignalSetting {
    /// What a signal adds when it fires.
    #[must_use]
    pub const fn counted(self) -> u8 {
        if self.report_only { 0 } else { self.points }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub id: String,
    pub when: When,
    /// `None`: the rule only alerts.
    pub action: Option<Action>,
    pub scope: RevocationScope,
    pub alert: bool,
    pub report_only: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    pub id: String,
    pub when: When,
    pub silence: Vec<Signal>,
    pub owner: String,
    /// The first moment at which it no longer holds.
    pub expires: Timestamp,
}

impl Policy {
    /// What holds for `tenant`: its own terms, if it has any.
    #[must_use]
    pub fn of_tenant(&self, tenant: &str) -> &Self {
        self.tenants.get(tenant).unwrap_or(self)
    }

    /// Whether the detector of `signal` says the same under both.
    #[must_use]
    pub fn detects_alike(&self, other: &Self, signal: Signal) -> bool {
        self.parameters(signal) == other.parameters(signal)
    }

    /// What the detector of `signal` reads of the policy.
    fn parameters(&self, signal: Signal) -> (bool, u16, Duration) {
        match signal {
            Signal::NewDevice => (self.soften, 0, Duration::ZERO),
            Signal::FailedBurst => (false, self.failed_burst_threshold, self.failed_burst_half_life),
            Signal::ChallengeFatigue => {
                (false, self.challenge_fatigue_threshold, self.challenge_fatigue_within)
            }
            Signal::PasswordSpray => (false, self.password_spray_threshold, Duration::ZERO),
            Signal::CredentialStuffing => (false, self.credential_stuffing_threshold, Duration::ZERO),
            Signal::SharedDevice => (false, self.shared_device_threshold, Duration::ZERO),
            Signal::DormantAccount => (false, 0, self.dormant_after),
            Signal::TokenReuse => (false, 0, self.token_reuse_grace),
            // Which of the two has the points inside a session.
            Signal::ImpossibleTravel => (self.setting(Signal::TokenReuse).counted() > 0, 0, Duration::ZERO),
            Signal::CredentialChange => (false, 0, self.credential_change_within),
            Signal::RareAccess => (false, self.rare_access_threshold, Duration::ZERO),
            Signal::ServiceIdentity => (false, self.service_identity_times, Duration::ZERO),
            _ => (false, 0, Duration::ZERO),
        }
    }

    #[must_use]
    pub fn level(&self, sum: u16) -> Level {
        if sum >= self.high {
            Level::High
        } else if sum >= self.medium {
            Level::Medium
        } else {
            Level::Low
        }
    }

    #[must_use]
    pub fn setting(&self, signal: Signal) -> SignalSetting {
        self.signals.get(signal.index()).copied().unwrap_or(SignalSetting {
            points: 0,
            report_only: true,
            group: 0,
        })
    }

    /// The name of the group that `signal` is in.
    #[must_use]
    pub fn group_of(&self, signal: Signal) -> &str {
        self.groups.get(usize::from(self.setting(signal).group)).map_or("", String::as_str)
    }
}
