//! The reference of policy files, written from the tables that the parser reads by. A test holds
//! `docs/policy-reference.md` to it, and every row to what the parser knows.

use super::Policy;
use super::parse::{EVIDENCE_KEYS, REQUIRABLE};
use crate::model::signal::Signal;
use crate::model::{
    Action, EventType, Factor, History, Level, Mode, NetworkClass, Privilege, RevocationScope, SubjectKind,
};

/// The whole page, in Markdown.
#[must_use]
pub fn text() -> String {
    let mut page = String::from(HEAD);
    for section in SECTIONS {
        page.push_str(&format!("\n## {}\n\n{}\n", section.title, section.says));
        if section.fields.is_empty() {
            continue;
        }
        page.push_str("\n| Field | Takes | Says |\n|---|---|---|\n");
        for (key, takes, says) in section.fields {
            page.push_str(&format!("| `{key}` | {} | {says} |\n", takes.text()));
        }
    }
    page.push_str("\n## Signals\n\nEvery signal, its group and its points in the shipped policies; – counts nothing there.\n");
    page.push_str("\n| Signal | Group | `seed` | `default` |\n|---|---|---|---|\n");
    let policies = [Policy::shipped("seed"), Policy::shipped("default")];
    for signal in Signal::ALL {
        let points =
            policies.each_ref().map(|policy| match policy.as_ref().map(|policy| policy.setting(*signal)) {
                Some(setting) if setting.counted() > 0 => setting.points.to_string(),
                _ => "–".to_owned(),
            });
        let group = policies.iter().flatten().next_back().map_or("", |policy| policy.group_of(*signal));
        page.push_str(&format!("| `{signal}` | {group} | {} |\n", points.join(" | ")));
    }
    page
}

pub(super) struct Section {
    title: &'static str,
    says: &'static str,
    /// A policy in which `?` is a table whose fields these are; a test puts an unknown one there.
    #[cfg(test)]
    probe: &'static str,
    fields: &'static [(&'static str, Takes, &'static str)],
}

#[derive(Clone, Copy)]
enum Takes {
    Text(&'static str),
    Words(fn() -> Vec<&'static str>),
    AnyOf(fn() -> Vec<&'static str>),
}

impl Takes {
    fn text(self) -> String {
        let list = |words: Vec<&'static str>| {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ")
        };
        match self {
            Self::Text(text) => text.to_owned(),
            Self::Words(words) => format!("one of {}", list(words())),
            Self::AnyOf(words) => format!("any of {}", list(words())),
        }
    }
}

fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|word| name(*word)).collect()
}

use Takes::{AnyOf, Text, Words};

const NAMES: Takes = Text("any of the texts");
const FACTORS: Takes = AnyOf(|| names(&REQUIRABLE, Factor::name));
const LEVELS: Takes = AnyOf(|| names(Level::ALL, Level::name));
const EVIDENCE: Takes = AnyOf(|| EVIDENCE_KEYS.to_vec());
const SIGNALS: Takes = Text("signals, see [below](#signals)");

