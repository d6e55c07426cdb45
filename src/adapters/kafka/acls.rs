//! The least permissions of everybody who has to do with the topics.
//!
//! Pure: [`acls`] says who needs what, [`commands`] how to say so to a broker. Read, Write,
//! Delete and Alter imply Describe, so Describe alone stands only where nothing else is needed.

use super::topics::Names;

/// Who needs permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `ward topics create`, `plan` and `check`.
    Admin,
    /// `ward run`.
    Worker,
    /// An identity system that writes events.
    Publisher,
    /// A portal in which users say "that was me", or "that was not".
    Portal,
    /// Who looks into cases and decides them: everything of one user.
    Analyst,
    Responder,
    /// Who reads decisions, alerts and revocations, and acts on them.
    Soc,
    /// Who reads events and decisions again, and compares: replay, verification.
    Auditor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    Topic,
    Group,
    TransactionalId,
}

/// How the name of a resource is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    Literal,
    /// Everything that begins so.
    Prefixed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub enum Operation {
    Read,
    Write,
    Create,
    Describe,
    DescribeConfigs,
}

/// One principal may do one thing to one resource, from everywhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Acl {
    pub role: Role,
    pub principal: String,
    pub resource: Resource,
    pub pattern: Pattern,
    pub name: String,
    pub operation: Operation,
}

impl Role {
    pub const ALL: [Self; 8] = [
        Self::Admin,
        Self::Worker,
        Self::Publisher,
        Self::Portal,
        Self::Analyst,
        Self::Responder,
        Self::Soc,
        Self::Auditor,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Worker => "worker",
            Self::Publisher => "publisher",
            Self::Portal => "portal",
            Self::Analyst => "analyst",
            Self::Responder => "responder",
            Self::Soc => "soc",
            Self::Auditor => "auditor",
        }
    }

    /// Who that is, in one line.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Admin => "runs `ward topics create`, `plan` and `check`",
            Self::Worker => "`ward run`",
            Self::Publisher => "an identity system that writes events",
            Self::Portal => "in which users say whether it was they; may have them erased, too",
            Self::Analyst => "`ward profile`, `explain`, `alerts`, `export`, `feedback`, `revoke`, `erase`",
            Self::Responder => "ends sessions by hand: `ward revoke`",
            Self::Soc => "reads decisions, alerts and revocations",
            Self::Auditor => "reads events and decisions again: replay, verification",
        }
    }
}

