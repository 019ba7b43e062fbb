//! `cargo verify`: set-up, then every suite, one line each, and a last line with the sum.

use crate::command::{MINUTE, program, run_logged, tail};
use crate::docker::Traces;
use crate::process;
use crate::screen::{self, Ink, heading, ink, say};
use crate::settings::{self, local};
use crate::setup::{self, Needs, Ready};
use crate::stack::{self, Hosts, SPIN, Stack, WORKER, Wanted};
use crate::suites::{On, SUITES, Suite, Work};
use crate::{pieces, place, signals};
use anyhow::{Result, anyhow, bail};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

/// How long a voice whose launcher was killed in a test may wait for its call before it gives up.
const LEAVING: Duration = Duration::from_secs(90);

/// The name of its runs of the stack.
const RUN: &str = "verify";

/// What a suite came to.
enum Outcome {
    Ran { passed: usize, failed: usize },
    Skipped(&'static str),
}

struct Run {
    ready: Ready,
    before: Option<Traces>,
    began: Instant,
}

/// What suites came to together.
#[derive(Default)]
struct Sum {
    passed: usize,
    failed: usize,
    /// The suites of what failed.
    red: Vec<&'static Suite>,
}

/// The stack that runs while suites do, or why it does not.
type Running = (On, Result<Stack, String>);

/// The words after `cargo verify`: none for all suites, else parts of their names.
pub(crate) fn run(words: &[String]) -> Result<ExitCode> {
    let chosen: Vec<&'static Suite> = SUITES
        .iter()
        .filter(|suite| words.is_empty() || words.iter().any(|word| suite.name.contains(word)))
        .collect();
    if chosen.is_empty() {
        let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
        bail!("no suite of that name; there are:\n{}", names.join("\n"));
    }
    stack::check_free()?;
    let wants = |host: fn(Hosts) -> bool| {
        let on = |suite: &&Suite| suite.stack.is_some_and(|on| host(on.hosts));
        words.is_empty() || chosen.iter().any(on)
    };
    let ready = setup::run(Needs {
        worker: wants(|hosts| hosts.worker),
        spin: wants(|hosts| hosts.spin),
        npm: true,
        python: words.is_empty()
            || chosen
                .iter()
                .any(|suite| suite.name.contains("schemathesis")),
    })?;
    let run = Run {
        before: ready.engine.is_some().then(Traces::look),
        ready,
        began: Instant::now(),
    };
    heading("Suites");
    let mut sum = Sum::default();
    for together in chosen.chunk_by(|one, next| one.same_stack(next)) {
        sum = sum.and(run.together(together)?);
    }
    let minutes = run.began.elapsed().as_secs_f32() / 60.0;
    drop(run);
    say(&format!(
        "\n{} passed, {} failed, in {minutes:.0} minutes",
        sum.passed, sum.failed
    ));
    for suite in &sum.red {
        let path = place::log(&log(suite));
        say(&format!(
            "\nFAILED  {}: {}\n{}",
            suite.name,
            place::shown(&path),
            indented(&tail(&path, 30))
        ));
    }
    Ok(if sum.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Sum {
    fn and(mut self, more: Sum) -> Sum {
        self.passed += more.passed;
        self.failed += more.failed;
        self.red.extend(more.red);
        self
    }
}

impl Run {
    /// Runs suites that want one stack, or none. The hosts' take turns each on its own side, for most of what they do is
    /// wait.
    fn together(&self, suites: &[&'static Suite]) -> Result<Sum> {
        let on = suites
            .iter()
            .filter_map(|suite| suite.stack)
            .reduce(|one, other| On {
                hosts: one.hosts.and(other.hosts),
                ..one
            });
        let running = on.map(|on| self.start(on));
        let sides = [WORKER, SPIN].map(Some).into_iter().chain([None]);
        let sums: Vec<Result<Sum>> = thread::scope(|scope| {
            let sides: Vec<_> = sides
                .map(|hosts| {
                    let running = running.as_ref();
                    let side = suites
                        .iter()
                        .filter(move |suite| suite.stack.map(|on| on.hosts) == hosts);
                    scope.spawn(move || self.one_by_one(side.copied(), running))
                })
                .collect();
            let failed = || Err(anyhow!("a suite panicked"));
            sides
                .into_iter()
                .map(|side| side.join().unwrap_or_else(|_| failed()))
                .collect()
        });
        sums.into_iter()
            .try_fold(Sum::default(), |sum, more| Ok(sum.and(more?)))
    }

    fn one_by_one(
        &self,
        suites: impl Iterator<Item = &'static Suite>,
        running: Option<&Running>,
    ) -> Result<Sum> {
        let mut sum = Sum::default();
        for suite in suites {
            let began = Instant::now();
            let outcome = self.suite(suite, running);
            signals::check()?;
            let (passed, failed) = self.tell(suite, outcome, began.elapsed(), running);
            let red = (failed > 0).then_some(suite).into_iter().collect();
            sum = sum.and(Sum {
                passed,
                failed,
                red,
            });
        }
        Ok(sum)
    }

    /// Shows what a suite came to, in one piece, and says what to add to the sum.
    fn tell(
        &self,
        suite: &Suite,
        outcome: Result<Outcome>,
        took: Duration,
        running: Option<&Running>,
    ) -> (usize, usize) {
        let row = |colour, mark, counts: &str| line(colour, mark, suite.name, counts, took);
        let (text, passed, failed) = match outcome {
            Ok(Outcome::Skipped(why)) => (row(Ink::Dim, "--", why), 0, 0),
            Ok(Outcome::Ran { passed, failed: 0 }) => {
                let counts = format!("{passed} passed");
                let text = row(Ink::Green, "ok", &counts) + &tables(&log(suite));
                (text, passed, 0)
            }
            Ok(Outcome::Ran { passed, failed }) => {
                let counts = format!("{passed} passed, {failed} failed");
                let said = indented(&tail(&place::log(&log(suite)), 60));
                let logs = match running {
                    Some((_, Ok(stack))) => indented(&stack.tails(15)),
                    _ => String::new(),
                };
                let text = row(Ink::Red, "FAILED", &counts);
                (format!("{text}\n{said}\n{logs}"), passed, failed)
            }
            Err(error) => {
                let text = row(Ink::Red, "FAILED", "1 failed");
                (format!("{text}\n{}", indented(&format!("{error:#}"))), 0, 1)
            }
        };
        say(text.trim_end());
        (passed, failed)
    }

    fn start(&self, on: On) -> Running {
        let wanted = Wanted {
            run: RUN,
            hosts: on.hosts,
            fresh: true,
            processes: on.processes,
            apart: true,
        };
        let started = screen::quietly(|| Stack::start(&self.ready, &wanted));
        (on, started.map_err(|error| format!("{error:#}")))
    }

    fn suite(&self, suite: &Suite, running: Option<&Running>) -> Result<Outcome> {
        if let Some((_, Err(why))) = running {
            bail!("the stack does not run: {why}");
        }
        if suite.containers && self.ready.engine.is_none() {
            return Ok(Outcome::Skipped("needs a container engine"));
        }
        match suite.work {
            Work::Tests(words) => self.tests(suite, words, running),
            Work::Check(line) => {
                let mut shell = program("sh");
                shell.args(["-c", line]);
                whole(suite, shell)
            }
            Work::Wrangler(words) => {
                let mut wrangler = pieces::wrangler()?;
                wrangler.args(words.split(' '));
                whole(suite, wrangler)
            }
            Work::WasmClippy(package, target) => wasm_clippy(suite, package, target),
            Work::Leftovers => self.leftovers(),
        }
    }

    fn tests(&self, suite: &Suite, words: &str, running: Option<&Running>) -> Result<Outcome> {
        let mut cargo = program("cargo");
        cargo.args(words.split(' '));
        if let Some(flite) = pieces::flite() {
            cargo.env("FLITE", flite);
        }
        cargo.env("SCHEMATHESIS", place::python("st"));
        // The end of the output is what is shown, and a backtrace would be all of it.
        cargo.env("RUST_BACKTRACE", "0");
        if let (Some(on), Some((_, Ok(stack)))) = (suite.stack, running) {
            let (host, port, simulator) = if on.hosts.worker {
                ("worker", settings::WORKER_PORT, settings::SIMULATOR_PORT)
            } else {
                ("spin", settings::SPIN_PORT, stack.spins_simulator())
            };
            let voices = if self.ready.engine.is_some() && !on.processes {
                "containers"
            } else {
                "processes"
            };
            cargo
                .env("GATEWAY", local(port))
                .env("SIMULATOR", local(simulator))
                .env("HOST", host)
                .env("STACK", std::env::current_exe()?)
                .env("STATE", place::state(RUN).join(host))
                .env("VOICES", voices);
        }
        let status = run_logged(&mut cargo, &log(suite), 30 * MINUTE)?;
        let said = std::fs::read_to_string(place::log(&log(suite)))?;
        let (passed, mut failed) = count(&said);
        // A crash or a test that does not compile leaves no summary.
        if failed == 0 && (!status.success() || passed == 0) {
            failed = 1;
        }
        Ok(Outcome::Ran { passed, failed })
    }

    fn leftovers(&self) -> Result<Outcome> {
        let began = Instant::now();
        loop {
            let mut left = process::ours();
            if let Some(before) = &self.before {
                let traces = Traces::since(before);
                left.extend(traces.containers.iter().map(|id| format!("container {id}")));
                left.extend(traces.tags.iter().map(|tag| format!("image tag {tag}")));
            }
            if left.is_empty() {
                return Ok(Outcome::Ran {
                    passed: 1,
                    failed: 0,
                });
            }
            signals::check()?;
            if began.elapsed() > LEAVING {
                bail!("{}", left.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

fn whole(suite: &Suite, mut command: Command) -> Result<Outcome> {
    let status = run_logged(&mut command, &log(suite), 30 * MINUTE)?;
    Ok(Outcome::Ran {
        passed: usize::from(status.success()),
        failed: usize::from(!status.success()),
    })
}

fn wasm_clippy(suite: &Suite, package: &str, target: &str) -> Result<Outcome> {
    if !setup::target_is_there(target) {
        return Ok(Outcome::Skipped(
            "no clippy comes with the wasm targets here",
        ));
    }
    let mut cargo = program("cargo");
    cargo.args([
        "clippy", "-p", package, "--target", target, "--", "-D", "warnings",
    ]);
    whole(suite, cargo)
}

/// Sums libtest's summaries: passed, failed.
fn count(said: &str) -> (usize, usize) {
    let mut sum = (0, 0);
    for line in said.lines().filter(|line| line.starts_with("test result:")) {
        for part in line.split([';', '.']) {
            let mut words = part.split_whitespace();
            let number = words.next().and_then(|word| word.parse::<usize>().ok());
            match (number, words.next()) {
                (Some(number), Some("passed")) => sum.0 += number,
                (Some(number), Some("failed")) => sum.1 += number,
                _ => {}
            }
        }
    }
    sum
}

fn line(colour: Ink, mark: &str, name: &str, counts: &str, took: Duration) -> String {
    format!(
        "{}  {name:<32} {counts:<24} {:>7.1} s",
        ink(colour, &format!("{mark:<6}")),
        took.as_secs_f32()
    )
}

/// What a suite shows as tables in Markdown, for the README.
fn tables(log: &str) -> String {
    let said = std::fs::read_to_string(place::log(log)).unwrap_or_default();
    let rows = said.lines().filter(|line| line.starts_with("| "));
    rows.map(|row| format!("\n        {row}")).collect()
}

fn log(suite: &Suite) -> String {
    let name = suite.name.replace([',', '-', ' '], "_");
    format!("verify-{}", name.replace("__", "_"))
}

fn indented(text: &str) -> String {
    text.lines()
        .map(|line| format!("        {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn summaries_add_up() {
        let said = "\ntest result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 1 filtered out; finished in 0.01s\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";
        assert_eq!(count(said), (13, 2));
        assert_eq!(count("error: could not compile"), (0, 0));
    }
}
