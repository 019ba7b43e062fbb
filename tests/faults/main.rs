//! Everything that may go wrong around a call, on a running stack: each row of [`rows`] has an organization of its own.
//! For each: no number rings twice, no more calls are placed than were accepted, every accepted call ends and is
//! reported under one id or dead-lettered, every seat is free. `cargo verify` starts the stack, and prints the table of counts that this writes to `target/`.

mod blow;
mod count;
mod forged;
mod rows;
mod strike;

use count::{Count, table};
use rows::{Meanwhile, Row};
use serde_json::json;
use std::path::Path;
use std::thread;
use std::time::Duration;
use tests::tenant::{Said, Tenant, eventually};

/// The first of the suite's exchanges, see [`Tenant::new`].
const EXCHANGE: u16 = 560;
/// The first of those whose calls are struck.
const STRUCK: u16 = 520;
/// Between the starts of two rows, so that not all containers start at once.
const APART: Duration = Duration::from_millis(500);

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn every_fault() {
    let rows = rows::rows();
    let struck = strike::strike(STRUCK);
    // What was struck is mostly waited for, which leaves the host time for the rest.
    let counted: Vec<(&'static str, Result<Count, String>)> = thread::scope(|scope| {
        let met = scope.spawn(|| struck.settle());
        let running: Vec<_> = (EXCHANGE..)
            .zip(&rows)
            .map(|(exchange, row)| {
                thread::sleep(APART);
                (row.name, scope.spawn(move || run(row, exchange)))
            })
            .collect();
        let end = |row: thread::ScopedJoinHandle<'_, _>| {
            row.join()
                .unwrap_or_else(|_| Err("the row panicked".to_owned()))
        };
        let ends = running.into_iter().map(|(name, row)| (name, end(row)));
        ends.collect::<Vec<_>>()
            .into_iter()
            .chain(met.join().expect("no panic"))
            .collect()
    });
    let table = table(&counted);
    let host = std::env::var("HOST").unwrap_or_else(|_| "worker".to_owned());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/faults-{host}.md"));
    std::fs::write(&file, &table).expect("the table is written");
    println!("{table}");
    let failed = counted.iter().filter(|(_, count)| count.is_err()).count();
    assert_eq!(failed, 0, "rows failed");
}

fn run(row: &Row, exchange: u16) -> Result<Count, String> {
    let tenant = Tenant::new(exchange, row.calls as u64 + 1);
    tenant.subscribe();
    tenant.faults(&row.faults);
    if !row.endpoint.is_null() {
        tenant.endpoint(&row.endpoint);
    }
    let said: Vec<Said> = thread::scope(|scope| {
        let asked: Vec<_> = (0..row.calls)
            .map(|call| {
                scope.spawn({
                    let tenant = &tenant;
                    move || place(tenant, call)
                })
            })
            .collect();
        let answers = asked.into_iter().map(|call| call.join().expect("no panic"));
        answers.collect::<Result<_, _>>()
    })?;
    // One that was asked for twice may be told that its outcome is not known yet.
    let accepted = said.iter().filter(|said| matches!(said.status, 200 | 409));
    let ids: Vec<String> = accepted.filter_map(|said| said.id.clone()).collect();
    match row.meanwhile {
        Meanwhile::Nothing => {}
        Meanwhile::Forge => {
            let id = ids
                .first()
                .ok_or_else(|| format!("nothing was accepted: {said:?}"))?;
            forged::against(&tenant, id)?;
        }
        Meanwhile::DropMedia => drop_media(&tenant)?,
    }
    let count = Count::take(&tenant, row.calls, &ids)?;
    if (count.accepted, count.placed) != (row.accepted, row.placed) {
        return Err(format!(
            "{} accepted, {} placed; {said:?}",
            count.accepted, count.placed
        ));
    }
    if count.reports.keys().any(|status| *status != row.reported) {
        return Err(format!("reports are {:?}", count.reports));
    }
    if let Some(wrong) = count
        .outcomes
        .keys()
        .find(|outcome| !row.outcomes.contains(&outcome.as_str()))
    {
        return Err(format!("an accepted call ended as {wrong}"));
    }
    Ok(count)
}

/// Places a call, again with the same key where the answer is nobody's word on it, as callers do.
fn place(tenant: &Tenant, call: usize) -> Result<Said, String> {
    let ask = || tenant.place(&tenant.number(call), &format!("key {call}"));
    let mut said = ask();
    for _ in 0..4 {
        if said.as_ref().is_ok_and(|said| said.status < 500) {
            break;
        }
        thread::sleep(Duration::from_secs(1));
        said = ask();
    }
    said
}

/// Breaks every call's media socket once audio flows.
fn drop_media(tenant: &Tenant) -> Result<(), String> {
    let sids = eventually(60, || {
        let calls = tenant.simulated();
        let flows = calls
            .iter()
            .all(|call| call["media"]["frames_sent"].as_u64() > Some(20));
        let sid = |call: &serde_json::Value| call["sid"].as_str().map(str::to_owned);
        flows.then(|| calls.iter().filter_map(sid).collect::<Vec<_>>())
    });
    for sid in sids.ok_or("no audio flows")? {
        tenant.http.steer(&sid, &json!({ "action": "drop_media" }));
    }
    Ok(())
}
