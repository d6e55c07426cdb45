//! Ctrl-C and SIGTERM: the work in hand is asked to stop, and stopped if it does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Becomes true when the user interrupts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. Where that is not possible, the system's own way of interrupting stays.
    pub(crate) fn listen() -> Self {
        Self::listen_for(PATIENCE)
    }

    /// The same for who has something to clear away, and needs so long for it at most.
    pub(crate) fn listen_for(patience: Duration) -> Self {
        let interrupt = Self::default();
        let told = interrupt.clone();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let listen = move || told.wait(patience, &move || ready.send(()).unwrap_or_default());
        if std::thread::Builder::new().name("interrupt".into()).spawn(listen).is_ok() {
            // Also when the thread ends without a word: its end of the channel is gone then.
            is_ready.recv().unwrap_or_default();
        }
        interrupt
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn wait(&self, patience: Duration, ready: &dyn Fn()) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        if runtime.block_on(signal(ready)).is_ok() {
            self.0.store(true, Ordering::Relaxed);
            pause(patience);
            // Whoever waits for input does not look at a flag.
            std::process::exit(INTERRUPTED);
        }
    }
}

/// `ready` is called once the process would hear of a signal.
async fn signal(ready: &dyn Fn()) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        ready();
        tokio::select! {
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    {
        ready();
        tokio::signal::ctrl_c().await
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge: a deadline for work that does not look")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

const PATIENCE: Duration = Duration::from_millis(500);
const INTERRUPTED: i32 = 130;