/// Everything that every role needs, role by role. The principal of a role is `prefix` and its name.
#[must_use]
pub fn acls(names: &Names, group: &str, prefix: &str) -> Vec<Acl> {
    use Operation::{Create, Describe, DescribeConfigs, Read, Write};

    let Names { events, feedback, decisions, alerts, revocations, profiles, policies, rejected, .. } = names;
    let Names { sightings, networks, network_state, inputs, .. } = names;
    let across = [sightings, networks, network_state];
    let every = [events, feedback, decisions, alerts, revocations, profiles, policies, rejected];
    let every = [every.as_slice(), &across].concat();
    let mut all = Vec::new();
    let mut topics = |role: Role, operations: &[Operation], topics: &[&String]| {
        for name in topics {
            all.extend(operations.iter().map(|operation| Acl {
                role,
                principal: format!("{prefix}{}", role.name()),
                resource: Resource::Topic,
                pattern: Pattern::Literal,
                name: (*name).clone(),
                operation: *operation,
            }));
        }
    };
    // Settings are read to compare them; what is there is never changed.
    topics(Role::Admin, &[Create, Describe, DescribeConfigs], &every);
    // Compared at the start: without compaction people would be forgotten.
    topics(Role::Worker, &[DescribeConfigs], &every);
    // Events are written by the stage that copies feedback; decisions, profiles and policies are read back.
    topics(Role::Worker, &[Read, Write], &[events, decisions, profiles, policies]);
    // Network lanes read what user lanes write, and the other way round.
    topics(Role::Worker, &[Read, Write], &across);
    topics(Role::Worker, &[Read], &[feedback]);
    topics(Role::Worker, &[Read, DescribeConfigs], &inputs.values().collect::<Vec<_>>());
    topics(Role::Worker, &[Write], &[alerts, revocations, rejected]);
    topics(Role::Publisher, &[Write], &[events]);
    topics(Role::Portal, &[Write], &[feedback]);
    topics(Role::Analyst, &[Read], &[events, decisions, alerts, profiles, policies]);
    topics(Role::Analyst, &[Write], &[feedback, revocations]);
    topics(Role::Responder, &[Write], &[revocations]);
    topics(Role::Soc, &[Read], &[decisions, alerts, revocations, rejected]);
    topics(Role::Auditor, &[Read], &[events, decisions, policies]);

    let mut other = |role: Role, resource, pattern, name: String, operation| {
        all.push(Acl {
            role,
            principal: format!("{prefix}{}", role.name()),
            resource,
            pattern,
            name,
            operation,
        });
    };
    other(Role::Worker, Resource::Group, Pattern::Literal, group.to_owned(), Read);
    for group in input_groups(names, group) {
        other(Role::Worker, Resource::Group, Pattern::Literal, group, Read);
    }
    other(Role::Worker, Resource::Group, Pattern::Literal, networks_group(group), Read);
    // One a worker and a process: its instance and its number come after.
    other(Role::Worker, Resource::TransactionalId, Pattern::Prefixed, format!("{group}-"), Write);
    // They join none: their client looks for the coordinator all the same.
    for role in [Role::Analyst, Role::Auditor] {
        other(role, Resource::Group, Pattern::Literal, group.to_owned(), Describe);
    }
    other(Role::Soc, Resource::Group, Pattern::Prefixed, "soc-".to_owned(), Read);
    all.sort();
    all
}

/// The group of the stage that copies the topic called `name` into the input.
#[must_use]
pub fn input_group(group: &str, name: &str) -> String {
    format!("{group}-{name}")
}

/// Those of all such stages.
pub(super) fn input_groups(names: &Names, group: &str) -> Vec<String> {
    let called = std::iter::once("feedback").chain(names.inputs.keys().map(String::as_str));
    called.map(|name| input_group(group, name)).collect()
}

/// The group of the network lanes.
#[must_use]
pub fn networks_group(group: &str) -> String {
    format!("{group}-networks")
}

/// As the broker's own tool takes them: one line for all topics on which a principal may do the same.
#[must_use]
pub fn commands(acls: &[Acl], bootstrap: &str) -> Vec<(Role, String)> {
    // A resource, and everything that a principal may do to it.
    let mut grants: Vec<(&Acl, Vec<Operation>)> = Vec::new();
    for acl in acls {
        let same = |one: &Acl| {
            (&one.principal, one.resource, one.pattern, &one.name)
                == (&acl.principal, acl.resource, acl.pattern, &acl.name)
        };
        match grants.iter_mut().find(|(one, _)| same(one)) {
            Some((_, operations)) => operations.push(acl.operation),
            None => grants.push((acl, vec![acl.operation])),
        }
    }
    let mut lines: Vec<(&Acl, Vec<Operation>, Vec<&str>)> = Vec::new();
    for (acl, operations) in grants {
        let same = |one: &Acl, may: &[Operation]| {
            (&one.principal, one.resource, one.pattern) == (&acl.principal, acl.resource, acl.pattern)
                && may == operations
        };
        match lines.iter_mut().find(|(one, may, _)| same(one, may)) {
            Some((.., names)) => names.push(&acl.name),
            None => lines.push((acl, operations, vec![&acl.name])),
        }
    }
    lines.into_iter().map(|(acl, may, names)| (acl.role, command(acl, &may, &names, bootstrap))).collect()
}

