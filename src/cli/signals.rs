// SPDX-License-Identifier: Apache-2.0
//! Signals of the server and of the agent. SIGTERM and SIGINT stop it in order; while it starts, and a second time, they end it at once.
//! SIGHUP means that files are read again.

use crate::error::{Error, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown};
use signal_hook::low_level::signal_name;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// For a command with long work: set by SIGTERM and SIGINT; the second one ends the program at once.
pub fn stop_flag() -> Result<Arc<AtomicBool>> {
    let is_stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        // In this order the first signal finds the flag not yet set.
        register_conditional_shutdown(signal, 1, Arc::clone(&is_stopped))
            .and_then(|_| register(signal, Arc::clone(&is_stopped)))
            .map_err(|error| Error::internal("Cannot catch signals").because(error))?;
    }
    Ok(is_stopped)
}

/// The caught signals.
pub struct Signals {
    caught: signal_hook::iterator::Signals,
    is_starting: Arc<AtomicBool>,
    is_stopping: Arc<AtomicBool>,
}

impl Signals {
    /// Catches them from now on. Internal where the system does not allow it.
    pub fn catch() -> Result<Signals> {
        let is_starting = Arc::new(AtomicBool::new(true));
        let is_stopping = Arc::new(AtomicBool::new(false));
        let register = || -> std::io::Result<signal_hook::iterator::Signals> {
            for signal in [SIGTERM, SIGINT] {
                // Nothing is served yet, and an upgrade of the database that is cut off is rolled back.
                register_conditional_shutdown(signal, 0, Arc::clone(&is_starting))?;
                register_conditional_shutdown(signal, 1, Arc::clone(&is_stopping))?;
            }
            signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP])
        };
        let caught = register().map_err(|error| Error::internal("Cannot catch signals").because(error))?;
        Ok(Signals { caught, is_starting, is_stopping })
    }

    /// From now on the first signal stops in order.
    pub fn set_started(&self) {
        self.is_starting.store(false, Ordering::SeqCst);
    }

    /// Waits for a signal to stop; the next one ends the program at once. Calls `on_hangup` for each SIGHUP.
    pub fn wait_for_stop(&mut self, on_hangup: &dyn Fn()) -> &'static str {
        for signal in self.caught.forever() {
            if signal == SIGHUP {
                on_hangup();
                continue;
            }
            self.is_stopping.store(true, Ordering::SeqCst);
            return signal_name(signal).unwrap_or("a signal");
        }
        "the end of signals"
    }
}
