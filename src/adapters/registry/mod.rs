//! The schema registry: a small client of the API that Confluent's registry began and others speak.
//!
//! *Delivery*: an answer, or why there is none, within the time-out of one question; nothing is tried
//! again here. *Ordering*: none. *Failure*: [`Trouble`] says whether it is the registry's absence, its
//! nonsense, its refusal or its plain no. What it answers is checked as far as an answer can be: that
//! it is JSON of the expected shape and size, and that an id is the one that was asked for.

mod settings;

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderValue};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub use settings::{Settings, Variable};

use self::settings::Credentials;
use crate::adapters::http::{Address, Answer, Question, Silence, ask};
use crate::ports::schemas::{Schemas, Unresolved};

/// Asks one registry.
pub struct Client {
    url: String,
    address: Address,
    credentials: Credentials,
    timeout: Duration,
    /// Absent only while it is dropped.
    runtime: Option<Runtime>,
}

/// A schema as it is registered under a subject.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Registered {
    pub id: u32,
    pub version: u32,
    pub schema: String,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error(
        "registry `{url}` does not answer ({why}); check that it runs there, that the network leads to it, and [registry]"
    )]
    Away { url: String, why: String },
    #[error("registry `{url}` gives no sound answer ({why}); look at what really answers there")]
    Unsound { url: String, why: String },
    #[error("registry `{url}` refuses {what} ({why}); give credentials that may do that in [registry]")]
    Refused { url: String, what: String, why: String },
    #[error("registry `{url}` does not know {what} ({why})")]
    Missing { url: String, what: String, why: String },
    #[error("registry `{url}` does not take {what} ({why})")]
    Invalid { url: String, what: String, why: String },
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.url)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Client {
    fn new(
        url: String,
        address: Address,
        credentials: Credentials,
        timeout: Duration,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { url, address, credentials, timeout, runtime: Some(runtime) })
    }

    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The schema of an id.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn schema(&self, id: u32) -> Result<String, Trouble> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Found {
            schema: String,
            schema_type: Option<String>,
            references: Option<Vec<serde::de::IgnoredAny>>,
            id: Option<u32>,
        }
        let what = format!("schema {id}");
        let found: Found = self.get(&format!("/schemas/ids/{id}"), &what)?;
        if let Some(other) = found.id.filter(|found| *found != id) {
            return Err(self.unsound(format!("asked for {what}, it answers with schema {other}")));
        }
        let invalid = |why: String| Trouble::Invalid { url: self.url.clone(), what: what.clone(), why };
        match found.schema_type.as_deref() {
            None | Some("AVRO") => {}
            Some(other) => return Err(invalid(format!("it is {}, expected Avro", shown(other)))),
        }
        if found.references.is_some_and(|references| !references.is_empty()) {
            return Err(invalid("it refers to other schemas; register it whole".into()));
        }
        Ok(found.schema)
    }

    /// The newest version of a subject; `None` when there is no such subject.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn latest(&self, subject: &str) -> Result<Option<Registered>, Trouble> {
        let path = format!("/subjects/{subject}/versions/latest");
        self.unless_missing(self.get(&path, &format!("subject `{subject}`")))
    }

    /// How a schema is registered under a subject; `None` when it is not.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn find(&self, subject: &str, schema: &str) -> Result<Option<Registered>, Trouble> {
        let path = format!("/subjects/{subject}");
        self.unless_missing(self.post(&path, schema, &format!("subject `{subject}`")))
    }

    /// Registers a schema under a subject, or finds it there; its id.
    ///
    /// # Errors
    /// See [`Trouble`]: `Invalid` when it does not go with what is there.
    pub fn register(&self, subject: &str, schema: &str) -> Result<u32, Trouble> {
        #[derive(Deserialize)]
        struct Made {
            id: u32,
        }
        let path = format!("/subjects/{subject}/versions");
        let made: Made = self.post(&path, schema, &format!("a schema for `{subject}`"))?;
        Ok(made.id)
    }

    /// Why a schema cannot follow the newest version of a subject; `None` when it can.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn objection(&self, subject: &str, schema: &str) -> Result<Option<String>, Trouble> {
        #[derive(Deserialize)]
        struct Verdict {
            is_compatible: bool,
            messages: Option<Vec<String>>,
            reason: Option<String>,
        }
        let path = format!("/compatibility/subjects/{subject}/versions/latest?verbose=true");
        let verdict: Result<Verdict, _> = self.post(&path, schema, &format!("subject `{subject}`"));
        Ok(self.unless_missing(verdict)?.filter(|verdict| !verdict.is_compatible).map(|verdict| {
            let why = verdict.messages.map(|list| list.join("; ")).or(verdict.reason);
            shortened(&why.filter(|why| !why.is_empty()).unwrap_or_else(|| "it does not say why".into()))
        }))
    }

    fn get<T: DeserializeOwned>(&self, path: &str, what: &str) -> Result<T, Trouble> {
        self.ask(Method::GET, path, None, what)
    }

    fn post<T: DeserializeOwned>(&self, path: &str, schema: &str, what: &str) -> Result<T, Trouble> {
        self.ask(Method::POST, path, Some(json!({ "schema": schema }).to_string()), what)
    }

    fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<String>,
        what: &str,
    ) -> Result<T, Trouble> {
        let away = |why: String| Trouble::Away { url: self.url.clone(), why };
        let headers = self.authorization()?.map(|value| (AUTHORIZATION, value)).into_iter().collect();
        let Some(runtime) = &self.runtime else { return Err(away("it was closed".into())) };
        let (body, bytes_max) = (body.map(Bytes::from), BODY_BYTES_MAX);
        let question = Question { method, path, content: CONTENT, headers, body, bytes_max };
        let answer =
            runtime.block_on(ask(&self.address, question, self.timeout)).map_err(
                |silence| match silence {
                    Silence::Away(why) => away(why),
                    Silence::Unsound(why) => self.unsound(why),
                },
            )?;
        self.read(&answer, what)
    }

    fn read<T: DeserializeOwned>(&self, answer: &Answer, what: &str) -> Result<T, Trouble> {
        let (url, what) = (self.url.clone(), what.to_owned());
        let why = || complaint(answer);
        match answer.status {
            200..300 => serde_json::from_slice(&answer.body).map_err(|error| {
                self.unsound(format!("about {what} it answers what is not expected: {error}"))
            }),
            401 | 403 => Err(Trouble::Refused { url, what, why: why() }),
            // What is not the registry's own word may be anybody's 404.
            404 if is_its_word(answer) => Err(Trouble::Missing { url, what, why: why() }),
            409 | 422 => Err(Trouble::Invalid { url, what, why: why() }),
            429 | 500.. => Err(Trouble::Away { url, why: why() }),
            _ => Err(self.unsound(why())),
        }
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, Trouble> {
        let text = match &self.credentials {
            Credentials::Nobody => return Ok(None),
            Credentials::Basic { username, password } => {
                let pair = format!("{username}:{}", password.expose_secret());
                format!("Basic {}", BASE64_STANDARD.encode(pair))
            }
            Credentials::Token(token) => format!("Bearer {}", token.expose_secret()),
            Credentials::TokenFile(file) => match std::fs::read_to_string(file) {
                Ok(token) => format!("Bearer {}", token.trim()),
                Err(error) => {
                    let why = format!("the token in `{}` cannot be read: {error}", file.display());
                    return Err(Trouble::Refused { url: self.url.clone(), what: "us".into(), why });
                }
            },
        };
        let mut value = HeaderValue::try_from(text).map_err(|_invalid| Trouble::Refused {
            url: self.url.clone(),
            what: "us".into(),
            why: "the secret holds what no header may".into(),
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    fn unsound(&self, why: String) -> Trouble {
        Trouble::Unsound { url: self.url.clone(), why }
    }

    #[expect(clippy::unused_self, reason = "reads as a sentence where it is called")]
    fn unless_missing<T>(&self, answer: Result<T, Trouble>) -> Result<Option<T>, Trouble> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(Trouble::Missing { .. }) => Ok(None),
            Err(trouble) => Err(trouble),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A name that is still being looked up is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Schemas for Client {
    fn schema(&self, id: u32) -> Result<String, Unresolved> {
        Self::schema(self, id).map_err(|trouble| match trouble {
            Trouble::Missing { .. } | Trouble::Invalid { .. } => Unresolved::Unknown(trouble.to_string()),
            Trouble::Away { .. } | Trouble::Unsound { .. } | Trouble::Refused { .. } => {
                Unresolved::Away(trouble.to_string())
            }
        })
    }
}

/// Whether an error is the registry's, by the shape that its errors have.
fn is_its_word(answer: &Answer) -> bool {
    serde_json::from_slice::<Value>(&answer.body)
        .is_ok_and(|error| error.get("error_code").is_some_and(Value::is_number))
}

/// What an answer that is an error says.
fn complaint(answer: &Answer) -> String {
    let said = serde_json::from_slice::<Value>(&answer.body).ok();
    let said = said.as_ref().and_then(|error| error.get("message")?.as_str()).map(shortened);
    match said {
        Some(said) => format!("status {}: {said}", answer.status),
        None => format!("status {}", answer.status),
    }
}

fn shown(text: &str) -> String {
    format!("`{}`", shortened(text))
}

/// The start of what a stranger says, in one line.
fn shortened(text: &str) -> String {
    let short: String = text.chars().take(TOLD_CHARS_MAX).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", short.escape_debug())
}

/// What registries of this kind send and take.
const CONTENT: &str = "application/vnd.schemaregistry.v1+json";
/// A schema of the largest kind that is read, in a JSON text.
const BODY_BYTES_MAX: usize = 4 << 20;
const TOLD_CHARS_MAX: usize = 300;
