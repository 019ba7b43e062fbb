//! Ctrl-C and SIGTERM: remembered, so that whoever waits can clean up and leave.

use anyhow::{Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| Arc::new(AtomicBool::new(false)));

/// From here on neither signal ends this process by itself.
pub(crate) fn watch() -> Result<()> {
    for signal in [
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGHUP,
    ] {
        signal_hook::flag::register(signal, Arc::clone(&STOP))?;
    }
    Ok(())
}

pub(crate) fn asked_to_stop() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// An error once a signal came.
pub(crate) fn check() -> Result<()> {
    if asked_to_stop() {
        bail!("interrupted");
    }
    Ok(())
}
