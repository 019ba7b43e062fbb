//! Where things are: the repository, its target folder, the logs and states of a run.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    // Cargo names the folder at run time; the compiled-in one serves a binary started by itself.
    let stack = std::env::var("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    Path::new(&stack)
        .ancestors()
        .nth(2)
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
});

/// The repository.
pub(crate) fn root() -> &'static Path {
    &ROOT
}

/// Everything that is built. Every build started from here goes to this one folder, whatever the caller's
/// environment says, because `spin.toml` and `wrangler.toml` name files in it.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// Tools that set-up installed by cargo.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// Logs, states and generated settings of running stacks.
pub(crate) fn dev() -> PathBuf {
    target().join("dev")
}

/// What the hosts of a run of this name keep: the files of their stores.
pub(crate) fn state(run: &str) -> PathBuf {
    dev().join("state").join(run)
}

/// The log of one process or step.
pub(crate) fn log(name: &str) -> PathBuf {
    dev().join(format!("{name}.log"))
}

/// A native program of ours.
pub(crate) fn native(name: &str) -> PathBuf {
    target().join("native").join(name)
}

/// A program of the Python environment that set-up made.
pub(crate) fn python(name: &str) -> PathBuf {
    target().join("python/bin").join(name)
}

/// Packages installed by npm.
pub(crate) fn node_modules() -> PathBuf {
    root().join("tests/node_modules")
}

/// A path as a person in the repository would type it.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}
