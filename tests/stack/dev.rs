//! `cargo dev`: the whole stack on this machine, until Ctrl-C or `cargo dev --stop`.

use crate::screen::{Ink, heading, ink, say};
use crate::settings::{self, local};
use crate::setup::{self, Needs};
use crate::stack::{self, Hosts, Stack, Wanted};
use crate::state::State;
use crate::{place, tools};
use anyhow::{Result, bail};

/// The words after `cargo dev`.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let mut hosts = stack::WORKER;
    let (mut detach, mut fresh) = (false, false);
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--stop" => return stop(),
            "--list-tools" => {
                tools::list();
                return Ok(());
            }
            "--detach" => detach = true,
            "--fresh" => fresh = true,
            "--host" => hosts = read_hosts(words.next())?,
            other => bail!(
                "cargo dev has no `{other}`; it has --host worker|spin|both, --detach, --fresh, --stop, --list-tools"
            ),
        }
    }
    stack::check_free()?;
    let mut ready = setup::run(Needs {
        worker: hosts.worker,
        spin: hosts.spin,
        npm: false,
        python: false,
    })?;
    heading("Start");
    let wanted = Wanted {
        run: "dev",
        hosts,
        fresh,
        processes: false,
        apart: false,
    };
    let mut stack = Stack::start(&ready, &wanted)?;
    tell(hosts);
    if detach {
        say("\nIt runs in the background; `cargo dev --stop` ends it.");
        stack.leave_running(&mut ready);
        return Ok(());
    }
    say("\nCtrl-C ends it.");
    let ended = stack.watch();
    say("\nEnding …");
    drop(stack);
    ended
}

/// `worker`, `spin` or `both`.
pub(crate) fn read_hosts(word: Option<&str>) -> Result<Hosts> {
    match word {
        Some("worker") => Ok(stack::WORKER),
        Some("spin") => Ok(stack::SPIN),
        Some("both") => Ok(Hosts {
            worker: true,
            spin: true,
        }),
        _ => bail!("--host takes worker, spin or both"),
    }
}

fn stop() -> Result<()> {
    match State::read() {
        Some(state) => {
            let ended = format!("`cargo {}` ended.", state.run);
            state.stop_all();
            say(&ended);
        }
        None => say("Nothing is running."),
    }
    Ok(())
}

fn tell(hosts: Hosts) {
    heading("Running");
    let row = |name: &str, text: &str| say(&format!("  {name:<22}{text}"));
    if hosts.worker {
        row("gateway on workerd", &local(settings::WORKER_PORT));
    }
    if hosts.spin {
        row("gateway on Spin", &local(settings::SPIN_PORT));
        row("launcher", &local(settings::LAUNCHER_PORT));
    }
    let calls = format!("{}/_sim/calls", local(settings::SIMULATOR_PORT));
    row("Twilio simulator", &calls);
    row("demo key", settings::DEMO_KEY);
    row("administrator's token", settings::ADMIN_TOKEN);
    row("logs", &format!("{}/*.log", place::shown(&place::dev())));
    heading("Place a call");
    let port = if hosts.worker {
        settings::WORKER_PORT
    } else {
        settings::SPIN_PORT
    };
    for line in [
        format!(
            "  curl -i {}/api/v1/public/agent/{} \\",
            local(port),
            settings::DEMO_TRIGGER
        ),
        format!(
            "    -H 'X-API-Key: {}' -H 'Content-Type: application/json' \\",
            settings::DEMO_KEY
        ),
        format!(
            "    -d '{{\"phone_number\": \"{}\"}}'",
            settings::DEMO_NUMBER
        ),
    ] {
        say(&ink(Ink::Cyan, &line));
    }
}
