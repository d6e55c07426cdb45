//! Where simulated events go: lines, a container file, or Kafka.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::adapters::kafka::{Admin, Connection, Publisher};
use crate::cli::Failure;
use crate::engine::emit;
use crate::model::event::Event;
use crate::pipeline::lane::Rendering;
use crate::simulate::Simulated;

pub(super) enum Sink {
    Lines {
        out: Out,
        buffer: Vec<u8>,
    },
    Container {
        out: Box<apache_avro::Writer<'static, Out>>,
        broken: Rc<Cell<bool>>,
    },
    Kafka {
        publisher: Publisher,
        topic: String,
        written: Rendering,
        pace: Option<Pace>,
        key: Vec<u8>,
        value: Vec<u8>,
    },
}

impl Sink {
    pub(super) fn file(path: &Path, avro: bool) -> Result<Self, Failure> {
        let out = Out::open(path)?;
        if !avro {
            return Ok(Self::Lines { out, buffer: Vec::with_capacity(4096) });
        }
        let broken = Rc::clone(&out.broken);
        let schema = SCHEMA.as_ref().map_err(|error| Failure::Internal(format!("schema event: {error}")))?;
        // A marker of our own: the same arguments give the same bytes.
        let out = apache_avro::Writer::builder().schema(schema).writer(out).marker(*MARKER).build();
        let out = out.map_err(|error| Failure::Internal(format!("Avro: {error}")))?;
        Ok(Self::Container { out: Box::new(out), broken })
    }

    pub(super) fn kafka(
        connection: &Connection,
        topic: String,
        written: Rendering,
        rate: Option<u32>,
    ) -> Result<Self, Failure> {
        there(connection, &topic)?;
        let publisher = Publisher::new(connection)?;
        let pace = rate.map(Pace::new);
        Ok(Self::Kafka { publisher, topic, written, pace, key: Vec::new(), value: Vec::new() })
    }

    /// `false` when nobody reads any more.
    pub(super) fn put(&mut self, event: &Event<'_>) -> Result<bool, Failure> {
        match self {
            Self::Lines { out, buffer } => {
                buffer.clear();
                emit::event_json(event, buffer);
                buffer.push(b'\n');
                out.settle(|out| out.write_all(buffer))
            }
            Self::Container { out, broken } => match out.append_ser(emit::event_record(event)) {
                Ok(_) => Ok(true),
                Err(_) if broken.get() => Ok(false),
                Err(error) => Err(refused(&out.get_ref().name, &error)),
            },
            Self::Kafka { publisher, topic, written, pace, key, value } => {
                if let Some(pace) = pace {
                    publisher.idle(pace.next());
                }
                keyed(event, *written, key, value);
                publisher.send(topic, key, value)?;
                Ok(true)
            }
        }
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Lines { mut out, .. } => out.settle(Out::flush).map(drop),
            Self::Container { mut out, broken } => match out.flush() {
                Ok(_) => out.get_mut().settle(Out::flush).map(drop),
                Err(_) if broken.get() => Ok(()),
                Err(error) => Err(refused(&out.get_ref().name, &error)),
            },
            Self::Kafka { publisher, topic, .. } => Ok(publisher.finish(&topic)?),
        }
    }
}

/// A container that could not be written: for want of room, or because of us.
fn refused(name: &str, error: &apache_avro::Error) -> Failure {
    let first: &(dyn std::error::Error + 'static) = error;
    let mut all = std::iter::successors(Some(first), |error| error.source());
    match all.find_map(|error| error.downcast_ref::<io::Error>()) {
        Some(error) => Failure::unwritten(name, error),
        None => Failure::Internal(format!("Avro: {error}")),
    }
}

/// Whether the topic is there.
pub(in crate::cli) fn there(connection: &Connection, topic: &str) -> Result<(), Failure> {
    let patience = connection.connect_timeout().unwrap_or(PATIENCE);
    let there = Admin::new(connection)?.describe(&[topic], patience)?;
    if there.get(topic).is_none_or(|topic| topic.partitions == 0) {
        return Err(Failure::input(format!(
            "found no topic `{topic}` at `{}`; make it with `ward topics create`",
            connection.bootstrap()
        )));
    }
    Ok(())
}

/// A file or standard output; notes when its reader is gone.
pub(super) struct Out {
    name: String,
    to: BufWriter<Box<dyn Write>>,
    broken: Rc<Cell<bool>>,
}

impl Out {
    fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let to: Box<dyn Write> =
            if path.as_os_str() == "-" { Box::new(io::stdout().lock()) } else { Box::new(create(path)?) };
        Ok(Self { name, to: BufWriter::with_capacity(1 << 17, to), broken: Rc::default() })
    }

    /// `false` when the reader is gone; any other failure is told with the file's name.
    fn settle(&mut self, write: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<bool, Failure> {
        match write(self) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::unwritten(&self.name, &error)),
        }
    }

    fn note<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            self.broken.set(true);
        }
        done
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.to.write(bytes);
        self.note(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.to.flush();
        self.note(done)
    }
}

/// The labels' file.
pub(super) struct Labels {
    name: String,
    out: BufWriter<File>,
}

impl Labels {
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        Ok(Self { name: path.display().to_string(), out: BufWriter::with_capacity(1 << 16, create(path)?) })
    }

    pub(super) fn put(&mut self, made: &Simulated) -> Result<(), Failure> {
        let label =
            Label { event_id: &made.event.id, attack: made.attack.map(crate::simulate::Attack::name) };
        let written = serde_json::to_writer(&mut self.out, &label).map_err(io::Error::from);
        let written = written.and_then(|()| self.out.write_all(b"\n"));
        written.map_err(|error| Failure::unwritten(&self.name, &error))
    }

    pub(super) fn finish(mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| Failure::unwritten(&self.name, &error))
    }
}

#[derive(serde::Serialize)]
struct Label<'a> {
    event_id: &'a str,
    attack: Option<&'static str>,
}

/// An event as a record: its key and its value.
pub(in crate::cli) fn keyed(event: &Event<'_>, written: Rendering, key: &mut Vec<u8>, value: &mut Vec<u8>) {
    key.clear();
    for part in [event.tenant.as_bytes(), b"/", event.user.as_bytes()] {
        key.extend_from_slice(part);
    }
    value.clear();
    written.write(value, |out| emit::event_avro(event, out), |out| emit::event_json(event, out));
}

/// So many a second, from the first on.
pub(in crate::cli) struct Pace {
    rate: u32,
    began: Instant,
    sent: u64,
}

#[expect(clippy::disallowed_methods, reason = "the edge paces itself")]
impl Pace {
    pub(in crate::cli) fn new(rate: u32) -> Self {
        Self { rate, began: Instant::now(), sent: 0 }
    }

    /// How long to wait before the next one.
    pub(in crate::cli) fn next(&mut self) -> Duration {
        let due = Duration::from_nanos(self.sent.saturating_mul(1_000_000_000) / u64::from(self.rate.max(1)));
        self.sent += 1;
        due.saturating_sub(self.began.elapsed())
    }
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path)
        .map_err(|error| Failure::input(format!("`{}`: cannot create: {error}", path.display())))
}

static SCHEMA: LazyLock<Result<apache_avro::Schema, String>> = LazyLock::new(|| {
    apache_avro::Schema::parse_str(include_str!("../../../schemas/event.avsc"))
        .map_err(|error| error.to_string())
});
const MARKER: &[u8; 16] = b"ward simulation\n";
const PATIENCE: Duration = Duration::from_secs(10);
