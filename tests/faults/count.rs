//! What became of a row's calls, and the table of all rows.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use tests::tenant::{Tenant, eventually};

/// How long a call may take to its end when everything must be found out by asking: the longest deadline there is in
/// the suite, twice.
const END_S: u64 = 180;

/// How long a report may take: its second attempt comes 5 s after the first, which may wait 10 s for an answer.
const REPORT_S: u64 = 60;

/// The counts of one row.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) asked: usize,
    pub(crate) accepted: usize,
    pub(crate) placed: usize,
    pub(crate) ended: usize,
    pub(crate) seats_held: u64,
    pub(crate) outcomes: BTreeMap<String, usize>,
    /// Reports of ended calls, by what became of their delivery.
    pub(crate) reports: BTreeMap<String, usize>,
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
        for id in ids {
            let status = reported(tenant, id)?;
            *count.reports.entry(status).or_default() += 1;
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

/// What became of the one report of a call: delivered under one id however often it came, or dead.
fn reported(tenant: &Tenant, id: &str) -> Result<String, String> {
    let mut last = Value::Null;
    let delivery = eventually(REPORT_S, || {
        let deliveries = tenant.get(&format!("/v1/calls/{id}/deliveries"))?;
        last = deliveries.clone();
        let list = deliveries["data"].as_array()?;
        let settled =
            |delivery: &Value| matches!(delivery["status"].as_str(), Some("delivered" | "dead"));
        (!list.is_empty() && list.iter().all(settled)).then(|| list.clone())
    });
    let list = delivery.ok_or_else(|| format!("call {id} is not reported: {last:#}"))?;
    let [delivery] = list.as_slice() else {
        return Err(format!("call {id} has {} reports", list.len()));
    };
    let came: BTreeSet<String> = tenant
        .letters()
        .into_iter()
        .filter(|(_, call)| call == id)
        .map(|(letter, _)| letter)
        .collect();
    if came.len() != 1 {
        return Err(format!("call {id} was reported under {came:?}"));
    }
    Ok(delivery["status"].as_str().unwrap_or_default().to_owned())
}

/// The rows as a table in Markdown; a row that failed says why.
pub(crate) fn table(rows: &[(&'static str, Result<Count, String>)]) -> String {
    let mut text =
        "| what goes wrong | asked | accepted | placed | ended | seats held | outcomes | reports |\n\
        | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |\n"
            .to_owned();
    for (name, count) in rows {
        let line = match count {
            Ok(count) => {
                format!(
                    "| {name} | {} | {} | {} | {} | {} | {} | {} |",
                    count.asked,
                    count.accepted,
                    count.placed,
                    count.ended,
                    count.seats_held,
                    words(&count.outcomes),
                    words(&count.reports)
                )
            }
            Err(why) => format!("| {name} | FAILED: {} |", why.replace('\n', " ")),
        };
        writeln!(text, "{line}").expect("a text grows");
    }
    text
}

/// `busy 6, lost 4`
fn words(counts: &BTreeMap<String, usize>) -> String {
    let words = counts.iter().map(|(word, times)| format!("{word} {times}"));
    words.collect::<Vec<_>>().join(", ")
}
