//! The listener for `/metrics`, `/health` and `/ready`: HTTP/1.1, GET and HEAD.
//!
//! *Failure*: nothing here can stop a decision. It has a thread of its own, takes few connections,
//! one request each, and gives none longer than a few seconds; whoever comes beyond that is hung up
//! on. There is no TLS and no password: it belongs on loopback or in a network that is trusted.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::debug;

use super::status::Status;
use crate::model::time::Timestamp;
use crate::telemetry::{Exporter, UPKEEP_EVERY};

/// What the listener shows.
#[derive(Clone, Debug)]
pub struct Probes {
    pub exporter: Exporter,
    pub status: Status,
    /// The wall clock: ages of files and of records are measured by it.
    pub wall: fn() -> Timestamp,
}

/// Listens at `at` on a thread of its own, and says where: port 0 is any that is free. The thread
/// ends with the process.
///
/// # Errors
/// When the address cannot be listened at, or no thread started.
pub fn listen(at: SocketAddr, probes: Probes) -> std::io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    let at = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new()
        .name("probes".into())
        .spawn(move || runtime.block_on(serve(listener, probes)))?;
    Ok(at)
}

async fn serve(listener: std::net::TcpListener, probes: Probes) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return debug!(%error, "metrics are not served"),
    };
    let probes = Arc::new(probes);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = tokio::task::JoinSet::new();
    let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
    loop {
        tokio::select! {
            _ = upkeep.tick() => probes.exporter.tidy(),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // One too many is hung up on: it may come again.
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
                    let probes = Arc::clone(&probes);
                    connections.spawn(async move {
                        converse(stream, probes).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    debug!(%error, "a connection could not be taken");
                    // Out of file descriptors: at once it would be the same.
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

/// One request and its answer.
async fn converse(stream: TcpStream, probes: Arc<Probes>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request, &probes);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "a connection for metrics ended early"),
        Err(_) => debug!("a connection for metrics took too long"),
    }
}

fn answer(request: &Request<Incoming>, probes: &Probes) -> Response<Full<Bytes>> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
        response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => {
            probes.status.gauge((probes.wall)());
            response(StatusCode::OK, METRICS_TYPE, probes.exporter.render())
        }
        "/health" => {
            let hanging = probes.status.hanging();
            match hanging.first() {
                None => text(StatusCode::OK, "ok\n"),
                Some(told) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{told}\n")),
            }
        }
        "/ready" => {
            let readiness = probes.status.readiness();
            let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let body = serde_json::to_string(&readiness).unwrap_or_default();
            response(status, "application/json", body + "\n")
        }
        _ => text(StatusCode::NOT_FOUND, "here are /metrics, /health and /ready\n"),
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", body)
}

fn response(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    response
}

const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A Prometheus pair, an orchestrator and a few people.
const CONNECTIONS_MAX: usize = 32;
const HEADER_TIMEOUT: Duration = Duration::from_secs(3);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// The least that hyper takes; a scrape sends a few hundred bytes.
const HEADER_BYTES_MAX: usize = 8 << 10;
const HEADERS_MAX: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
