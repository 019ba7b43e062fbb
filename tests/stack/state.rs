//! What is running, written down in `target/dev/state.json` so that another command can end it.

use crate::docker::{self, Traces};
use crate::process::Process;
use crate::{command, place};
use anyhow::Result;
use serde_json::{Value, json};
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) struct State {
    /// `dev`, `demo`, `verify` or `bench`.
    pub(crate) run: String,
    /// Unix seconds.
    pub(crate) since: u64,
    /// In the order they were started.
    pub(crate) processes: Vec<Process>,
    /// The container engine, if it was started for this run.
    pub(crate) engine: Option<Process>,
    /// What the container engine held before; `None` where there is no engine.
    pub(crate) before: Option<Traces>,
}

impl State {
    pub(crate) fn new(run: &str, before: Option<Traces>) -> State {
        State {
            run: run.to_owned(),
            since: unix_s(),
            processes: Vec::new(),
            engine: None,
            before,
        }
    }

    /// What the last run wrote down, if anything of it still runs.
    pub(crate) fn running() -> Option<State> {
        let mut state = State::read()?;
        state
            .processes
            .iter_mut()
            .any(Process::alive)
            .then_some(state)
    }

    /// What the last run wrote down and did not clean up.
    pub(crate) fn read() -> Option<State> {
        let text = std::fs::read_to_string(file()).ok()?;
        let value: Value = serde_json::from_str(&text).ok()?;
        Some(State {
            run: value["run"].as_str()?.to_owned(),
            since: value["since"].as_u64()?,
            processes: value["processes"]
                .as_array()?
                .iter()
                .filter_map(Process::from_json)
                .collect(),
            engine: Process::from_json(&value["engine"]),
            before: value["before"].is_object().then(|| Traces {
                containers: texts(&value["before"]["containers"]),
                tags: texts(&value["before"]["tags"]),
            }),
        })
    }

    pub(crate) fn write(&self) -> Result<()> {
        let processes: Vec<Value> = self.processes.iter().map(Process::to_json).collect();
        let before = self
            .before
            .as_ref()
            .map(|traces| json!({"containers": traces.containers, "tags": traces.tags}));
        let value = json!({
            "run": self.run,
            "since": self.since,
            "processes": processes,
            "engine": self.engine.as_ref().map(Process::to_json),
            "before": before,
        });
        let path = file();
        drop(command::create(&path)?);
        std::fs::write(path, format!("{value:#}\n"))?;
        Ok(())
    }

    /// Ends everything but the engine, last started first, and forgets it.
    pub(crate) fn stop(&mut self) {
        // What was killed and started again meanwhile is known by the file alone.
        for process in State::read().map_or_else(Vec::new, |state| state.processes) {
            if !self.processes.iter().any(|known| known.is(&process)) {
                self.processes.push(process);
            }
        }
        for process in self.processes.iter_mut().rev() {
            process.stop(Duration::from_secs(8));
        }
        if let Some(before) = &self.before {
            Traces::since(before).remove();
        }
        let _ = std::fs::remove_file(file());
    }

    /// Ends the engine too. For a run that is not this one.
    pub(crate) fn stop_all(mut self) {
        self.stop();
        if let Some(engine) = &mut self.engine {
            engine.stop(docker::PATIENCE);
        }
    }
}

/// Waits until no other program changes the state, and keeps others waiting until what is returned is dropped.
pub(crate) fn alone() -> Result<File> {
    let lock = command::create(&file().with_extension("lock"))?;
    lock.lock()?;
    Ok(lock)
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned))
        .collect()
}

fn file() -> PathBuf {
    place::dev().join("state.json")
}

pub(crate) fn unix_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
