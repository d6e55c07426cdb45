//! Every setting: one row each, from which documents are read, and the reference, the schema and
//! `ward config show` are made.
//!
//! Rows of a section stand together, in the order in which the reference shows them.

use std::time::Duration;

use super::Settings;
use super::field::{Field, Kind};
use super::forms::{ADDRESS, GROUP, INSTANCE, NAME, SECOND, TOPIC, URL};
use crate::adapters::kafka::{Sasl, Tls};

/// One setting.
pub struct Row {
    /// Sections and key, dotted.
    pub path: &'static str,
    pub kind: Kind,
    /// What it is and what it does, in Markdown.
    pub doc: &'static str,
    /// A file that has its section has to state it.
    pub is_needed: bool,
    pub(super) slot: Slot,
}

/// Where the value is kept. A section that may be absent comes into being by being asked for.
pub(super) type Slot = for<'s> fn(&'s mut Settings) -> &'s mut dyn Field;

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("path", &self.path).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Row {
    /// The last part of the path.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The environment variable that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        let name = format!("{}{}", super::VARIABLE_PREFIX, self.path.to_uppercase().replace('.', "__"));
        match self.kind {
            Kind::Properties | Kind::Sources => format!("{name}__…"),
            _ => name,
        }
    }

    /// The words of a [`Kind::Word`].
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        (self.slot)(&mut Settings::default()).words()
    }

    const fn needed(self) -> Self {
        Self { is_needed: true, ..self }
    }
}

const fn row(path: &'static str, kind: Kind, doc: &'static str, slot: Slot) -> Row {
    Row { path, kind, doc, is_needed: false, slot }
}

const fn whole(least: u64, most: u64, unit: &'static str) -> Kind {
    Kind::Whole { least, most, unit }
}

fn tls(settings: &mut Settings) -> &mut Tls {
    settings.kafka.tls.get_or_insert_default()
}

fn sasl(settings: &mut Settings) -> &mut Sasl {
    settings.kafka.sasl.get_or_insert_default()
}

/// The name and the format of a topic.
macro_rules! topic {
    ($name:literal, $($slot:ident).+, $what:literal) => {
        [
            row(concat!("topics.", $name, ".name"), Kind::Text(TOPIC), $what, |to| &mut to.topics.$($slot).+.name),
            row(
                concat!("topics.", $name, ".format"),
                Kind::Word,
                "How its values are written; `confluent` needs `[registry] url`.",
                |to| &mut to.topics.$($slot).+.format,
            ),
        ]
    };
}

/// All of them, section by section.
pub fn rows() -> impl Iterator<Item = &'static Row> + Clone {
    let topics: [&'static [Row]; 6] = [&EVENTS, &FEEDBACK, &DECISIONS, &ALERTS, &REVOCATIONS, &REJECTED];
    KAFKA.iter().chain(topics.into_iter().flatten()).chain(REST)
}

