//! OTLP: spans to a collector of OpenTelemetry's, as protobuf over HTTP.
//!
//! *Delivery*: at most once, at best effort. What finds no room, what the collector refuses, and what it
//! does not take within a few tries is dropped and counted. *Ordering*: none. *Failure*: it has a thread
//! of its own and a bounded queue before it, so that a collector that is away, slow or lying costs spans
//! and nothing else; said once in the log, and once when it takes spans again. *Metrics*:
//! `ward_spans_sent_total`, `ward_spans_dropped_total`, `ward_collector_away_total`.

#![expect(clippy::disallowed_methods, reason = "the edge to the collector waits, and asks the wall clock")]

mod settings;
mod span;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message as _;
use tokio::runtime::Runtime;

pub use settings::{Collector, Settings};
pub use span::About;

use crate::adapters::http::{Answer, Question, Silence, ask};
use crate::ports::clock::{Clock, Tick};
use crate::telemetry::{Dropped, Happened, Processed, SPANS_A_RECORD, dropped, sent};

/// A thread that sends spans.
#[derive(Debug)]
pub struct Exporter {
    closing: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Exporter {
    /// Sends what comes `from` whoever records, until [`Exporter::finish`].
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        collector: Collector,
        about: About,
        clock: Arc<dyn Clock>,
        from: Receiver<Processed>,
    ) -> std::io::Result<Self> {
        let runtime = runtime()?;
        let closing = Arc::new(AtomicBool::new(false));
        let sender = Sender {
            collector,
            about,
            clock,
            from,
            closing: Arc::clone(&closing),
            runtime,
            away_since: None,
        };
        let thread = std::thread::Builder::new().name("spans".into()).spawn(move || sender.run())?;
        Ok(Self { closing, thread })
    }

    /// Sends what is left, for at most `patience`.
    pub fn finish(self, patience: Duration) {
        self.closing.store(true, Ordering::Relaxed);
        let began = Instant::now();
        while !self.thread.is_finished() && began.elapsed() < patience {
            std::thread::sleep(FINISH_PAUSE);
        }
        // One that has not ended is left to the end of the process.
    }
}

struct Sender {
    collector: Collector,
    about: About,
    clock: Arc<dyn Clock>,
    from: Receiver<Processed>,
    closing: Arc<AtomicBool>,
    runtime: Runtime,
    away_since: Option<Tick>,
}

/// Why a batch was not taken.
#[derive(Debug)]
enum Trouble {
    /// It may be, later; after so long, if the collector says.
    Later(String, Option<Duration>),
    Never(String),
}

impl Sender {
    fn run(mut self) {
        loop {
            let is_last = self.is_closing();
            let batch = self.gather();
            if !batch.is_empty() {
                self.deliver(&batch);
            } else if is_last {
                // A name that is still being looked up is not waited for.
                self.runtime.shutdown_background();
                return;
            }
        }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// What has come, once there is enough or the first has waited long enough.
    fn gather(&self) -> Vec<Processed> {
        let (mut batch, mut since) = (Vec::new(), None);
        while batch.len() < BATCH_MAX {
            match self.from.recv_timeout(LOOK_EVERY) {
                Ok(processed) => {
                    since.get_or_insert_with(|| self.clock.now());
                    batch.push(processed);
                }
                Err(RecvTimeoutError::Timeout) if self.is_closing() => break,
                Err(RecvTimeoutError::Timeout) => {}
                // Everybody who records has ended: what closes this is on its way.
                Err(RecvTimeoutError::Disconnected) if self.is_closing() || !batch.is_empty() => break,
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK_EVERY),
            }
            if since.is_some_and(|since| self.clock.now().since(since) >= BATCH_EVERY) {
                break;
            }
        }
        batch
    }

