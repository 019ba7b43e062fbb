//! From trigger to dial in each dialect, on one runtime, in turns: the ratio to asisso is the figure.

use super::{ORGANIZATIONS, key, load, trigger_id};
use crate::screen::say;
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;
use ureq::http::Request;

/// Every dialect is asked so often in a turn, so many turns: what else the machine does then meets all of them.
const REQUESTS: usize = 60;
const TURNS: usize = 5;
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

/// Prints the median of each dialect's fastest turn.
pub(crate) fn compare(url: &str) -> Result<()> {
    say("");
    say("  from request to answer, Twilio stubbed at 0 ms, one connection; beside asisso:");
    let mut fastest = [f64::MAX; DIALECTS.len()];
    for turn in 0..TURNS {
        for (at, dialect) in DIALECTS.iter().enumerate() {
            let request = |number: usize| {
                let number = number + (turn * DIALECTS.len() + at) * REQUESTS;
                let (path, body) = create(dialect, number);
                let organization = number % ORGANIZATIONS;
                let request = Request::post(format!("{url}{path}"))
                    .header("x-api-key", key(organization))
                    .header("content-type", "application/json");
                Ok(request.body(body.to_string())?)
            };
            let load = load::run(1, Duration::from_secs(30), REQUESTS, request)?;
            fastest[at] = fastest[at].min(load.p50);
        }
    }
    let asisso = fastest[0];
    for (dialect, p50) in DIALECTS.iter().zip(fastest) {
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
