//! The running stack: simulator, launcher, gateways, and whatever lets containers reach them.

use crate::docker::{self, Traces};
use crate::process::Process;
use crate::screen::Step;
use crate::settings::{self, Gateway, local};
use crate::setup::Ready;
use crate::state::State;
use crate::{command, http, pieces, place, signals};
use anyhow::{Context, Result, bail};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Which gateways run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hosts {
    pub(crate) worker: bool,
    pub(crate) spin: bool,
}

impl Hosts {
    pub(crate) fn and(self, other: Hosts) -> Hosts {
        Hosts {
            worker: self.worker || other.worker,
            spin: self.spin || other.spin,
        }
    }
}

pub(crate) const WORKER: Hosts = Hosts {
    worker: true,
    spin: false,
};
pub(crate) const SPIN: Hosts = Hosts {
    worker: false,
    spin: true,
};

/// What to start, and how.
pub(crate) struct Wanted<'a> {
    /// Names the run and, under it, the stored state: `dev`, `demo`, …
    pub(crate) run: &'a str,
    pub(crate) hosts: Hosts,
    /// Begin with empty stores.
    pub(crate) fresh: bool,
    /// Have voices run as processes also where containers could.
    pub(crate) processes: bool,
    /// Each host has a simulator of its own, so that what one places is not counted as the other's.
    pub(crate) apart: bool,
}

/// A stack that runs. Dropping it ends all of it.
pub(crate) struct Stack {
    state: State,
    left_running: bool,
    spins_simulator: u16,
}

/// An error if another stack runs, or something else holds a port that is needed.
pub(crate) fn check_free() -> Result<()> {
    if let Some(state) = State::running() {
        bail!(
            "`cargo {}` is running already, since {} s; `cargo dev --stop` ends it",
            state.run,
            crate::state::unix_s().saturating_sub(state.since)
        );
    }
    // What a killed run left behind is nobody's any more.
    if let Some(left) = State::read() {
        left.stop_all();
    }
    for port in [
        settings::WORKER_PORT,
        settings::SPIN_PORT,
        settings::SIMULATOR_PORT,
        settings::SPIN_SIMULATOR_PORT,
        settings::LAUNCHER_PORT,
        settings::WORKER_LAUNCHER_PORT,
    ] {
        TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("port {port} is in use by another program; end it first"))?;
    }
    Ok(())
}

impl Stack {
    /// Starts everything and waits until it answers. What was started is ended again if it does not.
    pub(crate) fn start(ready: &Ready, wanted: &Wanted) -> Result<Stack> {
        // Set-up may have taken minutes: look again.
        check_free()?;
        let before = ready.engine.is_some().then(Traces::look);
        let mut stack = Stack {
            state: State::new(wanted.run, before),
            left_running: false,
            spins_simulator: if wanted.apart && wanted.hosts.worker {
                settings::SPIN_SIMULATOR_PORT
            } else {
                settings::SIMULATOR_PORT
            },
        };
        stack.state.engine = ready
            .engine
            .as_ref()
            .and_then(|engine| Process::from_json(&engine.started.as_ref()?.to_json()));
        stack.state.write()?;
        let containers = ready.engine.is_some() && !wanted.processes;
        let bridge = containers.then(docker::bridge).transpose()?.flatten();
        let seen = containers.then(|| bridge.as_deref().unwrap_or(docker::DESKTOP));
        let spins = stack.spins_simulator();
        stack.simulator("simulator", settings::SIMULATOR_PORT)?;
        if spins != settings::SIMULATOR_PORT {
            stack.simulator("simulator-spin", spins)?;
        }
        let folder = place::state(wanted.run);
        if wanted.fresh {
            let _ = std::fs::remove_dir_all(&folder);
        }
        std::fs::create_dir_all(&folder)?;
        if wanted.hosts.worker {
            let launcher = (!containers).then_some(if wanted.hosts.spin {
                settings::WORKER_LAUNCHER_PORT
            } else {
                settings::LAUNCHER_PORT
            });
            let gateway = Gateway {
                port: settings::WORKER_PORT,
                simulator: settings::SIMULATOR_PORT,
                seen_from_containers: seen,
                launcher,
            };
            let mut wrangler = pieces::wrangler()?;
            wrangler
                .args([
                    "dev",
                    "--local",
                    "--ip",
                    "127.0.0.1",
                    "--inspector-port",
                    "0",
                ])
                .args(["--port", &gateway.port.to_string()])
                .args(["--show-interactive-dev-session=false", "--log-level=info"])
                .arg("--env-file")
                .arg(gateway.write_env_file()?)
                .arg("--persist-to")
                .arg(folder.join("worker"));
            if !containers {
                wrangler.arg("--enable-containers=false");
            }
            stack.gateway("gateway on workerd", "worker", wrangler, &gateway)?;
        }
        if wanted.hosts.spin {
            let gateway = Gateway {
                port: settings::SPIN_PORT,
                simulator: spins,
                seen_from_containers: seen,
                launcher: Some(settings::LAUNCHER_PORT),
            };
            let mut spin = spin(ready.spin.is_some(), Path::new("spin.toml"));
            spin.args(["--listen", &format!("127.0.0.1:{}", gateway.port)])
                .arg("--state-dir")
                .arg(folder.join("spin"));
            for (name, value) in gateway.spin_variables() {
                spin.env(name, value);
            }
            stack.gateway("gateway on Spin", "spin", spin, &gateway)?;
        }
        Ok(stack)
    }

    /// The port of the simulator that Spin places its calls through.
    pub(crate) fn spins_simulator(&self) -> u16 {
        self.spins_simulator
    }

