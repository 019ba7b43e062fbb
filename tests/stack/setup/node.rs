//! Node.js as found, and the packages of tests/package-lock.json.

use super::{rust, step};
use crate::command::{MINUTE, exists, output, program, run};
use crate::{place, tools};
use anyhow::{Result, bail};

pub(crate) fn packages() -> Result<()> {
    step("Node.js", None, || {
        let mut node = program("node");
        node.arg("--version");
        let version = output(node).unwrap_or_default();
        let wanted = tools::NODE_MAJOR;
        if version.is_empty() {
            bail!("Node.js is missing: install version {wanted} or newer from https://nodejs.org");
        }
        if rust::pair(&version).0 < wanted {
            bail!(
                "Node.js {version} is too old: install version {wanted} or newer from https://nodejs.org"
            );
        }
        if !exists("npm") {
            bail!("npm is missing: it comes with Node.js from https://nodejs.org");
        }
        Ok(version.trim_start_matches('v').to_owned())
    })?;
    let lock = std::fs::read_to_string(place::root().join("tests/package-lock.json"))?;
    let kept = place::node_modules().join(".installed-from");
    let there = std::fs::read_to_string(&kept).is_ok_and(|text| text == lock);
    let explain = (!there)
        .then_some("wrangler, esbuild, binaryen, twilio, standardwebhooks: about half a minute");
    step("npm packages", explain, || {
        if !there {
            let mut npm = program("npm");
            npm.args(["ci", "--prefix", "tests", "--no-audit", "--no-fund"]);
            run(npm, "npm", 10 * MINUTE)?;
            std::fs::write(&kept, &lock)?;
        }
        Ok(String::new())
    })
}
