//! What librdkafka tells us outside of records: its log, broken connections, tokens that ran out.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{ClientConfig, FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use tracing::{debug, warn};

use super::connection::Connection;

/// The context of every client: log lines to ours, tokens from a file. `role` is what this kind of
/// client hears besides.
#[derive(Clone, Debug, Default)]
pub(super) struct Events<R = ()> {
    token: Option<TokenFile>,
    refused: LastRefusal,
    pub(super) role: R,
}

impl Events {
    pub(super) fn new(token: Option<TokenFile>) -> Self {
        Self { token, refused: LastRefusal::default(), role: () }
    }
}

impl<R> Events<R> {
    pub(super) fn of(token: Option<TokenFile>, role: R) -> Self {
        Self { token, refused: LastRefusal::default(), role }
    }

    /// Why the last connection that failed did, in librdkafka's words: the error code that a request
    /// ends with says only that there was no answer.
    pub(super) fn last_refusal(&self) -> Option<String> {
        self.refused.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this client's credentials are renewed while it runs.
    pub(super) const fn renews(&self) -> bool {
        self.token.is_some()
    }
}

impl<R: Send + Sync + 'static> ClientContext for Events<R> {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    /// librdkafka retries connections by itself and reports each failure; who asks for something and
    /// does not get it says so to people. These lines are for whoever debugs a connection.
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        if fac == "FAIL" {
            *self.refused.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason_in(message));
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                warn!(target: "librdkafka", fac, "{message}");
            }
            _ if matches!(fac, "FAIL" | "ERROR" | "REQTMOUT" | "TXNERR" | "TXNADDOFFSETS") => {
                debug!(target: "librdkafka", fac, "{message}");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                warn!(target: "librdkafka", fac, "{message}")
            }
            _ => debug!(target: "librdkafka", fac, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        debug!(target: "librdkafka", %error, "{reason}");
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let token = match &self.token {
            Some(file) => file.read(now_s()),
            None => Err("no token file is configured".to_owned()),
        };
        // librdkafka asks again in ten seconds, and says nothing that a person would see.
        token.inspect_err(|why| warn!(%why, "no token for the broker")).map_err(Into::into)
    }
}

#[derive(Clone, Debug, Default)]
struct LastRefusal(Arc<Mutex<Option<String>>>);

/// The reason in a line of librdkafka's log: without its thread, its broker, and the state it was in.
fn reason_in(line: &str) -> String {
    let line =
        line.strip_prefix("[thrd:").and_then(|rest| rest.split_once("]: ")).map_or(line, |(_, rest)| rest);
    // The broker's name has a port, and a colon of its own if it has a scheme.
    let reason = line.split_once(": ").map_or(line, |(_, reason)| reason);
    let reason = reason.rfind(" (after ").and_then(|at| reason.get(..at)).unwrap_or(reason);
    let mut letters = reason.trim().chars();
    let first = letters.next().map(|first| first.to_lowercase().collect::<String>()).unwrap_or_default();
    let kept: String = letters.take(REASON_CHARS_MAX).collect();
    match kept.chars().next() {
        // An abbreviation stays one.
        Some(second) if second.is_uppercase() => format!("{}{kept}", first.to_uppercase()),
        _ => format!("{first}{kept}"),
    }
}

const REASON_CHARS_MAX: usize = 400;

/// A client that reads outside of any group. It takes its token at once: until then no broker answers
/// it, and whoever asks it for offsets or metadata does not poll it.
pub(super) fn reader(config: &ClientConfig, connection: &Connection) -> KafkaResult<BaseConsumer<Events>> {
    let client = BaseConsumer::from_config_and_context(config, Events::new(connection.token()))?;
    take_token(&client, connection);
    Ok(client)
}

/// Lets a client that nobody else polls take a new token, if one is due.
pub(super) fn take_token(client: &BaseConsumer<Events>, connection: &Connection) {
    if connection.token().is_some() {
        drop(client.poll(TOKEN_TAKEN));
    }
}

