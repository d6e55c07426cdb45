//! `ward export`: one user's case in a folder, which `ward replay` reads again.
//!
//! The log is folded as a replay folds it, but of the one user only; what is kept in memory is that
//! user's profile. What lies before the time asked for is in the folder, too: without it nobody could
//! make the profile before again. No setting goes in, and so no secret can.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::{Value, json};

use super::replay::case::{ABOUT, Counts, Writer, hex};
use super::replay::{self, time};
use super::{Failure, flags, print};
use crate::app;
use crate::engine::REVISION;
use crate::engine::baseline::{Part, Profile};
use crate::engine::emit;
use crate::engine::emit::Form;
use crate::engine::policy::Policy;
use crate::model::id::{Digest, USER_BYTES_MAX, UserKey, is_tenant};
use crate::model::time::Timestamp;
use crate::pipeline::profiles::Profiles;
use crate::pipeline::replay::{Published, Seen, Watch};

/// Put one user's case into a folder: events, decisions, profile before and after, policy.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Whose: tenant and user id.
    #[arg(value_name = "TENANT/USER")]
    user: String,
    /// Files of events and of decisions, in any order, or the topic of events, as `ward replay` takes
    /// them.
    #[arg(required = true, value_name = "FILE|topic:NAME")]
    sources: Vec<String>,
    /// A folder that is new or empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The case begins here (RFC 3339); what lies before is its history.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// It ends before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Policies that decided, beside the shipped ones.
    #[arg(long, value_name = "FILE|NAME", num_args = 1)]
    policy: Vec<String>,
    /// The policy whose verdict was recorded beside the live one's.
    #[arg(long, value_name = "FILE|NAME")]
    shadow: Option<String>,
    #[command(flatten)]
    kafka: flags::Source,
    /// For machines: what `case.json` says.
    #[arg(long)]
    json: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments as parsed")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut mistakes = Vec::new();
    let settings = app::load(args.kafka.config.as_deref(), &args.kafka.said()).sound();
    let settings = settings.unwrap_or_else(|found| {
        mistakes.extend(found.iter().map(ToString::to_string));
        crate::config::Settings::default()
    });
    let (tenant, user) = args.user.split_once('/').unwrap_or_default();
    if !is_tenant(tenant) || user.is_empty() || user.len() > USER_BYTES_MAX {
        mistakes.push(format!("found `{}`; expected a tenant and a user id, e.g. acme/ada", args.user));
    }
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        mistakes.push(format!("--from {from} is not before --to {to}"));
    }
    let known = replay::policies(&args.policy, &mut mistakes);
    let shadow = replay::policies(args.shadow.as_slice(), &mut mistakes).pop();
    if !mistakes.is_empty() {
        return Err(Failure::Input(mistakes));
    }

    let user = UserKey::new(tenant, user);
    let writer = Writer::create(&args.out).map_err(Failure::input)?;
    let shipped = ["seed", "default"].into_iter().filter_map(Policy::shipped);
    let case = Rc::new(RefCell::new(Case {
        writer,
        from: args.from,
        to: args.to,
        user: user.clone(),
        policies: known.iter().cloned().chain(shipped).collect(),
        decided_by: BTreeSet::new(),
        before: None,
        after: None,
    }));
    let watch = Box::new(Exporting(Rc::clone(&case)));
    let report = replay::fold_one(&args.sources, &settings, known, shadow, user, watch)?;

    let mut case = case.borrow_mut();
    let reproduction = &report.reproduction;
    let about = case.finish(&args.user, reproduction.different).map_err(Failure::Unreachable)?;
    let Counts { history_events, events, decisions, .. } = case.writer.counts;
    if history_events + events == 0 {
        return Err(Failure::Found(format!(
            "there is no decided event of `{}`; the folder holds an empty case",
            args.user
        )));
    }
    print(&if args.json {
        about.to_string()
    } else {
        let place = args.out.display();
        format!(
            "{place}: {events} events, {decisions} decisions, {history_events} events before\n\
             ward replay {place} makes them again"
        )
    });
    if reproduction.different > 0 {
        let different = reproduction.different;
        return Err(Failure::Found(format!("{different} decisions do not come out as they were published")));
    }
    Ok(())
}

