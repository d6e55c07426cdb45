//! Where a secret comes from: a file, or a variable of the environment. What is missing is noted. And
//! where one may go in the clear: to this host.

use std::net::IpAddr;
use std::path::Path;

use secrecy::SecretString;

pub(in crate::adapters) fn secret_file(
    name: &str,
    file: &Path,
    mistakes: &mut Vec<String>,
) -> Option<SecretString> {
    match std::fs::read_to_string(file) {
        Ok(text) if !text.trim_end_matches(['\r', '\n']).is_empty() => {
            Some(SecretString::from(text.trim_end_matches(['\r', '\n'])))
        }
        Ok(_) => {
            let file = file.display();
            mistakes
                .push(format!("{name} names `{file}`, which is empty, expected the secret; write it there"));
            None
        }
        Err(error) => {
            mistakes.push(unread(name, file, &error));
            None
        }
    }
}

pub(in crate::adapters) fn unread(name: &str, file: &Path, error: &std::io::Error) -> String {
    let file = file.display();
    format!(
        "{name} names `{file}`, which cannot be read ({error}), expected a readable file; mend it, or name another"
    )
}

pub(in crate::adapters) fn secret_variable(
    name: &str,
    variable: &str,
    env: &dyn Fn(&str) -> Option<String>,
    mistakes: &mut Vec<String>,
) -> Option<SecretString> {
    let found = env(variable).filter(|value| !value.is_empty());
    if found.is_none() {
        mistakes
            .push(format!("{name} finds no `{variable}` in the environment, expected the secret; set it"));
    }
    found.map(SecretString::from)
}

pub(in crate::adapters) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
