//! `ward schemas`: the schemas of the topics, and what a registry has of them.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::flags::one;
use super::{Failure, print};
use crate::adapters::registry::{Client, Trouble};
use crate::app::{self, Standing, Subject};
use crate::config::{Flag, Settings};
use crate::engine::schema;

/// List, register or check the schemas of the topics.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Args {
    /// Say which schemas there are, by which fingerprints, and how a registry has them, if one is
    /// configured.
    List(Options),
    /// Register what is missing under `TOPIC-value`; what is there stays as it is. Exits 1 when the
    /// registry does not take one.
    Register(Options),
    /// Compare with the registry; exits 1 when a schema is missing there or does not go with what it
    /// has.
    Check(Options),
}

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Configuration file (else WARD_CONFIG, else config/ward.toml).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The registry's address (else `[registry] url`).
    #[arg(long, value_name = "URL")]
    registry: Option<String>,
    /// Authorities that sign its certificate, PEM (else the system's).
    #[arg(long, value_name = "FILE")]
    ca_file: Option<String>,
    /// Who asks; the password is in the file, or in WARD__REGISTRY__PASSWORD.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    #[arg(long, value_name = "FILE")]
    password_file: Option<String>,
    /// A file with a bearer token, or WARD__REGISTRY__TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<String>,
    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

impl Options {
    fn settings(&self) -> Result<Settings, Failure> {
        let said: Vec<Flag> = [
            one("--registry", "registry.url", self.registry.as_deref()),
            one("--ca-file", "registry.ca_file", self.ca_file.as_deref()),
            one("--username", "registry.username", self.username.as_deref()),
            one("--password-file", "registry.password_file", self.password_file.as_deref()),
            one("--token-file", "registry.token_file", self.token_file.as_deref()),
        ]
        .into_iter()
        .flatten()
        .collect();
        app::load(self.config.as_deref(), &said).sound().map_err(Failure::mistakes)
    }
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    match args {
        Args::List(options) => list(&options),
        Args::Register(options) => register(&options),
        Args::Check(options) => check(&options),
    }
}

/// A subject and how it stands; without a registry nobody knows.
struct Row {
    subject: Subject,
    standing: Option<Standing>,
    is_new: bool,
}

fn list(options: &Options) -> Result<(), Failure> {
    let settings = options.settings()?;
    let client = app::registry(&settings).map_err(Failure::Input)?;
    let rows = match &client {
        Some(client) => stand(client, &settings)?,
        None => app::subjects(&settings)
            .into_iter()
            .map(|subject| Row { subject, standing: None, is_new: false })
            .collect(),
    };
    print(&said(options, client.as_ref(), &rows));
    Ok(())
}

fn check(options: &Options) -> Result<(), Failure> {
    let settings = options.settings()?;
    let client = needed(&settings)?;
    let rows = stand(&client, &settings)?;
    print(&said(options, Some(&client), &rows));
    found(&rows)
}

fn register(options: &Options) -> Result<(), Failure> {
    let settings = options.settings()?;
    let client = needed(&settings)?;
    let mut rows = stand(&client, &settings)?;
    for row in &mut rows {
        if !matches!(row.standing, Some(Standing::Missing | Standing::Compatible { .. })) {
            continue;
        }
        match app::register(&client, &row.subject) {
            Ok(_) => {
                row.is_new = true;
                row.standing = Some(app::standing(&client, &row.subject)?);
            }
            Err(Trouble::Invalid { why, .. }) => {
                row.standing = Some(Standing::Incompatible { newest: 0, why });
            }
            Err(trouble) => return Err(trouble.into()),
        }
    }
    print(&said(options, Some(&client), &rows));
    found(&rows)
}

fn needed(settings: &Settings) -> Result<Client, Failure> {
    app::registry(settings).map_err(Failure::Input)?.ok_or_else(|| {
        Failure::input("found no registry, expected its address; give --registry URL, or set [registry] url")
    })
}

