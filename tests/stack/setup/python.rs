//! Python as found, and the packages of tests/fuzz/requirements.txt in an environment of their own.

use super::{debian, rust, step};
use crate::command::{MINUTE, output, program, run};
use crate::{place, tools};
use anyhow::{Context, Result, bail};

const FIX: &str = "install it from https://www.python.org (on Debian, as root: apt-get install python3 python3-venv)";

pub(crate) fn packages() -> Result<()> {
    step("Python", None, || {
        let mut python = program("python3");
        python.arg("--version");
        let said = output(python).unwrap_or_default();
        let version = said.trim_start_matches("Python ").to_owned();
        if version.is_empty() {
            bail!("Python is missing: {FIX}");
        }
        if rust::pair(&version) < rust::pair(tools::PYTHON) {
            bail!(
                "Python {version} is too old, {} is needed: {FIX}",
                tools::PYTHON
            );
        }
        Ok(version)
    })?;
    let list = std::fs::read_to_string(place::root().join("tests/fuzz/requirements.txt"))?;
    let folder = place::target().join("python");
    let kept = folder.join("installed-from");
    let there = std::fs::read_to_string(&kept).is_ok_and(|text| text == list);
    let explain = (!there).then_some("into target/python: about half a minute");
    step("schemathesis", explain, || {
        if !there {
            environment(&folder)?;
            let mut pip = program(place::python("python"));
            pip.args(["-m", "pip", "install", "--quiet", "--no-input"])
                .args(["--disable-pip-version-check", "--requirement"])
                .arg("tests/fuzz/requirements.txt");
            run(pip, "pip", 10 * MINUTE)?;
            std::fs::write(&kept, &list)?;
        }
        Ok(String::new())
    })
}

/// A fresh environment. Debian keeps the module that makes one in a package of its own.
fn environment(folder: &std::path::Path) -> Result<()> {
    let _ = std::fs::remove_dir_all(folder);
    let make = || {
        let mut python = program("python3");
        python.args(["-m", "venv"]).arg(folder);
        run(python, "python-venv", 5 * MINUTE)
    };
    if make().is_ok() {
        return Ok(());
    }
    debian::install(&["python3-venv"]).context("Python's module venv is missing")?;
    let _ = std::fs::remove_dir_all(folder);
    make()
}
