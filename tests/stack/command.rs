//! Running a program to its end: output to a log, a time limit, and the log's tail when it fails.

use crate::{place, signals};
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How a line of shell gets its tools, and how little of that a reader wants to see.
const TOOLS: &str = ". \"$TOOLS\"; ";
const SHELL: &str = "sh -c . \"$TOOLS\"; ";

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A program to be run in the repository, building into the repository's own target folder.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command
        .current_dir(place::root())
        .stdin(Stdio::null())
        .env("CARGO_TARGET_DIR", place::target())
        .env("CARGO_TERM_COLOR", "never");
    command
}

/// A line of shell with the environment that set-up wrote for wasm builds; `words` are `$1` and so on.
pub(crate) fn with_tools(line: &str, words: &[&Path]) -> Command {
    let mut shell = program("sh");
    shell
        .arg("-c")
        .arg(format!("{TOOLS}{line}"))
        .arg("sh")
        .args(words)
        .env("RUST_BACKTRACE", "0")
        .env("TOOLS", place::tools().join("env"));
    shell
}

/// Runs to the end with all output in `target/dev/{log}.log`; an error carries the end of it.
pub(crate) fn run(mut command: Command, log: &str, limit: Duration) -> Result<()> {
    let status = run_logged(&mut command, log, limit)?;
    if status.success() {
        return Ok(());
    }
    let path = place::log(log);
    let told = anyhow::anyhow!("{}", tail(&path, 25));
    Err(told.context(format!(
        "{} failed ({status}); whole output in {}",
        shown(&command),
        place::shown(&path)
    )))
}

/// Like [`run`], but how it ended is for the caller to judge.
pub(crate) fn run_logged(command: &mut Command, log: &str, limit: Duration) -> Result<ExitStatus> {
    let out = create(&place::log(log))?;
    command.stdout(out.try_clone()?).stderr(out);
    let mut child = start(command)?;
    wait(&mut child, limit).with_context(|| {
        format!(
            "{} was stopped; whole output in target/dev/{log}.log",
            shown(command)
        )
    })
}

/// What it printed, trimmed, if it succeeded.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let out = command
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("cannot run {}", shown(&command)))?;
    if !out.status.success() {
        bail!(
            "{} failed: {}",
            shown(&command),
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// Whether there is such a program on PATH, or such a file.
pub(crate) fn exists(name: &str) -> bool {
    if name.contains('/') {
        return Path::new(name).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Starts it in a process group of its own, so that all it starts can be ended with it.
pub(crate) fn start(command: &mut Command) -> Result<Child> {
    command
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {}", shown(command)))
}

fn wait(child: &mut Child, limit: Duration) -> Result<ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let late = began.elapsed() > limit;
        if late || signals::asked_to_stop() {
            let group = Pid::from_raw(child.id().cast_signed());
            let _ = killpg(group, Signal::SIGTERM);
            std::thread::sleep(Duration::from_secs(1));
            let _ = killpg(group, Signal::SIGKILL);
            let _ = child.wait();
            signals::check()?;
            bail!("it took longer than {} minutes", limit.as_secs() / 60);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A new file, in a folder that is made if need be.
pub(crate) fn create(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}

/// The last lines of a log.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words
        .join(" ")
        .replace(&format!("{}/", place::root().display()), "")
        .replace(SHELL, "")
}
