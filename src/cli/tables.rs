//! The tables that a command asks for: databases by path, or the built-in synthetic table by name.

use std::path::PathBuf;
use std::sync::Arc;

use super::Failure;
use crate::adapters::geo::{self, Sources};
use crate::engine::enrich::builtin::Builtin;
use crate::ports::tables::Atlas;

/// Opens the tables; every mistake of every file at once.
///
/// `--geo builtin` is the synthetic table: it stands alone, for it knows networks and systems of its
/// own, and none of them is real. Nothing falls back to it.
pub(crate) fn open(
    geo: &[PathBuf],
    asn: &[PathBuf],
    networks: &[PathBuf],
) -> Result<Arc<dyn Atlas>, Failure> {
    if geo.iter().any(|path| path.as_os_str() == BUILTIN) {
        if geo.len() + asn.len() + networks.len() > 1 {
            return Err(Failure::input(
                "found `--geo builtin` beside other tables; expected it alone, for it is synthetic; \
                 leave it out, or leave the others out",
            ));
        }
        return Ok(Arc::new(Builtin::new()));
    }
    let sources = Sources { geo: geo.to_vec(), asn: asn.to_vec(), networks: networks.to_vec() };
    match geo::open(&sources) {
        Ok(tables) => Ok(Arc::new(tables)),
        Err(mistakes) => Err(Failure::Input(mistakes.iter().map(ToString::to_string).collect())),
    }
}

const BUILTIN: &str = "builtin";
