//! Debian's packages, where set-up may use them: as root, with apt.

use super::wasm::library;
use crate::command::{MINUTE, exists, output, program, run};
use crate::place;
use crate::screen::Step;
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The rustup name of Debian's compiler.
pub(crate) const TOOLCHAIN: &str = "debian-wasm";

/// Whether packages can be installed here.
pub(crate) fn can_install() -> bool {
    exists("apt-get") && nix::unistd::geteuid().is_root()
}

/// Installs what is missing of these packages.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !can_install() {
        let names = missing.join(" ");
        bail!("install {names} (on Debian, as root: apt-get install {names})");
    }
    let mut install = apt();
    install
        .args(["install", "-y", "-q", "--no-install-recommends"])
        .args(&missing);
    // The lists may be of today already; fetching them takes a while, so only when something is not found.
    if run(again(&install), "apt-install", 20 * MINUTE).is_err() {
        let mut update = apt();
        update.args(["update", "-q"]);
        run(update, "apt-update", 10 * MINUTE)?;
        run(install, "apt-install", 20 * MINUTE)?;
    }
    Ok(())
}

/// What speaks for the offline engine: the library for the container's image, or the program for voices that are processes.
pub(crate) fn voice(containers: bool) -> Result<()> {
    let (package, there) = if containers {
        (
            "flite1-dev",
            Path::new("/usr/include/flite/flite.h").exists(),
        )
    } else {
        ("flite", exists("flite"))
    };
    super::step("flite (offline voice)", None, || {
        if !there {
            install(&[package]).context("flite, which speaks for the offline voice, is missing")?;
        }
        Ok(String::new())
    })
}

pub(crate) fn linked() -> bool {
    exists("rustup")
        && output({
            let mut rustup = program("rustup");
            rustup.args(["toolchain", "list"]);
            rustup
        })
        .is_ok_and(|list| list.lines().any(|line| line.starts_with(TOOLCHAIN)))
}

/// Whether the target's library was built by the compiler that is installed now.
pub(crate) fn current(target: &str) -> bool {
    stamp(target).is_ok_and(|stamp| stamp.exists())
}

/// Makes a wasm target usable with Debian's compiler.
pub(crate) fn target(target: &str) -> Result<()> {
    if !can_install() {
        bail!(
            "either let rustup download (rustup target add {target}), or run this as root on Debian, where packages can be used instead"
        );
    }
    let mut step = Step::begin("  Debian's compiler");
    step.explain("rustup cannot download here: using Debian's packages");
    install(&["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"])?;
    // wasm-ld and clang have to be of the LLVM that this compiler was built with.
    let llvm = llvm()?;
    install(&[&format!("lld-{llvm}"), &format!("clang-{llvm}")])?;
    if !linked() {
        let mut link = program("rustup");
        link.args(["toolchain", "link", TOOLCHAIN, "/usr"]);
        run(link, "rustup-link", MINUTE)?;
    }
    step.done("");
    if target == "wasm32-wasip2" {
        wasi_libc()?;
    }
    if !current(target) {
        standard_library(target)?;
    }
    Ok(())
}

fn llvm() -> Result<String> {
    let mut depends = Command::new("apt-cache");
    depends.args(["depends", "rust-web-llvm"]);
    output(depends)?
        .split_whitespace()
        .find_map(|word| word.strip_prefix("llvm-").map(str::to_owned))
        .context("rust-web-llvm names no llvm: this Debian is too old for it")
}

/// Builds std for the target from Debian's sources, with bitcode, without which nothing can be linked with LTO.
fn standard_library(target: &str) -> Result<()> {
    let mut step = Step::begin(&format!("  std for {target}"));
    step.explain("building it from Debian's sources, about a minute, only this once");
    let folder = place::tools().join("wasm-std");
    std::fs::create_dir_all(folder.join("src"))?;
    std::fs::write(folder.join("src/lib.rs"), "")?;
    std::fs::write(
        folder.join("Cargo.toml"),
        "[package]\nname = \"std-maker\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[workspace]\n",
    )?;
    let mut cargo = program("cargo");
    cargo
        .current_dir(&folder)
        .env("RUSTUP_TOOLCHAIN", TOOLCHAIN)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .args([
            "build",
            "--release",
            "-Zbuild-std=std,panic_abort,panic_unwind",
            "--target",
            target,
        ]);
    run(cargo, &format!("std-{target}"), 20 * MINUTE)?;

    let library = library(Some(TOOLCHAIN), target)?;
    std::fs::create_dir_all(&library)?;
    for old in files(&library)? {
        std::fs::remove_file(old)?;
    }
    let built = folder.join("target").join(target).join("release/deps");
    for file in files(&built)? {
        let name = file.file_name().unwrap_or_default().to_owned();
        if !name.to_string_lossy().starts_with("libstd_maker") {
            std::fs::copy(&file, library.join(name))?;
        }
    }
    std::fs::write(stamp(target)?, "")?;
    std::fs::remove_dir_all(folder.join("target"))?;
    // What was compiled against the old library cannot be linked with the new one.
    let _ = std::fs::remove_dir_all(place::target().join(target));
    step.done("");
    Ok(())
}