/// What is gathered while the log is folded.
#[derive(Debug)]
struct Case {
    writer: Writer,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    user: UserKey,
    policies: Vec<Policy>,
    decided_by: BTreeSet<Digest>,
    before: Option<Value>,
    after: Option<Value>,
}

#[derive(Debug)]
struct Exporting(Rc<RefCell<Case>>);

impl Watch for Exporting {
    fn seen(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        self.0.borrow_mut().seen(seen)
    }

    fn ended(&mut self, profiles: &Profiles) -> Result<(), String> {
        let mut case = self.0.borrow_mut();
        let now = profile(&case.user, profiles);
        case.before.get_or_insert_with(|| now.clone());
        case.after.get_or_insert(now);
        case.writer.flush()
    }
}

impl Case {
    fn seen(&mut self, seen: &Seen<'_>) -> Result<(), String> {
        let is_history = self.from.is_some_and(|from| seen.at < from);
        if !is_history && self.before.is_none() {
            self.before = Some(profile(&self.user, seen.profiles));
        }
        if self.to.is_some_and(|to| seen.at >= to) {
            self.after.get_or_insert_with(|| profile(&self.user, seen.profiles));
            return Ok(());
        }
        let Published::Decision(recorded, bytes, form) = seen.published else {
            return self.writer.add(seen.event, None, is_history);
        };
        self.decided_by.insert(recorded.basis.policy);
        let read;
        let line = match form {
            Form::Json => bytes.trim_ascii_end(),
            Form::Avro => {
                let value = emit::to_value(bytes).ok_or("a decision that cannot be read")?;
                read = value.to_string();
                read.as_bytes()
            }
        };
        self.writer.add(seen.event, Some((line, seen.before)), is_history)
    }

    fn finish(&mut self, user: &str, different: u64) -> Result<Value, String> {
        let mut policies = Vec::new();
        for policy in self.policies.iter().filter(|policy| self.decided_by.remove(&policy.digest)) {
            let file = self.writer.policy(policy)?;
            let digest = format!("sha256:{}", policy.digest);
            policies.push(json!({ "name": policy.name, "digest": digest, "file": file }));
        }
        let about = json!({
            "ward_export": FORMAT,
            "user": user,
            "from": self.from.map(|at| at.to_string()),
            "to": self.to.map(|at| at.to_string()),
            "engine": REVISION,
            "counts": self.writer.counts,
            "different": different,
            "policies": policies,
        });
        self.writer.write("profile-before.json", self.before.as_ref().unwrap_or(&Value::Null))?;
        self.writer.write("profile-after.json", self.after.as_ref().unwrap_or(&Value::Null))?;
        // Last: a folder with it is whole.
        self.writer.write(ABOUT, &about)?;
        Ok(about)
    }
}

/// The user's profile: what it says in words, and each part as the changelog has it.
fn profile(user: &UserKey, profiles: &Profiles) -> Value {
    let (mut parts, mut says) = (Vec::new(), Value::Null);
    let each = |key: &[u8], part: Part, state: &[u8]| {
        if key == user.as_bytes() {
            if let (Part::Core, Ok(profile)) = (part, Profile::from_core(state)) {
                says = in_words(&profile);
            }
            parts.push(json!({ "part": part.name(), "state": hex(state) }));
        }
        Ok::<_, std::convert::Infallible>(())
    };
    let Ok(()) = profiles.save(each);
    json!({ "known": !parts.is_empty(), "says": says, "parts": parts })
}

fn in_words(profile: &Profile) -> Value {
    let core = profile.core();
    json!({
        "history": core.history().name(),
        "first_seen": core.first_seen().to_string(),
        "newest": core.newest().to_string(),
        "user_risk": core.standing().level.name(),
        "home_offset_minutes": core.home_offset_minutes(),
        "held": core.held().len(),
        "batches": core.batches(),
        "open_case": core.case().map(|case| case.id.to_string()),
        "revocations": core.revoked().len(),
    })
}

/// Of the folder: a later one that older versions cannot read says 2.
const FORMAT: u32 = 1;
const AFTER_HELP: &str = "`ward replay DIR` makes the case's decisions again. Exit codes: 0 done · 1 done, and the user \
is not there, or decisions do not come out as they were published · 2 usage or unreadable input · 3 Kafka is not reachable";
