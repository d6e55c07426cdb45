//! What librdkafka tells us outside of records: its log, broken connections, tokens that ran out.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use tracing::{debug, warn};

/// The context of every client: log lines to ours, tokens from a file. `role` is what this kind of
/// client hears besides.
#[derive(Clone, Debug, Default)]
pub(super) struct Events<R = ()> {
    token: Option<TokenFile>,
    pub(super) role: R,
}

impl Events {
    pub(super) const fn new(token: Option<TokenFile>) -> Self {
        Self { token, role: () }
    }
}

impl<R> Events<R> {
    pub(super) const fn of(token: Option<TokenFile>, role: R) -> Self {
        Self { token, role }
    }
}

impl<R: Send + Sync + 'static> ClientContext for Events<R> {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    /// librdkafka retries connections by itself and reports each failure; who asks for something and
    /// does not get it says so to people. These lines are for whoever debugs a connection.
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
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
        self.token.as_ref().ok_or_else(|| "no token file is configured".into()).and_then(TokenFile::read)
    }
}

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

    fn read(&self) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        let file = self.0.display();
        let text =
            std::fs::read_to_string(&self.0).map_err(|error| format!("token file `{file}`: {error}"))?;
        let token = text.trim();
        let claims = claims(token).ok_or_else(|| format!("token file `{file}` holds no JSON web token"))?;
        Ok(OAuthToken {
            token: token.to_owned(),
            principal_name: claims.sub.unwrap_or_else(|| "ward".into()),
            lifetime_ms: claims.exp.saturating_mul(1000),
        })
    }
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
}