    fn deliver(&mut self, batch: &[Processed]) {
        let spans = SPANS_A_RECORD * batch.len() as u64;
        let resource_spans = vec![span::request(&self.about, batch, self.epoch())];
        let body = Bytes::from(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
        let mut pauses = PAUSES.iter();
        loop {
            let (why, pause) = match self.collector.post(&self.runtime, &body) {
                Ok(refused) => {
                    if let Some(since) = self.away_since.take() {
                        Happened::CollectorBack { after: self.clock.now().since(since) }.emit();
                    }
                    let refused = refused.min(spans);
                    sent(spans - refused);
                    return dropped(Dropped::Collector, refused);
                }
                Err(Trouble::Later(why, after)) => {
                    let pause = pauses.next().map(|pause| after.map_or(*pause, |after| after.max(*pause)));
                    (why, pause)
                }
                Err(Trouble::Never(why)) => (why, None),
            };
            if self.away_since.is_none() {
                self.away_since = Some(self.clock.now());
                Happened::CollectorAway { endpoint: &self.collector.endpoint, why: &why }.emit();
            }
            if !pause.is_some_and(|pause| self.rests(pause.min(PAUSE_MAX))) {
                return dropped(Dropped::Collector, spans);
            }
        }
    }

    /// `false` when it is time to end.
    fn rests(&self, pause: Duration) -> bool {
        let until = self.clock.now().plus(pause);
        while !self.is_closing() && self.clock.now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
        !self.is_closing()
    }

    /// When the process's own time began, by the wall.
    fn epoch(&self) -> Duration {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        wall.saturating_sub(self.clock.now().0)
    }
}

impl Collector {
    /// Whether it takes spans, told by sending none.
    ///
    /// # Errors
    /// Why it does not.
    pub fn answers(&self) -> Result<(), String> {
        let runtime = runtime().map_err(|error| error.to_string())?;
        let answered = self.post(&runtime, &Bytes::new());
        runtime.shutdown_background();
        answered.map(drop).map_err(|trouble| match trouble {
            Trouble::Later(why, _) | Trouble::Never(why) => why,
        })
    }

    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The number of spans that it did not want.
    fn post(&self, runtime: &Runtime, body: &Bytes) -> Result<u64, Trouble> {
        let question = Question {
            method: Method::POST,
            path: self.path,
            content: CONTENT,
            headers: self.headers.clone(),
            body: Some(body.clone()),
            bytes_max: ANSWER_BYTES_MAX,
        };
        match runtime.block_on(ask(&self.address, question, self.timeout)) {
            Ok(answer) => read(&answer),
            Err(Silence::Away(why) | Silence::Unsound(why)) => Err(Trouble::Later(why, None)),
        }
    }
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn read(answer: &Answer) -> Result<u64, Trouble> {
    let why = || format!("status {}", answer.status);
    match answer.status {
        200..300 => {
            let kind = answer.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            if kind.is_some_and(|kind| !kind.starts_with(CONTENT)) {
                // Some answer in JSON whatever they were asked in; a page is no collector's word.
                return match kind.filter(|kind| kind.starts_with("application/json")) {
                    Some(_) => Ok(0),
                    None => Err(Trouble::Never("what answers is no collector; look at the endpoint".into())),
                };
            }
            match ExportTraceServiceResponse::decode(answer.body.as_slice()) {
                Ok(said) => Ok(said
                    .partial_success
                    .map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0))),
                Err(_) => Err(Trouble::Never("what answers is no collector; look at the endpoint".into())),
            }
        }
        429 | 502..=504 => {
            let after = answer.headers.get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
            Err(Trouble::Later(why(), after.map(Duration::from_secs)))
        }
        401 | 403 => Err(Trouble::Never(format!("{}; give headers that may in [tracing]", why()))),
        _ => Err(Trouble::Never(why())),
    }
}

const CONTENT: &str = "application/x-protobuf";
/// A collector says next to nothing.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// About 300 KiB.
const BATCH_MAX: usize = 256;
const BATCH_EVERY: Duration = Duration::from_secs(1);
/// How soon the end is noticed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const FINISH_PAUSE: Duration = Duration::from_millis(5);
/// Between tries; what comes meanwhile waits in the queue.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// Whatever a collector asks for.
const PAUSE_MAX: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