fn stand(client: &Client, settings: &Settings) -> Result<Vec<Row>, Failure> {
    let stood = app::subjects(settings).into_iter().map(|subject| {
        let standing = Some(app::standing(client, &subject)?);
        Ok(Row { subject, standing, is_new: false })
    });
    stood.collect::<Result<_, Trouble>>().map_err(Failure::from)
}

fn found(rows: &[Row]) -> Result<(), Failure> {
    match rows.iter().filter(|row| row.mistake().is_some()).count() {
        0 => Ok(()),
        1 => Err(Failure::Found("1 schema is not as it ought to be".into())),
        many => Err(Failure::Found(format!("{many} schemas are not as they ought to be"))),
    }
}

impl Row {
    const fn state(&self) -> &'static str {
        match &self.standing {
            None => "-",
            Some(Standing::Same { .. }) if self.is_new => "registered",
            Some(Standing::Same { .. }) => "same",
            Some(Standing::Compatible { .. }) => "compatible",
            Some(Standing::Incompatible { .. }) => "incompatible",
            Some(Standing::Unreadable { .. }) => "unreadable",
            Some(Standing::Missing) => "missing",
        }
    }

    fn mistake(&self) -> Option<[String; 3]> {
        self.standing.as_ref()?.mistake()
    }

    fn as_json(&self) -> Value {
        let (mut id, mut version, mut newest) = (None, None, None);
        match &self.standing {
            Some(Standing::Same { id: found, version: of }) => (id, version) = (Some(*found), Some(*of)),
            Some(
                Standing::Compatible { newest: found }
                | Standing::Incompatible { newest: found, .. }
                | Standing::Unreadable { newest: found, .. },
            ) => newest = Some(*found),
            Some(Standing::Missing) | None => {}
        }
        let mistake = self.mistake().map(
            |[found, expected, remedy]| json!({ "found": found, "expected": expected, "remedy": remedy }),
        );
        json!({
            "subject": self.subject.name(),
            "topic": self.subject.topic,
            "schema": self.subject.schema,
            "fingerprint": schema::fingerprint(self.subject.text()),
            "state": self.standing.as_ref().map(|_| self.state()),
            "id": id,
            "version": version,
            "newest": newest,
            "mistake": mistake,
        })
    }
}

fn said(options: &Options, client: Option<&Client>, rows: &[Row]) -> String {
    if options.json {
        let schemas: Vec<Value> = schema::versions()
            .map(|(name, fingerprint, is_current)| {
                json!({ "schema": name, "fingerprint": fingerprint, "is_current": is_current })
            })
            .collect();
        let subjects: Vec<Value> = rows.iter().map(Row::as_json).collect();
        let url = client.map(Client::url);
        return json!({ "registry": url, "subjects": subjects, "schemas": schemas }).to_string();
    }
    let width =
        rows.iter().map(|row| row.subject.name().len()).max().unwrap_or(0).clamp(7, SUBJECT_COLUMNS_MAX);
    let mut lines =
        vec![format!("{:width$}  {:10}  {:16}  {:>6}  state", "subject", "schema", "fingerprint", "id")];
    for row in rows {
        let id = match row.standing {
            Some(Standing::Same { id, .. }) => id.to_string(),
            _ => "-".to_owned(),
        };
        let (subject, schema) = (row.subject.name(), row.subject.schema);
        let fingerprint = schema::fingerprint(row.subject.text());
        lines.push(format!("{subject:width$}  {schema:10}  {fingerprint:16}  {id:>6}  {}", row.state()));
    }
    for row in rows {
        let Some([found, expected, remedy]) = row.mistake() else { continue };
        lines.push(String::new());
        lines.push(format!("{}: {found}", row.subject.name()));
        lines.push(format!("  expected  {expected}"));
        lines.push(format!("  to do     {remedy}"));
    }
    lines.join("\n")
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Away { .. } | Trouble::Unsound { .. } => Self::Unreachable(trouble.to_string()),
            Trouble::Refused { .. } | Trouble::Missing { .. } | Trouble::Invalid { .. } => {
                Self::input(trouble.to_string())
            }
        }
    }
}

const SUBJECT_COLUMNS_MAX: usize = 36;
