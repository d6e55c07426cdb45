//! The Avro schemas of every topic, compiled in, and each version that was ever published.
//!
//! A record says which version wrote it by the CRC-64-AVRO fingerprint in its first bytes. A file
//! of `schemas/history` is named by that fingerprint, in the order of the record's bytes, so that a
//! hex dump of a record shows the name of its schema.
//!
//! A schema that changes gets a new file in `schemas/history` and a line in [`HISTORY`]; the old
//! one stays for ever. The tests below hold both.

use std::sync::LazyLock;

use apache_avro::schema_compatibility::SchemaCompatibility;

use super::avro::{Schema, from_datum};

/// The schemas that this version writes, by their topic's name.
pub(crate) const CURRENT: &[(&str, &str)] = &[
    ("event", include_str!("../../schemas/event.avsc")),
    ("decision", include_str!("../../schemas/decision.avsc")),
    ("alert", include_str!("../../schemas/alert.avsc")),
    ("revocation", include_str!("../../schemas/revocation.avsc")),
    ("outcome", include_str!("../../schemas/outcome.avsc")),
    ("profile", include_str!("../../schemas/profile.avsc")),
    ("rejected", include_str!("../../schemas/rejected.avsc")),
    ("policy", include_str!("../../schemas/policy.avsc")),
    ("sighting", include_str!("../../schemas/sighting.avsc")),
    ("network", include_str!("../../schemas/network.avsc")),
    ("network-state", include_str!("../../schemas/network-state.avsc")),
];

macro_rules! history {
    ($($name:literal $fingerprint:literal),+ $(,)?) => {
        /// Every version ever published: subject, fingerprint, text.
        const HISTORY: &[(&str, &str, &str)] = &[$(
            ($name, $fingerprint, include_str!(concat!("../../schemas/history/", $name, "-", $fingerprint, ".avsc")))
        ),+];
    };
}
history! {
    "alert" "1fde6e8069b4fcda",
    "alert" "2080ee8b30c4e2bf",
    "alert" "996d4b2ba6ca1c47",
    "decision" "d8b514efd95a9b24",
    "decision" "fc62acc28c3d0f22",
    "event" "3fb92614407571b5",
    "event" "51ce4f62a6754aea",
    "event" "ea1878e084780433",
    "network" "76d170c48bf2266f",
    "network-state" "23b87cd799e3ac5e",
    "outcome" "754478a44048bbdb",
    "policy" "632adfb3071f873a",
    "profile" "cd1d20b5f1c2f9b4",
    "rejected" "e75e0ef9cd70637d",
    "revocation" "87162fa50b8ebc7f",
    "sighting" "7581468ce7f9f4ce",
}

/// The two bytes that open a single-object record of version 1.
pub(crate) const MARKER: [u8; 2] = [0xC3, 0x01];
/// Marker and fingerprint.
pub(crate) const HEADER_BYTES: usize = 10;

/// The current schema of `name`, ready to write and read with.
#[derive(Debug)]
pub(crate) struct Subject {
    name: &'static str,
    versions: Vec<Version>,
    header: [u8; HEADER_BYTES],
}

struct Version {
    fingerprint: [u8; 8],
    schema: Schema,
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(self.fingerprint))
    }
}

/// What a value in single-object encoding turned out to be.
#[derive(Debug)]
pub(crate) enum Opened<'s, 'v> {
    Datum(&'s Schema, &'v [u8]),
    /// Not single-object encoding at all.
    Unmarked,
    /// Single-object encoding of another version of the Avro specification.
    Newer(u8),
    /// A fingerprint that this version was not built with, in hex.
    Unknown(String),
}

impl Subject {
    fn load(name: &'static str) -> Self {
        let current = current(name).parse::<Schema>().ok();
        let older = HISTORY.iter().filter(|(subject, ..)| *subject == name);
        let older = older.filter_map(|(.., text)| text.parse::<Schema>().ok());
        let versions: Vec<_> = current
            .into_iter()
            .chain(older)
            .map(|schema| Version { fingerprint: schema.fingerprint(), schema })
            .collect();
        let mut header = [0; HEADER_BYTES];
        let fingerprint = versions.first().map_or([0; 8], |version| version.fingerprint);
        for (to, from) in header.iter_mut().zip(MARKER.iter().chain(&fingerprint)) {
            *to = *from;
        }
        Self { name, versions, header }
    }

