//! Building the pieces that run: native programs, the Worker, the Spin component, the voice image.

use crate::command::{self, MINUTE, output, program, run, with_tools};
use crate::place;
use crate::screen::Step;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The simulator, the launcher and the voice; and the Spin host for tests where there is no `spin`.
pub(crate) fn native(with_spin_host: bool) -> Result<()> {
    build(
        "simulator, launcher, voice",
        "about 2 minutes the first time",
        &["simulator", "audio"],
    )?;
    if with_spin_host {
        build(
            "Spin host",
            "wasmtime: about 10 minutes the first time",
            &["spin-host"],
        )?;
    }
    Ok(())
}

fn build(name: &str, long: &str, packages: &[&str]) -> Result<()> {
    let mut step = Step::begin(name);
    let there = packages.iter().all(|package| {
        let bin = if *package == "audio" {
            "voice"
        } else {
            package
        };
        place::native(bin).exists()
    });
    if !there {
        step.explain(long);
    }
    let mut cargo = program("cargo");
    cargo.args(["build", "--profile", "native", "--bins"]);
    for package in packages {
        cargo.args(["--package", package]);
    }
    run(cargo, &format!("build-{}", packages[0]), 40 * MINUTE)?;
    step.done("");
    Ok(())
}

pub(crate) fn worker() -> Result<()> {
    let build = with_tools("sh functions/worker/build.sh", &[]);
    script("Worker", build)
}

pub(crate) fn spin() -> Result<()> {
    let build = with_tools("sh functions/spin/build.sh", &[]);
    script("Spin component", build)
}

/// What the voice image is made of, from which wrangler builds its own; and the image that the launcher starts.
pub(crate) fn image(for_launcher: bool) -> Result<()> {
    let mut build = program("sh");
    build.arg("functions/audio/build-image.sh");
    if for_launcher {
        build.arg(IMAGE);
    }
    script("voice image", build)
}

/// The static program that speaks for the offline voice, once the image was built.
pub(crate) fn flite() -> Option<PathBuf> {
    let built = place::root().join("functions/audio/image/flite");
    built.is_file().then_some(built)
}

/// The image that the launcher starts.
pub(crate) const IMAGE: &str = "ringdown-voice";

/// The Spin component as `spin.toml` names it.
pub(crate) fn spin_component() -> PathBuf {
    place::target().join("wasm32-wasip2/release/host_spin.wasm")
}

fn script(name: &str, build: Command) -> Result<()> {
    let mut step = Step::begin(name);
    let log = format!("build-{}", name.to_lowercase().replace(' ', "-"));
    if !place::log(&log).exists() {
        step.explain("a minute or two the first time");
    }
    run(build, &log, 30 * MINUTE)?;
    step.done("");
    Ok(())
}

/// `spin` on PATH, if it runs components of this kind (4.1 or newer); shown with its version.
pub(crate) fn real_spin() -> Option<String> {
    let mut spin = Command::new("spin");
    spin.arg("--version");
    let said = output(spin).ok()?;
    let version = said.split_whitespace().nth(1)?;
    (crate::setup::version_pair(version) >= (4, 1)).then(|| version.to_owned())
}

/// Node running the wrangler of this checkout.
pub(crate) fn wrangler() -> Result<Command> {
    let mut node = command::program("node");
    node.arg(place::node_modules().join("wrangler/bin/wrangler.js"))
        .env("WRANGLER_SEND_METRICS", "false")
        .env("WRANGLER_HIDE_BANNER", "true")
        .env("WRANGLER_LOG_PATH", place::dev().join("wrangler-logs"))
        .env("WRANGLER_REGISTRY_PATH", place::dev().join("registry"))
        .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
        .env("NO_COLOR", "1")
        .env("CI", "true");
    if !crate::docker::has_buildx() {
        node.env(
            "WRANGLER_DOCKER_BIN",
            place::root().join("functions/worker/docker-without-buildx.sh"),
        );
    }
    node.env("WORKER_IS_BUILT", worker_is_built()?);
    Ok(node)
}

/// The file that tells wrangler's first build that set-up has just built the Worker; it takes the file away, and builds
/// when a source changes.
pub(crate) fn worker_is_built() -> Result<PathBuf> {
    let built = place::dev().join("worker-is-built");
    drop(command::create(&built)?);
    Ok(built)
}
