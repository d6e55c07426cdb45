//! The closed sets of words that settings take.

use super::field::Word;
use super::{AlertFormat, LogFormat, OutputFormat, Standby, Start};
use crate::adapters::kafka::{Assignment, Mechanism};
use crate::engine::decode::Format;
use crate::ports::schemas::WhenAway;

impl Word for Assignment {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Range, Self::Range.name()), (Self::CooperativeSticky, Self::CooperativeSticky.name())];
}

impl Word for Mechanism {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Plain, "PLAIN"),
        (Self::ScramSha256, "SCRAM-SHA-256"),
        (Self::ScramSha512, "SCRAM-SHA-512"),
        (Self::OauthBearer, "OAUTHBEARER"),
    ];
}

impl Word for Format {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Json, "json"),
        (Self::Avro, "avro"),
        (Self::AvroBare, "avro_bare"),
        (Self::Confluent, "confluent"),
        (Self::CloudEvents, "cloudevents"),
    ];
}

impl Word for OutputFormat {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Avro, "avro"), (Self::Json, "json"), (Self::Confluent, "confluent")];
}

impl Word for WhenAway {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Wait, "wait"), (Self::Reject, "reject")];
}

impl Word for AlertFormat {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Avro, "avro"),
        (Self::Json, "json"),
        (Self::Confluent, "confluent"),
        (Self::Ocsf, "ocsf"),
        (Self::Ecs, "ecs"),
    ];
}

impl Word for LogFormat {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Text, "text"), (Self::Json, "json")];
}

impl Word for Standby {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::None, "none"), (Self::All, "all")];
}

impl Word for Start {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Earliest, "earliest"), (Self::Latest, "latest")];
}
