//! What a person sees: headings, steps with their seconds, and colour only where a terminal shows it.

use std::io::{IsTerminal, Write};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static TERMINAL: LazyLock<bool> = LazyLock::new(|| std::io::stdout().is_terminal());
static COLOURS: LazyLock<bool> = LazyLock::new(|| {
    *TERMINAL && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
});

/// Set while steps are of no interest.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Runs `work` without showing its steps.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> T {
    QUIET.store(true, Ordering::Relaxed);
    let came_to = work();
    QUIET.store(false, Ordering::Relaxed);
    came_to
}

#[derive(Clone, Copy)]
pub(crate) enum Ink {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

/// The text in this colour, or as it is.
pub(crate) fn ink(ink: Ink, text: &str) -> String {
    let code = match ink {
        Ink::Bold => 1,
        Ink::Dim => 2,
        Ink::Red => 31,
        Ink::Green => 32,
        Ink::Yellow => 33,
        Ink::Cyan => 36,
    };
    if *COLOURS && !text.is_empty() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Prints one line, at once. A reader that has gone away is no reason to stop.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// A heading with an empty line before it.
pub(crate) fn heading(text: &str) {
    say(&format!("\n{}", ink(Ink::Bold, text)));
}

/// Something that went wrong, and the rows below it that tell why.
pub(crate) fn complain(error: &anyhow::Error) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "\n{} {error}", ink(Ink::Red, "error:"));
    for cause in error.chain().skip(1) {
        for line in cause.to_string().lines() {
            let _ = writeln!(out, "  {line}");
        }
    }
}

/// A note that a reader must not miss.
pub(crate) fn warn(text: &str) {
    for (row, line) in text.lines().enumerate() {
        let mark = if row == 0 { "!" } else { " " };
        say(&format!("  {} {line}", ink(Ink::Yellow, mark)));
    }
}

/// One step of set-up or start-up: announced when it may take long, and one line when done.
pub(crate) struct Step {
    name: String,
    began: Instant,
    announced: bool,
}

impl Step {
    pub(crate) fn begin(name: &str) -> Step {
        Step {
            name: name.to_owned(),
            began: Instant::now(),
            announced: false,
        }
    }

    /// Tells what is going on, for steps that take more than a few seconds.
    pub(crate) fn explain(&mut self, text: &str) {
        if QUIET.load(Ordering::Relaxed) {
            return;
        }
        say(&format!(
            "  {} {:<33} {}",
            ink(Ink::Cyan, "…"),
            self.name,
            ink(Ink::Dim, text)
        ));
        self.announced = true;
    }

    pub(crate) fn done(self, detail: &str) {
        let took = self.began.elapsed();
        let seconds = if self.announced || took > Duration::from_secs(2) {
            format!("{:.1} s", took.as_secs_f32())
        } else {
            String::new()
        };
        if QUIET.load(Ordering::Relaxed) {
            return;
        }
        let line = format!("{:<33} {detail:<36} {}", self.name, ink(Ink::Dim, &seconds));
        say(&format!("  {} {}", ink(Ink::Green, "✓"), line.trim_end()));
    }
}
