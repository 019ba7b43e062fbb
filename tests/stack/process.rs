//! One long-running program of the stack: its process group, its log, and ending it whole.

use crate::command::{self, create, tail};
use crate::place;
use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Map, Value, json};
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the system may take to end what was killed.
const KILLED: Duration = Duration::from_secs(5);

/// A program, started by this run or read from the state of another.
pub(crate) struct Process {
    pub(crate) name: String,
    /// Also the id of its process group.
    pid: i32,
    /// When the system says it began: tells it from a later process with the same id.
    born: String,
    child: Option<Child>,
    /// Its program, words, folder and environment, to start it again.
    how: Value,
    /// What answers 200 when it is ready; empty if nothing does.
    pub(crate) health: String,
}

impl Process {
    /// Starts it with all output in its own log.
    pub(crate) fn start(name: &str, mut command: Command) -> Result<Process> {
        let how = described(&command);
        let log = create(&place::log(name))?;
        command.stdout(log.try_clone()?).stderr(log);
        let child = command::start(&mut command)?;
        let pid = child.id().cast_signed();
        Ok(Process {
            name: name.to_owned(),
            pid,
            born: born(pid).unwrap_or_default(),
            child: Some(child),
            how,
            health: String::new(),
        })
    }

    /// Starts it once more as it was started, its output behind that of its former life.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        let mut command = read(&self.how).context("it is not known how this was started")?;
        let log = place::log(&self.name);
        let log = OpenOptions::new().append(true).create(true).open(log)?;
        command.stdout(log.try_clone()?).stderr(log);
        let child = command::start(&mut command)?;
        self.pid = child.id().cast_signed();
        self.born = born(self.pid).unwrap_or_default();
        self.child = Some(child);
        Ok(())
    }

    /// Ends the whole group without a warning.
    pub(crate) fn kill(&mut self) {
        let group = Pid::from_raw(self.pid);
        let _ = killpg(group, Signal::SIGKILL);
        let began = Instant::now();
        while members(self.pid) > 0 && began.elapsed() < KILLED {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn is(&self, other: &Process) -> bool {
        (self.pid, &self.born) == (other.pid, &other.born)
    }

    pub(crate) fn alive(&mut self) -> bool {
        if let Some(child) = &mut self.child {
            return matches!(child.try_wait(), Ok(None));
        }
        born(self.pid).is_some_and(|born| born == self.born)
    }

    /// Asks the whole group to end, and makes it end after `patience`.
    pub(crate) fn stop(&mut self, patience: Duration) {
        // The leader may be gone and its children not; a group id is not given away while it has members.
        if !self.alive() && members(self.pid) == 0 {
            return;
        }
        let group = Pid::from_raw(self.pid);
        let began = Instant::now();
        let _ = killpg(group, Signal::SIGTERM);
        while began.elapsed() < patience && (self.alive() || members(self.pid) > 0) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = killpg(group, Signal::SIGKILL);
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
    }

    /// Processor time of the whole group so far, in milliseconds; 0 where the system does not tell.
    pub(crate) fn cpu_ms(&self) -> f64 {
        let group = self.pid.to_string();
        let ticks: u64 = stats()
            .iter()
            .map(|stat| fields(stat))
            .filter(|fields| fields.get(2) == Some(&group.as_str()))
            .flat_map(|fields| {
                [11, 12].map(|at| fields.get(at).and_then(|t| t.parse::<u64>().ok()))
            })
            .flatten()
            .sum();
        // Linux counts in hundredths of a second everywhere.
        ticks as f64 * 10.0
    }

    pub(crate) fn log_tail(&self, lines: usize) -> String {
        tail(&place::log(&self.name), lines)
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "name": self.name, "pid": self.pid, "born": self.born, "how": self.how, "health": self.health,
        })
    }

    pub(crate) fn from_json(value: &Value) -> Option<Process> {
        Some(Process {
            name: value["name"].as_str()?.to_owned(),
            pid: i32::try_from(value["pid"].as_i64()?).ok()?,
            born: value["born"].as_str()?.to_owned(),
            child: None,
            how: value["how"].clone(),
            health: value["health"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// A command as [`read`] reads it.
fn described(command: &Command) -> Value {
    let text = |text: &OsStr| text.to_string_lossy().into_owned();
    let words: Vec<String> = command.get_args().map(text).collect();
    let set: Map<String, Value> = command
        .get_envs()
        .filter_map(|(name, value)| Some((text(name), text(value?).into())))
        .collect();
    let folder = command
        .get_current_dir()
        .map(|folder| text(folder.as_os_str()));
    json!({"program": text(command.get_program()), "words": words, "set": set, "folder": folder})
}

fn read(how: &Value) -> Option<Command> {
    let mut command = Command::new(how["program"].as_str()?);
    command.stdin(Stdio::null());
    command.args(how["words"].as_array()?.iter().filter_map(Value::as_str));
    if let Some(folder) = how["folder"].as_str() {
        command.current_dir(folder);
    }
    for (name, value) in how["set"].as_object()? {
        command.env(name, value.as_str()?);
    }
    Some(command)
}

/// When this process began, in whatever form the system tells it; `None` if there is none, or only its remains.
pub(crate) fn born(pid: i32) -> Option<String> {
    if cfg!(target_os = "linux") {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields = fields(&stat);
        // Of what follows the name: state first, start time twentieth.
        return (fields.first() != Some(&"Z"))
            .then(|| fields.get(19).copied().map(str::to_owned))?;
    }
    let mut ps = Command::new("ps");
    ps.args(["-o", "lstart=", "-p", &pid.to_string()]);
    command::output(ps).ok().filter(|text| !text.is_empty())
}

/// Programs of this checkout that run, other than this one: path and process id.
pub(crate) fn ours() -> Vec<String> {
    let here = place::root().display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.chars().all(|c| c.is_ascii_digit()) || name == std::process::id().to_string() {
            continue;
        }
        let program = std::fs::read_link(entry.path().join("exe")).unwrap_or_default();
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        let wrangler = words.contains(&format!("{here}/tests/node_modules/wrangler"));
        if program.starts_with(&here) || wrangler {
            found.push(format!("process {name}: {words}"));
        }
    }
    found
}

/// How many processes of the group are left.
fn members(group: i32) -> usize {
    if !cfg!(target_os = "linux") {
        return usize::from(killpg(Pid::from_raw(group), None).is_ok());
    }
    stats()
        .iter()
        .filter(|stat| {
            let fields = fields(stat);
            fields.first() != Some(&"Z") && fields.get(2) == Some(&group.to_string().as_str())
        })
        .count()
}

/// `/proc/*/stat` of all processes.
fn stats() -> Vec<String> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .collect()
}

/// What follows the name, which may itself hold spaces and brackets.
fn fields(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_program_comes_back_as_it_was() {
        let file = place::dev().join("test-revived");
        let _ = std::fs::remove_file(&file);
        let mut command = Command::new("sh");
        command
            .args(["-c", "echo $WORD >> \"$0\"; sleep 60"])
            .arg(&file);
        command.env("WORD", "again");
        let process = Process::start("test-revived", command).unwrap();
        let mut process = Process::from_json(&process.to_json()).unwrap();
        let lines = |wanted: usize| {
            let began = Instant::now();
            while began.elapsed() < Duration::from_secs(5) {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                if text.lines().filter(|line| *line == "again").count() == wanted {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            panic!("it did not run {wanted} times");
        };
        lines(1);
        process.kill();
        assert!(!process.alive());
        process.start_again().unwrap();
        lines(2);
        process.kill();
    }

    #[test]
    fn a_group_ends_with_its_children() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & sleep 60"]);
        let mut process = Process::start("test-process", command).unwrap();
        assert!(process.alive());
        process.stop(Duration::from_secs(5));
        assert!(!process.alive());
        assert_eq!(members(process.pid), 0);
        assert!(Process::from_json(&process.to_json()).is_some_and(|mut read| !read.alive()));
    }
}
