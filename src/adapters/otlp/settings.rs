//! Where spans go, and how much of it.
//!
//! [`Settings`] is what a person writes under `[tracing]`; [`Settings::open`] finds every mistake and
//! reads every secret.

use std::path::PathBuf;
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use crate::adapters::http::{Address, Names};
use crate::adapters::registry::Variable;
use crate::adapters::secret::{secret_file, secret_variable};

/// The section `[tracing]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `http://` or `https://`; none: nothing is traced.
    pub otlp_endpoint: Option<String>,
    /// `service.name` of what is sent.
    pub service: String,
    pub records_a_second: u32,
    pub ca_file: Option<PathBuf>,
    /// What every request has beside the usual, credentials above all.
    pub headers_file: Option<PathBuf>,
    pub headers: Variable,
    /// Of one request, all of it.
    pub timeout: Duration,
    pub danger_plaintext: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            otlp_endpoint: None,
            service: "wardstream".into(),
            records_a_second: 100,
            ca_file: None,
            headers_file: None,
            headers: Variable(None),
            timeout: Duration::from_secs(5),
            danger_plaintext: false,
        }
    }
}

/// A collector, as it is to be asked.
#[derive(Clone)]
pub struct Collector {
    pub(super) endpoint: String,
    pub(super) address: Address,
    pub(super) path: &'static str,
    /// Each is marked as sensitive.
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the secrets and finds every mistake. `env` gives an environment variable's value. Without
    /// an endpoint there is no collector.
    ///
    /// # Errors
    /// One message a mistake: `setting found, expected this; do that`.
    pub fn open(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Collector>, Vec<String>> {
        let Some(endpoint) = &self.otlp_endpoint else { return Ok(None) };
        let mut mistakes = Vec::new();
        let address =
            Address::read(endpoint, self.ca_file.as_deref(), self.danger_plaintext, &NAMES, &mut mistakes);
        let secret = match (&self.headers.0, &self.headers_file) {
            (Some(name), _) => secret_variable("tracing.headers", name, env, &mut mistakes),
            (None, Some(file)) => secret_file("tracing.headers_file", file, &mut mistakes),
            (None, None) => None,
        };
        let headers = secret.map_or_else(HeaderMap::new, |secret| headers(&secret, &mut mistakes));
        match address {
            Some(address) if mistakes.is_empty() => Ok(Some(Collector {
                endpoint: endpoint.clone(),
                path: if address.prefix.is_empty() { TRACES } else { "" },
                address,
                headers,
                timeout: self.timeout,
            })),
            _ => Err(mistakes),
        }
    }
}

/// `name=value`, one a line or with commas between, as `OTEL_EXPORTER_OTLP_HEADERS` has them: values may
/// be percent-encoded, a comma must be.
fn headers(secret: &SecretString, mistakes: &mut Vec<String>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let pairs = secret.expose_secret().split(['\n', ',']).map(str::trim).filter(|pair| !pair.is_empty());
    for (number, pair) in pairs.enumerate() {
        let read = || {
            let (name, value) = pair.split_once('=')?;
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            let mut value = HeaderValue::from_bytes(&decoded(value.trim())?).ok()?;
            value.set_sensitive(true);
            (!RESERVED.contains(&name.as_str())).then_some((name, value))
        };
        match read() {
            Some((name, value)) => drop(headers.append(name, value)),
            // Never the text itself: it may be the secret.
            None => mistakes.push(format!(
                "tracing.headers: entry {} is no header that can be added, expected name=value, one a line or with commas \
                 between; write it so, with `%2C` for a comma in a value",
                number + 1
            )),
        }
    }
    headers
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    Some(bytes)
}

const NAMES: Names = Names {
    section: "tracing",
    url: "tracing.otlp_endpoint",
    ca_file: "tracing.ca_file",
    instead: "use headers_file",
};
/// Where collectors take spans over HTTP, unless the endpoint says another path.
const TRACES: &str = "/v1/traces";
/// What the request itself says.
const RESERVED: [&str; 8] =
    ["host", "connection", "content-type", "content-length", "transfer-encoding", "accept", "upgrade", "te"];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(endpoint: &str, headers: Option<&str>, expected: Result<(&str, &[(&str, &str)]), &str>) {
        let settings = Settings {
            otlp_endpoint: Some(endpoint.into()),
            headers: Variable(headers.map(|_| "H".into())),
            ..Settings::default()
        };
        let opened = settings.open(&|_| headers.map(str::to_owned));
        match (opened, expected) {
            (Ok(Some(collector)), Ok((path, expected))) => {
                assert_eq!(format!("{}{}", collector.address.prefix, collector.path), path);
                let found: Vec<_> = collector
                    .headers
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
                    .collect();
                assert_eq!(found, expected);
                assert!(collector.headers.values().all(HeaderValue::is_sensitive));
                assert!(headers.is_none_or(|secret| !format!("{collector:?}").contains(secret)));
            }
            (Err(mistakes), Err(expected)) => {
                assert!(mistakes.len() == 1 && mistakes[0].contains(expected), "{mistakes:?}");
                assert!(headers.is_none_or(|secret| !mistakes[0].contains(secret)), "{mistakes:?}");
            }
            (opened, expected) => panic!("{opened:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn an_endpoint_without_a_path_is_a_collectors() {
        check("http://127.0.0.1:4318", None, Ok(("/v1/traces", &[])));
        check("http://127.0.0.1:4318/", None, Ok(("/v1/traces", &[])));
        check("http://127.0.0.1:4318/v1/traces", None, Ok(("/v1/traces", &[])));
        check("http://[::1]/otlp/", None, Ok(("/otlp", &[])));
        check("http://collector:4318", None, Err("`collector` without TLS"));
        check("http://u:p@localhost", None, Err("use headers_file"));
        check("grpc://localhost:4317", None, Err("another scheme"));
        assert!(Settings::default().open(&|_| None).is_ok_and(|none| none.is_none()));
    }

    #[test]
    fn headers_are_read_as_opentelemetry_writes_them() {
        let at = "http://localhost";
        let path = "/v1/traces";
        check(at, Some("authorization=Bearer%20a%2Cb=="), Ok((path, &[("authorization", "Bearer a,b==")])));
        check(
            at,
            Some("X-Key=hunter2, b = c\n\nd=\n"),
            Ok((path, &[("x-key", "hunter2"), ("b", "c"), ("d", "")])),
        );
        check(at, Some("hunter2"), Err("entry 1 is no header"));
        check(at, Some("a=b,c=hunter%2"), Err("entry 2 is no header"));
        check(at, Some("a b=hunter2"), Err("entry 1"));
        check(at, Some("host=hunter2"), Err("entry 1"));
        check(at, Some("a=hunter%0a2"), Err("entry 1"));
    }
}