/// The client asks for its token as soon as it is made.
const TOKEN_TAKEN: Duration = Duration::from_millis(50);

/// A consumer without a group hears of no rebalance.
impl ConsumerContext for Events {}

/// A file that holds a JSON web token and that somebody keeps fresh (a projected service-account
/// token, an agent). It is read again whenever librdkafka asks for a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenFile(PathBuf);

impl TokenFile {
    pub(super) const fn new(file: PathBuf) -> Self {
        Self(file)
    }

    /// Whether `text` is what such a file holds.
    pub(super) fn is_token(text: &str) -> bool {
        claims(text.trim()).is_some()
    }

    fn read(&self, now_s: i64) -> Result<OAuthToken, String> {
        let file = self.0.display();
        let text =
            std::fs::read_to_string(&self.0).map_err(|error| format!("token file `{file}`: {error}"))?;
        let token = text.trim();
        let claims = claims(token).ok_or_else(|| format!("token file `{file}` holds no JSON web token"))?;
        if claims.exp <= now_s {
            let late_s = now_s - claims.exp;
            return Err(format!(
                "token file `{file}` ran out {late_s} s ago: see to whatever keeps it fresh, or to this machine's clock"
            ));
        }
        Ok(OAuthToken {
            token: token.to_owned(),
            principal_name: claims.sub.unwrap_or_else(|| "ward".into()),
            lifetime_ms: claims.exp.saturating_mul(1000),
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "whether a token has run out is asked of the clock")]
fn now_s() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

#[derive(serde::Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: i64,
}

/// The middle part of a token. Nothing is verified here: the broker does that.
fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, body, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let body = BASE64_URL_SAFE_NO_PAD.decode(body.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&body).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(token: &str, expected: Option<(&str, i64)>) {
        let found = claims(token).map(|claims| (claims.sub.unwrap_or_default(), claims.exp));
        assert_eq!(found, expected.map(|(sub, exp)| (sub.to_owned(), exp)));
    }

    #[test]
    fn a_refusal_is_told_without_what_only_the_library_knows() {
        for (line, expected) in [
            (
                "[thrd:sasl_ssl://127.0.0.1:9093/bootstrap]: sasl_ssl://127.0.0.1:9093/bootstrap: SASL authentication error: \
                 Authentication failed during authentication (after 118ms in state AUTH_REQ, 1 identical error(s) suppressed)",
                "SASL authentication error: Authentication failed during authentication",
            ),
            (
                "[thrd:127.0.0.1:9/bootstrap]: 127.0.0.1:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection \
                 refused (after 0ms in state CONNECT)",
                "connect to ipv4#127.0.0.1:9 failed: Connection refused",
            ),
            ("", ""),
            ("odd", "odd"),
        ] {
            assert_eq!(reason_in(line), expected);
        }
        assert!(reason_in(&"x".repeat(100_000)).len() <= REASON_CHARS_MAX + 1);
    }

    #[test]
    fn reads_who_and_until_when_from_a_token() {
        // {"alg":"none"} . {"sub":"ward","exp":1800000000} . nothing
        check(
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ3YXJkIiwiZXhwIjoxODAwMDAwMDAwfQ.",
            Some(("ward", 1_800_000_000)),
        );
        check("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ3YXJkIiwiZXhwIjoxODAwMDAwMDAwfQ", None);
        check("a.!!!.c", None);
        check("", None);
    }

    #[test]
    fn a_token_that_ran_out_is_not_offered() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ3YXJkIiwiZXhwIjoxODAwMDAwMDAwfQ.\n")
            .unwrap();
        let token = TokenFile::new(file.path().to_owned());
        let fresh = token.read(1_799_999_999).unwrap();
        assert_eq!((fresh.principal_name.as_str(), fresh.lifetime_ms), ("ward", 1_800_000_000_000));
        assert!(!fresh.token.ends_with('\n'));
        assert!(token.read(1_800_000_007).err().unwrap().contains("ran out 7 s ago"));
        drop(file);
        assert!(token.read(0).err().unwrap().contains("No such file"));
    }
}
