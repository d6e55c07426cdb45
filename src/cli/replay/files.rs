//! Records of files, each with what was published for it.
//!
//! A decision of `ward score` says which record of the file it decides; one that was exported from a
//! topic says where its event stood there, and is found by tenant, user and event id.

use std::path::PathBuf;

use super::super::decisions::{Decisions, Entry};
use super::super::events::{Ended, Input, Take};
use super::super::{Failure, hash_seed};
use super::Plan;
use super::case::Befores;
use super::progress::{EVERY, Progress};
use crate::engine::decode::{Decoded, Rejected};
use crate::engine::emit::Form;
use crate::model::event::Event;
use crate::pipeline::replay::{Course, Given, Lane, Place, Published, Report, Watch};

/// Replays the events of files against decisions, if there are any.
pub(super) fn replay(
    events: Vec<(PathBuf, Input)>,
    decisions: Option<Decisions>,
    befores: Option<Befores>,
    plan: &Plan,
    watch: Option<Box<dyn Watch>>,
    report: Report,
    progress: Progress,
) -> Result<Report, Failure> {
    let mut replaying = Replaying {
        lane: Lane::new(plan.policies.second().is_some(), hash_seed()).watched(watch),
        decisions,
        befores,
        course: plan.course(),
        report,
        progress,
        offset: 0,
        lines: 0,
    };
    for (path, input) in events {
        replaying.progress.is_about(path.display().to_string());
        match input.read(None, &plan.settings.identity, &mut replaying) {
            Ok(()) | Err(Ended::Unread) => {}
            Err(Ended::Failed(failure)) => return Err(failure),
        }
    }
    replaying.finish()
}

struct Replaying<'p> {
    lane: Lane,
    decisions: Option<Decisions>,
    /// Of a case: one user's decisions, which follow others that are not here.
    befores: Option<Befores>,
    course: Course<'p>,
    report: Report,
    progress: Progress,
    /// Of the next record.
    offset: i64,
    lines: u64,
}

impl Take for Replaying<'_> {
    fn lines(&mut self) -> &mut u64 {
        &mut self.lines
    }

    fn take(&mut self, line: u64, decoded: Result<Decoded<'_>, Rejected>) -> Result<(), Ended> {
        let Self { lane, decisions, befores, course, report, progress, offset, .. } = self;
        let event = decoded.as_ref().ok().map(|decoded| &decoded.event);
        let (published, taken) = match decisions {
            None => (Published::Unknown, false),
            Some(decisions) => {
                if befores.is_none() {
                    pass_over(decisions, *offset, report).map_err(Ended::Failed)?;
                }
                match decisions.peek().map_err(Ended::Failed)? {
                    None => {
                        report.undecided += 1;
                        report.records += 1;
                        return Ok(());
                    }
                    Some(found) => match found.entry {
                        Entry::Refused => (Published::Refused(found.bytes), true),
                        Entry::Decision(recorded) => {
                            let is_of = match &recorded.topic {
                                None if befores.is_none() => recorded.offset == *offset,
                                _ => event.is_some_and(|event| is_of(found.bytes, found.form, event)),
                            };
                            if let (true, Some(befores)) = (is_of, befores) {
                                let before = befores.next().map_err(Ended::Failed)?;
                                lane.stand_after(recorded.partition, before);
                            }
                            let decision = Published::Decision(recorded, found.bytes, found.form);
                            (if is_of { decision } else { Published::Nothing }, is_of)
                        }
                    },
                }
            }
        };
        let given =
            Given { partition: 0, offset: *offset, line: Some(line), recorded_at: None, decoded, published };
        let done = lane.take(given, course, report);
        done.map_err(|stopped| Ended::Failed(Failure::input(format!("line {line}: {stopped}"))))?;
        *offset += 1;
        if let (true, Some(decisions)) = (taken, decisions) {
            decisions.advance();
        }
        if report.records.is_multiple_of(EVERY) {
            progress.is_at(report.records).map_err(Ended::Failed)?;
        }
        Ok(())
    }

    fn before_waiting(&mut self, _consumed: u64) -> Result<(), Ended> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Ended> {
        Ok(())
    }
}

impl Replaying<'_> {
    fn finish(mut self) -> Result<Report, Failure> {
        if let Some(decisions) = &mut self.decisions {
            if self.befores.is_none() {
                pass_over(decisions, i64::MAX, &mut self.report)?;
            }
            // What is left: lines of refused records, and decisions of a topic, without their events.
            while let Some(found) = decisions.peek()? {
                if let Entry::Decision(recorded) = found.entry {
                    let place = Place { partition: recorded.partition, offset: recorded.offset, line: None };
                    self.report.note_left_over(place, found.bytes, found.form);
                }
                decisions.advance();
            }
        }
        self.lane.finish().map_err(|stopped| Failure::input(stopped.to_string()))?;
        self.progress.finish(&self.report, self.lane.users());
        Ok(self.report)
    }
}

/// Decisions of records before `offset`, which have come and gone.
fn pass_over(decisions: &mut Decisions, offset: i64, report: &mut Report) -> Result<(), Failure> {
    while let Some(found) = decisions.peek()? {
        match found.entry {
            Entry::Decision(recorded) if recorded.topic.is_none() && recorded.offset < offset => {
                let place = Place { partition: recorded.partition, offset: recorded.offset, line: None };
                report.note_left_over(place, found.bytes, found.form);
            }
            _ => return Ok(()),
        }
        decisions.advance();
    }
    Ok(())
}

fn is_of(decision: &[u8], form: Form, event: &Event<'_>) -> bool {
    form.stored(decision).is_ok_and(|stored| {
        stored.event_id == event.id && stored.tenant == event.tenant && stored.user_id == event.user
    })
}
