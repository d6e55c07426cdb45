//! What a policy file may say, mistake by mistake.

use std::time::Duration;

use super::*;
use crate::engine::policy::{Condition, shipped};
use crate::model::Level;
use crate::model::time::Timestamp;

fn read(text: &str) -> Result<Policy, Vec<Mistake>> {
    parse("p.toml", text, &mut |name| {
        let text = shipped(name).ok_or("no such policy")?;
        Ok(Extended { file: name.to_owned(), text: text.to_owned() })
    })
}

/// Reads `text` over the seed, and shows what was wrong.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let mistakes = read(&over_seed(text)).err().unwrap_or_default();
    assert_eq!(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

fn over_seed(text: &str) -> String {
    format!("version = 1\nextends = 'seed'\n{text}")
}

#[track_caller]
fn policy(text: &str) -> Policy {
    read(&over_seed(text)).unwrap()
}

#[test]
fn every_mistake_gives_a_message() {
    check(
        "mode = 'enforced'
[signals.new_device]
points = 101
[signals.new_devise]
points = 300
[[rule]]
id = 'a'
when = {}
then = { action = 'kill' }
",
        &[
            "p.toml:3:8: `mode` is `enforced`; did you mean `enforce`?",
            "p.toml:5:10: `signals.new_device.points` is the integer `101`, expected a whole number from 0 to 100",
            "p.toml:6:10: `signals` is `new_devise`; did you mean `new_device`?",
            "p.toml:7:10: `signals.new_devise.points` is the integer `300`, expected a whole number from 0 to 100",
            "p.toml:10:8: `rule.when` is empty, expected at least one condition",
            "p.toml:11:19: `rule.then.action` is `kill`; expected one of allow, challenge, step_up, deny, revoke",
        ],
    );
}

#[test]
fn every_field_is_known_or_a_mistake() {
    check("modes = 'enforce'", &["p.toml:3:1: unknown field `modes`; did you mean `mode`?"]);
    check(
        "[levels]\nhighest = 4",
        &["p.toml:4:1: unknown field `levels.highest`; expected one of medium, high"],
    );
    check(
        "[signals.new_device]\nafter = '3d'",
        &["p.toml:4:1: unknown field `signals.new_device.after`; expected one of points, report_only"],
    );
}

#[test]
fn levels_are_ordered_over_all_layers() {
    let expected = "`levels.medium` is 50 and `levels.high` is 50, expected medium to be lower; they are lower bounds of the sum";
    check("[levels]\nmedium = 50", &[&format!("p.toml:3:1: {expected}")]);
    check("[levels]\nmedium = 50\nhigh = 70", &[]);
    check(
        "[levels]\nmedium = 0",
        &["p.toml:4:10: `levels.medium` is the integer `0`, expected a whole number from 1 to 2000"],
    );
}

#[test]
fn every_signal_is_in_one_group() {
    check(
        "[signals.reported]\npoints = 60",
        &["p.toml:3:10: `reported` is in no group, expected one; add it to the signals of a [[group]]"],
    );
    check(
        "[[group]]\nname = 'a'\nsignals = ['reported']\n[[group]]\nname = 'b'\nsignals = ['reported']",
        &["p.toml:8:12: `reported` is in two groups, expected one; one cause counts once"],
    );
    check(
        "[[group]]\nname = 'a'\nsignals = []",
        &["p.toml:5:11: `group.signals` is empty, expected at least one"],
    );
    let moved = policy("[[group]]\nname = 'x'\nsignals = ['new_device', 'unusual_time']");
    assert_eq!(moved.group_of(Signal::NewDevice), "x");
    assert_eq!(moved.group_of(Signal::UnusualTime), "x");
    assert_eq!(moved.group_of(Signal::UnusualLocation), "where");
    assert_eq!(moved.group_of(Signal::Reported), "reported");
}

#[test]
fn ids_stand_once_in_a_file_and_replace_those_of_a_base() {
    let rule = "[[rule]]\nid = 'r'\nwhen = { level = ['high'] }\nthen = { alert = true }\n";
    check(
        &format!("{rule}{rule}"),
        &["p.toml:8:6: `r` stands twice as `rule.id`, expected once; rename one"],
    );
    let text = "version = 1\nextends = 'default'\n[[rule]]\nid = 'device-changed'\nwhen = { level = 'high' }\nthen = { alert = true }";
    let (base, over) = (Policy::shipped("default").unwrap(), read(text).unwrap());
    assert_eq!(over.rules.len(), base.rules.len());
    assert_eq!(over.rules[0].when.all, [Condition::Level(vec![Level::High])]);
}

#[test]
fn a_rule_does_something() {
    let rule = |then: &str| format!("[[rule]]\nid = 'r'\nwhen = {{ level = ['high'] }}\nthen = {{ {then} }}");
    check(&rule("alert = true"), &[]);
    check(&rule("action = 'deny'"), &[]);
    check(&rule("action = 'revoke', scope = 'user'"), &[]);
    check(
        &rule("alert = false"),
        &["p.toml:6:8: `then` does nothing, expected an `action`, or `alert = true`"],
    );
    check(
        &rule("action = 'deny', scope = 'user'"),
        &["p.toml:6:35: `rule.then.scope` says what to revoke; it goes with `action = \"revoke\"` only"],
    );
    check(
        &rule("action = 'allow'"),
        &[
            "p.toml:6:19: `rule.then.action` is `allow`, which changes nothing: the strictest rule wins; to silence a signal write an [[exception]]",
        ],
    );
    check(
        "[[rule]]",
        &[
            "p.toml:3:1: `rule.id` is missing, expected a name of its own",
            "p.toml:3:1: `rule.when` is missing, expected the conditions, or the id of a rule that this one changes",
            "p.toml:3:1: `rule.then` is missing, expected an action, an alert, or both",
        ],
    );
}

#[track_caller]
fn check_when(when: &str, expected: &[&str]) {
    check(&format!("[[rule]]\nid = 'r'\nthen = {{ alert = true }}\nwhen = {{ {when} }}"), expected);
}

#[test]
fn conditions_are_of_their_type() {
    check_when("network = ['203.0.113.0/24', '2001:db8::/32', '192.0.2.1']", &[]);
    check_when(
        "network = ['203.0.113.7/24', '203.0.113.0/33']",
        &[
            "p.toml:6:21: `rule.when.network` is `203.0.113.7/24`, which has bits beyond its prefix; write `203.0.113.0/24` if the whole network is meant",
            "p.toml:6:39: `rule.when.network` is the string `203.0.113.0/33`, expected a network such as \"203.0.113.0/24\" or \"2001:db8::/32\"",
        ],
    );
    check_when(
        "country = ['GBR']",
        &[
            "p.toml:6:21: `rule.when.country` is the string `GBR`, expected a country's two letters, such as \"GB\"",
        ],
    );
    check_when(
        "tenant = 'ACME'",
        &[
            "p.toml:6:19: `rule.when.tenant` is the string `ACME`, expected a tenant's name: lower-case letters, digits, `.`, `_` and `-`, at most 63",
        ],
    );
    check_when("asn = [1221], score_at_least = 100, interactive = false, device_managed = true", &[]);
    check_when(
        "score_at_least = 101",
        &[
            "p.toml:6:27: `rule.when.score_at_least` is the integer `101`, expected a whole number from 0 to 100",
        ],
    );
    check_when(
        "signals = ['new_device']",
        &["p.toml:6:10: unknown field `rule.when.signals`; did you mean `signal`?"],
    );
    check_when("signal = 'session_mismatch', evidence = { changed = 'device_fingerprint' }", &[]);
    check_when(
        "evidence = { changes = ['browser'] }",
        &["p.toml:6:23: `rule.when.evidence` is `changes`; did you mean `changed`?"],
    );
    check_when("not = { country = ['GB'], not = { asn = 5 } }", &[]);
    check_when("not = {}", &["p.toml:6:16: `rule.when.not` is empty, expected at least one condition"]);
}

#[track_caller]
fn check_exception(rest: &str, expected: &[&str]) {
    check(&format!("[[exception]]\nid = 'e'\n{rest}"), expected);
}

#[test]
fn an_exception_names_its_owner_and_asks_the_event_only() {
    check_exception(
        "when = { network = '192.0.2.0/24' }\nsilence = 'new_device'\nowner = 'it'\nexpires = 2027-01-31",
        &[],
    );
    check_exception(
        "when = { level = 'high' }\nsilence = []\nexpires = '2027-01-31'",
        &[
            "p.toml:3:1: `exception.owner` is missing, expected who answers for it",
            "p.toml:5:18: `exception.when.level` is not known yet when an exception is looked at; use fields of the event, or a [[rule]]",
            "p.toml:6:11: `exception.silence` is empty, expected at least one",
            "p.toml:7:11: `exception.expires` is the string `2027-01-31`, expected a date such as 2027-01-31, or 2027-01-31T17:00:00Z, without quotes",
        ],
    );
    let policy = policy(
        "[[exception]]\nid = 'e'\nwhen = { app = 'x' }\nsilence = 'new_device'\nowner = 'it'\nexpires = 2027-01-31",
    );
    assert_eq!(policy.exceptions[0].expires, Timestamp::parse("2027-01-31T00:00:00Z").unwrap());
}

#[test]
fn a_policy_of_its_own_states_levels_and_factors() {
    let mistakes = read("version = 1").unwrap_err();
    assert_eq!(mistakes.len(), 5, "{mistakes:?}");
    assert_eq!(
        mistakes[0].to_string(),
        "p.toml: `levels.medium` is missing; state it, or extend a policy that does"
    );
    assert_eq!(read("").unwrap_err()[0].to_string(), "p.toml: `version` is missing, expected `version = 1`");
}

#[test]
fn shipped_policies_have_the_numbers_of_the_contract() {
    let (seed, default) = (Policy::shipped("seed").unwrap(), Policy::shipped("default").unwrap());
    let numbers = [
        ("unusual_location", Some(30), 30, "where"),
        ("impossible_travel", None, 40, "where"),
        ("new_network", None, 10, "where"),
        ("anonymous_network", None, 20, "where"),
        ("new_device", Some(25), 25, "what"),
        ("session_mismatch", None, 50, "what"),
        ("token_reuse", None, 60, "what"),
        ("shared_device", None, 30, "what"),
        ("unusual_time", Some(15), 15, "when"),
        ("dormant_account", None, 10, "when"),
        ("anomalous_behavior", Some(20), 20, "how"),
        ("failed_burst", None, 20, "attack"),
        ("challenge_fatigue", None, 40, "attack"),
        ("password_spray", None, 35, "attack"),
        ("credential_stuffing", None, 35, "attack"),
        ("credential_change", None, 20, "change"),
        ("rare_access", None, 10, "change"),
        ("service_identity", None, 30, "change"),
        ("reported", None, 60, "said"),
    ];
    assert_eq!(numbers.len(), Signal::COUNT);
    for (name, in_seed, in_default, group) in numbers {
        let signal = Signal::parse(name).unwrap();
        let (seed_setting, setting) = (seed.setting(signal), default.setting(signal));
        // A shared device is shown until somebody trusts it.
        assert_eq!((setting.points, setting.report_only), (in_default, name == "shared_device"), "{name}");
        assert_eq!(default.group_of(signal), group, "{name}");
        assert_eq!((!seed_setting.report_only).then_some(seed_setting.points), in_seed, "{name}");
    }
    assert_eq!((seed.medium, seed.high, seed.soften), (20, 50, false));
    assert_eq!((default.medium, default.high, default.soften), (20, 50, true));
    assert_eq!((default.failed_burst_threshold, default.challenge_fatigue_threshold), (5, 5));
    let crowds = (default.password_spray_threshold, default.credential_stuffing_threshold);
    assert_eq!((crowds, default.shared_device_threshold), ((20, 20), 10));
    assert_eq!(default.failed_burst_half_life, Duration::from_mins(30));
    assert_eq!(default.challenge_fatigue_within, Duration::from_mins(30));
    assert_eq!(default.dormant_after, Duration::from_hours(180 * 24));
    assert_eq!(default.token_reuse_grace, Duration::from_mins(1));
    assert_eq!(default.credential_change_within, Duration::from_hours(24));
    assert_eq!((default.rare_access_threshold, default.service_identity_times), (20, 3));
    assert_eq!(default.unanswered, Some(Duration::from_hours(7 * 24)));
    assert!(seed.rules.is_empty());
}

#[test]
fn the_digest_is_over_every_text() {
    let (seed, default) = (Policy::shipped("seed").unwrap(), Policy::shipped("default").unwrap());
    assert_eq!(default.texts, [shipped("seed").unwrap(), shipped("default").unwrap()]);
    assert_ne!(seed.digest, default.digest);
    assert_ne!(policy("").digest, policy("# a comment").digest);
    assert_eq!(policy("").digest, policy("").digest);
}

#[test]
fn an_entry_with_the_id_of_an_earlier_one_changes_what_it_states() {
    let over = |text: &str| read(&format!("version = 1\nextends = 'default'\n{text}"));
    let (base, now) = (
        Policy::shipped("default").unwrap(),
        over("[[rule]]\nid = 'first-login'\nreport_only = false").unwrap(),
    );
    let rule = |policy: &Policy, id: &str| policy.rules.iter().find(|one| one.id == id).cloned().unwrap();
    assert_eq!(rule(&now, "first-login"), Rule { report_only: false, ..rule(&base, "first-login") });
    // One that states conditions and consequence is another rule, in force unless it says otherwise.
    let text = "[[rule]]\nid = 'first-login'\nwhen = { level = 'high' }\nthen = { action = 'deny' }";
    assert!(!rule(&over(text).unwrap(), "first-login").report_only);
    let mistakes = over("[[rule]]\nid = 'frist-login'\nreport_only = false").unwrap_err();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    let mistakes = over("[[rule]]\nid = 'first-login'\nwhen = { levl = 'high' }").unwrap_err();
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
}

#[test]
fn a_tenant_has_terms_of_its_own() {
    let policy = policy(
        "mode = 'report_only'
[[rule]]
id = 'high'
when = { level = 'high' }
then = { action = 'deny' }
[[exception]]
id = 'office'
when = { network = '203.0.113.0/24' }
silence = ['new_device']
owner = 'it'
expires = 2027-01-31
[tenant.acme]
mode = 'enforce'
[tenant.acme.levels]
high = 60
[tenant.acme.factors]
medium = []
[tenant.acme.signals.new_device]
points = 5
[tenant.acme.signals.unusual_time]
report_only = true
[[tenant.acme.rule]]
id = 'high'
then = { alert = true }
[[tenant.acme.exception]]
id = 'office'
expires = 2026-01-01
[tenant.bank.levels]
medium = 10",
    );
    let (acme, bank) = (policy.of_tenant("acme"), policy.of_tenant("bank"));
    assert_eq!(policy.of_tenant("other"), &policy);
    assert_eq!((acme.mode, bank.mode), (Mode::Enforce, Mode::ReportOnly));
    assert_eq!((acme.medium, acme.high, bank.medium, bank.high), (20, 60, 10, 50));
    assert_eq!(acme.factors[1], acme.factors[0], "nothing is added at medium");
    assert_eq!(bank.factors, policy.factors);
    assert_eq!(acme.setting(Signal::NewDevice).points, 5);
    assert_eq!(policy.setting(Signal::NewDevice).points, 25);
    assert!(acme.setting(Signal::UnusualTime).report_only);
    assert_eq!((acme.rules[0].action, acme.rules[0].alert), (None, true));
    assert_eq!(acme.rules[0].when, policy.rules[0].when);
    assert!(!policy.rules[0].alert);
    assert_eq!(acme.exceptions[0].expires, Timestamp::parse("2026-01-01T00:00:00Z").unwrap());
    assert_eq!(acme.exceptions[0].owner, "it");
    assert_eq!(acme.digest, policy.digest);
}

#[test]
fn terms_are_read_as_strictly_as_the_rest() {
    check(
        "[tenant.ACME]
mode = 'enforced'
[tenant.acme]
modes = 'enforce'
levels = { medium = 60 }
[tenant.acme.signals.new_devise]
points = 101
[tenant.acme.signals.new_device]
threshold = 5
[tenant.acme.signals.reported]
points = 5
[[tenant.acme.rule]]
id = 'a'
when = {}
[[tenant.acme.exception]]
id = 'b'
owner = ''
",
        &[
            "p.toml:3:9: `tenant` is the string `ACME`, expected a tenant's name: lower-case letters, digits, `.`, `_` and `-`, at most 63",
            "p.toml:4:8: `tenant.ACME.mode` is `enforced`; did you mean `enforce`?",
            "p.toml:6:1: unknown field `tenant.acme.modes`; did you mean `mode`?",
            "p.toml:7:10: `tenant.acme.levels.medium` is 60 and `tenant.acme.levels.high` is 50, expected medium to be lower; they are lower bounds of the sum",
            "p.toml:8:22: `tenant.acme.signals` is `new_devise`; did you mean `new_device`?",
            "p.toml:9:10: `tenant.acme.signals.new_devise.points` is the integer `101`, expected a whole number from 0 to 100",
            "p.toml:11:1: unknown field `tenant.acme.signals.new_device.threshold`; expected one of points, report_only",
            "p.toml:12:22: `reported` is in no group, expected one; add it to the signals of a [[group]]",
            "p.toml:14:1: `tenant.acme.rule.then` is missing, expected an action, an alert, or both",
            "p.toml:16:8: `tenant.acme.rule.when` is empty, expected at least one condition",
            "p.toml:17:1: `tenant.acme.exception.when` is missing, expected the conditions, or the id of an exception that this one changes",
            "p.toml:17:1: `tenant.acme.exception.silence` is missing, expected the signals to silence",
            "p.toml:17:1: `tenant.acme.exception.expires` is missing, expected the day from which it no longer holds",
            "p.toml:19:9: `tenant.acme.exception.owner` is an empty string, expected a name",
        ],
    );
}

#[test]
fn terms_of_an_extended_policy_meet_the_levels_over_them() {
    let mistakes =
        parse("p.toml", "version = 1\nextends = 'base'\n[levels]\nhigh = 90\nmedium = 70", &mut |name| {
            let text = match name {
                "base" => "version = 1\nextends = 'seed'\n[tenant.acme.levels]\nhigh = 60".to_owned(),
                other => shipped(other).ok_or("none")?.to_owned(),
            };
            Ok(Extended { file: name.to_owned(), text })
        });
    assert_eq!(
        mistakes.unwrap_err()[0].to_string(),
        "p.toml: `tenant.acme.levels`: medium is 70 and high is 60 over what this policy extends, expected medium to be lower"
    );
}

#[test]
fn learning_can_wait_for_ever() {
    assert_eq!(policy("[learning]\nunanswered = 'never'").unanswered, None);
    assert_eq!(policy("[learning]\nunanswered = '2d'").unanswered, Some(Duration::from_hours(48)));
    check(
        "[learning]\nunanswered = '0s'",
        &["p.toml:4:14: `learning.unanswered` is too short, expected at least 1s"],
    );
}

#[test]
fn evidence_waits_for_its_model() {
    check(
        "combine = 'evidence'",
        &[
            "p.toml:3:11: `combine` is `evidence`, which needs a population model that this version cannot build yet; write \"points\"",
        ],
    );
}

proptest::proptest! {
    #[test]
    fn never_panics(text in "[\\PC\n]{0,200}") {
        for text in [over_seed(&text), text] {
            proptest::prop_assert!(read(&text).map_or_else(|mistakes| !mistakes.is_empty(), |_| true));
        }
    }

    #[test]
    fn never_panics_on_what_looks_like_a_policy(
        lines in proptest::collection::vec(
            proptest::sample::select(vec![
                "[[rule]]", "[[group]]", "[[exception]]", "[levels]", "[signals.reported]", "[signals]", "[factors]",
                "id = 'a'", "when = { level = 'high' }", "when = { not = { not = { asn = 1 } } }", "then = { alert = true }",
                "signals = ['reported', 5]", "points = 99999999999999999999", "high = -1", "name = ''", "low = []",
                "expires = 2027-01-31", "expires = 07:00:00", "when = {", "\"", "x = \"\\uD800\"", "extends = 'p'",
                "network = ['::/0', 1.5]", "report_only = { a = [[]] }", "medium = 0x7fffffffffffffff", "[a.b.c]", "a.b = 1",
            ]),
            0..20,
        )
    ) {
        let text = lines.join("\n");
        for text in [over_seed(&text), text] {
            proptest::prop_assert!(read(&text).map_or_else(|mistakes| !mistakes.is_empty(), |_| true));
        }
    }
}