    /// Lets the stack outlive this process, and the engine with it.
    pub(crate) fn leave_running(mut self, ready: &mut Ready) {
        self.left_running = true;
        if let Some(engine) = &mut ready.engine {
            engine.started = None;
        }
    }

    /// Waits until a signal comes, or something of the stack ends by itself.
    pub(crate) fn watch(&mut self) -> Result<()> {
        while !signals::asked_to_stop() {
            for process in &mut self.state.processes {
                if !process.alive() {
                    let said = process.log_tail(20);
                    return Err(anyhow::anyhow!("{said}")
                        .context(format!("{} ended by itself", process.name)));
                }
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// The last lines of every log, for a run that failed.
    pub(crate) fn tails(&self, lines: usize) -> String {
        self.state
            .processes
            .iter()
            .map(|process| {
                format!(
                    "── {}\n{}\n",
                    place::shown(&place::log(&process.name)),
                    process.log_tail(lines)
                )
            })
            .collect()
    }

    fn simulator(&mut self, name: &str, port: u16) -> Result<()> {
        let mut simulator = command::program(place::native("simulator"));
        simulator.args(["--listen", &format!("127.0.0.1:{port}")]);
        let url = format!("{}/_sim/calls", local(port));
        self.run("simulator", name, simulator, &url, 20)
    }

    /// The gateway, the launcher that starts its voices, the way back for containers, and the demo organization.
    fn gateway(
        &mut self,
        title: &str,
        name: &str,
        program: Command,
        gateway: &Gateway,
    ) -> Result<()> {
        let url = local(gateway.port);
        if let Some(port) = gateway.launcher {
            let launcher = launcher(port, gateway);
            let health = format!("{}/healthz", local(port));
            self.run(
                "launcher",
                &format!("launcher-{name}"),
                launcher,
                &health,
                20,
            )?;
        }
        if let Some(address) = gateway
            .seen_from_containers
            .filter(|to| *to != docker::DESKTOP)
        {
            self.forwarder(address, gateway.port)?;
        }
        self.run(title, name, program, &format!("{url}/health/live"), 180)?;
        self.import(&url, gateway.simulator)
    }

    fn forwarder(&mut self, address: &str, port: u16) -> Result<()> {
        let mut forward = command::program(std::env::current_exe()?);
        forward.args([
            "forward",
            &format!("{address}:{port}"),
            &format!("127.0.0.1:{port}"),
        ]);
        let mut process = Process::start(&format!("forwarder-{port}"), forward)?;
        let began = Instant::now();
        while TcpStream::connect((address, port)).is_err() {
            if !process.alive() || began.elapsed() > Duration::from_secs(10) {
                bail!(
                    "containers cannot reach the gateway: {}",
                    process.log_tail(5)
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.state.processes.push(process);
        self.state.write()
    }

    /// The demo organization, placing its calls through the simulator on this port.
    fn import(&self, gateway: &str, simulator: u16) -> Result<()> {
        let file = place::root().join("tests/demo.ndjson");
        let demo = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?
            .replace(&local(settings::SIMULATOR_PORT), &local(simulator));
        let bearer = format!("Bearer {}", settings::ADMIN_TOKEN);
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/x-ndjson"),
        ];
        let step = Step::begin("demo organization");
        let answer = http::post(&format!("{gateway}/v1/admin/import"), &headers, &demo)?;
        if answer.status != 200 {
            let said = anyhow::anyhow!("{}\n{}", answer.body, self.tails(15));
            return Err(said.context(format!("the import was answered {}", answer.status)));
        }
        http::wait_for_200(
            &format!("{gateway}/health/ready"),
            Duration::from_secs(20),
            || true,
        )
        .with_context(|| self.tails(15))?;
        step.done("imported");
        Ok(())
    }

    /// Starts one program and waits until `url` answers 200.
    fn run(
        &mut self,
        title: &str,
        name: &str,
        program: Command,
        url: &str,
        seconds: u64,
    ) -> Result<()> {
        let step = Step::begin(title);
        let mut process = Process::start(name, program)?;
        process.health = url.to_owned();
        self.state.processes.push(process);
        self.state.write()?;
        let Some(process) = self.state.processes.last_mut() else {
            bail!("no process");
        };
        let limit = Duration::from_secs(seconds);
        if let Err(error) = http::wait_for_200(url, limit, || process.alive()) {
            signals::check()?;
            let said = anyhow::anyhow!("{}", process.log_tail(25));
            return Err(said.context(format!(
                "{title} did not start: {error}; whole output in target/dev/{name}.log"
            )));
        }
        let address = url.split('/').take(3).collect::<Vec<_>>().join("/");
        step.done(&address);
        Ok(())
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if !self.left_running {
            self.state.stop();
        }
    }
}

/// The real `spin` where there is one, else the host for tests.
pub(crate) fn spin(real: bool, manifest: &Path) -> Command {
    let mut spin = if real {
        command::program("spin")
    } else {
        command::program(place::native("spin-host"))
    };
    let flag = if real { "--from" } else { "--manifest" };
    spin.arg("up").arg(flag).arg(manifest);
    spin.env("RUST_BACKTRACE", "0");
    spin
}

fn launcher(port: u16, gateway: &Gateway) -> Command {
    let mode = if gateway.seen_from_containers.is_some() {
        "docker"
    } else {
        "process"
    };
    let mut launcher = command::program(place::native("launcher"));
    launcher
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(["--gateway", &local(gateway.port)])
        .args(["--mode", mode])
        .args(["--image", pieces::IMAGE])
        .env("LAUNCHER_KEY", settings::LAUNCHER_KEY);
    // Voices that are processes speak with what the image's would.
    if let Some(flite) = pieces::flite() {
        launcher.env("FLITE", flite);
    }
    launcher
}
