//! Workloads: a program's successes are counted by the hour, and teach its habits once an hour.

use super::Stage;
use super::learn::mark_of;
use crate::engine::baseline::journal::LearnStep;
use crate::engine::baseline::{Part, Profile};
use crate::model::Verdict;
use crate::model::event::Body;

/// Whether `step` teaches anything that the hour has not taught yet: a program that comes every
/// second would fill the journal in a minute.
pub(super) fn teaches(profile: &mut Profile, step: &LearnStep) -> bool {
    let hour = step.at.seconds().div_euclid(3600).cast_unsigned();
    let workload = profile.workload.get_or_insert_default();
    let mark = mark_of(step, hour);
    let teaches = workload.taught != mark;
    workload.taught = mark;
    teaches
}

pub(super) fn note(profile: &mut Profile, stage: &Stage<'_>) {
    match &stage.seen.event.body {
        Body::Feedback { verdict: Verdict::Safe, .. } => {
            let Some(workload) = profile.workload.as_mut() else { return };
            workload.accept();
        }
        _ if stage.success && !stage.late && stage.seen.event.is_workload() => {
            let times = stage.policy.service_identity_times;
            profile.workload.get_or_insert_default().count(stage.second(), times);
        }
        _ => return,
    }
    profile.touch(Part::Workload);
}
