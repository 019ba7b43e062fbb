//! What became of a row's calls, and the table of all rows.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use tests::tenant::Tenant;

/// How long a call may take to its end when everything must be found out by asking: the longest deadline there is in
/// the suite, twice.
const END_S: u64 = 180;

/// The counts of one row.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) asked: usize,
    pub(crate) accepted: usize,
    pub(crate) placed: usize,
    pub(crate) ended: usize,
    pub(crate) seats_held: u64,
    pub(crate) outcomes: BTreeMap<String, usize>,
}

impl Count {
    /// Waits until every accepted call has ended and its seat is free, and counts.
    pub(crate) fn take(tenant: &Tenant, asked: usize, ids: &[String]) -> Result<Count, String> {
        let mut count = Count {
            asked,
            accepted: ids.len(),
            ..Count::default()
        };
        for id in ids {
            let call = tenant.end(id, END_S)?;
            count.ended += 1;
            let outcome = call["outcome"].as_str().unwrap_or("none").to_owned();
            *count.outcomes.entry(outcome).or_default() += 1;
        }
        count.seats_held = tenant.seats_taken(30);
        let rung = tenant.rung();
        count.placed = rung.values().sum();
        if let Some((to, times)) = rung.iter().find(|(_, times)| **times > 1) {
            return Err(format!("{to} was rung {times} times"));
        }
        let live: Vec<Value> = tenant.simulated();
        let live: Vec<&Value> = live
            .iter()
            .filter(|call| call["ended_at_ms"].is_null())
            .map(|call| &call["sid"])
            .collect();
        if !live.is_empty() {
            return Err(format!("still live at Twilio: {live:?}"));
        }
        if count.seats_held > 0 {
            return Err(format!("{} seats are held", count.seats_held));
        }
        if count.placed > count.accepted {
            let (placed, accepted) = (count.placed, count.accepted);
            return Err(format!("{placed} calls placed of {accepted} accepted"));
        }
        Ok(count)
    }
}

/// The rows as a table in Markdown; a row that failed says why.
pub(crate) fn table(rows: &[(&'static str, Result<Count, String>)]) -> String {
    let mut text =
        "| what goes wrong | asked | accepted | placed | ended | seats held | outcomes |\n\
        | --- | ---: | ---: | ---: | ---: | ---: | --- |\n"
            .to_owned();
    for (name, count) in rows {
        let line = match count {
            Ok(count) => {
                let outcomes: Vec<String> = count
                    .outcomes
                    .iter()
                    .map(|(outcome, times)| format!("{outcome} {times}"))
                    .collect();
                format!(
                    "| {name} | {} | {} | {} | {} | {} | {} |",
                    count.asked,
                    count.accepted,
                    count.placed,
                    count.ended,
                    count.seats_held,
                    outcomes.join(", ")
                )
            }
            Err(why) => format!("| {name} | FAILED: {} |", why.replace('\n', " ")),
        };
        writeln!(text, "{line}").expect("a text grows");
    }
    text
}
