//! What is rendered: a published alert, a published decision, or an event.

use std::borrow::Cow;

use super::super::stored::{Stored, StoredFacts, StoredReason, StoredRisk, time};
use crate::engine::schema::ALERT;
use crate::model::event::Event;
use crate::model::time::Timestamp;

type Text<'a> = Cow<'a, str>;

/// A record that may be rendered.
#[derive(Clone, Debug, PartialEq)]
pub enum Rendered<'a> {
    Alert(Box<StoredAlert<'a>>),
    Decision(Box<Stored<'a>>),
    Event(&'a Event<'a>),
}

/// One alert as it was published. The fields are those of `schemas/alert.avsc`; the last four are
/// absent in what older versions wrote.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub struct StoredAlert<'a> {
    #[serde(borrow)]
    pub alert_id: Text<'a>,
    #[serde(borrow)]
    pub kind: Text<'a>,
    pub update: i64,
    #[serde(borrow)]
    pub tenant: Text<'a>,
    #[serde(borrow)]
    pub user_id: Text<'a>,
    #[serde(borrow, default)]
    pub session_id: Option<Text<'a>>,
    #[serde(deserialize_with = "time")]
    pub opened_at: Timestamp,
    #[serde(deserialize_with = "time")]
    pub occurred_at: Timestamp,
    #[serde(borrow)]
    pub decision_id: Text<'a>,
    #[serde(borrow)]
    pub event_id: Text<'a>,
    pub risk_score: i64,
    #[serde(borrow)]
    pub risk_level: Text<'a>,
    #[serde(borrow)]
    pub action: Text<'a>,
    #[serde(borrow)]
    pub user_risk: StoredRisk<'a>,
    #[serde(borrow, default)]
    pub cause: Option<Text<'a>>,
    #[serde(borrow)]
    pub reasons: Vec<StoredReason<'a>>,
    #[serde(borrow, default, rename = "type")]
    pub event_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub source: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub ip_address: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub facts: Option<StoredFacts<'a>>,
}

impl<'a> StoredAlert<'a> {
    /// Reads one line of JSON.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_json(line: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }

    /// Reads single-object Avro of any version of the schema.
    ///
    /// # Errors
    /// As [`Self::from_json`].
    pub fn from_avro(value: &'a [u8]) -> Result<Self, String> {
        ALERT.read(value)
    }

    /// The strongest reasons' sentences, for people.
    pub(super) fn sentence(&self) -> String {
        let said: Vec<_> = self.reasons.iter().take(SAID_MAX).map(|reason| reason.text.as_ref()).collect();
        said.join("; ")
    }

    /// What happened, in one line.
    pub(super) fn title(&self) -> String {
        let Self { tenant, user_id, .. } = self;
        match (self.kind.as_ref(), self.cause.as_deref()) {
            ("closed", _) => format!("Case of {tenant}/{user_id} closed"),
            (_, Some("risk_lowered")) => {
                format!("Risk of {tenant}/{user_id} is {} again", self.user_risk.level)
            }
            (_, Some("used_after_revocation")) => format!("{tenant}/{user_id}: used after revocation"),
            _ => format!("{} risk of {tenant}/{user_id}: {}", capital(self.level()), self.action),
        }
    }

    /// The higher of the event's and the user's.
    pub(super) fn level(&self) -> &str {
        let rank = |level: &str| match level {
            "high" => 3,
            "medium" => 2,
            "low" => 1,
            _ => 0,
        };
        let (event, user) = (self.risk_level.as_ref(), self.user_risk.level.as_ref());
        if rank(user) > rank(event) { user } else { event }
    }

    /// Somebody or some time ended it: nothing is to be done.
    pub(super) fn is_over(&self) -> bool {
        self.kind == "closed" || self.cause.as_deref() == Some("risk_lowered")
    }

    /// Somebody must look now.
    pub(super) fn is_critical(&self) -> bool {
        self.action == "revoke" || self.cause.as_deref() == Some("used_after_revocation")
    }
}

pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A sentence has at most 120 bytes; more than a few are for whoever opens the case.
const SAID_MAX: usize = 4;
