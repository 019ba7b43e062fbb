//! From trigger to dial in each dialect, on one runtime, in turns: the ratio to asisso is the figure.

use super::{ORGANIZATIONS, key, stub, trigger_id};
use crate::http;
use crate::screen::say;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use ureq::http::Request;

/// In each round every dialect is asked once: what else the machine does then meets all of them.
const ROUNDS: usize = 300;
/// A dialect that takes longer than asisso by more than this is pointed out.
const MOST: f64 = 1.10;

/// The path and body that place a call of organization `number` in each dialect.
fn create(dialect: &str, number: usize) -> (String, Value) {
    let organization = number % ORGANIZATIONS;
    let to = format!("+1415555{:04}", number % 10_000);
    let variables = json!({"customer_name": "Jane", "appointment_date": "March 15"});
    let bot = format!("bench-{organization}");
    match dialect {
        "asisso" => (
            format!("/api/v1/public/agent/{}", trigger_id(organization)),
            json!({"phone_number": to, "initial_context": variables}),
        ),
        "dialout" => (
            "/api/v1/dialout".to_owned(),
            json!({"bot_id": bot, "to_number": to, "variables": variables}),
        ),
        "burki" => (
            "/calls/initiate".to_owned(),
            json!({"assistant_id": 1000 + organization, "to_phone_number": to}),
        ),
        "allomia" => (
            "/api/outbound".to_owned(),
            json!({"assistantId": trigger_id(organization), "phoneNumberId": trigger_id(1000 + organization),
                "phoneNumber": to, "dynamicVariables": variables}),
        ),
        "voicing" => (
            "/api/v1/campaigns/publish-outbound-call".to_owned(),
            json!({"assistant_id": trigger_id(organization), "phone_number": to,
                "telephony_provider": "default", "input_variables": variables}),
        ),
        _ => (
            "/v1/calls".to_owned(),
            json!({"agent_id": bot, "to": to, "variables": variables}),
        ),
    }
}

const DIALECTS: [&str; 6] = [
    "asisso", "dialout", "burki", "allomia", "voicing", "ringdown",
];

/// Prints each dialect's median.
pub(crate) fn compare(url: &str) -> Result<()> {
    say("");
    say("  from request to dial, one connection; beside asisso:");
    let agent = http::agent(Duration::from_secs(30));
    let mut took = [const { Vec::new() }; DIALECTS.len()];
    for round in 0..ROUNDS {
        for (at, dialect) in DIALECTS.iter().enumerate() {
            let number = round * DIALECTS.len() + at;
            let (path, body) = create(dialect, number);
            let request = Request::post(format!("{url}{path}"))
                .header("x-api-key", key(number % ORGANIZATIONS))
                .header("content-type", "application/json")
                .body(body.to_string())?;
            let sent = Instant::now();
            let mut answer = agent.run(request).context("no answer")?;
            let said = answer.body_mut().read_to_string()?;
            let dialled = stub::dialled().filter(|dialled| *dialled > sent);
            let Some(dialled) = dialled else {
                bail!("{dialect} dialled nothing: {} {said}", answer.status());
            };
            took[at].push(dialled - sent);
        }
    }
    let medians = took.map(|mut took| {
        took.sort();
        took[took.len() / 2].as_secs_f64() * 1000.0
    });
    let asisso = medians[0];
    for (dialect, p50) in DIALECTS.iter().zip(medians) {
        let ratio = p50 / asisso;
        let mark = if ratio > MOST {
            "  more than asisso by over 10 %"
        } else {
            ""
        };
        say(&format!("  {dialect:<9} {p50:>11.2} ms {ratio:>9.2}{mark}"));
    }
    Ok(())
}
