//! `ward feedback`: what an analyst says of an event, a session or a time, as an event of the user.
//!
//! It goes to the feedback topic; `ward run` copies it into the input, where its order is settled.

use serde_json::json;

use super::analyst::{Whom, say, taken};
use super::{Failure, now, print};
use crate::app;
use crate::model::id::{Id128, digest};
use crate::model::time::Timestamp;

/// Say whether it was the user: `compromised` ends what is open and un-trusts, `safe` and `dismissed`
/// lift the user's risk.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("about").required(true).multiple(true).args(["event", "session", "since"])))]
pub(super) struct Args {
    /// safe: it was the user. compromised: it was not. dismissed: an alert that needs no action.
    #[arg(value_parser = ["safe", "compromised", "dismissed"])]
    verdict: String,
    #[command(flatten)]
    whom: Whom,
    /// The event that it is about.
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// The session that it is about.
    #[arg(long, value_name = "S")]
    session: Option<String>,
    /// Everything since then, RFC 3339.
    #[arg(long, value_name = "T")]
    since: Option<String>,
    /// Who says so.
    #[arg(long, value_parser = ["user", "analyst", "system"], default_value = "analyst")]
    by: String,
    /// How well whoever says so was authenticated (NIST SP 800-63B).
    #[arg(long, value_parser = ["aal1", "aal2", "aal3"])]
    assurance: Option<String>,
}

#[expect(clippy::needless_pass_by_value, reason = "a command takes its arguments")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let settings = args.whom.settings()?;
    let key = args.whom.key()?;
    let said = said(&args, now()).to_string();
    let event = taken(&settings, &said)?;
    let connection = app::connection(&settings).map_err(Failure::Input)?;
    let topic = say(&settings, &connection, &key, &event)?;
    if args.whom.json {
        print(&format!("{{\"topic\":{},\"event\":{said}}}", json!(topic)));
    } else {
        print(&format!(
            "said `{}` of {}/{} as event {} on `{topic}`; the decision about it follows on `{}`",
            args.verdict, args.whom.tenant, args.whom.user, event.id, settings.topics.decisions.name
        ));
    }
    Ok(())
}

/// The event as anybody could write it.
fn said(args: &Args, now: Timestamp) -> serde_json::Value {
    let about = [("event_id", &args.event), ("session_id", &args.session), ("since", &args.since)];
    let about: serde_json::Map<_, _> = about
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), json!(value.as_ref()?))))
        .collect();
    let at = now.to_string();
    let parts = [&args.whom.tenant, &args.whom.user, &args.verdict, &args.by, &at];
    let parts: Vec<_> = parts.into_iter().map(String::as_bytes).collect();
    json!({
        "event_id": Id128::from(digest("feedback", &parts)).to_string(), "tenant": args.whom.tenant,
        "user_id": args.whom.user, "type": "feedback", "occurred_at": at, "source": SOURCE,
        "verdict": args.verdict, "about": about, "by": args.by, "assurance": args.assurance,
    })
}

const SOURCE: &str = "ward";
