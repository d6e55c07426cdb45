//! Records of a topic, each with its decision: partition by partition, from the first record that is
//! still there to the last decision.

use super::super::events::TopicEvents;
use super::super::{Failure, hash_seed};
use super::Plan;
use super::progress::{EVERY, Progress};
use crate::adapters::kafka::{Admin, Connection, KafkaLog};
use crate::app;
use crate::config::Settings;
use crate::engine::emit::{Form, Ids, Recorded};
use crate::model::id::Digest;
use crate::pipeline::intake;
use crate::pipeline::replay::{Course, Given, Lane, Place, Published, Report, Watch};
use crate::ports::source::Record;

/// The two topics.
pub(super) struct Log {
    connection: Connection,
    settings: Settings,
    events: String,
    partitions: i32,
    /// Of the decisions.
    ids: Ids,
    decoding: TopicEvents,
}

impl Log {
    pub(super) fn open(settings: &Settings, events: &str) -> Result<Self, Failure> {
        let connection = app::connection(settings).map_err(Failure::Input)?;
        let patience = connection.connect_timeout().unwrap_or(app::PATIENCE);
        let partitions = Admin::new(&connection)?.partitions(events, patience)?;
        let partitions = partitions.ok_or_else(|| {
            Failure::input(format!(
                "topic `{events}` is not there; name the topic of events, e.g. topic:identity.events"
            ))
        })?;
        Ok(Self {
            connection,
            settings: settings.clone(),
            events: events.to_owned(),
            partitions,
            ids: app::written_under(settings, &settings.topics.decisions.name, &["decision"])?,
            decoding: TopicEvents::new(settings, events)?,
        })
    }

    /// The policy of a first decision.
    pub(super) fn first_basis(&self) -> Result<Option<Digest>, Failure> {
        for partition in 0..self.partitions {
            if let Some((recorded, ..)) = self.decisions(partition)?.peek()? {
                return Ok(Some(recorded.basis.policy));
            }
        }
        Ok(None)
    }

    pub(super) fn replay(
        &self,
        plan: &Plan,
        mut watch: Option<Box<dyn Watch>>,
        mut report: Report,
        progress: &Progress,
    ) -> Result<Report, Failure> {
        let course = plan.course();
        let mut users = 0;
        // One user lives in one partition.
        let only = plan.only.as_ref().map(|user| intake::partition_of(user.as_bytes(), self.partitions));
        for partition in (0..self.partitions).filter(|one| only.is_none_or(|only| only == *one)) {
            progress.is_about(format!("partition {partition} of {}", self.partitions));
            let mut lane = Lane::new(plan.policies.second().is_some(), hash_seed()).watched(watch.take());
            // First the end of the decisions, then that of the events: none is missed.
            let mut decisions = self.decisions(partition)?;
            let mut events = KafkaLog::open(&self.connection, &self.events, partition)?;
            let first = events.first();
            while let Some((recorded, ..)) = decisions.peek()?
                && recorded.offset < first
            {
                lane.pass_over(recorded);
                report.expired += 1;
                decisions.advance();
            }
            while let Some(taken) =
                events.next(|record| self.take(record, &mut decisions, &mut lane, &course, &mut report))?
            {
                taken?;
                if report.records.is_multiple_of(EVERY) {
                    progress.is_at(report.records)?;
                }
            }
            pass_over(&mut decisions, i64::MAX, &mut report)?;
            watch = lane.finish().map_err(|stopped| Failure::input(stopped.to_string()))?;
            users += lane.users();
        }
        progress.finish(&report, users);
        Ok(report)
    }

    fn take(
        &self,
        record: &Record<'_>,
        decisions: &mut Decisions,
        lane: &mut Lane,
        course: &Course<'_>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        pass_over(decisions, record.offset, report)?;
        let published = match decisions.peek()? {
            // Nobody has come so far yet.
            None => {
                report.undecided += 1;
                report.records += 1;
                return Ok(());
            }
            Some((recorded, bytes, form)) if recorded.offset == record.offset => {
                Published::Decision(recorded, bytes, form)
            }
            Some(_) => Published::Nothing,
        };
        let is_decision = matches!(published, Published::Decision(..));
        let (partition, offset, recorded_at) = (record.partition, record.offset, record.recorded_at);
        let taken = self.decoding.decode(record, |decoded| {
            let decoded = intake::keyed(record.key).and_then(|key| {
                let decoded = decoded?;
                intake::placed(key, &decoded.event, partition, self.partitions)?;
                Ok(decoded)
            });
            lane.take(
                Given { partition, offset, line: None, recorded_at, decoded, published },
                course,
                report,
            )
        })?;
        taken.map_err(|stopped| {
            Failure::input(format!("`{}` partition {partition} offset {offset}: {stopped}", self.events))
        })?;
        if is_decision {
            decisions.advance();
        }
        Ok(())
    }

    fn decisions(&self, partition: i32) -> Result<Decisions, Failure> {
        let topic = &self.settings.topics.decisions.name;
        let log = KafkaLog::open(&self.connection, topic, partition)?;
        Ok(Decisions { log, ids: self.ids.clone(), topic: topic.clone(), bytes: Vec::new(), next: None })
    }
}

/// Decisions of events before `offset`, which have come and gone.
fn pass_over(decisions: &mut Decisions, offset: i64, report: &mut Report) -> Result<(), Failure> {
    while let Some((recorded, bytes, form)) = decisions.peek()?
        && recorded.offset < offset
    {
        let place = Place { partition: recorded.partition, offset: recorded.offset, line: None };
        report.note_left_over(place, bytes, form);
        decisions.advance();
    }
    Ok(())
}

/// The decisions of one partition; the next one can be looked at before it is taken.
struct Decisions {
    log: KafkaLog,
    ids: Ids,
    topic: String,
    bytes: Vec<u8>,
    next: Option<(Recorded, Form)>,
}

impl Decisions {
    fn peek(&mut self) -> Result<Option<(&Recorded, &[u8], Form)>, Failure> {
        if self.next.is_none() {
            let Self { log, ids, bytes, topic, .. } = self;
            let read = log.next(|record| {
                bytes.clear();
                bytes.extend_from_slice(&ids.single(record.value.unwrap_or_default()));
                let form = Form::of(bytes);
                form.recorded(bytes).map(|recorded| (recorded, form)).map_err(|what| {
                    let place = format!("`{topic}` partition {} offset {}", record.partition, record.offset);
                    Failure::input(format!("{place} is no decision: {what}"))
                })
            })?;
            self.next = read.transpose()?;
        }
        Ok(self.next.as_ref().map(|(recorded, form)| (recorded, self.bytes.as_slice(), *form)))
    }

    fn advance(&mut self) {
        self.next = None;
    }
}
