//! Taking a user out of the state of `ward score`.

use std::path::Path;

use serde_json::json;

use super::super::whom::Whom;
use super::super::{Failure, print};
use crate::adapters::files::saved::{Entry, ORIGIN, Saved};
use crate::adapters::store::SledStore;

/// Saves everything but the user's parts.
pub(super) fn erase(
    folder: &Path,
    whom: &Whom,
    is_json: bool,
    confirm: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let place = folder.display();
    if !Saved::is_in(folder) {
        return Err(Failure::input(if SledStore::is_in(folder) {
            format!(
                "{place}: holds the copy of `ward run`, which follows the topic of profiles: erase there, without --state"
            )
        } else {
            format!("{place}: found no state; expected the folder of `ward score --state`")
        }));
    }
    let unusable = |error: crate::adapters::files::saved::Error| Failure::input(error.to_string());
    let saved = Saved::open(folder).map_err(unusable)?;
    let (mut kept, mut parts, mut elsewhere) = (Vec::new(), 0_usize, Vec::new());
    let progress = saved
        .load(|entry| {
            if entry.part != ORIGIN && entry.user == whom.key().as_bytes() {
                parts += 1;
                return Ok(());
            }
            if entry.part != ORIGIN && elsewhere.len() < NAMESAKES_MAX && whom.is_namesake(entry.user) {
                let name = format!("`{}`", String::from_utf8_lossy(entry.user).escape_debug());
                if !elsewhere.contains(&name) {
                    elsewhere.push(name);
                }
            }
            kept.push((entry.user.to_vec(), entry.part.to_owned(), entry.state.to_vec()));
            Ok(())
        })
        .map_err(unusable)?;
    if parts == 0 {
        let hint = if elsewhere.is_empty() {
            "give TENANT/USER as events do".to_owned()
        } else {
            format!("there is {}: give it so", elsewhere.join(", "))
        };
        return Err(Failure::Found(format!("{place}: nothing is known of `{whom}`; {hint}")));
    }
    confirm()?;
    let written = saved.save(progress.unwrap_or_default(), |put| {
        kept.iter().try_for_each(|(user, part, state)| put(Entry { user, part, state }))
    });
    written.map_err(|error| Failure::Unreachable(error.to_string()))?;
    if is_json {
        let (tenant, user_id) = whom.names();
        print(
            &json!({ "state": place.to_string(), "tenant": tenant, "user_id": user_id, "parts": parts })
                .to_string(),
        );
    } else {
        print(&format!(
            "erased {whom}: {parts} parts taken out of {place}.\nNo event says so: made again from its events the state \
             would\nhave the user again. An event with the verdict `erase` would be heard then, too."
        ));
    }
    Ok(())
}

/// Of those who have the same name under other tenants, as many are named.
const NAMESAKES_MAX: usize = 3;
