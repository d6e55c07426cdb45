//! One question over HTTP/1.1 and its answer, on a connection of its own: questions are rare, and a
//! connection that is kept is one more thing that can hang.
//!
//! *Failure*: everything together takes at most the time-out, an answer has a bounded number of bytes
//! and of headers, and a redirect is none: credentials go to the configured address and nowhere else.

mod address;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, HeaderMap, LOCATION, USER_AGENT};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(in crate::adapters) use self::address::{Address, Names};

/// What is asked.
pub(in crate::adapters) struct Question<'q> {
    pub(in crate::adapters) method: Method,
    /// Behind the address's own; begins with a slash.
    pub(in crate::adapters) path: &'q str,
    /// The type of what is sent and of what is expected.
    pub(in crate::adapters) content: &'static str,
    /// Beside those that every request has; credentials are marked as sensitive.
    pub(in crate::adapters) headers: HeaderMap,
    pub(in crate::adapters) body: Option<Bytes>,
    /// Of the answer.
    pub(in crate::adapters) bytes_max: usize,
}

#[derive(Debug)]
pub(in crate::adapters) struct Answer {
    pub(in crate::adapters) status: u16,
    pub(in crate::adapters) headers: HeaderMap,
    pub(in crate::adapters) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(in crate::adapters) enum Silence {
    /// Nobody answers, or not in time.
    Away(String),
    /// What comes is not to be taken for an answer.
    Unsound(String),
}

/// Asks, and waits for at most `timeout`.
pub(in crate::adapters) async fn ask(
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
    let bytes_max = question.bytes_max;
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
                "it redirects to `{}`, which is not followed; give that address instead",
                to.escape_debug()
            )));
        }
        let headers = response.headers().clone();
        let body = Limited::new(response.into_body(), bytes_max).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Silence::Unsound(format!("its answer goes beyond {bytes_max} bytes"))
            } else {
                Silence::Away(format!("its answer broke off ({error})"))
            }
        })?;
        Ok(Answer { status: status.as_u16(), headers, body: body.to_bytes().to_vec() })
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
    let Question { method, path, content, headers, body, bytes_max: _ } = question;
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", address.prefix))
        .header(HOST, &address.authority)
        .header(USER_AGENT, concat!("ward/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, content)
        .header(CONNECTION, "close");
    if body.is_some() {
        request = request.header(CONTENT_TYPE, content);
    }
    if let Some(all) = request.headers_mut() {
        all.extend(headers);
    }
    request
        .body(Full::new(body.unwrap_or_default()))
        .map_err(|error| Silence::Unsound(format!("the question cannot be put ({error})")))
}

const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 64 * 1024;
