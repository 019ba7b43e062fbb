//! The host killed as in a power cut, with calls at every step, and started again: one kill meets all of [`cuts`].

use crate::count::Count;
use crate::rows::{At, Cut, cuts};
use serde_json::Value;
use std::process::Command;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;
use tests::tenant::{Said, Tenant, eventually};

/// Between two requests that the kill may meet anywhere.
const APART: Duration = Duration::from_millis(30);

/// Brings calls to every step, kills the host, and starts it again.
pub(crate) fn strike(exchange: u16) -> Struck {
    let cuts: Vec<(Cut, Tenant)> = cuts()
        .into_iter()
        .zip(exchange..)
        .map(|(cut, exchange)| {
            let tenant = Tenant::new(exchange, cut.calls as u64 + 1);
            tenant.subscribe();
            tenant.faults(&cut.faults);
            (cut, tenant)
        })
        .collect();
    let reached: Vec<Result<(), String>> = thread::scope(|scope| {
        let ways: Vec<_> = cuts
            .iter()
            .map(|(cut, tenant)| match cut.at {
                At::Later | At::Talking => {
                    place_all(scope, cut, tenant, Duration::ZERO)
                        .into_iter()
                        .for_each(|call| drop(call.join()));
                    reached(cut, tenant)
                }
                At::Create => {
                    place_all(scope, cut, tenant, Duration::ZERO);
                    reached(cut, tenant)
                }
                At::Anywhere => {
                    place_all(scope, cut, tenant, APART);
                    Ok(())
                }
            })
            .collect();
        thread::sleep(APART * 5);
        let killed = stack("kill");
        ways.into_iter()
            .map(|reached| reached.and(killed.clone()))
            .collect()
    });
    let started = stack("start");
    for (cut, tenant) in &cuts {
        let mut on = cut.faults.clone();
        on["hold"] = Value::Null;
        tenant.faults(&on);
    }
    let reached = reached.into_iter();
    Struck {
        reached: reached
            .map(|reached| reached.and(started.clone()))
            .collect(),
        cuts,
    }
}

/// A host that was killed and runs again, and the calls that this met.
pub(crate) struct Struck {
    cuts: Vec<(Cut, Tenant)>,
    /// Whether each cut's calls stood where they should.
    reached: Vec<Result<(), String>>,
}

impl Struck {
    /// Waits for what becomes of the calls.
    pub(crate) fn settle(&self) -> Vec<(&'static str, Result<Count, String>)> {
        thread::scope(|scope| {
            let ends: Vec<_> = self
                .cuts
                .iter()
                .zip(&self.reached)
                .map(|((cut, tenant), reached)| {
                    let reached = reached.clone();
                    let end = scope.spawn(|| reached.and_then(|()| settle(cut, tenant)));
                    (cut.name, end)
                })
                .collect();
            let counted = ends.into_iter().map(|(name, end)| {
                let count = end.join();
                (
                    name,
                    count.unwrap_or_else(|_| Err("the row panicked".to_owned())),
                )
            });
            counted.collect()
        })
    }
}

/// Sends the cut's requests, so far apart. What they are answered is asked for again later.
fn place_all<'scope, 'env>(
    scope: &'scope thread::Scope<'scope, 'env>,
    cut: &'env Cut,
    tenant: &'env Tenant,
    apart: Duration,
) -> Vec<ScopedJoinHandle<'scope, Result<Said, String>>> {
    (0..cut.calls)
        .map(|call| {
            thread::sleep(apart);
            scope.spawn(move || tenant.place(&tenant.number(call), &key(call)))
        })
        .collect()
}

fn key(call: usize) -> String {
    format!("key {call}")
}

/// Waits until the cut's calls stand where the kill is to find them.
fn reached(cut: &Cut, tenant: &Tenant) -> Result<(), String> {
    let there = || match cut.at {
        At::Talking => tenant
            .simulated()
            .iter()
            .filter(|call| call["media"]["frames_sent"].as_u64() > Some(10))
            .count(),
        At::Later | At::Create | At::Anywhere => usize::try_from(tenant.held()).unwrap_or(0),
    };
    eventually(30, || (there() == cut.calls).then_some(()))
        .ok_or_else(|| format!("{} of {} calls came so far", there(), cut.calls))
}

/// Asks for every call again by its key, as a caller without an answer would, until it is clear which call it is.
fn settle(cut: &Cut, tenant: &Tenant) -> Result<Count, String> {
    let mut ids = Vec::new();
    for call in 0..cut.calls {
        let mut last = None;
        let id = eventually(120, || {
            let said = tenant.place(&tenant.number(call), &key(call)).ok()?;
            last = Some(said.clone());
            matches!(said.status, 200 | 409)
                .then_some(said.id)
                .flatten()
        });
        ids.push(id.ok_or_else(|| format!("call {call} was never clear: {last:?}"))?);
    }
    Count::take(tenant, cut.calls, &ids)
}

/// `stack kill` or `stack start` for the gateway that runs.
fn stack(what: &str) -> Result<(), String> {
    let variable = |name| std::env::var(name).map_err(|_| format!("cargo verify sets {name}"));
    let host = variable("HOST")?;
    // Cargo tells every program below it whose test it runs; the stack would take that for itself.
    let done = Command::new(variable("STACK")?)
        .args([what, &host])
        .env_remove("CARGO_MANIFEST_DIR")
        .output();
    let done = done.map_err(|error| format!("{what} {host}: {error}"))?;
    let said = String::from_utf8_lossy(&done.stderr);
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("{what} {host}: {said}")),
    }
}