/// wasi-libc of a newer suite, through package lists of its own, so that this machine's apt stays as it is.
fn wasi_libc() -> Result<()> {
    let to = library(Some(TOOLCHAIN), "wasm32-wasip2")?.join("self-contained");
    if to.join("libc.a").exists() {
        return Ok(());
    }
    let mut step = Step::begin("  wasi-libc");
    step.explain("fetching it from a newer Debian suite");
    let (site, codename) = mirror()?;
    let folder = place::tools().join("wasi-libc");
    for suite in [
        format!("{codename}-backports"),
        "testing".to_owned(),
        "unstable".to_owned(),
    ] {
        let _ = std::fs::remove_dir_all(&folder);
        if let Some(from) = unpacked(&folder, &site, &suite) {
            std::fs::create_dir_all(&to)?;
            for file in std::fs::read_dir(&from)?.flatten() {
                if file.path().is_file() {
                    std::fs::copy(file.path(), to.join(file.file_name()))?;
                }
            }
            std::fs::remove_dir_all(&folder)?;
            step.done(&suite);
            return Ok(());
        }
    }
    bail!("no suite of {site} has a wasi-libc with wasm32-wasip2; see target/dev/wasi-libc.log")
}

/// The folder with the target's files, unpacked from the suite's package.
fn unpacked(folder: &Path, site: &str, suite: &str) -> Option<PathBuf> {
    std::fs::create_dir_all(folder.join("lists/partial")).ok()?;
    std::fs::create_dir_all(folder.join("cache/archives/partial")).ok()?;
    let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
    let list = folder.join("sources.list");
    std::fs::write(
        &list,
        format!("deb [signed-by={keyring}] {site} {suite} main\n"),
    )
    .ok()?;
    let ours = |what: &[&str]| {
        let mut apt = apt();
        apt.current_dir(folder);
        for option in [
            format!("Dir::Etc::sourcelist={}", list.display()),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            format!("Dir::State::lists={}/lists", folder.display()),
            format!("Dir::Cache={}/cache", folder.display()),
            "APT::Sandbox::User=root".to_owned(),
        ] {
            apt.args(["-o", &option]);
        }
        apt.args(what);
        run(apt, "wasi-libc", 10 * MINUTE).ok()
    };
    ours(&["update", "-q"])?;
    ours(&["download", "-q", "wasi-libc"])?;
    let package = files_of(folder).find(|path| path.extension().is_some_and(|end| end == "deb"))?;
    let mut dpkg = Command::new("dpkg");
    dpkg.arg("-x").arg(package).arg(folder.join("x"));
    output(dpkg).ok()?;
    let found = folder.join("x/usr/lib/wasm32-wasip2");
    found.join("libc.a").exists().then_some(found)
}

/// Debian's archive as this machine knows it, and the suite it runs.
fn mirror() -> Result<(String, String)> {
    let mut targets = apt();
    targets.args([
        "indextargets",
        "--format",
        "$(SITE) $(CODENAME) $(LABEL)",
        "Created-By: Packages",
    ]);
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .unwrap_or("stable")
        .to_owned();
    let site = output(targets)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.strip_suffix(" Debian")?.split_once(' '))
        .find(|(_, suite)| *suite == codename)
        .map_or("http://deb.debian.org/debian", |(site, _)| site)
        .trim_end_matches('/')
        .to_owned();
    Ok((site, codename))
}

/// A file that exists if the target's library was built by the installed compiler.
fn stamp(target: &str) -> Result<PathBuf> {
    let mut rustc = Command::new("/usr/bin/rustc");
    rustc.arg("--version");
    let name: String = output(rustc)?
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect();
    Ok(library(Some(TOOLCHAIN), target)?.join(format!("made-by-{name}")))
}

fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]);
    output(query).is_ok_and(|status| status == "installed")
}

fn apt() -> Command {
    let mut apt = program("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt
}

fn again(command: &Command) -> Command {
    let mut same = apt();
    same.args(command.get_args());
    same
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(files_of(folder)
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end == "rlib" || end == "rmeta")
                || path
                    .file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with("made-by-"))
        })
        .collect())
}

fn files_of(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|file| file.path())
        .filter(|path| path.is_file())
}
