//! `ward revoke`: ends a session, or everything of a user, because a person says so.
//!
//! The command goes straight to those who carry revocations out: no policy is asked, nothing is
//! learned from it. Who wants the baseline to forget as well says `ward feedback compromised`.

use std::borrow::Cow;

use super::analyst::{Whom, publish};
use super::{Failure, now, print};
use crate::app;
use crate::engine::emit;
use crate::model::decision::Revocation;
use crate::model::id::digest;
use crate::model::time::Timestamp;
use crate::model::{RevocationScope, RevokedBy};

/// End a session of a user, or all of them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    whom: Whom,
    /// The session; without it everything that was issued to the user until now.
    #[arg(long, value_name = "S")]
    session: Option<String>,
    /// The identity system that holds the session, as events name it: without it every one is meant.
    #[arg(long, value_name = "NAME")]
    at: Option<String>,
    /// That system's own id of the user.
    #[arg(long, value_name = "ID", requires = "at")]
    source_user: Option<String>,
    /// That system's own id of the session.
    #[arg(long, value_name = "ID", requires = "session", requires = "at")]
    source_session: Option<String>,
    /// Why, for those who read it later.
    #[arg(long, default_value = "analyst")]
    reason: String,
}

#[expect(clippy::needless_pass_by_value, reason = "a command takes its arguments")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let settings = args.whom.settings()?;
    let key = args.whom.key()?;
    bounded(&args)?;
    let revocation = revocation(&args, now());

    let connection = app::connection(&settings).map_err(Failure::Input)?;
    let topic = app::topic_names(&settings).revocations;
    let registry = app::needed_registry(&settings).map_err(Failure::Input)?;
    let format = settings.topics.revocations.format;
    let written = app::rendering(registry.as_ref(), format, &topic, "revocation")?;
    let mut value = Vec::new();
    let avro = |out: &mut Vec<u8>| emit::revocation_avro(&revocation, out);
    written.write(&mut value, avro, |out| emit::revocation_json(&revocation, out));
    publish(&connection, &topic, &key, &value)?;
    if args.whom.json {
        let mut line = Vec::new();
        emit::revocation_json(&revocation, &mut line);
        print(&String::from_utf8_lossy(&line));
    } else {
        let what =
            args.session.as_ref().map_or_else(|| "everything".to_owned(), |it| format!("session `{it}`"));
        print(&format!(
            "revoked {what} of {}/{} from before {} as {} on `{topic}`",
            args.whom.tenant, args.whom.user, revocation.not_before, revocation.revocation_id
        ));
    }
    Ok(())
}

fn bounded(args: &Args) -> Result<(), Failure> {
    let given = [
        ("--session", &args.session),
        ("--at", &args.at),
        ("--source-user", &args.source_user),
        ("--source-session", &args.source_session),
        ("--reason", &Some(args.reason.clone())),
    ];
    let mistakes: Vec<_> = given
        .into_iter()
        .filter_map(|(flag, text)| Some((flag, text.as_ref()?.len())))
        .filter(|(_, bytes)| !(1..=TEXT_BYTES_MAX).contains(bytes))
        .map(|(flag, bytes)| format!("{flag}: found {bytes} bytes, expected 1 to {TEXT_BYTES_MAX}"))
        .collect();
    if mistakes.is_empty() { Ok(()) } else { Err(Failure::Input(mistakes)) }
}

fn revocation(args: &Args, now: Timestamp) -> Revocation<'_> {
    let scope = if args.session.is_some() { RevocationScope::Session } else { RevocationScope::User };
    let session = args.session.as_deref();
    let at = now.to_string();
    let parts =
        [&args.whom.tenant, &args.whom.user, scope.name(), session.unwrap_or_default(), &args.reason, &at];
    let parts: Vec<_> = parts.into_iter().map(str::as_bytes).collect();
    Revocation {
        revocation_id: digest("revocation", &parts).into(),
        scope,
        tenant: Cow::Borrowed(&args.whom.tenant),
        user_id: Cow::Borrowed(&args.whom.user),
        session_id: session.map(Cow::Borrowed),
        source: args.at.as_deref().map(Cow::Borrowed),
        source_user_id: args.source_user.as_deref().map(Cow::Borrowed),
        source_session_id: args.source_session.as_deref().map(Cow::Borrowed),
        not_before: now,
        reason: Cow::Borrowed(&args.reason),
        decision_id: None,
        by: RevokedBy::Analyst,
        issued_at: now,
    }
}

/// As much as an event may say of these.
const TEXT_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Result<Args, clap::Error> {
        #[derive(Debug, clap::Parser)]
        struct Only {
            #[command(flatten)]
            args: Args,
        }
        <Only as clap::Parser>::try_parse_from(line.split_whitespace()).map(|only| only.args)
    }

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let args = args(line).unwrap();
        bounded(&args).unwrap();
        let mut out = Vec::new();
        emit::revocation_json(
            &revocation(&args, Timestamp::parse("2026-01-05T09:00:00Z").unwrap()),
            &mut out,
        );
        let line = String::from_utf8(out).unwrap();
        assert!(line.contains(expected), "{line}");
    }

    #[test]
    fn a_session_or_everything() {
        check(
            "ward --user ada --session s-9",
            r#""scope":"session","tenant":"default","user_id":"ada","session_id":"s-9""#,
        );
        check("ward --user ada", r#""scope":"user","tenant":"default","user_id":"ada","session_id":null"#);
        check(
            "ward --user ada --tenant acme",
            r#""not_before":"2026-01-05T09:00:00Z","reason":"analyst","decision_id":null,"by":"analyst""#,
        );
        check("ward --user ada --at okta --source-user 00u1", r#""source":"okta","source_user_id":"00u1""#);
    }

    #[test]
    fn a_vendors_id_needs_its_vendor_and_texts_have_an_end() {
        assert!(args("ward --user ada --source-user 00u1").is_err());
        let long = args(&format!("ward --user ada --session {}", "s".repeat(257))).unwrap();
        assert!(
            matches!(bounded(&long), Err(Failure::Input(said)) if said == ["--session: found 257 bytes, expected 1 to 256"])
        );
    }
}
