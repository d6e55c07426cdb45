//! A registry of the test's own: a plain listener that answers as it is told, well or badly.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

/// How a question is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    Whole(u16, Vec<u8>),
    Raw(Vec<u8>),
    Redirect(&'static str),
    /// A body without end.
    EndlessBody,
    /// Headers without end.
    EndlessHead,
    /// Nothing, for long.
    Silence,
    /// One byte now and then.
    Drip,
    /// The connection is closed at once.
    HangUp,
    /// Half of what was promised.
    Cut,
}

impl Reply {
    pub fn whole(status: u16, body: &[u8]) -> Self {
        Self::Whole(status, body.to_vec())
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::Whole(status, body.to_string().into_bytes())
    }

    /// An error ends it: whoever asked has left.
    fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        match self {
            Self::Whole(status, body) => {
                write!(out, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len())?;
                out.write_all(body)
            }
            Self::Raw(bytes) => out.write_all(bytes),
            Self::Redirect(to) => {
                write!(out, "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
            }
            Self::EndlessBody => {
                write!(out, "HTTP/1.1 200 OK\r\n\r\n")?;
                loop {
                    out.write_all(&[b' '; 65_536])?;
                }
            }
            Self::EndlessHead => {
                write!(out, "HTTP/1.1 200 OK\r\n")?;
                loop {
                    out.write_all(b"x-more: and more\r\n")?;
                }
            }
            Self::Silence => {
                std::thread::sleep(Duration::from_secs(2));
                Ok(())
            }
            Self::Drip => {
                write!(out, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")?;
                for _ in 0..100 {
                    out.write_all(b" ")?;
                    out.flush()?;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Ok(())
            }
            Self::HangUp => Ok(()),
            Self::Cut => write!(out, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{{"),
        }
    }
}

/// Subjects, each with its versions: id and schema.
type Subjects = BTreeMap<String, Vec<(u32, String)>>;

#[derive(Debug)]
pub struct Fake {
    address: SocketAddr,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<(String, Vec<u8>)>>>,
    subjects: Arc<Mutex<Subjects>>,
}

impl Fake {
    /// Answers every question so, each connection on a thread of its own, until the process ends.
    pub fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::serve("http", Arc::default(), answer, |stream, talk| {
            let mut stream = stream;
            talk(&mut stream);
        })
    }

    /// The same over TLS. Writes `ca.pem`, which signed its certificate, and `other.pem`, which did not.
    pub fn start_tls(folder: &Path, answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            std::fs::write(folder.join(name), issuer.pem()).unwrap();
            issuer
        };
        let issuer = authority("ca.pem");
        authority("other.pem");
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
            )
            .unwrap();
        let config = Arc::new(config);
        Self::serve("https", Arc::default(), answer, move |stream, talk| {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            talk(&mut rustls::StreamOwned::new(session, stream));
        })
    }

    /// A registry that behaves: ids by content, versions, and no schema of another name.
    pub fn registry() -> Self {
        let subjects = Arc::new(Mutex::new(Subjects::new()));
        let kept = Arc::clone(&subjects);
        Self::serve(
            "http",
            subjects,
            move |asked| behave(&mut kept.lock().unwrap(), asked),
            |stream, talk| {
                let mut stream = stream;
                talk(&mut stream);
            },
        )
    }

    fn serve(
        scheme: &'static str,
        subjects: Arc<Mutex<Subjects>>,
        answer: impl Fn(&str) -> Reply + Send + Sync + 'static,
        wrap: impl Fn(TcpStream, &mut dyn FnMut(&mut dyn ReadWrite)) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (noted, answer, wrap) = (Arc::clone(&asked), Arc::new(answer), Arc::new(wrap));
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (noted, answer, wrap) = (Arc::clone(&noted), Arc::clone(&answer), Arc::clone(&wrap));
                std::thread::spawn(move || {
                    wrap(stream, &mut |stream| {
                        let Some((head, body)) = read(stream) else { return };
                        let question = head.clone() + &String::from_utf8_lossy(&body);
                        noted.lock().unwrap().push((head, body));
                        // Whoever asked may have left.
                        drop(answer(&question).write(stream).and_then(|()| stream.flush()));
                    });
                });
            }
        });
        Self { address, scheme, asked, subjects }
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Every question so far: head and body.
    pub fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|(head, body)| head.clone() + &String::from_utf8_lossy(body)).collect()
    }

    /// What came with them.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.asked.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }

    /// Registers a schema of somebody else's, and gives its id.
    pub fn put(&self, subject: &str, schema: &str) -> u32 {
        put(&mut self.subjects.lock().unwrap(), subject, schema)
    }
}

pub trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

fn read(stream: &mut dyn ReadWrite) -> Option<(String, Vec<u8>)> {
    let mut from = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(found) = line.to_lowercase().strip_prefix("content-length:") {
            length = found.trim().parse().unwrap();
        }
        text.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).ok()?;
    Some((text, body))
}

fn put(subjects: &mut Subjects, subject: &str, schema: &str) -> u32 {
    let known = subjects.values().flatten().find(|(_, text)| text == schema).map(|(id, _)| *id);
    let next = subjects.values().flatten().map(|(id, _)| id + 1).max().unwrap_or(1);
    let versions = subjects.entry(subject.to_owned()).or_default();
    let id = known.unwrap_or(next);
    if versions.iter().all(|(other, _)| *other != id) {
        versions.push((id, schema.to_owned()));
    }
    id
}

fn behave(subjects: &mut Subjects, asked: &str) -> Reply {
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let sent: Value = serde_json::from_str(body).unwrap_or_default();
    let schema = sent["schema"].as_str().unwrap_or_default();
    let missing = || Reply::json(404, &json!({ "error_code": 40401, "message": "not found" }));
    let name = |text: &str| serde_json::from_str::<Value>(text).unwrap()["name"].clone();
    let of = |version: usize, subject: &str, (id, schema): &(u32, String)| {
        Reply::json(200, &json!({ "id": id, "subject": subject, "version": version, "schema": schema }))
    };
    match (method, path.split('/').skip(1).collect::<Vec<_>>().as_slice()) {
        ("GET", ["schemas", "ids", id]) => {
            let found = subjects.values().flatten().find(|(known, _)| known.to_string() == *id);
            found.map_or_else(missing, |(_, schema)| Reply::json(200, &json!({ "schema": schema })))
        }
        ("GET", ["subjects", subject, "versions", "latest"]) => match subjects.get(*subject) {
            Some(versions) => of(versions.len(), subject, versions.last().unwrap()),
            None => missing(),
        },
        ("POST", ["subjects", subject]) => {
            let versions = subjects.get(*subject).map(Vec::as_slice).unwrap_or_default();
            match versions.iter().position(|(_, text)| text == schema) {
                Some(at) => of(at + 1, subject, &versions[at]),
                None => missing(),
            }
        }
        ("POST", ["subjects", subject, "versions"]) => {
            let last = subjects.get(*subject).and_then(|versions| versions.last());
            if last.is_some_and(|(_, text)| name(text) != name(schema)) {
                return Reply::json(409, &json!({ "error_code": 409, "message": "names differ" }));
            }
            Reply::json(200, &json!({ "id": put(subjects, subject, schema) }))
        }
        ("POST", ["compatibility", "subjects", subject, "versions", _]) => {
            let last = subjects.get(*subject).and_then(|versions| versions.last());
            let is_compatible = last.is_none_or(|(_, text)| name(text) == name(schema));
            Reply::json(200, &json!({ "is_compatible": is_compatible, "messages": ["names differ"] }))
        }
        _ => Reply::whole(404, b""),
    }
}
