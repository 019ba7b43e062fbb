//! The standard library for wasm targets: rustup's, or Debian's where rustup cannot download.

use super::{debian, step};
use crate::command::{MINUTE, exists, output, program, run};
use crate::place;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes the targets usable and names the toolchain to build them with; `None` is the one in use.
pub(crate) fn targets(wanted: &[&str]) -> Result<Option<String>> {
    let mut with = None;
    for target in wanted {
        step(target, None, || {
            if there(None, target) {
                return Ok(String::new());
            }
            let linked = Some(debian::TOOLCHAIN);
            if !(debian::linked() && there(linked, target) && debian::current(target)) {
                match download(target) {
                    Ok(()) if there(None, target) => return Ok("added by rustup".to_owned()),
                    Ok(()) => debian::target(target).context(format!(
                        "rustup says that {target} is installed, and its files are missing"
                    ))?,
                    Err(refused) => debian::target(target).context(format!(
                        "the target {target} is missing and rustup cannot add it ({refused})"
                    ))?,
                }
            }
            with = linked.map(str::to_owned);
            Ok(format!("toolchain {}", debian::TOOLCHAIN))
        })?;
    }
    // One toolchain serves both: rlibs of two compilers do not mix in one target folder.
    if with.is_some() {
        for target in wanted {
            if !there(with.as_deref(), target) {
                debian::target(target)?;
            }
        }
    }
    Ok(with)
}

/// What build scripts and `wrangler` need to find these tools, in shell syntax: `target/tools/env`.
pub(crate) fn write_environment(toolchain: Option<&str>) -> Result<()> {
    let tools = place::tools();
    let npm = place::node_modules().join(".bin");
    let mut text = String::from("# Written by set-up: the tools of this checkout's builds.\n");
    text += &format!("export PATH=\"{}/bin:$PATH\"\n", tools.display());
    for (name, path) in [
        ("WASM_BINDGEN_BIN", tools.join("bin/wasm-bindgen")),
        ("ESBUILD_BIN", npm.join("esbuild")),
        ("WASM_OPT_BIN", npm.join("wasm-opt")),
    ] {
        if path.exists() {
            text += &format!("export {name}=\"{}\"\n", path.display());
        }
    }
    if let Some(name) = toolchain {
        text += &format!("export RUSTUP_TOOLCHAIN={name}\n");
    }
    std::fs::create_dir_all(&tools)?;
    std::fs::write(tools.join("env"), text)?;
    Ok(())
}

/// Where this toolchain keeps the target's libraries.
pub(crate) fn library(toolchain: Option<&str>, target: &str) -> Result<PathBuf> {
    let mut rustc = program("rustc");
    if let Some(name) = toolchain {
        rustc.env("RUSTUP_TOOLCHAIN", name);
    }
    rustc.args(["--print", "target-libdir", "--target", target]);
    Ok(PathBuf::from(output(rustc)?))
}

/// Whether the toolchain in use has this target.
pub(crate) fn in_use(target: &str) -> bool {
    there(None, target)
}

fn there(toolchain: Option<&str>, target: &str) -> bool {
    library(toolchain, target).is_ok_and(|folder| {
        holds_std(&folder)
            && (target != "wasm32-wasip2" || folder.join("self-contained/libc.a").is_file())
    })
}

fn holds_std(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|files| {
        files.flatten().any(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            name.starts_with("libstd-") && name.ends_with(".rlib")
        })
    })
}

/// `rustup target add`; the error is one short reason.
fn download(target: &str) -> Result<()> {
    if !exists("rustup") {
        bail!("there is no rustup");
    }
    let mut rustup: Command = program("rustup");
    rustup.args(["target", "add", target]);
    let log = format!("rustup-{target}");
    run(rustup, &log, 5 * MINUTE).map_err(|_| {
        let said = std::fs::read_to_string(place::log(&log)).unwrap_or_default();
        let reason = said
            .lines()
            .find(|line| line.starts_with("error"))
            .unwrap_or("no answer");
        anyhow::anyhow!("{}", reason.trim_start_matches("error: ").to_owned())
    })
}
