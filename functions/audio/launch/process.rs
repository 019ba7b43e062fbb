//! A voice as a process on this machine, where no container engine runs.

use anyhow::{Context as _, bail};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

const START: Duration = Duration::from_secs(5);

/// The program `voice`.
pub(super) struct Program(PathBuf);

/// A running voice.
pub(super) struct Process {
    pub(super) child: Child,
    /// Closed by the system if the launcher is killed, which the voice takes as the loss of its call.
    _alive: ChildStdin,
}

impl Program {
    /// `VOICE_BIN` names it, else it lies beside the launcher.
    pub(super) fn find() -> anyhow::Result<Program> {
        let path = match std::env::var_os("VOICE_BIN") {
            Some(named) => PathBuf::from(named),
            None => std::env::current_exe()?.with_file_name("voice"),
        };
        if !path.is_file() {
            bail!(
                "{} is missing: build it, or name it in VOICE_BIN",
                path.display()
            );
        }
        Ok(Program(path))
    }

    /// Starts a voice and tells where it listens.
    pub(super) async fn start(&self, voice_key: &str) -> anyhow::Result<(Process, String)> {
        let mut child = Command::new(&self.0)
            .args(["--listen", "127.0.0.1:0", "--with-launcher"])
            .env_remove("LAUNCHER_KEY")
            .env("VOICE_KEY", voice_key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} does not start", self.0.display()))?;
        let stdout = child.stdout.take().context("the voice has no output")?;
        let mut first = String::new();
        timeout(START, BufReader::new(stdout).read_line(&mut first))
            .await
            .context("the voice does not say where it listens")??;
        let address = first.trim().rsplit(' ').next().unwrap_or_default();
        if address.is_empty() {
            bail!("the voice stopped at once");
        }
        // Taken out of the child, since waiting for it would close what is left inside.
        let alive = child.stdin.take().context("the voice has no input")?;
        let process = Process {
            child,
            _alive: alive,
        };
        Ok((process, format!("http://{address}")))
    }
}
