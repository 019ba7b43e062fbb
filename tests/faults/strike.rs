//! The running stack struck with calls at every step, blow by blow: each blow meets all of its [`cuts`].

use crate::blow::Blow;
use crate::count::Count;
use crate::rows::{At, Cut, cuts};
use serde_json::Value;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;
use tests::tenant::{Said, Tenant, eventually};

/// Between two requests that a kill may meet anywhere.
const APART: Duration = Duration::from_millis(30);

/// Brings calls to every step, deals one blow after the other, and makes good what was broken.
pub(crate) fn strike(exchange: u16) -> Struck {
    let mut cuts: Vec<Cut> = cuts();
    cuts.sort_by_key(|cut| cut.blow);
    let cuts: Vec<(Cut, Tenant)> = cuts
        .into_iter()
        .zip(exchange..)
        .map(|(cut, exchange)| {
            let tenant = Tenant::new(exchange, cut.calls as u64 + 1);
            tenant.subscribe();
            tenant.faults(&cut.faults);
            (cut, tenant)
        })
        .collect();
    let mut met = Vec::new();
    for group in cuts.chunk_by(|(one, _), (other, _)| one.blow == other.blow) {
        met.extend(deal(group[0].0.blow, group));
    }
    Struck { cuts, met }
}

/// Deals one blow, and says of each cut whether it met what it should.
fn deal(blow: Blow, cuts: &[(Cut, Tenant)]) -> Vec<Result<(), String>> {
    thread::scope(|scope| {
        let reached: Vec<Result<(), String>> = cuts
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
                At::Meanwhile => Ok(()),
            })
            .collect();
        thread::sleep(APART * 5);
        let struck = match blow.strike() {
            Ok(struck) => struck,
            Err(why) => return vec![Err(why); cuts.len()],
        };
        let met: Vec<Result<(), String>> = match blow.lasts() {
            true => {
                let ways: Vec<_> = cuts
                    .iter()
                    .map(|(cut, tenant)| scope.spawn(move || suffer(cut, tenant)))
                    .collect();
                let met = |way: ScopedJoinHandle<'_, _>| {
                    let panicked = |_| Err("it panicked".to_owned());
                    way.join().unwrap_or_else(panicked)
                };
                ways.into_iter().map(met).collect()
            }
            false => vec![Ok(()); cuts.len()],
        };
        let ended = struck.end();
        for (cut, tenant) in cuts {
            go_on(cut, tenant);
        }
        let reached = reached.into_iter().zip(met);
        reached
            .map(|(reached, met)| reached.and(met).and(ended.clone()))
            .collect()
    })
}

/// Has held calls go on.
fn go_on(cut: &Cut, tenant: &Tenant) {
    let mut on = cut.faults.clone();
    on["hold"] = Value::Null;
    tenant.faults(&on);
}

/// What a cut's calls go through while a blow lasts.
fn suffer(cut: &Cut, tenant: &Tenant) -> Result<(), String> {
    match cut.at {
        At::Meanwhile => {
            // Where no answer comes nobody was told anything.
            let said: Vec<Said> = thread::scope(|scope| {
                let asked = place_all(scope, cut, tenant, APART);
                let answers = asked.into_iter().map(|call| call.join().expect("no panic"));
                answers.flatten().collect()
            });
            let dialled = tenant.simulated().len();
            let placed = said.iter().filter(|said| said.status == 200).count();
            if cut.blow.is_total() && (placed > 0 || dialled > 0) {
                return Err(format!(
                    "nothing could be written, and {dialled} were dialled: {said:?}"
                ));
            }
            // Refused is what was not stored, and nobody is told that it was.
            let honest = |said: &Said| match said.status {
                200 => said.id.is_some(),
                status => status >= 500 || status == 409,
            };
            match said.iter().all(honest) {
                true => Ok(()),
                false => Err(format!("answered {said:?}")),
            }
        }
        At::Later => {
            go_on(cut, tenant);
            let refused = || {
                let calls = tenant.simulated();
                let each = calls.iter().map(|call| refused_callbacks(call) > 0);
                (each.clone().count() == cut.calls && each.clone().all(|refused| refused))
                    .then_some(())
            };
            // Where some writes work, so may all that these calls need.
            let met = eventually(if cut.blow.is_total() { 30 } else { 5 }, refused);
            match cut.blow.is_total() && met.is_none() {
                true => Err("Twilio was never told that its callback was not taken".to_owned()),
                false => Ok(()),
            }
        }
        At::Talking | At::Create | At::Anywhere => {
            thread::sleep(Duration::from_secs(4));
            Ok(())
        }
    }
}

/// How often Twilio's callbacks were answered that they could not be taken.
fn refused_callbacks(call: &Value) -> usize {
    let callbacks = call["callbacks"].as_array().into_iter().flatten();
    let attempts = callbacks.flat_map(|told| told["attempts"].as_array().into_iter().flatten());
    attempts
        .filter(|attempt| {
            attempt["status"]
                .as_u64()
                .is_some_and(|status| status >= 500)
        })
        .count()
}

/// A stack that was struck and runs again, and the calls that this met.
pub(crate) struct Struck {
    cuts: Vec<(Cut, Tenant)>,
    /// Whether each cut met what it should.
    met: Vec<Result<(), String>>,
}

impl Struck {
    /// Waits for what becomes of the calls.
    pub(crate) fn settle(&self) -> Vec<(&'static str, Result<Count, String>)> {
        thread::scope(|scope| {
            let ends: Vec<_> = self
                .cuts
                .iter()
                .zip(&self.met)
                .map(|((cut, tenant), met)| {
                    let met = met.clone();
                    let end = scope.spawn(|| met.and_then(|()| settle(cut, tenant)));
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
        At::Later | At::Create | At::Anywhere | At::Meanwhile => {
            usize::try_from(tenant.held()).unwrap_or(0)
        }
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
    let count = Count::take(tenant, cut.calls, &ids)?;
    let wrong = |outcome: &&String| !cut.outcomes.contains(&outcome.as_str());
    if let Some(wrong) = count.outcomes.keys().find(wrong) {
        return Err(format!("an accepted call ended as {wrong}"));
    }
    for id in &ids {
        let call = tenant.end(id, 1)?;
        if cut
            .reason
            .is_some_and(|reason| call["end_reason"] != reason)
        {
            return Err(format!("a call ended for {}", call["end_reason"]));
        }
    }
    Ok(count)
}
