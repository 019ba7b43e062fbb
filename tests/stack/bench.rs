//! `cargo bench-stack`: sizes, and requests per second of a trigger call on both runtimes, each beside an empty
//! component with one key-value read on the same runtime. The ratio is the figure: it does not depend on the machine.

mod dialects;
mod load;
mod price;
mod stub;

use crate::command::{self, MINUTE, program};
use crate::process::Process;
use crate::screen::{Step, heading, say};
use crate::settings::{self, Gateway, local};
use crate::setup::{self, Needs};
use crate::{http, pieces, place, stack};
use anyhow::{Context, Result, bail};
use load::Load;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use ureq::http::Request;

const WARM_UP: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(8);
/// A call takes a seat of its organization until it ends, and these never end: spread so that no organization
/// holds more than some dozens, as a busy one does.
const ORGANIZATIONS: usize = 100;
const MOST: usize = 5_000;
const CONNECTIONS: [usize; 2] = [1, 32];

/// The words after `cargo bench-stack`.
pub(crate) fn run(words: &[String]) -> Result<()> {
    if !words.is_empty() {
        bail!("cargo bench-stack takes no words");
    }
    stack::check_free()?;
    let ready = setup::run(Needs {
        worker: true,
        spin: true,
        npm: true,
        python: false,
    })?;
    let empty_worker = empty_worker()?;
    let empty_spin = empty_spin()?;
    sizes()?;
    price::show()?;
    stub::start(settings::SIMULATOR_PORT)?;

    heading("Trigger call, Twilio stubbed at 0 ms");
    say(
        "  `empty` is one key-value read and nothing else on the same runtime; the ratio is empty to trigger.",
    );
    let folder = place::dev().join("state/bench");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    compare("workerd", &mut |what| {
        let at = settings::WORKER_PORT;
        let (folder, variables) = match what {
            What::Empty => (empty_worker.clone(), "{}".to_owned()),
            What::Trigger => (place::root().join("build"), variables(at).to_string()),
        };
        let mut node = program("node");
        node.current_dir(place::root().join("tests"))
            .arg(place::root().join("tests/stack/bench/workerd.mjs"))
            .arg(folder)
            .args([&at.to_string(), &variables]);
        Ok((node, at))
    })?;
    compare("Spin", &mut |what| {
        let at = settings::SPIN_PORT;
        let (manifest, state) = match what {
            What::Empty => (empty_spin.as_path(), folder.join("empty")),
            What::Trigger => (Path::new("spin.toml"), folder.join("spin")),
        };
        let mut spin = stack::spin(ready.spin.is_some(), manifest);
        spin.args(["--listen", &format!("127.0.0.1:{at}")])
            .arg("--state-dir")
            .arg(state)
            .arg("--quiet");
        for (name, value) in gateway(at).spin_variables() {
            spin.env(name, value);
        }
        Ok((spin, at))
    })
}

#[derive(Clone, Copy)]
enum What {
    Empty,
    Trigger,
}

/// Measures both on one runtime, at one connection and at many.
fn compare(name: &str, server: &mut dyn FnMut(What) -> Result<(Command, u16)>) -> Result<()> {
    let mut measured = Vec::new();
    for what in [What::Empty, What::Trigger] {
        let (command, port) = server(what)?;
        let mut process = Process::start("bench", command)?;
        let result = measure(what, port, &mut process);
        let result = match (what, result) {
            (What::Trigger, Ok(loads)) => dialects::compare(&local(port)).map(|()| loads),
            (_, result) => result,
        };
        process.stop(Duration::from_secs(8));
        measured.push(result.with_context(|| format!("{name}: {}", process.log_tail(15)))?);
    }
    say("");
    say(&format!(
        "  {name:<9} {:>11} {:>10} {:>9} {:>9} {:>10} {:>9}",
        "connections", "requests/s", "p50 ms", "p99 ms", "CPU ms", "ratio"
    ));
    let [empty, trigger] = measured.as_slice() else {
        bail!("two were to be measured");
    };
    for (connections, (empty, trigger)) in CONNECTIONS.iter().zip(empty.iter().zip(trigger)) {
        row("empty", *connections, empty, None);
        row(
            "trigger",
            *connections,
            trigger,
            Some(empty.0.per_second / trigger.0.per_second),
        );
    }
    Ok(())
}

fn row(what: &str, connections: usize, (load, cpu): &(Load, f64), ratio: Option<f64>) {
    say(&format!(
        "  {what:<9} {connections:>11} {:>10.0} {:>9.2} {:>9.2} {cpu:>10.2} {:>9}",
        load.per_second,
        load.p50,
        load.p99,
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.1}")),
    ));
}