/// One line of `kafka-acls.sh`: the principal of `acl` may do `operations` to `names` of its kind.
#[must_use]
pub fn command(acl: &Acl, operations: &[Operation], names: &[&str], bootstrap: &str) -> String {
    let mut line = format!(
        "kafka-acls.sh --bootstrap-server {} --add --allow-principal {}",
        quoted(bootstrap),
        quoted(&acl.principal)
    );
    for operation in operations {
        line.push_str(&format!(" --operation {operation:?}"));
    }
    if acl.pattern == Pattern::Prefixed {
        line.push_str(" --resource-pattern-type prefixed");
    }
    let option = match acl.resource {
        Resource::Topic => "--topic",
        Resource::Group => "--group",
        Resource::TransactionalId => "--transactional-id",
    };
    for name in names {
        line.push_str(&format!(" {option} {}", quoted(name)));
    }
    line
}

/// One word of a shell, whatever is in it.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:,/=@[]".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) && !text.contains('[') {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::super::topics::wanted;
    use super::*;

    fn of(role: Role) -> Vec<String> {
        let all = acls(&Names::default(), "ward", "User:ward-");
        commands(&all, "k:1").into_iter().filter(|(one, _)| *one == role).map(|(_, line)| line).collect()
    }

    #[test]
    fn each_role_may_do_what_it_does_and_no_more() {
        let check = |role, expected: &[&str]| {
            let name = format!(
                "kafka-acls.sh --bootstrap-server k:1 --add --allow-principal User:ward-{}",
                Role::name(role)
            );
            let expected: Vec<_> = expected.iter().map(|rest| format!("{name} {rest}")).collect();
            assert_eq!(of(role), expected);
        };
        check(Role::Publisher, &["--operation Write --topic identity.events"]);
        check(Role::Portal, &["--operation Write --topic identity.feedback"]);
        check(
            Role::Analyst,
            &[
                "--operation Read --topic identity.events --topic risk.alerts --topic risk.decisions --topic risk.policies --topic risk.profiles",
                "--operation Write --topic identity.feedback --topic risk.revocations",
                "--operation Describe --group ward",
            ],
        );
        check(
            Role::Soc,
            &[
                "--operation Read --topic risk.alerts --topic risk.decisions --topic risk.rejected --topic risk.revocations",
                "--operation Read --resource-pattern-type prefixed --group soc-",
            ],
        );
        check(
            Role::Auditor,
            &[
                "--operation Read --topic identity.events --topic risk.decisions --topic risk.policies",
                "--operation Describe --group ward",
            ],
        );
        check(
            Role::Worker,
            &[
                "--operation Read --operation Write --operation DescribeConfigs --topic identity.events --topic risk.decisions --topic risk.network-state --topic risk.networks --topic risk.policies --topic risk.profiles --topic risk.sightings",
                "--operation Read --operation DescribeConfigs --topic identity.feedback",
                "--operation Write --operation DescribeConfigs --topic risk.alerts --topic risk.rejected --topic risk.revocations",
                "--operation Read --group ward --group ward-feedback --group ward-networks",
                "--operation Write --resource-pattern-type prefixed --transactional-id ward-",
            ],
        );
    }

    /// A topic that is made has to be written by somebody.
    #[test]
    fn every_topic_is_made_and_written() {
        let names = Names::default();
        let all = acls(&names, "ward", "User:");
        for topic in wanted(&names, std::time::Duration::from_secs(86_400)) {
            let may = |role: &[Role], operation| {
                all.iter().any(|acl| {
                    role.contains(&acl.role) && acl.name == topic.name && acl.operation == operation
                })
            };
            assert!(may(&[Role::Admin], Operation::Create), "nobody makes {}", topic.name);
            assert!(
                may(&[Role::Worker, Role::Publisher, Role::Portal], Operation::Write),
                "nobody writes {}",
                topic.name
            );
        }
    }

    #[test]
    fn a_principal_is_one_word_of_a_shell() {
        assert_eq!(quoted("User:ward-worker"), "User:ward-worker");
        assert_eq!(quoted("User:CN=a b"), "'User:CN=a b'");
        assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(quoted(""), "''");
    }
}
