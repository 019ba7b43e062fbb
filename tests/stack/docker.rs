//! The container engine: the one that runs, or one started for as long as the stack runs.

use crate::command::{self, exists, output};
use crate::process::Process;
use crate::screen::Step;
use crate::setup;
use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

/// A container engine that answers. If it was started for this run, dropping it ends it.
pub(crate) struct Engine {
    pub(crate) started: Option<Process>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(dockerd) = &mut self.started {
            dockerd.stop(PATIENCE);
        }
    }
}

/// How long dockerd may take to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) enum Found {
    Engine(Engine),
    /// None, and why.
    Nothing(String),
}

/// Uses the engine that runs, else starts one where that is possible.
pub(crate) fn engine() -> Result<Found> {
    let mut step = Step::begin("Docker Engine");
    let refused = match version() {
        Ok(version) => {
            step.done(&version);
            return Ok(Found::Engine(Engine { started: None }));
        }
        Err(error) => error.to_string(),
    };
    if refused.contains("permission denied") {
        return Ok(Found::Nothing(
            "this user may not talk to the Docker Engine (add it to the group `docker`)".to_owned(),
        ));
    }
    if !cfg!(target_os = "linux") || !nix::unistd::geteuid().is_root() {
        return Ok(Found::Nothing(
            "none answers: start Docker, or install it from https://docs.docker.com/engine/install/"
                .to_owned(),
        ));
    }
    if !exists("dockerd") || !exists("docker") {
        if !setup::can_install() {
            return Ok(Found::Nothing(
                "dockerd is not installed: see https://docs.docker.com/engine/install/".to_owned(),
            ));
        }
        step.explain("installing Debian's docker.io");
        setup::install(&["docker.io"])?;
        if !exists("docker") {
            setup::install(&["docker-cli"])?;
        }
    }
    let dockerd = match start() {
        Ok(dockerd) => dockerd,
        Err(error) => return Ok(Found::Nothing(format!("{error:#}"))),
    };
    step.done(&format!("{}, started for this run", version()?));
    Ok(Found::Engine(Engine {
        started: Some(dockerd),
    }))
}

/// The engine's version, if it answers.
pub(crate) fn version() -> Result<String> {
    docker(&["version", "--format", "{{.Server.Version}}"])
}

/// The address on which containers reach this machine, where one can listen on it; on a Docker Desktop, whose
/// containers run in a machine of their own, there is none, and [`DESKTOP`] reaches loopback itself.
pub(crate) fn bridge() -> Result<Option<String>> {
    let network = docker(&[
        "network",
        "inspect",
        "bridge",
        "--format",
        "{{range .IPAM.Config}}{{.Gateway}} {{.Subnet}}{{end}}",
    ])?;
    let address = gateway(&network)
        .with_context(|| format!("Docker's bridge network has no IPv4 address: {network}"))?;
    let here = TcpListener::bind((address.as_str(), 0)).is_ok();
    Ok(here.then_some(address))
}

/// This machine's name inside the containers of a Docker Desktop.
pub(crate) const DESKTOP: &str = "host.docker.internal";

/// Of `gateway subnet`, the gateway; an engine that was never restarted names only the subnet, whose first address it is.
fn gateway(network: &str) -> Option<String> {
    let mut words = network.split_whitespace();
    let first = words.next()?;
    let Some((subnet, _)) = first.split_once('/') else {
        return Some(first.to_owned());
    };
    let subnet: Ipv4Addr = subnet.parse().ok()?;
    Some(Ipv4Addr::from_bits(subnet.to_bits() + 1).to_string())
}

/// Containers and image tags such as this run makes: those the launcher labels, those workerd names, and
/// the tags `wrangler dev` gives the voice image.
#[derive(Clone, Default)]
pub(crate) struct Traces {
    pub(crate) containers: Vec<String>,
    pub(crate) tags: Vec<String>,
}

impl Traces {
    /// What is there now.
    pub(crate) fn look() -> Traces {
        let list = |words: &[&str]| -> Vec<String> {
            let text = docker(words).unwrap_or_default();
            text.lines().map(str::to_owned).collect()
        };
        let by = |filter: &str| {
            list(&[
                "ps",
                "--all",
                "--no-trunc",
                "--filter",
                filter,
                "--format",
                "{{.ID}}",
            ])
        };
        let mut containers = by("label=ringdown");
        containers.extend(by("name=^/?workerd-"));
        let tags = list(&[
            "images",
            "--filter",
            "reference=cloudflare-dev/*",
            "--format",
            "{{.Repository}}:{{.Tag}}",
        ]);
        Traces { containers, tags }
    }

    /// What is there now and was not there `before`.
    pub(crate) fn since(before: &Traces) -> Traces {
        let mut now = Traces::look();
        now.containers.retain(|id| !before.containers.contains(id));
        now.tags.retain(|tag| !before.tags.contains(tag));
        now
    }

    pub(crate) fn remove(&self) {
        if !self.containers.is_empty() {
            let mut words = vec!["rm", "--force", "--volumes"];
            words.extend(self.containers.iter().map(String::as_str));
            // One that is being removed already is an error, and what is wanted.
            let _ = docker(&words);
        }
        for tag in &self.tags {
            let _ = docker(&["rmi", "--no-prune", tag]);
        }
    }
}

/// Whether `docker build` understands the flags of BuildKit.
pub(crate) fn has_buildx() -> bool {
    docker(&["buildx", "version"]).is_ok()
}

fn start() -> Result<Process> {
    let mut dockerd = command::program("dockerd");
    // The default driver of this kernel may be one that cannot be nested; overlay2 works wherever dockerd does.
    dockerd.arg("--storage-driver=overlay2");
    let mut process = Process::start("dockerd", dockerd)?;
    let began = Instant::now();
    while version().is_err() {
        if !process.alive() || began.elapsed() > Duration::from_secs(40) {
            let said = process.log_tail(1);
            process.stop(Duration::from_secs(5));
            bail!("dockerd cannot be started here ({said})");
        }
        crate::signals::check()?;
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(process)
}

fn docker(words: &[&str]) -> Result<String> {
    let mut docker = Command::new("docker");
    docker.args(words);
    output(docker)
}

#[cfg(test)]
mod tests {
    use super::gateway;

    #[test]
    fn the_bridge_is_found_by_gateway_or_subnet() {
        let found = Some("172.17.0.1".to_owned());
        assert_eq!(gateway("172.17.0.1 172.17.0.0/16"), found);
        assert_eq!(gateway(" 172.17.0.0/16"), found);
        assert_eq!(gateway(""), None);
    }
}
