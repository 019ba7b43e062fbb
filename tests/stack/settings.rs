//! The settings of a stack on this machine: loopback addresses and the demo organization's well-known keys.

use crate::{command, place};
use anyhow::Result;
use std::path::PathBuf;

pub(crate) const WORKER_PORT: u16 = 8787;
pub(crate) const SPIN_PORT: u16 = 3000;
pub(crate) const SIMULATOR_PORT: u16 = 8790;
/// Spin's own simulator where both hosts are tested side by side.
pub(crate) const SPIN_SIMULATOR_PORT: u16 = 8793;
pub(crate) const LAUNCHER_PORT: u16 = 8791;
/// The Worker's launcher where both hosts run without a container engine.
pub(crate) const WORKER_LAUNCHER_PORT: u16 = 8792;

pub(crate) const ADMIN_TOKEN: &str = "rd_admin_demo_6b1f0c8d2e4a5937";
pub(crate) const DEMO_KEY: &str = "rd_test_demo_rest_4f1c2a9e7b3d5860";
pub(crate) const DEMO_TRIGGER: &str = "5f0c3a52-6d1e-4c7b-9a38-2b7e41d0c9aa";
pub(crate) const DEMO_NUMBER: &str = "+15005550006";
pub(crate) const LAUNCHER_KEY: &str = "demo-launcher-key-for-loopback-only";
const SIGNING_KEY: &str = "demo-signing-key-for-loopback-only-000000000000";
const ENCRYPTION_KEY: &str = "64656d6f2d656e6372797074696f6e2d6b65792d6c6f6f706261636b2d6f6e6c";

/// `http://127.0.0.1:{port}`.
pub(crate) fn local(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// What one gateway is told; names as in `calls::settings`.
pub(crate) struct Gateway<'a> {
    pub(crate) port: u16,
    /// The port of the Twilio it places calls through.
    pub(crate) simulator: u16,
    /// Where voice containers reach it; `None` where they are processes of this machine.
    pub(crate) seen_from_containers: Option<&'a str>,
    /// The launcher's port, for a host that starts no containers itself.
    pub(crate) launcher: Option<u16>,
}

impl Gateway<'_> {
    pub(crate) fn list(&self) -> Vec<(&'static str, String)> {
        let mut list = vec![
            ("PUBLIC_BASE_URL", local(self.port)),
            ("ADMIN_TOKEN", ADMIN_TOKEN.to_owned()),
            ("SIGNING_KEY", SIGNING_KEY.to_owned()),
            ("ENCRYPTION_KEY", ENCRYPTION_KEY.to_owned()),
            ("ALLOWED_PRIVATE_ORIGINS", local(self.simulator)),
            (
                "ANALYSIS_URL",
                format!("{}/_sim/inbox/analyst", local(self.simulator)),
            ),
            ("ANALYSIS_API_KEY", "demo-analysis-key".to_owned()),
            ("ANALYSIS_MODEL", "demo".to_owned()),
        ];
        if let Some(address) = self.seen_from_containers {
            list.push(("REPORT_BASE_URL", format!("http://{address}:{}", self.port)));
        }
        if let Some(port) = self.launcher {
            list.push(("LAUNCHER_URL", local(port)));
            list.push(("LAUNCHER_PUBLIC_URL", local(port)));
            list.push(("LAUNCHER_KEY", LAUNCHER_KEY.to_owned()));
        }
        list
    }

    /// The same as `spin up` reads it from the environment.
    pub(crate) fn spin_variables(&self) -> Vec<(String, String)> {
        let mut list = self.list();
        // A Spin component reaches no host that its manifest does not name.
        list.push(("EXTRA_OUTBOUND_HOST", local(self.simulator)));
        list.into_iter()
            .map(|(name, value)| (format!("SPIN_VARIABLE_{name}"), value))
            .collect()
    }

    /// Writes the settings where `wrangler dev --env-file` reads them.
    pub(crate) fn write_env_file(&self) -> Result<PathBuf> {
        let path = place::dev().join("worker.env");
        drop(command::create(&path)?);
        let text: String = self
            .list()
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        std::fs::write(&path, text)?;
        Ok(path)
    }
}
