//! No log line shows a secret: not at the most talkative level, not as text, not as JSON, not when
//! what holds the secret is wrong. The client of Kafka is made to say all that it can say, too.

use std::path::Path;
use std::process::Command;

/// Marks that stand nowhere else.
const PASSWORD: &str = "pw-7fZq0Xe1-secret";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0b2tlbi04a1dwIiwiZXhwIjo5OTk5OTk5OTk5fQ.";
const KEY_PASSWORD: &str = "key-2Lm9Rv4T-secret";

/// A configuration, and what is in the environment.
struct Case {
    name: &'static str,
    toml: &'static str,
    environment: &'static [(&'static str, &'static str)],
    /// What the run has to say, so that a case that ends too early is seen.
    says: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "a password from the environment",
        toml: "[kafka.tls]\n[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'ward'\n",
        environment: &[("WARD__KAFKA__SASL__PASSWORD", PASSWORD)],
        says: "no broker at",
    },
    Case {
        name: "a password from a file",
        toml: "[kafka.tls]\n[kafka.sasl]\nmechanism = 'SCRAM-SHA-512'\nusername = 'ward'\npassword_file = 'DIR/password'\n",
        environment: &[],
        says: "no broker at",
    },
    Case {
        name: "a token from a file",
        toml: "[kafka.tls]\n[kafka.sasl]\nmechanism = 'OAUTHBEARER'\ntoken_file = 'DIR/token'\n",
        environment: &[],
        says: "no broker at",
    },
    Case {
        name: "a key that its password does not open",
        toml: "[kafka.tls]\ncertificate_file = 'DIR/cert'\nkey_file = 'DIR/key'\nkey_password_file = 'DIR/key-password'\n",
        environment: &[],
        says: "error: ",
    },
    Case {
        name: "a password where none belongs",
        toml: "[kafka.sasl]\nmechanism = 'PLAIN'\nusername = 'ward'\npassword = 'pw-7fZq0Xe1-secret'\n",
        environment: &[],
        says: "is a secret in clear",
    },
    Case {
        name: "a key's password where none belongs",
        toml: "[kafka.tls]\nkey_password = 'key-2Lm9Rv4T-secret'\n",
        environment: &[],
        says: "is a secret in clear",
    },
    Case {
        name: "a password as a property of the client",
        toml: "[kafka.extra]\n'sasl.password' = 'pw-7fZq0Xe1-secret'\n'ssl.key.password' = 'key-2Lm9Rv4T-secret'\n",
        environment: &[],
        says: "error: ",
    },
    Case {
        name: "a registry's password from a file",
        toml: "[topics.events]\nformat = 'confluent'\n[registry]\nurl = 'http://127.0.0.1:1'\nusername = 'ward'\npassword_file = 'DIR/password'\n",
        environment: &[],
        says: "no broker at",
    },
    Case {
        name: "a collector's credentials from the environment",
        toml: "[tracing]\notlp_endpoint = 'http://127.0.0.1:1'\n",
        environment: &[("WARD__TRACING__HEADERS", "authorization=Bearer pw-7fZq0Xe1-secret")],
        says: "no broker at",
    },
    Case {
        name: "a collector's credentials where none belong",
        toml: "[tracing]\nheaders = 'authorization=pw-7fZq0Xe1-secret'\n",
        environment: &[],
        says: "is a secret in clear",
    },
    Case {
        name: "a collector's credentials that are no headers",
        toml: "[tracing]\notlp_endpoint = 'http://127.0.0.1:1'\nheaders_file = 'DIR/password'\n",
        environment: &[],
        says: "entry 1 is no header",
    },
    Case {
        name: "a registry's token where none belongs",
        toml: "[registry]\nurl = 'http://127.0.0.1:1'\ntoken = 'pw-7fZq0Xe1-secret'\n",
        environment: &[],
        says: "is a secret in clear",
    },
];

#[test]
fn no_secret_is_shown() {
    for case in CASES {
        for format in ["text", "json"] {
            let home = tempfile::tempdir().unwrap();
            let said = run(case, format, home.path());
            let label = format!("{}, as {format}", case.name);
            assert!(said.contains(case.says), "{label}: does not say `{}`:\n{said}", case.says);
            let shown: Vec<_> = forms().into_iter().filter(|form| said.contains(form)).collect();
            assert!(shown.is_empty(), "{label}: shows {shown:?}");
        }
    }
}

/// Secrets, and what the protocols make of them.
fn forms() -> Vec<String> {
    let mut forms = Vec::new();
    for secret in [PASSWORD, TOKEN, KEY_PASSWORD] {
        let bytes = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        forms.extend([secret.to_owned(), bytes(secret), base64(secret.as_bytes())]);
    }
    forms.push(base64(format!("\0ward\0{PASSWORD}").as_bytes()));
    // A piece of a token is as good as a whole one for whoever looks for it.
    forms.push(TOKEN.split('.').nth(1).unwrap().to_owned());
    forms
}

fn run(case: &Case, format: &str, home: &Path) -> String {
    let write = |name: &str, text: &str| std::fs::write(home.join(name), text).unwrap();
    write("password", PASSWORD);
    write("token", TOKEN);
    write("key-password", KEY_PASSWORD);
    write("cert", "no certificate");
    write("key", "no key");
    let toml = case.toml.replace("DIR", &home.display().to_string());
    let own_extra = if toml.contains("[kafka.extra]") { "" } else { "[kafka.extra]\n" };
    let toml = format!(
        "[kafka]\nbootstrap = '127.0.0.1:1'\nconnect_timeout = '2s'\n[log]\nformat = '{format}'\nfilter = 'trace'\n{toml}{own_extra}debug = 'all'\n"
    );
    write("ward.toml", &toml);
    let output = Command::new(env!("CARGO_BIN_EXE_ward"))
        .args(["run", "--workers", "1", "--geo", "builtin", "--config"])
        .arg(home.join("ward.toml"))
        .arg("--state")
        .arg(home.join("state"))
        .env_clear()
        .envs(case.environment.iter().copied())
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// RFC 4648, without the last group, which what follows may change.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks_exact(3).flat_map(|group| {
        let all = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(all >> shift) as usize & 63]))
    });
    groups.collect()
}