    /// The version that this build writes.
    pub(crate) fn current(&self) -> Option<&Schema> {
        self.versions.first().map(|version| &version.schema)
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// What every record that this build writes begins with.
    pub(crate) const fn header(&self) -> &[u8; HEADER_BYTES] {
        &self.header
    }

    /// Reads a value in single-object encoding, of any version.
    pub(crate) fn read<'v, T: serde::Deserialize<'v>>(&self, value: &'v [u8]) -> Result<T, String> {
        match self.open(value) {
            Opened::Datum(schema, datum) => from_datum(datum, schema).map_err(|error| error.to_string()),
            Opened::Unmarked => Err("is no single-object Avro (C3 01)".into()),
            Opened::Newer(version) => {
                Err(format!("is single-object Avro of version {version}, expected version 1"))
            }
            Opened::Unknown(fingerprint) => Err(format!(
                "was written with the schema {fingerprint}, which is none of `{}` that this version knows: update ward",
                self.name
            )),
        }
    }

    /// Splits a value in single-object encoding into its writer's schema and the datum.
    pub(crate) fn open<'s, 'v>(&'s self, value: &'v [u8]) -> Opened<'s, 'v> {
        let Some((header, datum)) = value.split_first_chunk::<HEADER_BYTES>() else {
            return Opened::Unmarked;
        };
        let [mark, version, fingerprint @ ..] = header;
        if *mark != MARKER[0] {
            return Opened::Unmarked;
        }
        if *version != MARKER[1] {
            return Opened::Newer(*version);
        }
        match self.versions.iter().find(|known| known.fingerprint == *fingerprint) {
            Some(known) => Opened::Datum(&known.schema, datum),
            None => Opened::Unknown(hex(*fingerprint)),
        }
    }
}

pub(crate) static EVENT: LazyLock<Subject> = LazyLock::new(|| Subject::load("event"));
pub(crate) static DECISION: LazyLock<Subject> = LazyLock::new(|| Subject::load("decision"));
pub(crate) static ALERT: LazyLock<Subject> = LazyLock::new(|| Subject::load("alert"));
pub(crate) static REVOCATION: LazyLock<Subject> = LazyLock::new(|| Subject::load("revocation"));
pub(crate) static PROFILE: LazyLock<Subject> = LazyLock::new(|| Subject::load("profile"));
pub(crate) static REJECTED: LazyLock<Subject> = LazyLock::new(|| Subject::load("rejected"));
pub(crate) static POLICY: LazyLock<Subject> = LazyLock::new(|| Subject::load("policy"));
pub(crate) static SIGHTING: LazyLock<Subject> = LazyLock::new(|| Subject::load("sighting"));
pub(crate) static NETWORK: LazyLock<Subject> = LazyLock::new(|| Subject::load("network"));
pub(crate) static NETWORK_STATE: LazyLock<Subject> = LazyLock::new(|| Subject::load("network-state"));

/// Everything that this version can read.
pub(crate) static ALL: [&LazyLock<Subject>; 10] = [
    &EVENT,
    &DECISION,
    &ALERT,
    &REVOCATION,
    &PROFILE,
    &REJECTED,
    &POLICY,
    &SIGHTING,
    &NETWORK,
    &NETWORK_STATE,
];

/// The text of the schema that this version writes.
pub(crate) fn current(name: &str) -> &'static str {
    CURRENT.iter().find(|(subject, _)| *subject == name).map_or("", |(_, text)| text)
}

/// Every version of a schema that was ever published.
pub(crate) fn texts(name: &str) -> impl Iterator<Item = &'static str> {
    HISTORY.iter().filter(move |(subject, ..)| *subject == name).map(|(.., text)| *text)
}

/// In hex, in the order of a record's bytes; of what is no schema, a word that is no fingerprint.
pub(crate) fn fingerprint(text: &str) -> String {
    text.parse::<Schema>().map_or_else(|_| "none".to_owned(), |schema| hex(schema.fingerprint()))
}

