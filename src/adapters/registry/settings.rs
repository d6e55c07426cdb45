//! How to reach the registry.
//!
//! [`Settings`] is what a person writes under `[registry]`; [`Settings::open`] finds every mistake,
//! reads every secret and makes the [`Client`]. In the clear it goes to this host only, unless that is
//! said to be wanted, and secrets stand neither in the address nor in the file.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::Client;
use crate::adapters::http::{Address, Names};
use crate::adapters::secret::{secret_file, secret_variable};
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
        let address =
            Address::read(url, self.ca_file.as_deref(), self.danger_plaintext, &NAMES, &mut mistakes);
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

const NAMES: Names = Names {
    section: "registry",
    url: "registry.url",
    ca_file: "registry.ca_file",
    instead: "use username and password_file",
};

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
