//! `cargo demo`, `cargo dev`, `cargo verify` and `cargo bench-stack`: set-up of a machine, and the stack run on it.

mod bench;
mod command;
mod demo;
mod dev;
mod docker;
mod forward;
mod http;
mod pieces;
mod place;
mod process;
mod revive;
mod screen;
mod settings;
mod setup;
mod signals;
mod stack;
mod state;
mod suites;
mod tools;
mod verify;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "cargo demo [--host worker|spin]
cargo dev [--host worker|spin|both] [--detach] [--fresh] | --stop | --list-tools
cargo verify [SUITE…]
cargo bench-stack";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(code) => code,
        Err(error) => {
            screen::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<ExitCode> {
    let (command, rest) = words
        .split_first()
        .map_or(("", words), |(first, rest)| (first.as_str(), rest));
    if command == "forward" {
        let [from, to] = rest else {
            bail!("forward FROM TO")
        };
        forward::run(from, to)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let ("kill" | "start", [name]) = (command, rest) {
        match command {
            "kill" => revive::kill(name)?,
            _ => revive::start(name)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    signals::watch()?;
    match command {
        "demo" => demo::run(rest)?,
        "dev" => dev::run(rest)?,
        "bench" => bench::run(rest)?,
        "verify" => return verify::run(rest),
        _ => bail!("{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}