/// Every version that was ever published: name, fingerprint, and whether it is written now.
pub(crate) fn versions() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    HISTORY.iter().map(|(name, mark, _)| (*name, *mark, fingerprint(current(name)) == *mark))
}

/// What is wrong with the schemas that are compiled in: place, and what was found. Every version has
/// to be what its name says, and to be readable by the one that is written now.
pub(crate) fn mistakes() -> Vec<(String, String)> {
    let mut mistakes = Vec::new();
    let mut parse = |place: &str, text: &str| {
        let broken = |error: String| (place.to_owned(), format!("cannot be read ({error})"));
        let ours = text.parse::<Schema>().map_err(|error| broken(error.to_string()));
        let theirs = apache_avro::Schema::parse_str(text).map_err(|error| broken(error.to_string()));
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => Some((hex(ours.fingerprint()), theirs)),
            (Err(mistake), _) | (_, Err(mistake)) => {
                mistakes.push(mistake);
                None
            }
        }
    };
    let mut found = Vec::new();
    for (name, text) in CURRENT {
        let place = format!("schemas/{name}.avsc");
        let Some((fingerprint, current)) = parse(&place, text) else { continue };
        if !HISTORY.iter().any(|(subject, mark, _)| subject == name && *mark == fingerprint) {
            found.push((place, format!("its version {fingerprint} is not in schemas/history")));
        }
        for (subject, mark, text) in HISTORY.iter().filter(|(subject, ..)| subject == name) {
            let place = format!("schemas/history/{subject}-{mark}.avsc");
            let Some((fingerprint, older)) = parse(&place, text) else { continue };
            if fingerprint != *mark {
                found.push((place, format!("its fingerprint is {fingerprint}")));
            } else if let Err(error) = SchemaCompatibility::can_read(&older, &current) {
                found.push((place, format!("schemas/{name}.avsc does not read it ({error})")));
            }
        }
    }
    mistakes.extend(found);
    mistakes
}

pub(crate) fn hex(bytes: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_current_schema_is_in_history() {
        for (name, text) in CURRENT {
            let found = fingerprint(text);
            let kept = HISTORY.iter().find(|(subject, mark, _)| subject == name && *mark == found);
            let kept = kept.unwrap_or_else(|| {
                panic!("copy schemas/{name}.avsc to schemas/history/{name}-{found}.avsc and add `\"{name}\" \"{found}\"` to HISTORY")
            });
            let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(same(kept.2), same(text), "{name}: history is not what is published");
        }
    }

    #[test]
    fn history_is_named_by_fingerprint_and_complete() {
        for (name, mark, text) in HISTORY {
            assert_eq!(fingerprint(text), *mark, "{name}");
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/history");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let mut listed: Vec<_> =
            HISTORY.iter().map(|(name, mark, _)| format!("{name}-{mark}.avsc")).collect();
        files.sort();
        listed.sort();
        assert_eq!(files, listed);
    }

    #[test]
    fn nothing_is_wrong_with_them() {
        assert_eq!(mistakes(), []);
    }

    #[test]
    fn apache_avro_agrees_on_fingerprints() {
        for (name, text) in CURRENT {
            // Its canonical form keeps `{"type":"long"}` around a logical type, where the specification
            // and the reference write `"long"`.
            let plain = text.replace(r#"{"type": "long", "logicalType": "timestamp-micros"}"#, r#""long""#);
            let schema = apache_avro::Schema::parse_str(&plain).unwrap();
            let theirs = schema.fingerprint::<apache_avro::rabin::Rabin>();
            assert_eq!(theirs.to_string(), fingerprint(text), "{name}");
        }
    }

    #[test]
    fn opens_what_it_knows() {
        let mut value = EVENT.header().to_vec();
        value.push(7);
        assert!(matches!(EVENT.open(&value), Opened::Datum(_, [7])));
        assert!(matches!(DECISION.open(&value), Opened::Unknown(_)));
        assert!(matches!(EVENT.open(&value[..9]), Opened::Unmarked));
        value[1] = 2;
        assert!(matches!(EVENT.open(&value), Opened::Newer(2)));
        value[0] = b'{';
        assert!(matches!(EVENT.open(&value), Opened::Unmarked));
    }
}
