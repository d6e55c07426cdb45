//! One question over HTTP/1.1 and its answer, on a connection of its own: questions are rare, and a
//! connection that is kept is one more thing that can hang.
//!
//! *Failure*: everything together takes at most the time-out, an answer has at most
//! [`BODY_BYTES_MAX`] bytes and [`HEADERS_MAX`] headers, and a redirect is none: credentials go to the
//! configured address and nowhere else.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, USER_AGENT,
};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where the registry is.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
    /// As the `Host` header has it.
    pub(super) authority: String,
    /// What every path begins with; no slash at its end.
    pub(super) prefix: String,
    pub(super) tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
}

/// What is asked.
pub(super) struct Question<'q> {
    pub(super) method: Method,
    /// Behind the address's own; begins with a slash.
    pub(super) path: &'q str,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) body: Option<String>,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Silence {
    /// Nobody answers, or not in time.
    Away(String),
    /// What comes is not to be taken for an answer.
    Unsound(String),
}

/// Asks, and waits for at most `timeout`.
pub(super) async fn ask(
    address: &Address,
    question: Question<'_>,
    timeout: Duration,
) -> Result<Answer, Silence> {
    match tokio::time::timeout(timeout, connect_and_ask(address, question)).await {
        Ok(done) => done,
        Err(_elapsed) => Err(Silence::Away(format!("no whole answer within {timeout:?}"))),
    }
}

async fn connect_and_ask(address: &Address, question: Question<'_>) -> Result<Answer, Silence> {
    let away = |error: std::io::Error| Silence::Away(error.to_string());
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(away)?;
    match &address.tls {
        None => exchange(stream, address, question).await,
        Some((config, name)) => {
            let connector = TlsConnector::from(Arc::clone(config));
            let stream = connector
                .connect(name.clone(), stream)
                .await
                .map_err(|error| Silence::Away(format!("TLS: {error}")))?;
            exchange(stream, address, question).await
        }
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    address: &Address,
    question: Question<'_>,
) -> Result<Answer, Silence> {
    let unsound =
        |error: hyper::Error| Silence::Unsound(format!("what answers does not speak HTTP ({error})"));
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake::<_, Full<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(unsound)?;
    let request = request(address, question)?;
    let asking = async move {
        let response = sender.send_request(request).await.map_err(|error| {
            if error.is_parse() { unsound(error) } else { Silence::Away(error.to_string()) }
        })?;
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
            let to: String = to.chars().take(200).collect();
            return Err(Silence::Unsound(format!(
                "it redirects to `{}`, which is not followed; give that address as the registry's",
                to.escape_debug()
            )));
        }
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Silence::Unsound(format!("its answer goes beyond {BODY_BYTES_MAX} bytes"))
            } else {
                Silence::Away(format!("its answer broke off ({error})"))
            }
        })?;
        Ok(Answer { status: status.as_u16(), body: body.to_bytes().to_vec() })
    };
    let (mut asking, mut connection) = (pin!(asking), pin!(connection));
    let mut is_open = true;
    loop {
        tokio::select! {
            biased;
            answer = &mut asking => return answer,
            // How it ended is told by the answer, or by its absence.
            _ended = &mut connection, if is_open => is_open = false,
        }
    }
}

fn request(address: &Address, question: Question<'_>) -> Result<Request<Full<Bytes>>, Silence> {
    let Question { method, path, authorization, body } = question;
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", address.prefix))
        .header(HOST, &address.authority)
        .header(USER_AGENT, concat!("ward/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, CONTENT)
        .header(CONNECTION, "close");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    if body.is_some() {
        request = request.header(CONTENT_TYPE, CONTENT);
    }
    let body = Full::new(Bytes::from(body.unwrap_or_default()));
    request.body(body).map_err(|error| Silence::Unsound(format!("the question cannot be put ({error})")))
}

/// What registries of this kind send and take.
const CONTENT: &str = "application/vnd.schemaregistry.v1+json";
/// A schema of the largest kind that is read, in a JSON text.
const BODY_BYTES_MAX: usize = 4 << 20;
const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 64 * 1024;
