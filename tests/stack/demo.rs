//! `cargo demo`: one call through the whole chain, watched from its creation to its end.

use crate::screen::{Ink, heading, ink, say};
use crate::settings::{self, local};
use crate::setup::{self, Needs};
use crate::stack::{self, Hosts, Stack, Wanted};
use crate::{dev, http, signals};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// A call of the demo takes 20 to 30 seconds; one that takes longer than this will not end.
const PATIENCE: Duration = Duration::from_secs(90);

/// The words after `cargo demo`.
pub(crate) fn run(words: &[String]) -> Result<()> {
    let hosts = match words {
        [] => stack::WORKER,
        [flag, host] if flag == "--host" && host != "both" => dev::read_hosts(Some(host))?,
        _ => bail!("cargo demo takes --host worker or --host spin"),
    };
    stack::check_free()?;
    let ready = setup::run(Needs {
        worker: hosts.worker,
        spin: hosts.spin,
        npm: false,
        python: false,
    })?;
    let voice = if ready.engine.is_some() {
        "a container started for it"
    } else {
        "a process started for it"
    };
    heading("Start");
    let wanted = Wanted {
        run: "demo",
        hosts,
        fresh: true,
        processes: false,
        apart: false,
    };
    let stack = Stack::start(&ready, &wanted)?;
    let runtime = match &ready.spin {
        _ if hosts.worker => "Cloudflare's workerd".to_owned(),
        Some(version) => format!("Spin {version}"),
        None => "the Spin host for tests (no spin 4.1 is on PATH)".to_owned(),
    };
    let outcome = call(hosts, &runtime, voice);
    let tails = match &outcome {
        Err(_) if !signals::asked_to_stop() => stack.tails(12),
        _ => String::new(),
    };
    drop(stack);
    if let Err(error) = outcome {
        return Err(match tails.as_str() {
            "" => error,
            tails => anyhow::anyhow!("{tails}").context(format!("{error:#}")),
        });
    }
    let again = if hosts.spin {
        " --host worker"
    } else {
        " --host spin"
    };
    say(&format!(
        "\n{} Everything was stopped. Next: {} for the same call on the other host, {} for a stack to play with.",
        ink(Ink::Green, "✓"),
        ink(Ink::Cyan, &format!("cargo demo{again}")),
        ink(Ink::Cyan, "cargo dev"),
    ));
    Ok(())
}

fn call(hosts: Hosts, runtime: &str, voice: &str) -> Result<()> {
    let gateway = if hosts.worker {
        local(settings::WORKER_PORT)
    } else {
        local(settings::SPIN_PORT)
    };
    heading("Call");
    let path = format!("/api/v1/public/agent/{}", settings::DEMO_TRIGGER);
    let body = json!({
        "phone_number": settings::DEMO_NUMBER,
        "initial_context": {"customer_name": "Jane", "appointment_date": "March 15"},
    });
    say(&format!(
        "  The gateway is wasm on {runtime}; the voice is {voice}; Twilio is the simulator.\n"
    ));
    say(&ink(Ink::Dim, &format!("  POST {gateway}{path}")));
    say(&ink(Ink::Dim, &format!("  {body}")));
    let headers = [
        ("x-api-key", settings::DEMO_KEY),
        ("content-type", "application/json"),
    ];
    let answer = http::post(&format!("{gateway}{path}"), &headers, &body.to_string())?;
    say(&ink(
        Ink::Dim,
        &format!("  {} {}\n", answer.status, answer.body.trim()),
    ));
    if answer.status != 200 {
        bail!("the call was refused with {}", answer.status);
    }
    let id = answer.call.context("the answer has no x-call-id")?;
    let call = follow(&format!("{gateway}/v1/calls/{id}"))?;
    transcript(&call);
    let measured = measure(&call)?;
    judge(&call)?;
    judge_audio(&measured)
}