/// Each load, and the milliseconds of processor time a request took on the server's side.
fn measure(what: What, port: u16, process: &mut Process) -> Result<Vec<(Load, f64)>> {
    let url = local(port);
    let probe = match what {
        What::Empty => url.clone(),
        What::Trigger => format!("{url}/health/live"),
    };
    http::wait_for_200(&probe, Duration::from_secs(120), || process.alive())?;
    if matches!(what, What::Trigger) {
        import(&url)?;
    }
    let request = |number: usize| {
        Ok(match what {
            What::Empty => Request::get(&url).body(String::new())?,
            What::Trigger => trigger(&url, number)?,
        })
    };
    let mut loads = Vec::new();
    for connections in CONNECTIONS {
        load::run(connections, WARM_UP, MOST / 5, request)?;
        let before = process.cpu_ms();
        let most = if matches!(what, What::Empty) {
            usize::MAX
        } else {
            MOST
        };
        let load = load::run(connections, MEASURED, most, request)?;
        let cpu = (process.cpu_ms() - before) / load.requests as f64;
        loads.push((load, cpu));
    }
    Ok(loads)
}

fn trigger(url: &str, number: usize) -> Result<Request<String>> {
    let organization = number % ORGANIZATIONS;
    let body = json!({
        "phone_number": format!("+1415555{:04}", number % 10_000),
        "initial_context": {"customer_name": "Jane", "appointment_date": "March 15"},
    });
    let request = Request::post(format!(
        "{url}/api/v1/public/agent/{}",
        trigger_id(organization)
    ))
    .header("x-api-key", key(organization))
    .header("content-type", "application/json");
    Ok(request.body(body.to_string())?)
}

fn trigger_id(organization: usize) -> String {
    format!("00000000-0000-4000-8000-{organization:012}")
}

fn key(organization: usize) -> String {
    format!("rd_test_bench_{organization:016}")
}

fn import(url: &str) -> Result<()> {
    let mut lines = String::new();
    for number in 0..ORGANIZATIONS {
        let name = format!("bench-{number}");
        let id = 1000 + number;
        for line in [
            json!({"type": "organization", "id": name, "name": name, "seats": 10_000, "country": "US",
                "calling_window": null, "attempts_per_day": null,
                "default_telephony_configuration": id}),
            json!({"type": "telephony_configuration", "id": id, "organization": name, "name": "Stub",
                "account_sid": format!("AC{id:032}"), "auth_token": format!("{id:032}"),
                "api_base_url": local(settings::SIMULATOR_PORT)}),
            json!({"type": "number", "id": trigger_id(id), "organization": name,
                "number": format!("+1500555{id}"), "telephony_configuration": id}),
            json!({"type": "agent", "id": name, "organization": name, "owner": "bench", "name": "Reminder",
                "trigger": trigger_id(number), "bot_id": name, "integer_id": id, "assistant_id": trigger_id(number),
                "published": {"greeting": "Hello {{customer_name}}, this is about {{appointment_date}}."}}),
            json!({"type": "key", "organization": name, "name": "Rest APIs", "key": key(number)}),
        ] {
            writeln!(lines, "{line}")?;
        }
    }
    let bearer = format!("Bearer {}", settings::ADMIN_TOKEN);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/x-ndjson"),
    ];
    let answer = http::post(&format!("{url}/v1/admin/import"), &headers, &lines)?;
    if answer.status != 200 {
        let said: String = answer.body.chars().take(400).collect();
        bail!("the import was answered {} {said}", answer.status);
    }
    Ok(())
}

fn gateway(port: u16) -> Gateway<'static> {
    Gateway {
        port,
        simulator: settings::SIMULATOR_PORT,
        seen_from_containers: None,
        launcher: Some(settings::SIMULATOR_PORT),
    }
}

fn variables(port: u16) -> Value {
    let list = gateway(port).list();
    let map: Map<String, Value> = list
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::String(value)))
        .collect();
    Value::Object(map)
}

fn sizes() -> Result<()> {
    heading("Sizes");
    say(&format!("  {:<18}{:>10}{:>12}", "", "raw KB", "gzip -9 KB"));
    for (name, path) in [
        ("Worker", place::root().join("build/index_bg.wasm")),
        ("Spin component", pieces::spin_component()),
    ] {
        let raw = std::fs::metadata(&path)
            .with_context(|| format!("{} is missing", path.display()))?
            .len();
        let mut gzip = Command::new("sh");
        gzip.args(["-c", "gzip -9 -c \"$1\" | wc -c", "sh"])
            .arg(&path);
        let small: f64 = command::output(gzip)?.trim().parse()?;
        say(&format!(
            "  {name:<18}{:>10.0}{:>12.0}",
            raw as f64 / 1024.0,
            small / 1024.0
        ));
    }
    Ok(())
}

fn empty_worker() -> Result<PathBuf> {
    let step = Step::begin("empty Worker");
    let folder = place::root().join("tests/stack/bench/empty-worker");
    let out = place::target().join("empty-worker");
    let mut build = command::with_tools("worker-build --release --out-dir \"$1\"", &[&out]);
    build.current_dir(&folder);
    command::run(build, "build-empty-worker", 20 * MINUTE)?;
    step.done("");
    Ok(out)
}

fn empty_spin() -> Result<PathBuf> {
    let step = Step::begin("empty Spin component");
    let build = command::with_tools(
        "CARGO_PROFILE_RELEASE_STRIP=true cargo build --release --target wasm32-wasip2 --package empty-spin",
        &[],
    );
    command::run(build, "build-empty-spin", 20 * MINUTE)?;
    step.done("");
    Ok(place::root().join("tests/stack/bench/empty-spin/spin.toml"))
}