const KAFKA: &[Row] = &[
    row(
        "kafka.bootstrap",
        Kind::Text(NAME),
        "`host:port`, several separated by commas. In the clear only to this host, unless `danger_plaintext` says otherwise.",
        |to| &mut to.kafka.bootstrap,
    ),
    row(
        "kafka.group",
        Kind::Text(GROUP),
        "Consumer group of the workers; also the first part of every transactional id.",
        |to| &mut to.kafka.group,
    ),
    row(
        "kafka.assignment",
        Kind::Word,
        "How the group shares the partitions. `range`: at every change of the group all are given up and dealt anew. `cooperative-sticky`: only what moves is given up, at the price of two rounds. All processes of a group need the same: stop all of them to change it.",
        |to| &mut to.kafka.assignment,
    ),
    row(
        "kafka.danger_plaintext",
        Kind::Flag,
        "Lets events, and a password if there is one, cross a network unencrypted.",
        |to| &mut to.kafka.danger_plaintext,
    ),
    row(
        "kafka.connect_timeout",
        Kind::Time { least: SECOND },
        "After how long a broker that cannot be reached ends the command. Without it `ward run` waits as long as it takes.",
        |to| &mut to.kafka.connect_timeout,
    ),
    row(
        "kafka.tls",
        Kind::Section,
        "TLS. The section alone, empty, trusts the authorities of the system and shows no certificate.",
        |to| &mut to.kafka.tls,
    ),
    row("kafka.tls.ca_file", Kind::File, "Authorities that sign the brokers' certificates, PEM.", |to| {
        &mut tls(to).ca_file
    }),
    row(
        "kafka.tls.certificate_file",
        Kind::File,
        "The client's certificate, PEM; goes with `key_file`.",
        |to| &mut tls(to).certificate_file,
    ),
    row("kafka.tls.key_file", Kind::File, "The key of the client's certificate, PEM.", |to| {
        &mut tls(to).key_file
    }),
    row("kafka.tls.key_password_file", Kind::File, "A file with the password of `key_file`.", |to| {
        &mut tls(to).key_password_file
    }),
    row(
        "kafka.tls.key_password",
        Kind::Secret { file: "key_password_file", variable: "WARD__KAFKA__TLS__KEY_PASSWORD" },
        "The password of `key_file`.",
        |to| &mut to.kafka.tls,
    ),
    row("kafka.sasl", Kind::Section, "SASL: how `ward` says who it is.", |to| &mut to.kafka.sasl),
    row("kafka.sasl.mechanism", Kind::Word, "How the secret is shown to the broker.", |to| {
        &mut sasl(to).mechanism
    })
    .needed(),
    row("kafka.sasl.username", Kind::Text(NAME), "PLAIN and SCRAM: who `ward` is.", |to| {
        &mut sasl(to).username
    }),
    row("kafka.sasl.password_file", Kind::File, "PLAIN and SCRAM: a file with the password.", |to| {
        &mut sasl(to).password_file
    }),
    row(
        "kafka.sasl.password_env",
        Kind::Text(NAME),
        "PLAIN and SCRAM: the name of an environment variable with the password.",
        |to| &mut sasl(to).password_env,
    ),
    row(
        "kafka.sasl.password",
        Kind::Secret { file: "password_file", variable: "WARD__KAFKA__SASL__PASSWORD" },
        "PLAIN and SCRAM: the password.",
        |to| &mut to.kafka.sasl,
    ),
    row(
        "kafka.sasl.token_file",
        Kind::File,
        "OAUTHBEARER: a file with the current JSON web token, which somebody else keeps fresh (Kubernetes, an agent that trades client credentials). Read again when four fifths of a token's life have passed, and every 10 s while the token in it has run out. `ward topics create` cannot use one, and `ward topics check` then sees partitions, not settings.",
        |to| &mut sasl(to).token_file,
    ),
    row(
        "kafka.extra",
        Kind::Properties,
        "Any property of librdkafka, but those that exactly-once and the connection's safety rest on. In the \
         environment a `_` stands for the dot: `WARD__KAFKA__EXTRA__COMPRESSION_TYPE`.",
        |to| &mut to.kafka.extra,
    ),
];

static EVENTS: [Row; 2] =
    topic!("events", events, "The input: identity events, keyed `tenant/user`, the only input of a lane.");
static FEEDBACK: [Row; 2] =
    topic!("feedback", feedback, "Feedback of analysts and users; copied into the input.");
static DECISIONS: [Row; 2] = topic!("decisions", decisions, "One decision for each event taken.");
static ALERTS: [Row; 2] = topic!(
    "alerts",
    alerts,
    "Alerts; `ocsf` and `ecs` are [renderings](alerts.md) for a SIEM, one JSON object a record."
);
static REVOCATIONS: [Row; 2] = topic!("revocations", revocations, "Commands to end sessions.");
static REJECTED: [Row; 2] = topic!("rejected", rejected, "What could not be taken, and why.");

