//! The blows that the suite deals to the running stack: programs killed as in a power cut, and a store whose writes fail.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tests::voices;

/// What strikes the calls of a [`crate::rows::Cut`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Blow {
    /// Every voice is killed.
    Voices,
    /// The launcher is killed, its voices with it, and started again.
    Launcher,
    /// So many of a hundred writes of the store fail, until it is mended.
    Writes(u8),
    /// Another process holds the store's files locked.
    Lock,
    /// The host is killed, and started again.
    Host,
}

impl Blow {
    /// Whether the calls go on while it lasts.
    pub(crate) fn lasts(self) -> bool {
        matches!(self, Blow::Writes(_) | Blow::Lock)
    }

    /// Whether nothing can be written while it lasts.
    pub(crate) fn is_total(self) -> bool {
        matches!(self, Blow::Writes(100) | Blow::Lock)
    }

    pub(crate) fn strike(self) -> Result<Struck, String> {
        match self {
            Blow::Voices => {
                let voices = voices::of_launcher(&variable("GATEWAY")?);
                voices.iter().for_each(|voice| voices::kill(voice));
                Ok(Struck::Voices)
            }
            Blow::Launcher => down(format!("launcher-{}", variable("HOST")?)),
            Blow::Host => down(variable("HOST")?),
            Blow::Writes(share) => spoil(&share.to_string()),
            Blow::Lock => spoil("locked"),
        }
    }
}

/// A blow that was dealt.
pub(crate) enum Struck {
    Voices,
    /// This program of the stack is down.
    Down(String),
    /// The store is spoilt as long as this program runs.
    Spoilt(Child),
}

impl Struck {
    /// Starts again what was killed, mends what was spoilt.
    pub(crate) fn end(self) -> Result<(), String> {
        match self {
            Struck::Voices => Ok(()),
            Struck::Down(name) => stack("start", &name),
            Struck::Spoilt(mut spoiler) => {
                drop(spoiler.stdin.take());
                let mended = spoiler.wait().map_err(|error| error.to_string())?;
                match mended.success() {
                    true => Ok(()),
                    false => Err(format!("the store was not mended: {mended}")),
                }
            }
        }
    }
}

fn down(name: String) -> Result<Struck, String> {
    stack("kill", &name)?;
    Ok(Struck::Down(name))
}

/// Starts `spoil.py`, and waits until the store is spoilt.
fn spoil(how: &str) -> Result<Struck, String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("faults/spoil.py");
    let spoiler = Command::new("python3")
        .arg(program)
        .args([&variable("STATE")?, how])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut spoiler = spoiler.map_err(|error| format!("python3: {error}"))?;
    let mut said = String::new();
    if let Some(output) = spoiler.stdout.take() {
        let read = BufReader::new(output).read_line(&mut said);
        read.map_err(|error| format!("spoil.py: {error}"))?;
    }
    match said.trim() {
        "spoilt" => Ok(Struck::Spoilt(spoiler)),
        other => Err(format!("spoil.py said {other:?}")),
    }
}

/// `stack kill` or `stack start` for a program of the stack.
fn stack(what: &str, name: &str) -> Result<(), String> {
    // Cargo tells every program below it whose test it runs; the stack would take that for itself.
    let done = Command::new(variable("STACK")?)
        .args([what, name])
        .env_remove("CARGO_MANIFEST_DIR")
        .output();
    let done = done.map_err(|error| format!("{what} {name}: {error}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("{what} {name}: {said}")),
    }
}

fn variable(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("cargo verify sets {name}"))
}
