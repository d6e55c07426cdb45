//! How to reach the registry.
//!
//! [`Settings`] is what a person writes under `[registry]`; [`Settings::open`] finds every mistake,
//! reads every secret and makes the [`Client`]. In the clear it goes to this host only, unless that is
//! said to be wanted, and secrets stand neither in the address nor in the file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use secrecy::SecretString;

use super::Client;
use super::http::Address;
use crate::adapters::secret::{is_loopback, secret_file, secret_variable, unread};
use crate::ports::schemas::WhenAway;

/// The section `[registry]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `http://` or `https://`, with a path if it has one; none: there is no registry.
    pub url: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub username: Option<String>,
    pub password_file: Option<PathBuf>,
    pub password: Variable,
    /// A bearer token, read anew for each question: somebody else may keep it fresh.
    pub token_file: Option<PathBuf>,
    pub token: Variable,
    /// Of one question, all of it.
    pub timeout: Duration,
    pub when_away: WhenAway,
    pub danger_plaintext: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: None,
            ca_file: None,
            username: None,
            password_file: None,
            password: Variable(None),
            token_file: None,
            token: Variable(None),
            timeout: Duration::from_secs(5),
            when_away: WhenAway::Wait,
            danger_plaintext: false,
        }
    }
}

/// The name of the environment variable that holds a secret, if one does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variable(pub Option<String>);

/// How the registry is told who asks.
#[derive(Clone, Debug)]
pub(super) enum Credentials {
    Nobody,
    Basic { username: String, password: SecretString },
    Token(SecretString),
    TokenFile(PathBuf),
}

