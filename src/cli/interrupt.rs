//! Ctrl-C: the work in hand is asked to stop, and stopped if it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Becomes true when the user interrupts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Begins to listen. Where that is not possible, the system's own way of interrupting stays.
    pub(crate) fn listen() -> Self {
        let interrupt = Self::default();
        let told = interrupt.clone();
        let listening = std::thread::Builder::new().name("interrupt".into()).spawn(move || told.wait());
        drop(listening);
        interrupt
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn wait(&self) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        if runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            self.0.store(true, Ordering::Relaxed);
            pause(PATIENCE);
            // Whoever waits for input does not look at a flag.
            std::process::exit(INTERRUPTED);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge: a deadline for work that does not look")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

const PATIENCE: Duration = Duration::from_millis(500);
const INTERRUPTED: i32 = 130;
