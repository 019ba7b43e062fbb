//! Set-up: all that a fresh machine lacks, each step once, and the pieces of the product built.

mod debian;
mod node;
mod python;
mod rust;
mod wasm;

pub(crate) use debian::{can_install, install};
pub(crate) use rust::pair as version_pair;
pub(crate) use wasm::in_use as target_is_there;

use crate::docker::{self, Engine};
use crate::screen::{Step, heading, warn};
use crate::{pieces, place};
use anyhow::Result;

/// What is going to be run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    pub(crate) worker: bool,
    pub(crate) spin: bool,
    /// The npm packages even where no Worker is run.
    pub(crate) npm: bool,
    /// The Python packages of `tests/fuzz`.
    pub(crate) python: bool,
}

/// What set-up found or made.
pub(crate) struct Ready {
    /// `None` where there is no container engine: then voices are processes.
    pub(crate) engine: Option<Engine>,
    /// The real `spin`, where it is on PATH and new enough.
    pub(crate) spin: Option<String>,
}

/// Does everything that is still to be done. Running it again does nothing twice.
pub(crate) fn run(needs: Needs) -> Result<Ready> {
    heading("Set-up");
    std::fs::create_dir_all(place::dev())?;
    rust::check()?;
    let targets: Vec<&str> = [
        (needs.worker, "wasm32-unknown-unknown"),
        (needs.spin, "wasm32-wasip2"),
    ]
    .into_iter()
    .filter_map(|(wanted, target)| wanted.then_some(target))
    .collect();
    let toolchain = wasm::targets(&targets)?;
    if needs.worker || needs.npm {
        node::packages()?;
    }
    if needs.python {
        python::packages()?;
    }
    if needs.worker {
        rust::install("worker-build", crate::tools::WORKER_BUILD, true)?;
        rust::install("wasm-bindgen-cli", crate::tools::WASM_BINDGEN, false)?;
    }
    wasm::write_environment(toolchain.as_deref())?;
    let engine = match docker::engine()? {
        docker::Found::Engine(engine) => Some(engine),
        docker::Found::Nothing(reason) => {
            warn(&format!(
                "No container engine: {reason}\nEach call's voice runs as a process of its own instead of a container."
            ));
            None
        }
    };
    debian::voice(engine.is_some())?;
    let spin = needs.spin.then(pieces::real_spin).flatten();
    heading("Build");
    pieces::native(needs.spin && spin.is_none())?;
    if needs.worker {
        pieces::worker()?;
    }
    if needs.spin {
        pieces::spin()?;
    }
    if engine.is_some() {
        pieces::image(needs.spin)?;
    }
    Ok(Ready { engine, spin })
}

/// The step's line, or the step's line and what it did.
fn step(name: &str, explain: Option<&str>, work: impl FnOnce() -> Result<String>) -> Result<()> {
    let mut step = Step::begin(name);
    if let Some(text) = explain {
        step.explain(text);
    }
    let detail = work()?;
    step.done(&detail);
    Ok(())
}