macro_rules! section {
    ($title:literal, $says:literal, $probe:literal, [$($field:expr),* $(,)?]) => {
        Section { title: $title, says: $says, #[cfg(test)] probe: $probe, fields: &[$($field),*] }
    };
}

pub(super) const SECTIONS: &[Section] = &[
    section!(
        "The file",
        "Tables below, and:",
        "?",
        [
            ("version", Text("`1`"), "the form of this file; needed"),
            (
                "extends",
                Text("a name"),
                "a policy beside this file, or a shipped one; state only what differs"
            ),
            (
                "mode",
                Words(|| names(Mode::ALL, Mode::name)),
                "`report_only`: publishes what it would have done, and allows"
            ),
            ("combine", Text("`points`"), "how findings add up"),
            (
                "soften",
                Text("true, false"),
                "a new device counts nothing when browser, OS and network are all usual"
            ),
            ("levels", Text("[a table](#levels)"), "from which sum a level begins"),
            ("factors", Text("[a table](#factors)"), "what a level asks for"),
            ("learning", Text("[a table](#learning)"), "what is learned without an answer"),
            ("group", Text("[tables](#group)"), "signals with one cause"),
            ("signals", Text("[tables](#signalsname)"), "points and thresholds"),
            ("rule", Text("[tables](#rule)"), "what to do when conditions hold"),
            ("exception", Text("[tables](#exception)"), "what not to hear, where, and until when"),
            ("tenant", Text("[tables](#tenantname)"), "terms of one tenant"),
        ]
    ),
    section!(
        "levels",
        "Lower bounds of the sum of points. Medium is lower than high.",
        "[levels]\n?",
        [
            ("medium", Text("1 to 2000"), "from here on medium"),
            ("high", Text("1 to 2000"), "from here on high"),
        ]
    ),
    section!(
        "factors",
        "Added at each level: high asks for all three lists. What was presented is not asked for again. Only `totp` missing: `challenge`; `biometric` or `hardware_key`: `step_up`.",
        "[factors]\n?",
        [
            ("low", FACTORS, "of everybody"),
            ("medium", FACTORS, "from medium up"),
            ("high", FACTORS, "at high"),
        ]
    ),
    section!(
        "learning",
        "",
        "[learning]\n?",
        [(
            "unanswered",
            Text("a time, or `\"never\"`"),
            "after how much event time an unanswered login may be learned, if it came on three days and nothing spoke against it"
        ),]
    ),
    section!(
        "group",
        "One cause counts once: a group's points are those of its strongest finding. A signal that is given points stands in one group.",
        "[[group]]\n?",
        [("name", Text("a text"), "as decisions say it"), ("signals", SIGNALS, "who is in it"),]
    ),
    section!(
        "signals.NAME",
        "Of every signal:",
        "[signals.unusual_location]\n?",
        [
            ("points", Text("0 to 100"), "what it adds when it fires"),
            (
                "report_only",
                Text("true, false"),
                "shown as a reason, and adds nothing; rules in force do not see it"
            ),
        ]
    ),
    section!(
        "signals.failed_burst",
        "Besides:",
        "[signals.failed_burst]\n?",
        [
            ("points", Text("0 to 100"), "as above"),
            ("report_only", Text("true, false"), "as above"),
            ("threshold", Text("1 to 65535"), "failures from which it fires"),
            ("half_life", Text("a time from 1s"), "after which a failure weighs half"),
        ]
    ),
    section!(
        "signals.challenge_fatigue",
        "Besides:",
        "[signals.challenge_fatigue]\n?",
        [
            ("points", Text("0 to 100"), "as above"),
            ("report_only", Text("true, false"), "as above"),
            (
                "threshold",
                Text("1 to 65535"),
                "prompts refused or ignored from which an approval is suspicious"
            ),
            ("within", Text("a time from 1s"), "how long they count"),
        ]
    ),
    section!(
        "signals.password_spray",
        "Besides:",
        "[signals.password_spray]\n?",
        [
            ("points", Text("0 to 100"), "as above"),
            ("report_only", Text("true, false"), "as above"),
            (
                "threshold",
                Text("5 to 65535"),
                "users who failed from the network or device and did not come in after it, from which it fires"
            ),
        ]
    ),
    section!(
        "signals.credential_stuffing",
        "Besides:",
        "[signals.credential_stuffing]\n?",
        [
            ("points", Text("0 to 100"), "as above"),
            ("report_only", Text("true, false"), "as above"),
            (
                "threshold",
                Text("5 to 65535"),
                "the same, where many of the users do not exist and each was tried about once"
            ),
        ]
    ),
    section!(
        "signals.shared_device",
        "Besides:",
        "[signals.shared_device]\n?",
        [
            ("points", Text("0 to 100"), "as above"),
            ("report_only", Text("true, false"), "as above"),
            ("threshold", Text("5 to 65535"), "users new to the device within a day, from which it fires"),
        ]
    ),
    section!(
        "signals.dormant_account",
        "Besides:",
        "[signals.dormant_account]\n?",
        [
            ("points", Text("0 to 100"), "as above"),
            ("report_only", Text("true, false"), "as above"),
            ("after", Text("a time from 1s"), "the silence from which an account is dormant"),
        ]
    ),
    section!(
        "signals.token_reuse",
        "Besides:",
        "[signals.token_reuse]\n?",
        [
            ("points", Text("0 to 100"), "as above"),
            ("report_only", Text("true, false"), "as above"),
            (
                "grace",
                Text("a time from 1s"),
                "how soon after it was spent a token that its device presents again is a retry"
            ),
        ]
    ),
    section!(
        "signals.credential_change",
        "Besides:",
        "[signals.credential_change]\n?",
        [
            ("points", Text("0 to 100"), "as above"),
            ("report_only", Text("true, false"), "as above"),
            (
                "within",
                Text("a time from 1s"),
                "how long after a risky login a change of credentials is suspicious"
            ),
        ]
    ),
    section!(
        "signals.rare_access",
        "Besides:",
        "[signals.rare_access]\n?",
        [
            ("points", Text("0 to 100"), "as above"),
            ("report_only", Text("true, false"), "as above"),
            (
                "threshold",
                Text("1 to 65535"),
                "learned accesses from which it speaks; more than 1000 are not counted"
            ),
        ]
    ),
    section!(
        "signals.service_identity",
        "Besides:",
        "[signals.service_identity]\n?",
        [
            ("points", Text("0 to 100"), "as above"),
            ("report_only", Text("true, false"), "as above"),
            (
                "times",
                Text("1 to 65535"),
                "as many an hour as in the busiest hour learned, above which the rate is new"
            ),
        ]
    ),
    section!(
        "rule",
        "The strictest action of all rules that hold wins over what the level asks for. A rule that states `when` and `then` stands alone; with the id of an earlier one and less, it changes what it states.",
        "[[rule]]\n?",
        [
            ("id", Text("a text up to 128 bytes"), "its name; once in a file"),
            ("when", Text("[a table](#when)"), "the conditions"),
            ("then", Text("[a table](#then)"), "what follows"),
            ("report_only", Text("true, false"), "shown in decisions as what it would have done"),
        ]
    ),
    section!(
        "then",
        "An action, an alert, or both.",
        "[[rule]]\nid = 'r'\nwhen = { level = 'high' }\n[rule.then]\n?",
        [
            ("action", Words(|| names(Action::ALL, Action::name).split_off(1)), "at least this"),
            ("scope", Words(|| names(RevocationScope::ALL, RevocationScope::name)), "what `revoke` ends"),
            ("alert", Text("true, false"), "an alert, whatever the action"),
        ]
    ),
    section!(
        "exception",
        "Silences signals where its conditions hold. A decision names it exactly when it silenced something; hits are counted in `ward_exception_hits_total`. With the id of an earlier one it changes what it states.",
        "[[exception]]\n?",
        [
            ("id", Text("a text up to 128 bytes"), "its name; once in a file"),
            ("when", Text("[a table](#when)"), "fields of the event only: no score exists yet"),
            ("silence", SIGNALS, "what is not heard"),
            ("owner", Text("a text"), "who answers for it"),
            (
                "expires",
                Text("a date, or a date and time with an offset, without quotes"),
                "the first moment of event time at which it no longer holds"
            ),
        ]
    ),
    section!(
        "when",
        "All fields must hold; of a list, any value. What an event does not say equals nothing. The last seven rows are not for exceptions.",
        "[[rule]]\nid = 'r'\nthen = { alert = true }\n[rule.when]\n?",
        [
            ("tenant", NAMES, "of the event"),
            ("user", NAMES, "of the event"),
            ("group", NAMES, "the user is in"),
            ("app", NAMES, "of the event"),
            ("resource", NAMES, "of the event"),
            ("source", NAMES, "who published the event"),
            ("privilege", AnyOf(|| names(Privilege::ALL, Privilege::name)), "of the access"),
            ("type", AnyOf(|| names(EventType::ALL, EventType::name)), "of the event"),
            ("subject_kind", AnyOf(|| names(SubjectKind::ALL, SubjectKind::name)), "who acts"),
            ("interactive", Text("true, false"), "whether a person was there"),
            (
                "device_managed",
                Text("true, false"),
                "as the event says; an event that says nothing is neither"
            ),
            (
                "network",
                Text("any of the networks, `203.0.113.0/24`, or addresses"),
                "of the event's address"
            ),
            ("network_class", AnyOf(|| names(NetworkClass::ALL, NetworkClass::name)), "looked up"),
            ("asn", Text("any of the numbers"), "looked up"),
            ("country", Text("any of the two-letter codes"), "looked up"),
            ("not", Text("a table like this"), "negates it; nested at most 4 deep"),
            ("history", AnyOf(|| names(History::ALL, History::name)), "what is known of the user"),
            ("level", LEVELS, "of this event"),
            ("user_risk", LEVELS, "before this event"),
            ("score_at_least", Text("0 to 100"), "of this event"),
            ("factors", AnyOf(|| names(Factor::ALL, Factor::name)), "presented"),
            ("signal", SIGNALS, "that fired"),
            (
                "evidence",
                EVIDENCE,
                "with any of the words, of the signals that `signal` names, else of any: `{ changed = [\"browser\"] }`"
            ),
        ]
    ),
    section!(
        "tenant.NAME",
        "Over the rest of the policy, for one tenant. Times and thresholds are the same for all.",
        "[tenant.acme]\n?",
        [
            ("mode", Words(|| names(Mode::ALL, Mode::name)), "as above"),
            ("levels", Text("[a table](#levels)"), "as above"),
            ("factors", Text("[a table](#factors)"), "as above"),
            ("signals", Text("tables of `points` and `report_only`"), "as above"),
            ("rule", Text("[tables](#rule)"), "further ones, or changes by id"),
            ("exception", Text("[tables](#exception)"), "further ones, or changes by id"),
        ]
    ),
];

const HEAD: &str = "# Policy reference

Written by `ward policy reference` from what the parser knows. How to write, try and change a policy: [policies](policies.md).

Times are texts: `\"20ms\"`, `\"10s\"`, `\"30m\"`, `\"24h\"`, `\"7d\"`. A list of one may be written as its value. Unknown fields are mistakes;
every mistake is told at once, with file, line and column.
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::policy::{Extended, parse, shipped};

    /// What the parser expects beside a field that it does not know.
    fn known(probe: &str) -> Vec<String> {
        let text =
            format!("version = 1\nextends = 'default'\n{}", probe.replace('?', "qqqqqqqqqqqqqqqq = 1"));
        let mistakes = parse("p.toml", &text, &mut |name| {
            Ok(Extended { file: name.into(), text: shipped(name).ok_or("none")?.into() })
        });
        let mistakes = mistakes.unwrap_err();
        let said = mistakes.iter().find(|one| one.text.contains("qqqqqqqqqqqqqqqq")).unwrap();
        let (_, list) = said.text.split_once("expected one of ").unwrap();
        let mut fields: Vec<_> = list.split(", ").map(str::to_owned).collect();
        fields.sort();
        fields
    }

    fn rows(section: &Section) -> Vec<String> {
        let mut rows: Vec<_> = section.fields.iter().map(|(key, ..)| (*key).to_owned()).collect();
        rows.sort();
        rows
    }

    #[test]
    fn every_field_that_the_parser_knows_has_a_row_and_no_other() {
        for section in SECTIONS {
            assert_eq!(rows(section), known(section.probe), "{}", section.title);
        }
    }

    #[test]
    fn every_signal_with_thresholds_has_a_section() {
        let section = |title: &str| SECTIONS.iter().find(|section| section.title == title);
        for signal in Signal::ALL {
            let own = section(&format!("signals.{signal}")).or_else(|| section("signals.NAME")).unwrap();
            assert_eq!(rows(own), known(&format!("[signals.{signal}]\n?")), "{signal}: give it a section");
        }
    }

    /// A shadow policy asks a detector again only where this says that it compares otherwise.
    #[test]
    fn every_threshold_makes_a_detector_speak_again() {
        let default = Policy::shipped("default").unwrap();
        for signal in Signal::ALL {
            for field in known(&format!("[signals.{signal}]\n?")) {
                if ["points", "report_only"].contains(&field.as_str()) {
                    continue;
                }
                let read = |value: &str| {
                    let text =
                        format!("version = 1\nextends = 'default'\n[signals.{signal}]\n{field} = {value}");
                    parse("p.toml", &text, &mut |name| {
                        Ok(Extended { file: name.into(), text: shipped(name).ok_or("none")?.into() })
                    })
                };
                let other = read("77").or_else(|_| read("'77s'")).unwrap();
                assert!(!default.detects_alike(&other, *signal), "{signal}.{field} is not in `parameters`");
            }
        }
    }
}
