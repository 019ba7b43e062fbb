//! `stack kill NAME` and `stack start NAME`: a program of the running stack dies as in a power cut, and comes back with
//! the words, the settings and the stored state it had. For the tests of what survives that.

use crate::process::Process;
use crate::state::{self, State};
use crate::{http, pieces};
use anyhow::{Context, Result, bail};
use std::time::Duration;

/// How long a gateway may take to come back.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn kill(name: &str) -> Result<()> {
    let mut state = running()?;
    find(&mut state, name)?.kill();
    Ok(())
}

pub(crate) fn start(name: &str) -> Result<()> {
    // Another host of the stack may be started again at the same time, and is to be written down as well.
    let alone = state::alone()?;
    let mut state = running()?;
    let process = find(&mut state, name)?;
    if process.alive() {
        bail!("{name} runs already");
    }
    pieces::worker_is_built()?;
    process.start_again()?;
    state.write()?;
    drop(alone);
    let process = find(&mut state, name)?;
    let health = process.health.clone();
    let ready = http::wait_for_200(&health, PATIENCE, || process.alive());
    ready.with_context(|| process.log_tail(15))
}

fn running() -> Result<State> {
    State::read().context("no stack runs")
}

fn find<'a>(state: &'a mut State, name: &str) -> Result<&'a mut Process> {
    let mut processes = state.processes.iter_mut();
    processes
        .find(|process| process.name == name)
        .with_context(|| format!("the stack has no {name}"))
}
