//! What a call costs: its operations, counted by a test in process, and their price on Cloudflare Workers.

use crate::command::{self, MINUTE, program};
use crate::place;
use crate::screen::{heading, say};
use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// US dollars for a million of each, beyond what the paid plan includes, as published in November 2026:
/// <https://developers.cloudflare.com/workers/platform/pricing/>,
/// <https://developers.cloudflare.com/durable-objects/platform/pricing/>
const PRICES: [(&str, f64); 7] = [
    ("requests", 0.30),
    ("kv reads", 0.50),
    ("kv writes", 5.00),
    ("kv lists", 5.00),
    ("object requests", 0.15),
    // An alarm is billed as a request to its object.
    ("alarms", 0.15),
    ("rows written", 1.00),
];

/// A minute of conversation, in dollars for a thousand: the call's object at 128 MB, Twilio's 50 messages a second
/// (20 count as one request), and the container `lite` without its processor time:
/// <https://developers.cloudflare.com/containers/pricing/>
const OBJECT_MINUTE: f64 = 60.0 * 0.125 * 12.50 / 1e3;
const MESSAGES_MINUTE: f64 = 60.0 * 50.0 / 20.0 * 0.15 / 1e3;
const CONTAINER_MINUTE: f64 = 60.0 * (0.25 * 2.5e-6 + 2.0 * 7e-8) * 1e3;

/// Prints operations and prices.
pub(crate) fn show() -> Result<()> {
    heading("Operations of a call, and what a thousand cost on Workers");
    let mut cargo = program("cargo");
    cargo.args(["test", "--quiet", "--package", "tests", "--test", "life"]);
    cargo.args(["operations_per_call", "--", "--nocapture"]);
    command::run(cargo, "bench-operations", 20 * MINUTE)?;
    let said = std::fs::read_to_string(place::log("bench-operations"))?;
    let trigger = counts(&said, "trigger").context("no operations were counted")?;
    let call = counts(&said, "call").context("no operations were counted")?;
    let row = |name: &str, trigger: &str, call: &str, price: f64| {
        say(&format!("  {name:<22}{trigger:>10}{call:>12}{price:>16.4}"));
    };
    say(&format!(
        "  {:<22}{:>10}{:>12}{:>16}",
        "", "trigger", "whole call", "$ per 1,000"
    ));
    let mut sum = 0.0;
    for (name, per_million) in PRICES {
        let count = |counts: &BTreeMap<String, u32>| counts.get(name).copied().unwrap_or(0);
        let price = f64::from(count(&call)) * per_million / 1e3;
        sum += price;
        row(
            name,
            &count(&trigger).to_string(),
            &count(&call).to_string(),
            price,
        );
    }
    row("together", "", "", sum);
    let minute = OBJECT_MINUTE + MESSAGES_MINUTE + CONTAINER_MINUTE;
    row("each minute of audio", "", "", minute);
    Ok(())
}

/// The counts of one line `operations NAME a_b=1 c=2`, by name with spaces.
fn counts(said: &str, name: &str) -> Option<BTreeMap<String, u32>> {
    // Libtest writes its own words before the test's first.
    let mut lines = said
        .lines()
        .filter_map(|line| line.split_once("operations "));
    let (_, line) = lines.find(|(_, rest)| rest.split(' ').next() == Some(name))?;
    let pairs = line.split(' ').filter_map(|pair| pair.split_once('='));
    let counts =
        pairs.filter_map(|(name, count)| Some((name.replace('_', " "), count.parse().ok()?)));
    Some(counts.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read() {
        let said = "operations trigger requests=1 kv_reads=4\n.operations call requests=16\n";
        assert_eq!(counts(said, "trigger").unwrap()["kv reads"], 4);
        assert_eq!(counts(said, "call").unwrap()["requests"], 16);
        assert!(counts(said, "other").is_none());
    }
}