impl Settings {
    /// Reads the secrets and finds every mistake. `env` gives an environment variable's value. Without
    /// an address there is no client.
    ///
    /// # Errors
    /// One message a mistake: `setting found, expected this; do that`.
    pub fn open(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Option<Client>, Vec<String>> {
        let Some(url) = &self.url else { return Ok(None) };
        let mut mistakes = Vec::new();
        let address = self.address(url, &mut mistakes);
        let credentials = self.credentials(env, &mut mistakes);
        match address {
            Some(address) if mistakes.is_empty() => {
                match Client::new(url.clone(), address, credentials, self.timeout) {
                    Ok(client) => return Ok(Some(client)),
                    Err(why) => mistakes.push(format!(
                        "registry: its client could not be made ({why}), expected one; free resources"
                    )),
                }
            }
            _ => {}
        }
        Err(mistakes)
    }

    fn address(&self, url: &str, mistakes: &mut Vec<String>) -> Option<Address> {
        let Ok(uri) = url.parse::<Uri>() else {
            mistakes.push(wrong("is no address"));
            return None;
        };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            mistakes.push(wrong("has no scheme or no host"));
            return None;
        };
        if authority.as_str().contains('@') {
            mistakes.push(
                "registry.url holds a user's name or password, expected none there; use username and password_file".into(),
            );
            return None;
        }
        if uri.query().is_some() || url.contains('#') {
            mistakes.push(wrong("has a query or a fragment"));
            return None;
        }
        let is_https = match scheme {
            "https" => true,
            "http" => false,
            _ => {
                mistakes.push(wrong("has another scheme"));
                return None;
            }
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if !is_https && !self.danger_plaintext && !is_loopback(&host) {
            mistakes.push(format!(
                "registry.url names `{host}` without TLS, expected https to every host but this one; use https://, or, if \
                 the network may be read and changed by others, danger_plaintext = true"
            ));
        }
        let tls = if is_https {
            let config = trust(self.ca_file.as_deref(), mistakes)?;
            let Ok(name) = ServerName::try_from(host.clone()) else {
                mistakes.push(wrong("names a host that no certificate can name"));
                return None;
            };
            Some((config, name))
        } else {
            None
        };
        Some(Address {
            port: authority.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            host,
            tls,
        })
    }

    fn credentials(&self, env: &dyn Fn(&str) -> Option<String>, mistakes: &mut Vec<String>) -> Credentials {
        let has_token = self.token_file.is_some() || self.token.0.is_some();
        let password = match (&self.password.0, &self.password_file) {
            (Some(name), _) => secret_variable("registry.password", name, env, mistakes),
            (None, Some(file)) => secret_file("registry.password_file", file, mistakes),
            (None, None) => None,
        };
        if self.username.is_some() && has_token {
            mistakes.push(
                "registry has both a username and a token, expected one of them; remove the other".into(),
            );
        }
        match (&self.username, password) {
            (Some(username), Some(password)) => {
                if username.contains(':') {
                    mistakes.push(
                        "registry.username has a `:`, expected none, where it ends in HTTP; choose another"
                            .into(),
                    );
                }
                return Credentials::Basic { username: username.clone(), password };
            }
            (Some(_), None) if self.password.0.is_none() && self.password_file.is_none() => mistakes.push(
                "registry has a username and no password, expected one; name password_file, or set WARD__REGISTRY__PASSWORD"
                    .into(),
            ),
            (None, Some(_)) => {
                mistakes.push("registry has a password and no username, expected one; state it".into());
            }
            (Some(_) | None, None) => {}
        }
        match (&self.token.0, &self.token_file) {
            (Some(name), _) => secret_variable("registry.token", name, env, mistakes)
                .map_or(Credentials::Nobody, Credentials::Token),
            (None, Some(file)) => {
                secret_file("registry.token_file", file, mistakes);
                Credentials::TokenFile(file.clone())
            }
            (None, None) => Credentials::Nobody,
        }
    }
}

/// Never the address itself: what is wrong with it may be a password.
fn wrong(found: &str) -> String {
    format!("registry.url {found}, expected http:// or https://, a host and perhaps a path; correct it")
}

/// Whose certificates are believed: the given authorities', else the system's.
fn trust(ca_file: Option<&Path>, mistakes: &mut Vec<String>) -> Option<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca_file {
        let text = match std::fs::read(file) {
            Ok(text) => text,
            Err(error) => {
                mistakes.push(unread("registry.ca_file", file, &error));
                return None;
            }
        };
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&text).filter_map(Result::ok).collect();
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            mistakes.push(format!(
                "registry.ca_file names `{}`, which holds no certificate, expected authorities in PEM; name another",
                file.display()
            ));
            return None;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            mistakes.push(
                "registry.url is https and this system has no authorities, expected some; install them (Debian: \
                 ca-certificates), or name ca_file"
                    .into(),
            );
            return None;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    match ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() {
        Ok(builder) => Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())),
        Err(error) => {
            mistakes.push(format!("registry: TLS cannot be set up ({error}), expected it to; report it"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(change: impl FnOnce(&mut Settings), url: &str, expected: &[&str]) {
        let mut settings = Settings { url: Some(url.into()), ..Settings::default() };
        change(&mut settings);
        let opened = settings.open(&|name| (name == "P").then(|| "hunter2".to_owned()));
        if let Ok(client) = &opened {
            assert!(!format!("{client:?}").contains("hunter2"));
        }
        let found = opened.err().unwrap_or_default();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "`{found}` does not say `{expected}`");
        }
    }

    #[test]
    fn plaintext_goes_to_loopback_only() {
        check(|_| (), "http://127.0.0.1:8081", &[]);
        check(|_| (), "http://[::1]:8081/apis/ccompat/v7/", &[]);
        check(|_| (), "http://localhost", &[]);
        check(|_| (), "http://registry:8081", &["`registry` without TLS"]);
        check(|to| to.danger_plaintext = true, "http://registry:8081", &[]);
    }

    #[test]
    fn an_address_is_an_address() {
        check(|_| (), "registry:8081", &["no scheme"]);
        check(|_| (), "ftp://localhost", &["another scheme"]);
        check(|_| (), "http://localhost?x=1", &["a query"]);
        check(|_| (), "http://u:p@localhost", &["expected none there"]);
        check(|_| (), "", &["no address"]);
        check(|to| to.ca_file = Some("Cargo.toml".into()), "https://localhost", &["no certificate"]);
        check(|to| to.ca_file = Some("/no/such/file".into()), "https://localhost", &["cannot be read"]);
    }

    #[test]
    fn credentials_are_whole_and_of_one_kind() {
        let url = "http://localhost";
        check(|to| to.username = Some("ward".into()), url, &["no password"]);
        check(|to| to.password = Variable(Some("P".into())), url, &["no username"]);
        check(|to| (to.username, to.password) = (Some("ward".into()), Variable(Some("P".into()))), url, &[]);
        check(|to| to.token = Variable(Some("P".into())), url, &[]);
        check(|to| to.token = Variable(Some("Q".into())), url, &["finds no `Q`"]);
        check(|to| to.token_file = Some("/no/such/file".into()), url, &["cannot be read"]);
        let both = |to: &mut Settings| {
            (to.username, to.password) = (Some("ward".into()), Variable(Some("P".into())));
            to.token = Variable(Some("P".into()));
        };
        check(both, url, &["one of them"]);
    }
}
