//! Where to ask: an address that a person wrote, and whose certificates are believed there.
//!
//! In the clear it goes to this host only, unless that is said to be wanted, and the address holds no
//! secret.

use std::path::Path;
use std::sync::Arc;

use hyper::Uri;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::adapters::secret::{is_loopback, unread};

/// Where somebody answers.
#[derive(Clone)]
pub(in crate::adapters) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    /// As the `Host` header has it.
    pub(super) authority: String,
    /// What every path begins with; no slash at its end.
    pub(in crate::adapters) prefix: String,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// What its settings are called where they are wrong.
pub(in crate::adapters) struct Names {
    pub(in crate::adapters) section: &'static str,
    pub(in crate::adapters) url: &'static str,
    pub(in crate::adapters) ca_file: &'static str,
    /// What to do instead of writing a secret into the address.
    pub(in crate::adapters) instead: &'static str,
}

impl Address {
    pub(in crate::adapters) fn read(
        url: &str,
        ca_file: Option<&Path>,
        danger_plaintext: bool,
        names: &Names,
        mistakes: &mut Vec<String>,
    ) -> Option<Self> {
        // Never the address itself: what is wrong with it may be a password.
        let wrong = |found: &str| {
            let Names { url, .. } = names;
            format!("{url} {found}, expected http:// or https://, a host and perhaps a path; correct it")
        };
        let Ok(uri) = url.parse::<Uri>() else {
            mistakes.push(wrong("is no address"));
            return None;
        };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            mistakes.push(wrong("has no scheme or no host"));
            return None;
        };
        if authority.as_str().contains('@') {
            let Names { url, instead, .. } = names;
            mistakes.push(format!("{url} holds a user's name or password, expected none there; {instead}"));
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
        if !is_https && !danger_plaintext && !is_loopback(&host) {
            mistakes.push(format!(
                "{} names `{host}` without TLS, expected https to every host but this one; use https://, or, if \
                 the network may be read and changed by others, danger_plaintext = true",
                names.url
            ));
        }
        let tls = if is_https {
            let config = trust(ca_file, names, mistakes)?;
            let Ok(name) = ServerName::try_from(host.clone()) else {
                mistakes.push(wrong("names a host that no certificate can name"));
                return None;
            };
            Some((config, name))
        } else {
            None
        };
        Some(Self {
            port: authority.port_u16().unwrap_or(if is_https { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
            host,
            tls,
        })
    }
}

/// Whose certificates are believed: the given authorities', else the system's.
fn trust(ca_file: Option<&Path>, names: &Names, mistakes: &mut Vec<String>) -> Option<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca_file {
        let text = match std::fs::read(file) {
            Ok(text) => text,
            Err(error) => {
                mistakes.push(unread(names.ca_file, file, &error));
                return None;
            }
        };
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&text).filter_map(Result::ok).collect();
        roots.add_parsable_certificates(certificates);
        if roots.is_empty() {
            mistakes.push(format!(
                "{} names `{}`, which holds no certificate, expected authorities in PEM; name another",
                names.ca_file,
                file.display()
            ));
            return None;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            mistakes.push(format!(
                "{} is https and this system has no authorities, expected some; install them (Debian: \
                 ca-certificates), or name ca_file",
                names.url
            ));
            return None;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    match ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() {
        Ok(builder) => Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())),
        Err(error) => {
            let Names { section, .. } = names;
            mistakes.push(format!("{section}: TLS cannot be set up ({error}), expected it to; report it"));
            None
        }
    }
}