/// Prints each event once, as it becomes known, and returns the call when it is over.
fn follow(url: &str) -> Result<Value> {
    let mut shown = HashSet::new();
    let began = Instant::now();
    loop {
        signals::check()?;
        let answer = http::get(url, Some(settings::DEMO_KEY))?;
        if answer.status != 200 {
            bail!(
                "reading the call was answered {} {}",
                answer.status,
                answer.body
            );
        }
        let call = answer.json()?;
        for event in call["timeline"].as_array().into_iter().flatten() {
            let key = format!("{} {} {}", event["at"], event["event"], event["detail"]);
            if shown.insert(key) {
                say(&row(event));
            }
        }
        if !call["outcome"].is_null() {
            return Ok(call);
        }
        if began.elapsed() > PATIENCE {
            bail!(
                "the call is still {} after {} s",
                call["status"],
                PATIENCE.as_secs()
            );
        }
        std::thread::sleep(Duration::from_millis(150));
    }
}

fn row(event: &Value) -> String {
    let word = event["event"].as_str().unwrap_or("?");
    let text = format!(
        "{:<16}{:<10}{}",
        word.replace('_', " "),
        event["source"].as_str().unwrap_or_default(),
        event["detail"].as_str().unwrap_or_default()
    );
    let seconds = format!("{:>8.3} s", event["offset_s"].as_f64().unwrap_or_default());
    let mark = match word {
        "answered" | "media_started" | "greeting" => Ink::Green,
        "line" => Ink::Cyan,
        "ended" => Ink::Bold,
        _ => Ink::Dim,
    };
    format!(
        "  {}  {}",
        ink(Ink::Dim, &seconds),
        ink(mark, text.trim_end())
    )
}

fn transcript(call: &Value) {
    heading("Transcript");
    for line in call["transcript"].as_array().into_iter().flatten() {
        let speaker = line["speaker"].as_str().unwrap_or("?");
        let colour = if speaker == "agent" {
            Ink::Green
        } else {
            Ink::Yellow
        };
        say(&format!(
            "  {} {}",
            ink(colour, &format!("{speaker:<8}")),
            line["text"].as_str().unwrap_or_default()
        ));
    }
}

/// What the simulator heard and was told.
fn measure(call: &Value) -> Result<Value> {
    let sid = call["provider_sid"]
        .as_str()
        .context("the call has no provider_sid")?;
    let url = format!("{}/_sim/calls/{sid}", local(settings::SIMULATOR_PORT));
    let seen = http::get(&url, None)?.json()?;
    heading("Measured by the simulator");
    let media = &seen["media"];
    let seconds = |ms: &Value| format!("{:.1} s", ms.as_f64().unwrap_or_default() / 1000.0);
    let first = media["first_audio_ms"].as_u64().map_or_else(
        || "never".to_owned(),
        |ms| format!("{ms} ms after the media socket opened"),
    );
    let callbacks: Vec<&Value> = seen["callbacks"].as_array().into_iter().flatten().collect();
    let taken = callbacks
        .iter()
        .filter(|callback| {
            callback["attempts"]
                .as_array()
                .and_then(|attempts| attempts.last())
                .and_then(|attempt| attempt["status"].as_u64())
                .is_some_and(|status| (200..300).contains(&status))
        })
        .count();
    for (name, value) in [
        ("first agent audio", first),
        ("agent's speech heard", seconds(&media["agent_speech_ms"])),
        ("caller's speech sent", seconds(&media["caller_speech_ms"])),
        (
            "callbacks accepted",
            format!("{taken} of {}", callbacks.len()),
        ),
    ] {
        say(&format!("  {name:<22}{value}"));
    }
    Ok(seen)
}

fn judge(call: &Value) -> Result<()> {
    let outcome = call["outcome"].as_str().unwrap_or("?");
    if outcome != "completed" {
        bail!(
            "the call ended as {outcome}: {}",
            call["end_reason"].as_str().unwrap_or("no reason was given")
        );
    }
    for speaker in ["agent", "contact"] {
        let mut lines = call["transcript"].as_array().into_iter().flatten();
        if !lines.any(|line| line["speaker"] == speaker) {
            bail!("the transcript has no line of the {speaker}");
        }
    }
    Ok(())
}

fn judge_audio(seen: &Value) -> Result<()> {
    for (name, side) in [
        ("agent_speech_ms", "agent"),
        ("caller_speech_ms", "contact"),
    ] {
        if seen["media"][name].as_u64().unwrap_or(0) == 0 {
            bail!("no speech of the {side} went over the wire");
        }
    }
    Ok(())
}