const REST: &[Row] = &[
    row(
        "topics.profiles.name",
        Kind::Text(TOPIC),
        "The changelog of the profiles, compacted; always Avro, as every topic that holds state.",
        |to| &mut to.topics.profiles,
    ),
    row(
        "topics.policies.name",
        Kind::Text(TOPIC),
        "Every policy that has decided something, by its digest, compacted; always Avro.",
        |to| &mut to.topics.policies,
    ),
    row(
        "topics.sightings.name",
        Kind::Text(TOPIC),
        "What decisions show [across users](explanation/across-users.md), for a day; always Avro.",
        |to| &mut to.topics.sightings,
    ),
    row(
        "topics.networks.name",
        Kind::Text(TOPIC),
        "What is notable of a network or a device, while it is, compacted; always Avro.",
        |to| &mut to.topics.networks,
    ),
    row(
        "topics.network_state.name",
        Kind::Text(TOPIC),
        "The changelog of the network lanes, compacted; always Avro.",
        |to| &mut to.topics.network_state,
    ),
    row(
        "inputs",
        Kind::Inputs,
        "`[inputs.NAME] topic = \"…\"`: a topic whose records are not keyed as lanes need them (`keyed = false`, which is all that may be said there). They are copied into `topics.events`, keyed anew, exactly once. With `mapping`, a file, [the JSON of an identity system](inputs.md) is made into events first, whose `source` is `NAME` unless they say otherwise. `format`: that of the records, `json` unless said. Read at the start.",
        |to| &mut to.inputs,
    ),
    row(
        "registry.url",
        Kind::Text(URL),
        "The schema registry: its address, with a path if it has one (`http://127.0.0.1:8080/apis/ccompat/v7`). In the clear only to this host, unless `danger_plaintext` says otherwise.",
        |to| &mut to.registry.url,
    ),
    row(
        "registry.ca_file",
        Kind::File,
        "Authorities that sign the registry's certificate, PEM. Without it the system's.",
        |to| &mut to.registry.ca_file,
    ),
    row("registry.username", Kind::Text(NAME), "Who `ward` is; goes with a password.", |to| {
        &mut to.registry.username
    }),
    row("registry.password_file", Kind::File, "A file with the password.", |to| {
        &mut to.registry.password_file
    }),
    row(
        "registry.password",
        Kind::Secret { file: "password_file", variable: "WARD__REGISTRY__PASSWORD" },
        "The password.",
        |to| &mut to.registry.password,
    ),
    row(
        "registry.token_file",
        Kind::File,
        "A file with a bearer token, read anew for each question; takes the place of name and password.",
        |to| &mut to.registry.token_file,
    ),
    row(
        "registry.token",
        Kind::Secret { file: "token_file", variable: "WARD__REGISTRY__TOKEN" },
        "The bearer token.",
        |to| &mut to.registry.token,
    ),
    row(
        "registry.timeout",
        Kind::Time { least: Duration::from_millis(100) },
        "How long one question to it may take, all of it.",
        |to| &mut to.registry.timeout,
    ),
    row(
        "registry.when_away",
        Kind::Word,
        "What becomes of records whose schema it cannot be asked for: their partition waits, or they are rejected as `unknown_schema`.",
        |to| &mut to.registry.when_away,
    ),
    row(
        "registry.danger_plaintext",
        Kind::Flag,
        "Lets schemas, and a password if there is one, cross a network unencrypted.",
        |to| &mut to.registry.danger_plaintext,
    ),
    row(
        "run.instance",
        Kind::Text(INSTANCE),
        "The name of this process: stable over restarts, unique in the group. Without it the host's name.",
        |to| &mut to.run.instance,
    ),
    row(
        "run.workers",
        whole(1, 1_024, "threads"),
        "Workers in this process, each a thread with a consumer and a producer. Without it one a core.",
        |to| &mut to.run.workers,
    ),
    row(
        "run.state_dir",
        Kind::File,
        "The folder of the local copy of `risk.profiles`. Losing it costs a restore, never a wrong answer.",
        |to| &mut to.run.state_dir,
    ),
    row(
        "run.commit_interval",
        // Below it a transaction is mostly its own overhead.
        Kind::Time { least: Duration::from_millis(5) },
        "How long a transaction stays open: what latency and throughput turn on.",
        |to| &mut to.run.commit_interval,
    ),
    row("run.transaction_records", whole(1, 100_000, "records"), "Ends a transaction earlier.", |to| {
        &mut to.run.transaction_records
    }),
    row("run.transaction_bytes", whole(1 << 16, 64 << 20, "bytes"), "Ends a transaction earlier.", |to| {
        &mut to.run.transaction_bytes
    }),
    row(
        "run.checkpoint_interval",
        Kind::Time { least: SECOND },
        "How often the local copy is written, which takes up to half as long again: what a restart has to replay.",
        |to| &mut to.run.checkpoint_interval,
    ),
    row("run.checkpoint_bytes", whole(1 << 20, 1 << 30, "bytes"), "Writes the local copy earlier.", |to| {
        &mut to.run.checkpoint_bytes
    }),
    row(
        "run.standby",
        Kind::Word,
        "`all` keeps copies of the partitions that other processes serve, so that taking one over reads a tail and not all of `risk.profiles`; each process then needs disk for all of them.",
        |to| &mut to.run.standby,
    ),
    row(
        "run.session_timeout",
        // Brokers refuse less by default.
        Kind::Time { least: Duration::from_secs(6) },
        "After how long without a sign a worker's partitions go to others. Its transactions time out before that.",
        |to| &mut to.run.session_timeout,
    ),
    row(
        "run.accept_gap",
        Kind::Flag,
        "Goes on where retention deleted records before they were read, and says so in `risk.rejected`.",
        |to| &mut to.run.accept_gap,
    ),
    row("run.start", Kind::Word, "Where a group begins that has never committed.", |to| &mut to.run.start),
    row(
        "identity.placeholders",
        Kind::Texts,
        "User ids that vendors send for nobody, in any case; such events are rejected as `placeholder_user`.",
        |to| &mut to.identity.placeholders,
    ),
    row(
        "identity.max_age",
        Kind::TimeOrNone { least: SECOND },
        "How far before its record's own time an event may lie. A [backfill](backfill.md) may lie before it.",
        |to| &mut to.identity.max_age,
    ),
    row(
        "identity.backfill",
        Kind::Texts,
        "Sources whose events may say `backfill`: they teach, and nothing is asked, told or ended because of them. From any other such an event is rejected. Take them out again when the [backfill](backfill.md) is done.",
        |to| &mut to.identity.backfill,
    ),
    row(
        "identity.profile_ttl",
        // Less, and a holiday would make strangers; and what is kept of people has an end.
        Kind::Days { least: 30, most: 3_650 },
        "Who was silent for so long comes back as a stranger. `ward topics create` keeps the changelog 30 days more.",
        |to| &mut to.remembering.profile_ttl,
    ),
    row(
        "sources",
        Kind::Sources,
        "`[sources.NAME] creates = true`: any event of the source `NAME` begins a profile. Else a successful login, session or access does, and guessed names fill no disk.",
        |to| &mut to.remembering.creators,
    ),
    row(
        "tables.geo",
        Kind::Files,
        "City databases, GeoIP2 or flat layout; of several the first that knows the address speaks. `builtin` is the synthetic table of `ward simulate`.",
        |to| &mut to.tables.geo,
    ),
    row("tables.asn", Kind::Files, "ASN databases.", |to| &mut to.tables.asn),
    row(
        "tables.networks",
        Kind::Files,
        "Network classes: Anonymous-IP databases, or lists of networks.",
        |to| &mut to.tables.networks,
    ),
    row(
        "policy.file",
        Kind::Text(NAME),
        "A policy file, or the name of a shipped one: `seed`, `default`.",
        |to| &mut to.policy.file,
    ),
    row(
        "policy.shadow",
        Kind::Text(NAME),
        "Another policy, as above: its verdict is recorded in each decision, and teaches nothing.",
        |to| &mut to.policy.shadow,
    ),
    row(
        "policy.look_interval",
        // Looking costs a system call a file.
        Kind::Time { least: Duration::from_millis(100) },
        "How often the files of policies and tables are looked at for changes; SIGHUP looks at once.",
        |to| &mut to.policy.look_interval,
    ),
    row(
        "policy.max_action_change",
        whole(2, 1_000, "times"),
        "Operators are alerted when `step_up` or stricter is more than so many times as frequent among a worker's last 1,000 decisions as before.",
        |to| &mut to.policy.max_action_change,
    ),
    row(
        "metrics.listen",
        Kind::Text(ADDRESS),
        "Where `/metrics`, `/health` and `/ready` are answered, over HTTP without a password; a port alone is one of loopback. Without it nowhere, and nothing is counted.",
        |to| &mut to.metrics.listen,
    ),
    row(
        "tracing.otlp_endpoint",
        Kind::Text(URL),
        "Where spans of [traced records](tracing.md) go: an OTLP/HTTP collector, `http://127.0.0.1:4318`; without a path `/v1/traces`. In the clear only to this host, unless `danger_plaintext` says otherwise. Without it nothing is traced, and no trace carried on.",
        |to| &mut to.tracing.otlp_endpoint,
    ),
    row(
        "tracing.service",
        Kind::Text(NAME),
        "`service.name` of the spans; `service.instance.id` is `[run] instance`.",
        |to| &mut to.tracing.service,
    ),
    row(
        "tracing.records_a_second",
        whole(1, 100_000, "records"),
        "At most so many records a second have spans, over all workers, three each. What the others lead to carries their trace on as it came.",
        |to| &mut to.tracing.records_a_second,
    ),
    row(
        "tracing.ca_file",
        Kind::File,
        "Authorities that sign the collector's certificate, PEM. Without it the system's.",
        |to| &mut to.tracing.ca_file,
    ),
    row(
        "tracing.headers_file",
        Kind::File,
        "A file with headers for the collector, credentials above all: `name=value`, one a line; a comma in a value is `%2C`.",
        |to| &mut to.tracing.headers_file,
    ),
    row(
        "tracing.headers",
        Kind::Secret { file: "tracing.headers_file", variable: "WARD__TRACING__HEADERS" },
        "The headers themselves, with commas between.",
        |to| &mut to.tracing.headers,
    ),
    row("tracing.timeout", Kind::Time { least: Duration::from_millis(100) }, "Of one request.", |to| {
        &mut to.tracing.timeout
    }),
    row(
        "tracing.danger_plaintext",
        Kind::Flag,
        "Sends spans without TLS to any host: whoever is on the way can read them, credentials included.",
        |to| &mut to.tracing.danger_plaintext,
    ),
    row(
        "canary.interval",
        Kind::TimeOrNone { least: SECOND },
        "How often every detector is shown a synthetic subject about whom it must speak; `\"none\"` for never.",
        |to| &mut to.canary.interval,
    ),
    row(
        "log.filter",
        Kind::Text(NAME),
        "What is logged: a level, or a list like `info,librdkafka=debug`.",
        |to| &mut to.log.filter,
    ),
    row("log.format", Kind::Word, "For people, or for machines.", |to| &mut to.log.format),
];
