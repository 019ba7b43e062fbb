//! The Rust toolchain as found, and the tools that cargo installs.

use super::step;
use crate::command::{MINUTE, output, program, run};
use crate::{place, tools};
use anyhow::{Context, Result, bail};

/// Tells which Rust is used, or what to do if it is too old.
pub(crate) fn check() -> Result<()> {
    step("Rust", None, || {
        let mut rustc = program("rustc");
        rustc.arg("--version");
        let version =
            output(rustc).context("Rust is missing: install it from https://rustup.rs")?;
        let number = version.split(' ').nth(1).unwrap_or_default();
        if pair(number) < pair(tools::RUST) {
            bail!(
                "Rust {number} is too old, {} is needed: rustup update stable",
                tools::RUST
            );
        }
        Ok(number.to_owned())
    })
}

/// Installs a program from crates.io under `target/tools`.
pub(crate) fn install(package: &str, version: &str, locked: bool) -> Result<()> {
    let list = std::fs::read_to_string(place::tools().join(".crates.toml")).unwrap_or_default();
    let there = list.contains(&format!("\"{package} {version} "));
    let explain = (!there).then_some("compiling it, about 2 minutes, only this once");
    step(&format!("{package} {version}"), explain, || {
        if !there {
            let mut cargo = program("cargo");
            cargo
                .args(["install", package, "--version", version, "--root"])
                .arg(place::tools())
                .env("CARGO_TARGET_DIR", place::tools().join("build"))
                // These run for seconds a day: quick to compile matters more than quick to run.
                .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
                .env("CARGO_PROFILE_RELEASE_LTO", "off")
                .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
            if locked {
                cargo.arg("--locked");
            }
            run(cargo, &format!("install-{package}"), 20 * MINUTE)?;
            let _ = std::fs::remove_dir_all(place::tools().join("build"));
        }
        Ok(String::new())
    })
}

/// The first two numbers of a version.
pub(crate) fn pair(version: &str) -> (u32, u32) {
    let mut numbers = version
        .trim_start_matches('v')
        .split(['.', '-'])
        .map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::pair;

    #[test]
    fn versions_compare_by_number() {
        assert!(pair("1.100.0") > pair("1.95"));
        assert!(pair("v20.20.2") >= (20, 0));
        assert_eq!(pair("1.95.0-nightly"), (1, 95));
    }
}
